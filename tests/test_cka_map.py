"""Maps of two nets: each pair by itself, one pass, nothing left behind, and bad input."""

import weakref

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from brainkit import features
from brainkit.similarity import cka, cka_map, cka_minibatch


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


class Recurrent(nn.Module):
    """One layer that runs `steps` times."""

    def __init__(self, steps=2):
        super().__init__()
        self.steps = steps
        self.layer = nn.Linear(12, 12)

    def forward(self, x):
        for _ in range(self.steps):
            x = self.layer(x).relu()
        return x


@pytest.fixture
def nets():
    torch.manual_seed(0)
    first = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Flatten(),
        nn.Linear(144, 5), nn.Dropout(0.5),
    )
    second = nn.Sequential(nn.Flatten(), nn.Linear(192, 30), nn.Tanh(), nn.Linear(30, 7))
    return first, second


@pytest.fixture
def images():
    return torch.rand(40, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def test_map_is_each_pair_by_itself(nets, images):
    layers = ["0", "1", "2", "4"], ["1", "3"]
    records = [features.record(net, names, images)
               for net, names in zip(nets, layers, strict=True)]  # fmt: skip
    for batch_size in (40, 100):
        values = cka_map(*nets, *layers, images, batch_size)
        assert values.shape == (4, 2)
        for i, a in enumerate(layers[0]):
            for j, b in enumerate(layers[1]):
                expected = cka(records[0][a].flatten(1), records[1][b].flatten(1))
                assert values[i, j].item() == pytest.approx(expected.item(), abs=1e-5)


@pytest.mark.parametrize("size", [16, 20, 37])  # the last batch: of 8, 20, 3 images
def test_map_in_batches(nets, images, size):
    values = cka_map(*nets, ["1", "4"], "3", images, batch_size=size)
    records = [features.record(net, name, images)[name].flatten(1)
               for net, name in zip(nets, ("1", "3"), strict=True)]  # fmt: skip
    expected = cka_minibatch(zip(*(record.split(size) for record in records), strict=True))
    torch.testing.assert_close(values[0, 0], expected, rtol=0, atol=1e-5)
    assert values.shape == (2, 1)


def test_map_takes_loaders_even_shuffling_ones(nets, images):
    loader = DataLoader(TensorDataset(images, torch.zeros(40)), 20, shuffle=True)
    values = cka_map(nets[0], nets[0], ["0", "4"], ["0", "4"], loader)
    torch.testing.assert_close(values.diagonal(), torch.ones(2, dtype=torch.float64))
    plain = cka_map(*nets, "0", "1", images.split(20))
    torch.testing.assert_close(plain, cka_map(*nets, "0", "1", images, 20))
    twins = cka_map(nets[0], nets[0], ["4"], ["0", "4"], images)
    torch.testing.assert_close(twins[0], cka_map(nets[0], nets[0], ["0", "4"], "4", images)[:, 0])


def test_map_of_recurrent_layers():
    torch.manual_seed(0)
    a, b = Recurrent(2), Recurrent(3)
    x = torch.randn(20, 12)
    values = cka_map(a, b, "layer", ["", "layer"], x)
    assert values.shape == (2, 4)
    left = list(features.record(a, "layer", x).values())
    right = list(features.record(b, ["", "layer"], x).values())
    for i, j in ((0, 0), (1, 1), (0, 3)):
        assert values[i, j].item() == pytest.approx(cka(left[i], right[j]).item(), abs=1e-5)
    own = cka_map(a, a, "layer", ["", "layer"], x)
    assert own.shape == (2, 3)
    torch.testing.assert_close(own[:, 1:].diagonal(), torch.ones(2, dtype=torch.float64))
    assert own[1, 0].item() == pytest.approx(cka(left[1], left[1].relu()).item(), abs=1e-5)


def test_map_is_nan_for_a_dead_layer_alone(nets, images):
    nn.init.constant_(nets[1][1].weight, 0)
    nn.init.constant_(nets[1][1].bias, 0.1)
    values = cka_map(*nets, ["0", "4"], ["0", "1", "3"], images.double().float(), 20)
    assert values.isnan().tolist() == [[False, True, True]] * 2


def test_map_with_an_outlier_that_comes_first(images):
    images[0] += 3000
    net = nn.Sequential(nn.Flatten(), nn.Linear(192, 9))
    records = features.record(net, ["0", "1"], images)
    value = cka_map(net, net, "0", "1", images).item()
    assert value == pytest.approx(cka(*records.values()).item(), abs=1e-3)


def test_dead_layer_is_not_compared_by_its_rounding(nets, images):
    """In float32, rows of equal answers differ in their last bits after the next layer."""
    nn.init.constant_(nets[1][1].weight, 0)
    answers = features.record(nets[1], "3", images)["3"] * torch.linspace(1, 1 + 1e-7, 40)[:, None]
    assert (answers != answers[0]).any()
    other = normal(40, 3)
    with pytest.raises(ValueError, match="X is constant"):
        cka(answers, other)
    with pytest.raises(ValueError, match="Y is constant"):
        cka_minibatch(zip(torch.tensor(other).split(20), answers.split(20), strict=True))
    assert np.isfinite(cka(normal(40, 2) * 1e-7 + 1, other))  # in float64, this is no rounding


def test_map_of_halves_and_whole_numbers(images):
    class Brightest(nn.Module):
        def forward(self, x):
            return x.flatten(1).topk(9).indices

    net = nn.Sequential(nn.Identity(), Brightest())
    expected = cka(images.flatten(1), net(images))
    whole = cka_map(net, net, "0", "1", images)
    assert whole.item() == pytest.approx(expected.item(), abs=1e-6)
    half = cka_map(net, net, "0", "1", images.bfloat16())
    assert half.item() == pytest.approx(
        cka(images.bfloat16().flatten(1), net(images.bfloat16())).item(), abs=1e-6
    )
    with torch.autocast("cpu", torch.bfloat16):
        assert cka_map(net, net, "0", "1", images).item() == pytest.approx(whole.item(), abs=1e-9)


def test_map_is_as_exact_with_a_large_common_mean(nets, images):
    """Where Gram matrices in float32 have lost all digits."""
    before = cka_map(*nets, "0", "1", images)
    with torch.no_grad():
        nets[0][0].bias += 300
    torch.testing.assert_close(cka_map(*nets, "0", "1", images), before, rtol=0, atol=1e-4)


def test_map_runs_each_net_once_a_batch_and_leaves_it_as_it_was(nets, images):
    runs = []
    nets[0][4].register_forward_hook(lambda *arguments: runs.append(torch.is_grad_enabled()))
    nets[0].train()
    running = nets[0][1].running_mean.clone()
    cka_map(*nets, ["0", "1", "4"], ["1", "3"], images, 10)
    assert runs == [False] * 4
    cka_map(nets[0], nets[0], ["0", "4"], ["1", "4"], images, 10)
    assert runs == [False] * 8
    assert nets[0].training
    torch.testing.assert_close(nets[0][1].running_mean, running)
    assert sum(len(m._forward_hooks) for net in nets for m in net.modules()) == 1
    with pytest.raises(RuntimeError):
        cka_map(*nets, "0", "1", torch.rand(8, 5, 8, 8))
    assert sum(len(m._forward_hooks) for net in nets for m in net.modules()) == 1


def test_map_keeps_nothing_of_earlier_batches(nets):
    """The loader's batches are garbage as soon as the next but one is asked for."""
    alive = []

    def batches():
        for seed in range(12):
            batch = torch.rand(8, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
            alive.append(weakref.ref(batch))
            yield batch
            del batch
            assert sum(reference() is not None for reference in alive) <= 2

    assert cka_map(*nets, "0", "1", batches()).shape == (1, 1)


def test_map_agrees_with_torch_cka(nets, images):
    torch_cka = pytest.importorskip("torch_cka", reason="torch-cka is not a requirement")
    tool = torch_cka.CKA(*nets, model1_layers=["0", "4"], model2_layers=["1", "3"])
    loader = DataLoader(TensorDataset(images), 20)
    tool.compare(loader, loader)
    values = cka_map(*nets, ["0", "4"], ["1", "3"], images, 20)
    torch.testing.assert_close(values.float(), tool.hsic_matrix.detach(), rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"images": torch.rand(3, 3, 8, 8)}, ValueError, "3 images; need at least 4"),
        ({"images": torch.rand(3, 8, 8)}, ValueError, "must be a batch"),
        ({"images": []}, ValueError, "no images"),
        ({"images": [torch.rand(2, 3, 8, 8)]}, ValueError, "2 images"),
        ({"images": ["cat"]}, TypeError, "must be a tensor"),
        ({"images": torch.full((8, 3, 8, 8), torch.nan)}, ValueError,
         "model_a's layer '0' answers NaN"),
        ({"layers_a": "9"}, ValueError, "no layer '9'"),
        ({"layers_b": []}, ValueError, "at least one layer"),
        ({"layers_b": nn.Linear(2, 2)}, TypeError, "by name"),
        ({"batch_size": 3}, ValueError, "at least 4, not 3"),
    ],
)
def test_bad_map(nets, images, change, error, message):
    arguments = {"layers_a": "0", "layers_b": "1", "images": images} | change
    with pytest.raises(error, match=message):
        cka_map(*nets, **arguments)


def test_map_refuses_a_layer_without_an_answer_for_each_image(images):
    class Mean(nn.Module):
        def forward(self, x):
            return x.mean(0)

    net = nn.Sequential(Mean())
    with pytest.raises(ValueError, match="one answer an image"):
        cka_map(net, net, "0", "0", images)
