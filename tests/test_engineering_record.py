"""The record of engineered nets: whole, possible, and what is measured now."""

import json
from pathlib import Path

import numpy as np
import pytest

from brainkit import data, manifolds, models, objects
from brainkit.data import ENGINEERING

ACCURACIES = {"clean", "Linf", "noise", "blur", "contrast", "pixelate"}
READ = {"x", "y", "size of the object", "yaw", "pitch", "roll"}
SURE = {"confidence", "calibration"}
LISTENING = {"within", "outside", "random", "size", "distance within", "distance outside"}


@pytest.fixture(scope="module")
def record():
    return data.engineering()


def test_every_net_was_measured_in_everything(record):
    known = {*ENGINEERING["conditions"], *ENGINEERING["zoo"]}
    for (net, seed), rows in record.groupby(["net", "seed"]):
        assert net in known
        assert seed in ENGINEERING["seeds"]
        assert not rows.duplicated(["measure", "at"]).any()
        made = net in ENGINEERING["conditions"]
        wanted = LISTENING | (ACCURACIES | READ | SURE if made else set())
        assert set(rows.measure) == wanted
        for measure in LISTENING:
            assert sorted(rows[rows.measure == measure]["at"]) == list(range(6))
        if made:
            there = rows[rows.measure == "Linf"]["at"].to_numpy()
            np.testing.assert_allclose(there, ENGINEERING["epsilons"], rtol=1e-5)


def test_conditions_are_compared_in_the_same_seeds(record):
    seeds = record.groupby("net").seed.unique().map(set)
    assert set(seeds.index) == {*ENGINEERING["conditions"], *ENGINEERING["zoo"]}
    for net in ENGINEERING["conditions"]:
        assert seeds[net] == set(ENGINEERING["seeds"])
    for net in ENGINEERING["zoo"]:
        assert seeds[net] == set(ENGINEERING["zoo_seeds"])


def test_values_are_possible(record):
    of = record[record.measure.isin(ACCURACIES)]
    counted = of.value * of.n
    np.testing.assert_allclose(counted, counted.round(), atol=2e-3)
    assert record[record.measure.isin(READ)].value.between(-0.5, 1).all()
    assert (record[record.measure.isin(LISTENING)].value >= 0).all()
    for _, rows in record[record.measure == "Linf"].groupby(["net", "seed"]):
        assert rows.sort_values("at").value.is_monotonic_decreasing


def test_a_recorded_sensitivity_is_the_one_that_is_measured(record):
    net, n = models.load("resnet-objects", 1).eval(), ENGINEERING["n"]
    shown = objects.sample(n["clean"], "medium", seed=ENGINEERING["test_seed"])
    shown = shown[: n["sensitivity"]]
    fit = objects.sample(ENGINEERING["fit"], "medium", seed=ENGINEERING["fit_seed"]).images
    found = manifolds.sensitivity(net, "stages.2", shown.images, shown.labels, fit)
    rows = record[(record.net == "resnet-objects") & (record.seed == 1) & (record["at"] == 4)]
    for side, now in zip(("within", "outside"), found, strict=True):
        then = rows[rows.measure == side].value.item()
        assert abs(now.median().item() / then - 1) < 0.02


def test_the_notebook_copies_the_protocol_word_by_word():
    folder = Path(__file__).parents[1] / "notebooks"
    (path,) = folder.rglob("13_manipulating_neural_space.ipynb")
    cells = {c["id"]: "".join(c["source"]) for c in json.loads(path.read_text())["cells"]}
    assert cells["protocol"] == (folder / "protocols/13_protocol.md").read_text().strip()
