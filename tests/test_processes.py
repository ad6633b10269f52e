"""Training by torchrun in two processes on the CPU."""

import os
import subprocess
import sys
from contextlib import contextmanager

import pytest
import torch

from brainkit import alignment, objects, training
from brainkit.models.miniatures import ResNet

SETTINGS = dict(epochs=2, batch_size=8, lr=3e-3, flip=True, seed=1, progress=False)

# Three runs, in the same two processes: to start Python and torch takes longer than all of them.
SCRIPT = """
import sys, torch
sys.path.insert(0, {here!r})
from test_processes import Killed, SETTINGS, killed_in, net_and_data, terms
from brainkit import training

torch.set_num_threads(1)
folder = sys.argv[1]

def run(checkpoint):
    net, data = net_and_data()
    history = training.fit(net, data, checkpoint=f"{{folder}}/{{checkpoint}}",
                           terms=terms(data), **SETTINGS)
    return {{"state": net.state_dict(), "history": history}}

found = {{"whole": run("a")}}
with killed_in(1):
    try:
        run("b")
    except Killed:
        found["killed"] = True
with killed_in(0):  # if it began anew
    found["resumed"] = run("b")
torch.save(found, f"{{folder}}/found.{{torch.distributed.get_rank()}}")
"""


class Killed(Exception):
    pass


@contextmanager
def killed_in(epoch):
    whole = training._epoch

    def or_killed(*given):
        if given[5] == epoch:
            raise Killed
        return whole(*given)

    training._epoch = or_killed
    yield
    training._epoch = whole


def net_and_data():
    torch.manual_seed(0)
    # 29 images: the last batch is uneven, for each process and between them.
    return ResNet(widths=(4, 4), blocks=(1, 1)), objects.sample(29, "none", seed=0)


def terms(data):
    """A second and a third loss, one of which differentiates twice."""
    responses = torch.rand(len(data), 5, generator=torch.Generator().manual_seed(0))
    maps = alignment.importance_maps(data.masks)
    return [alignment.NeuralAlignment("stages", data.images, responses, batch_size=6),
            alignment.Harmonisation(data.images, data.labels, maps, batch_size=3)]


def same(one, other):
    return all(torch.equal(one[key], other[key]) for key in one)


def test_two_processes_agree_resume_to_the_bit_and_learn_as_one_does(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(SCRIPT.format(here=os.path.dirname(__file__)))  # noqa: PTH120
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2",
         script, tmp_path],
        capture_output=True, text=True, timeout=300, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr[-2000:]
    one, other = (torch.load(tmp_path / f"found.{rank}") for rank in (0, 1))
    first, resumed = one["whole"], one["resumed"]
    assert one["killed"]
    assert other["killed"]
    assert same(first["state"], other["whole"]["state"])
    assert same(first["state"], resumed["state"])
    assert [r["loss"] for r in first["history"]] == [r["loss"] for r in resumed["history"]]

    # Of one process the weights differ, for each normalises its own part of a batch; not by much.
    net, data = net_and_data()
    alone = training.fit(net, data, **SETTINGS)
    assert not same(net.state_dict(), first["state"])
    for row, other in zip(alone, first["history"], strict=True):
        assert row["loss"] == pytest.approx(other["loss"], rel=0.25)
