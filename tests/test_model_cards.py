"""The cards of the shipped nets: every net has one, with its own run's numbers."""

import importlib
import json
import sys
from pathlib import Path

import pytest

from brainkit.models import available, record, zoo

sys.path.append(str(Path(__file__).parents[1] / "tools"))
cards = importlib.import_module("model_cards")


def test_every_shipped_net_is_described_and_has_its_numbers():
    text = cards.text()
    for name, seeds in available().items():
        assert cards.described()[name].endswith(".")
        card = text.split(f"### {name}\n")[1].split("### ")[0]
        level = "test" if name.endswith("-cifar10") else "medium"
        values = [record(name, seed)["accuracy"][level]["value"] for seed in seeds]
        mean = f"{level} {sum(values) / len(values):.1%}"
        assert f"{mean} [" in card if len(seeds) > 1 else mean in card
        for seed in seeds:
            assert record(name, seed)["sha256"][:16] in card
    assert "cornet_s" in cards.described()  # of a recipe whose nets are not shipped
    assert "### cornet_s\n" not in text


@pytest.mark.parametrize(("change", "said"), [
    ({"training": {"untrained": True}}, "Not trained"),
    ({"against": {"epsilon": 2 / 255, "steps": 3}}, "PGD, 2/255, 3 steps"),
    ({"options": {"noise": None}}, "with {'noise': None}"),
    ({"align": {"to": "simulated IT", "weight": 0.3, "images": 8192}},
     "Plus 0.3 times 1 - CKA of its last stage with the responses of a simulated IT, on 8,192"),
    ({"align": {"to": "masks", "weight": 1.0, "images": 64, "wrong": True}},
     "smoothed masks, each of another image (the control), on 64"),
    ({"format": "int8"}, "eight bits a weight"),
    ({"data": {"source": "cifar10"},
      "accuracy": {"test": {"value": 0.75, "low": 0.74, "high": 0.76, "n": 10000}}},
     "test 75.0%, on its 10,000 test photographs"),
])
def test_a_card_says_what_was_special(tmp_path, change, said):
    source, _ = zoo.files("resnet_mini-objects", 0)
    about = {**record("resnet_mini-objects", 0), **change, "name": "odd-objects"}
    weights, description = zoo.files("odd-objects", 0, tmp_path)
    weights.write_bytes(source.read_bytes())
    description.write_text(json.dumps(about))
    text = cards.text(tmp_path)
    assert said in text
    assert "[85" not in text  # one seed has no interval over seeds


def test_without_nets_it_says_so(tmp_path):
    assert cards.text(tmp_path) == "No net is shipped yet.\n"


def test_a_net_that_is_stored_otherwise_than_its_family_is_named():
    card = cards.text().split("### it_resnet-objects\n")[1].split("### ")[0]
    stored = {seed: record("it_resnet-objects", seed)["format"] for seed in range(5)}
    wider = [seed for seed, kept_as in stored.items() if kept_as != stored[0]]
    assert wider
    for seed in wider:
        assert f"seed {seed}: {stored[seed]}" in card
