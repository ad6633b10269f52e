"""Making the zoo: nets with their records, made again and never replaced unasked."""

import json

import pytest
import torch
from test_training import LATER
from torch import nn

from brainkit import recipes, training
from brainkit.models import zoo

RECIPE = """
data:
  source: objects
  train: {n: 32, variation: none, seed: 0}
  test: {n: 16, seed: 1, variations: [none]}
seeds: [0, 1]
training: {epochs: 1, batch_size: 16}
families:
  tiny:
    architecture: resnet
    options: {widths: [4, 4], blocks: [1, 1]}
"""


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "recipe.yml"
    path.write_text(RECIPE)
    return path


def make(recipe, out, *more):
    return recipes.main([str(recipe), "--out", str(out), "--device", "cpu", *more])


def test_make_writes_nets_with_records_and_keeps_them(recipe, tmp_path, capsys):
    out = tmp_path / "nets"
    assert make(recipe, out) == 0
    assert zoo.available(out) == {"tiny": [0, 1]}
    about = zoo.record("tiny", 1, out)
    assert about["training"]["epochs"] == 1
    assert about["data"]["train"] == {"n": 32, "variation": "none", "seed": 0}
    accuracy = about["accuracy"]["none"]
    assert accuracy["n"] == 16
    assert 0 <= accuracy["low"] <= accuracy["value"] <= accuracy["high"] <= 1
    assert not list(out.glob("*.unfinished"))

    before = {path: path.read_bytes() for path in out.iterdir()}
    make(recipe, out)
    assert "kept" in capsys.readouterr().out
    assert before == {path: path.read_bytes() for path in out.iterdir()}


def test_a_net_that_learns_without_labels_has_a_record_like_the_others(recipe, tmp_path):
    recipe.write_text(RECIPE.split("families:")[0] + """families:
  neo:
    architecture: neocognitron
    training: {unlabelled: 8}
""")
    make(recipe, tmp_path, "--seed", "0")
    about = zoo.record("neo", 0, tmp_path)
    assert about["training"] == {"unlabelled": 8}
    assert about["training_accuracy"][-1] > 0.5  # 32 images, 1,024 features: learned by heart
    net = zoo.load("neo", 0, tmp_path)
    assert net.S2.learned
    assert net.S3.learned
    assert net.read_out.weight.any()
    assert about["macs"] > 2e7
    assert about["layers"] == 4


def test_a_net_made_otherwise_is_not_replaced_without_being_told(recipe, tmp_path):
    out = tmp_path / "nets"
    make(recipe, out, "--seed", "0")
    before = zoo.record("tiny", 0, out)["sha256"]
    recipe.write_text(RECIPE.replace("epochs: 1", "epochs: 2"))
    with pytest.raises(SystemExit, match="--overwrite"):
        make(recipe, out, "--seed", "0")
    assert zoo.record("tiny", 0, out)["sha256"] == before
    make(recipe, out, "--seed", "0", "--overwrite")
    assert zoo.record("tiny", 0, out)["sha256"] != before
    assert zoo.record("tiny", 0, out)["training"]["epochs"] == 2


def test_a_net_older_than_some_settings_is_known_again(recipe, tmp_path, capsys):
    make(recipe, tmp_path, "--seed", "0")
    _, description = zoo.files("tiny", 0, tmp_path)
    about = json.loads(description.read_text())
    for name in LATER:
        del about["training"][name]
    description.write_text(json.dumps(about))
    make(recipe, tmp_path, "--seed", "0")
    assert "kept" in capsys.readouterr().out
    recipe.write_text(RECIPE.replace("epochs: 1", "epochs: 1, precision: bfloat16"))
    with pytest.raises(SystemExit, match=r"other settings \(training\)"):
        make(recipe, tmp_path, "--seed", "0")


def test_the_shipped_nets_are_those_of_their_recipes():
    families = {}
    for recipe in ("miniatures", "zoo", "cifar10"):
        families |= recipes.read(recipe)["families"]
    for name, seeds in zoo.available().items():
        for seed in seeds:
            there = recipes.filled(zoo.record(name, seed)["training"])
            assert there == recipes.filled(families[name]["training"])


def test_make_goes_on_from_an_unfinished_run(recipe, tmp_path, monkeypatch):
    recipe.write_text(RECIPE.replace("epochs: 1", "epochs: 3"))
    make(recipe, tmp_path / "whole", "--seed", "0")

    epoch = training._epoch

    def dies_in_the_last(*arguments):
        if arguments[5] == 2:
            raise KeyboardInterrupt
        return epoch(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(training, "_epoch", dies_in_the_last)
        with pytest.raises(KeyboardInterrupt):
            make(recipe, tmp_path / "parts", "--seed", "0")
    assert zoo.available(tmp_path / "parts") == {}
    make(recipe, tmp_path / "parts", "--seed", "0")
    hashes = [zoo.record("tiny", 0, tmp_path / out)["sha256"] for out in ("whole", "parts")]
    assert hashes[0] == hashes[1]


def test_unknown_recipes_and_families_are_named(recipe, tmp_path, capsys):
    with pytest.raises(SystemExit, match="one of: cifar10, imagenet, miniatures"):
        recipes.read("nothing")
    with pytest.raises(SystemExit):
        make(recipe, tmp_path, "--family", "huge")
    assert "there are tiny" in capsys.readouterr().err


def test_float16_is_refused_where_it_costs_accuracy(tmp_path, monkeypatch):
    """A net whose answer hangs on a difference that float16 cannot hold is kept as float32."""

    class Hair(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.tensor([1.0, 1.0001]))  # equal as float16

        def forward(self, x):
            return self.w.expand(len(x), 2)

    class Data:
        workers = 0

        def tests(self):
            images = torch.zeros(10, 1, 2, 2)
            return {"none": type("Set", (), {"images": images, "labels": torch.ones(10).long()})}

    monkeypatch.setitem(zoo.BUILDERS, "hair", Hair)
    about = {"architecture": "hair", "options": {}}
    full = recipes._accuracies(Hair(), Data())
    saved = recipes._save_verified(Hair(), about, full, Data(), "hair", 0, tmp_path)
    assert saved["format"] == "float32"
    assert saved["accuracy"]["none"]["value"] == 1.0
    assert json.loads((tmp_path / "hair-seed0.json").read_text()) == saved
