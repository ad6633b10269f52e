"""Where a published net cannot be had, its stand-in says so and keeps its shape."""

import pytest
import torch

from brainkit.data import AssetError
from brainkit.models import standins

NAMES = {"alexnet-conv": (256, 6, 6), "vgg16-conv": (512, 7, 7), "mobilenet_v2": (1000,)}


@pytest.fixture
def unreachable(monkeypatch):
    def published(name):
        raise AssetError("no source")

    monkeypatch.setattr(standins, "published", published)


@pytest.mark.parametrize("name", NAMES)
def test_a_standin_says_so_and_has_the_same_layers(name, unreachable, capsys):
    state = torch.get_rng_state()
    net = standins.published_or_standin(name)
    assert torch.equal(state, torch.get_rng_state())
    assert not net.trained
    assert "stand-in" in net.origin
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert name in said
    images = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    assert net(images).shape == (1, *NAMES[name])
    assert not any(p.requires_grad for p in net.parameters())
    again = standins.published_or_standin(name)
    assert torch.equal(next(net.parameters()), next(again.parameters()))


def test_what_can_be_reached_is_passed_through_in_silence(monkeypatch, capsys):
    real = torch.nn.Sequential(torch.nn.Identity())
    monkeypatch.setattr(standins, "published", lambda name: real)
    assert standins.published_or_standin("vgg16-conv") is real
    assert real.trained
    assert "published" in real.origin
    assert capsys.readouterr().out == ""


def test_an_unknown_name_is_an_error_not_a_standin(monkeypatch):
    with pytest.raises(AssetError, match="vgg16-conv"):
        standins.published_or_standin("vgg16-con")
