"""The recipes' kinds of training beside the plain one: untrained, against attacks, with noise."""

import json

import pytest
import torch
import yaml

from brainkit import recipes
from brainkit.models import small, zoo
from brainkit.models.miniatures import ResNet

DATA = {"source": "objects", "train": {"n": 32, "variation": "none", "seed": 0},
        "test": {"n": 16, "seed": 1, "variations": ["none"]}}
TINY = {"architecture": "resnet", "options": {"widths": [4, 4], "blocks": [1, 1]}}


@pytest.fixture
def make(tmp_path):
    def make(out="nets", **families):
        path = tmp_path / "recipe.yml"
        path.write_text(yaml.safe_dump({
            "data": DATA, "seeds": [0], "training": {"epochs": 2, "batch_size": 16},
            "families": families}))
        recipes.main([str(path), "--out", str(tmp_path / out), "--device", "cpu"])
        return tmp_path / out
    return make


def weights(name, out):
    return zoo.load(name, 0, out).state_dict()


def same(one, other):
    return all(torch.equal(one[key], other[key]) for key in one)


def test_an_untrained_net_is_the_start_of_a_trained_one(make):
    out = make(untrained={**TINY, "training": {"untrained": True}})
    torch.manual_seed(0)
    start = ResNet(widths=(4, 4), blocks=(1, 1))
    for key, value in weights("untrained", out).items():
        torch.testing.assert_close(value, start.state_dict()[key], rtol=1e-3, atol=1e-4)
    about = zoo.record("untrained", 0, out)
    assert about["training"] == {"untrained": True}
    assert about["seconds"] == 0


def test_training_against_attacks_is_recorded_and_makes_another_net(make):
    out = make(plain=TINY, against={**TINY, "against": {"epsilon": 0.03, "steps": 2}})
    assert zoo.record("against", 0, out)["against"] == {"epsilon": 0.03, "steps": 2}
    assert "against" not in zoo.record("plain", 0, out)
    assert not same(weights("plain", out), weights("against", out))
    # Not at an epsilon of 0: then the two see the same images.
    out = make("nothing", plain=TINY, against={**TINY, "against": {"epsilon": 0.0, "steps": 1,
                                                                     "random_start": False}})
    assert same(weights("plain", out), weights("against", out))


def test_the_attack_in_training_meets_the_net_as_it_will_be_used(monkeypatch):
    modes = []

    def attack(model, images, labels, **settings):
        modes.append(model.training)
        return images

    monkeypatch.setattr(recipes.attacks, "pgd", attack)
    net = ResNet(widths=(4, 4), blocks=(1, 1)).train()
    recipes._objective(epsilon=0.1, steps=1)(net, torch.rand(4, 1, 64, 64), torch.arange(4))
    assert modes == [False]
    assert net.training


def test_a_noisy_net_is_made_again_to_the_bit_and_keeps_its_recorded_accuracy(make, monkeypatch):
    monkeypatch.setitem(zoo.BUILDERS, "noisy", small.noise_resnet)
    records = []
    for out in ("one", "two"):
        folder = make(out, noisy={"architecture": "noisy"})
        records.append({**zoo.record("noisy", 0, folder), "seconds": 0, "cpu_seconds": 0})
    assert json.dumps(records[0]) == json.dumps(records[1])
    loaded = zoo.load("noisy", 0, folder)
    found = recipes._accuracies(loaded, recipes.ObjectData(DATA))
    assert found == records[0]["accuracy"]


def test_a_bank_is_built_and_not_stored(tmp_path):
    torch.manual_seed(0)
    net = small.vone_resnet(noise=None).eval()
    about = {"architecture": "small_vone_resnet", "options": {"noise": None}}
    saved = zoo.save(net, about, "vone", 0, tmp_path, "float16")
    bank = net.vone_block.simple_conv_q0.weight.numel()
    trained = sum(p.numel() for p in net.parameters() if p.requires_grad)
    assert saved["bytes"] < 2 * (trained + bank)  # neither of the two banks
    loaded = zoo.load("vone", 0, tmp_path)
    for name in ("simple_conv_q0", "simple_conv_q1"):  # to the bit, though the rest is rounded
        there, here = (getattr(n.vone_block, name).weight for n in (net, loaded))
        assert torch.equal(there, here)
    x = torch.rand(2, 1, 64, 64)
    torch.testing.assert_close(loaded(x), net(x), rtol=0.02, atol=0.02)
