"""A net folded for speed answers as the net, and noise asked many times is drawn once."""

import pytest
import torch

from brainkit import _layout, features, models
from brainkit.manifolds import main_layers
from brainkit.models._folded import fold
from brainkit.models.vonenet import Noise, fixed_noise, kept_noise

NETS = ["resnet-objects", "cornet_s-objects", "vone_resnet-objects", "vone_cornet_s-objects",
        "adversarial_resnet-cifar10"]  # fmt: skip


@pytest.mark.parametrize("name", NETS)
def test_folded_nets_answer_alike(name):
    net, folded = models.load(name, 0).eval(), fold(models.load(name, 0))
    shape = (4, 3, 32, 32) if name.endswith("cifar10") else (4, 1, 64, 64)
    images = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    layers = main_layers(net)
    assert main_layers(folded) == layers
    with fixed_noise(1):
        before, after = (features.record(m, layers, images) for m in (net, folded))
    for layer in layers:
        torch.testing.assert_close(after[layer], before[layer], rtol=1e-4, atol=1e-4)
    gradients = []
    for model in (net, folded):
        x = images.clone().requires_grad_()
        with fixed_noise(1):
            gradients.append(torch.autograd.grad(model(x).logsumexp(1).sum(), x)[0])
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-4)


def test_what_can_be_folded_is():
    def norms(name, make):
        return sum(isinstance(m, torch.nn.BatchNorm2d) for m in make(models.load(name)).modules())

    assert norms("resnet-objects", lambda net: net) > 0 == norms("resnet-objects", fold)
    # One normalisation for each time that CORnet-S's convolutions run: those cannot be.
    assert 0 < norms("cornet_s-objects", fold) < norms("cornet_s-objects", lambda net: net)


@pytest.mark.parametrize("mode", ["neuronal", "gaussian"])
def test_each_image_keeps_the_noise_of_its_place(mode):
    layer, rates = Noise(mode), torch.rand(5, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    places = torch.tensor([3, 0])
    with fixed_noise(7):
        whole = layer(rates)
    with fixed_noise(7, places, 5):
        torch.testing.assert_close(layer(rates[places]), whole[places], rtol=0, atol=0)


def test_noise_is_the_same_with_a_graph_and_without():
    layer, rates = Noise(), torch.rand(5, 3, 4, 4)
    with fixed_noise(7):
        graph, before = layer(rates.clone().requires_grad_()), rates.clone()
        assert torch.equal(layer(rates), graph.detach())
    assert torch.equal(rates, before)  # and the rates are left as they were


def test_kept_noise_is_drawn_once_for_a_seed_and_shape(monkeypatch):
    layer, rates = Noise(), torch.rand(2, 3, 4, 4)
    with fixed_noise(7):
        once = layer(rates)
    drawn, randn = [], torch.randn
    monkeypatch.setattr(torch, "randn", lambda *a, **k: drawn.append(a) or randn(*a, **k))
    with kept_noise():
        for seed in (7, 7, 8, 7):
            with fixed_noise(seed):
                answer = layer(rates)
    assert len(drawn) == 2
    assert torch.equal(answer, once)
    with fixed_noise(7):
        layer(rates)
    assert len(drawn) == 3  # afterwards nothing is kept


def test_narrow_strided_convolutions_are_kept_out_of_a_layout_that_kills():
    """oneDNN's gradient of them, channels last, writes beyond its memory on some processors."""
    narrow, wide = (torch.nn.Sequential(torch.nn.Conv2d(n, 8, 1, stride=2)) for n in (4, 8))
    assert _layout.quickest(narrow, "cpu") == torch.contiguous_format
    assert _layout.quickest(narrow, "cuda") == torch.channels_last
    assert _layout.quickest(wide, "cpu") == torch.channels_last
