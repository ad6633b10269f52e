"""The nets for CIFAR-10: those for objects, but for what 32 colour pixels ask for."""

import numpy as np
import pytest
import torch

from brainkit import data, recipes
from brainkit.features import record
from brainkit.models import macs, parameters, photographs, small, zoo
from brainkit.models.vonenet import Noise

SHAPE = (3, 32, 32)
MAKERS = {name: getattr(photographs, name) for name in photographs.__all__}


@pytest.fixture(scope="module")
def nets():
    return {name: make().eval() for name, make in MAKERS.items()}


@pytest.mark.parametrize("name", MAKERS)
def test_nets_take_photographs_and_cost_what_those_for_objects_cost(nets, name):
    with torch.no_grad():
        assert nets[name](torch.rand(2, *SHAPE)).shape == (2, 10)
    there = getattr(small, name)()
    assert macs(nets[name], SHAPE) == pytest.approx(macs(there, (1, 64, 64)), rel=0.1)
    with pytest.raises(ValueError, match=r"interpolate\(images, 32"):
        nets[name](torch.rand(2, 3, 64, 64))
    with pytest.raises(ValueError, match="repeat a grey"):
        nets[name](torch.rand(2, 1, 32, 32))


def test_behind_the_first_stage_they_are_the_nets_for_objects(nets):
    for name, net in nets.items():
        here = {k: v.shape for k, v in net.state_dict().items()}
        there = {k: v.shape for k, v in getattr(small, name)().state_dict().items()}
        odd = {k for k in here.keys() | there.keys() if here.get(k) != there.get(k)}
        assert odd, name
        assert all(k.startswith(("stem.0", "V1.conv1", "vone_block", "output", "model.output",
                                 "decoder")) for k in odd), odd  # fmt: skip


def test_the_stages_see_as_many_places_as_in_the_nets_for_objects(nets):
    for name, layer in (("resnet", "stem"), ("noise_resnet", "stem"), ("cornet_s", "V1.output"),
                        ("vone_resnet", "vone_block.output")):  # fmt: skip
        seen = record(nets[name], layer, torch.rand(1, *SHAPE))[layer]
        assert seen.shape[2:] == (16, 16)


def test_noise_is_where_it_should_be(nets):
    x = torch.rand(2, *SHAPE)
    for name, net in nets.items():
        noisy = name in ("vone_resnet", "noise_resnet")
        assert noisy == any(isinstance(m, Noise) for m in net.modules())
        with torch.no_grad():
            assert torch.equal(net(x), net(x)) != noisy
    quiet = photographs.vone_resnet(noise=None).eval()
    with torch.no_grad():
        assert torch.equal(quiet(x), quiet(x))
    assert parameters(quiet) == parameters(nets["vone_resnet"])


def test_noise_meets_rates_of_the_mean_that_it_is_told():
    net = photographs.noise_resnet(mean_rate=0.5).train()
    with torch.no_grad():
        rates = net.stem[:-1](net.normalise(torch.rand(64, *SHAPE)))
    assert rates.mean() == pytest.approx(0.5, rel=0.05)


def test_a_degree_has_as_many_pixels_as_in_the_nets_for_objects():
    for name in ("image_size", "visual_degrees"):
        assert small.V1[name] == 2 * photographs.V1[name]
    assert small.V1["sf_max"] == photographs.V1["sf_max"]


def test_the_recipe_trains_on_what_the_loader_gives(tmp_path, monkeypatch, capsys):
    def few(split):
        rng = np.random.default_rng(len(split))
        n = 24 if split == "train" else 8
        return rng.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8), rng.integers(0, 10, n)

    monkeypatch.setattr("brainkit.data.loaders.cifar10", few)
    images, labels = data.cifar10_tensors("train")
    assert images.shape == (24, 3, 32, 32)
    assert images.dtype == torch.float32
    pixels, _ = few("train")
    assert images[3, 2, 5, 7] == pytest.approx(pixels[3, 5, 7, 2] / 255)
    assert labels.tolist() == few("train")[1].tolist()

    recipe = tmp_path / "r.yml"
    recipe.write_text(
        "data: {source: cifar10}\nseeds: [0]\ntraining: {epochs: 1, batch_size: 8}\n"
        "families: {tiny-cifar10: {what: x, architecture: cifar_resnet, kept_as: int8}}\n")
    recipes.main([str(recipe), "--out", str(tmp_path), "--device", "cpu"])
    assert "test 0." in capsys.readouterr().out
    about = zoo.record("tiny-cifar10", 0, tmp_path)
    assert about["data"] == {"source": "cifar10"}
    assert about["accuracy"]["test"]["n"] == 8
    assert zoo.load("tiny-cifar10", 0, tmp_path)(images[:2]).shape == (2, 10)
    with pytest.raises(SystemExit, match="leave --data away"):
        recipes.main([str(recipe), "--data", str(tmp_path), "--out", str(tmp_path)])
