"""Recording named layers: right values, nothing left behind."""

from collections import OrderedDict

import pytest
import torch
from torch import nn

from brainkit import features


class Recurrent(nn.Module):
    """One convolution that runs `steps` times."""

    def __init__(self, steps=3):
        super().__init__()
        self.steps = steps
        self.conv = nn.Conv2d(2, 2, 3, padding=1)
        self.unused = nn.Identity()

    def forward(self, x):
        for _ in range(self.steps):
            x = self.conv(x).relu()
        return x


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(OrderedDict(
        conv=nn.Conv2d(3, 4, 3), norm=nn.BatchNorm2d(4), relu=nn.ReLU(inplace=True),
        drop=nn.Dropout(0.5), pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(),
        head=nn.Linear(4, 5),
    ))


@pytest.fixture
def images():
    return torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def hooks(net):
    return sum(len(module._forward_hooks) for module in net.modules())


def test_values_and_order(net, images):
    records = features.record(net, ["head", "conv", ""], images)
    assert list(records) == ["head", "conv", ""]
    net.eval()
    torch.testing.assert_close(records["conv"], net.conv(images))
    torch.testing.assert_close(records["head"], net(images))
    torch.testing.assert_close(records[""], net(images))
    assert not any(answer.requires_grad for answer in records.values())


def test_later_in_place_layers_do_not_reach_the_record(net, images):
    records = features.record(net, ["norm", "relu"], images)
    assert records["norm"].min() < 0
    torch.testing.assert_close(records["relu"], records["norm"].relu())


def test_gradient_mode_keeps_the_record_in_the_graph(net, images):
    images.requires_grad_()
    records = features.record(net, ["norm", "head"], images, grad=True)
    assert records["norm"].min() < 0
    by_layer, by_image = torch.autograd.grad(
        records["head"][:, 2].sum(), [records["norm"], images]
    )
    # By hand: the head's weight, spread over the 36 positions where the unit is active.
    expected = net.head.weight[2].view(1, 4, 1, 1) / 36 * (records["norm"] > 0)
    torch.testing.assert_close(by_layer, expected)
    assert by_image.abs().sum() > 0


def test_gradient_mode_does_not_change_the_output(net, images):
    plain = features.record(net, "head", images)["head"]
    images.requires_grad_()
    with_grad = features.record(net, list(dict(net.named_children())), images, grad=True)["head"]
    torch.testing.assert_close(plain, with_grad.detach())


def test_gradient_mode_with_nothing_to_differentiate_by(net, images):
    net.requires_grad_(False)
    with pytest.raises(ValueError, match="requires_grad_"):
        features.record(net, "conv", images, grad=True)


def test_gradient_mode_works_inside_no_grad(net, images):
    images.requires_grad_()
    with torch.no_grad():
        assert features.record(net, "conv", images, grad=True)["conv"].requires_grad


@pytest.mark.parametrize("batch_size", [1, 4, 6, 100])
def test_batches_give_the_same(net, images, batch_size):
    whole = features.record(net, ["conv", "head"], images)
    parts = features.record(net, ["conv", "head"], images, batch_size=batch_size)
    for name, answer in whole.items():
        torch.testing.assert_close(parts[name], answer)


@pytest.mark.parametrize("batch_size", [None, 4])
def test_reduced_as_soon_as_the_layer_has_answered(net, images, batch_size):
    """Before the in-place ReLU, which is the next layer, and again for each step."""
    whole = features.record(net, ["norm", "head"], images)
    means = features.record(
        net, ["norm", "head"], images, batch_size=batch_size, reduce=lambda x: x.flatten(1).mean(1)
    )
    for name, answer in whole.items():
        torch.testing.assert_close(means[name], answer.flatten(1).mean(1))
    steps = features.record(Recurrent(), "conv", images[:, :2], reduce=lambda x: x.sum((1, 2, 3)))
    assert {name: tuple(answer.shape) for name, answer in steps.items()} == {
        f"conv.t{step}": (6,) for step in range(3)
    }


def test_reduced_in_gradient_mode(net, images):
    images.requires_grad_()
    mean = features.record(net, "norm", images, grad=True, reduce=lambda x: x.mean((1, 2, 3)))
    whole = features.record(net, "norm", images, grad=True)["norm"].mean((1, 2, 3))
    torch.testing.assert_close(mean["norm"], whole)
    for value in (mean["norm"], whole):
        assert torch.autograd.grad(value.sum(), images)[0].abs().sum() > 0


def test_modes_are_restored_module_by_module(net, images):
    net.train()
    net.norm.eval()
    running = net.norm.running_mean.clone()
    features.record(net, "head", images)
    assert [m.training for m in net.children()] == [n != "norm" for n, _ in net.named_children()]
    torch.testing.assert_close(net.norm.running_mean, running)


def test_keep_mode_runs_in_training_mode(net, images):
    net.train()
    running = net.norm.running_mean.clone()
    features.record(net, "head", images, keep_mode=True)
    assert not torch.equal(net.norm.running_mean, running)


def test_nothing_is_left_behind(net, images):
    net.train()
    features.record(net, ["conv", "head"], images, batch_size=2)
    assert hooks(net) == 0
    with pytest.raises(RuntimeError):
        features.record(net, ["conv", "head"], torch.rand(2, 7, 8, 8))
    assert hooks(net) == 0
    assert net.training


def test_hooks_of_others_stay(net, images):
    seen = []
    net.conv.register_forward_hook(lambda *arguments: seen.append(1))
    features.record(net, "conv", images)
    assert hooks(net) == 1
    assert seen == [1]


def test_layer_that_runs_several_times(images):
    net = Recurrent()
    records = features.record(net, ["conv", ""], images[:, :2], batch_size=4)
    assert list(records) == ["conv.t0", "conv.t1", "conv.t2", ""]
    torch.testing.assert_close(records["conv.t0"], net.conv(images[:, :2]))
    torch.testing.assert_close(records["conv.t1"], net.conv(records["conv.t0"].relu()))
    torch.testing.assert_close(records[""], records["conv.t2"].relu())


def test_layer_that_does_not_run(images):
    with pytest.raises(ValueError, match="'unused' took no part"):
        features.record(Recurrent(), "unused", images[:, :2])


def test_layer_without_a_tensor(images):
    with pytest.raises(TypeError, match="gives a tuple"):
        features.record(nn.Sequential(nn.LSTM(8, 4)), "0", images[:, 0, 0])


def test_module_under_two_names(images):
    conv = nn.Conv2d(3, 3, 3)
    net = nn.Sequential(OrderedDict(first=conv, second=conv))
    assert list(features.record(net, ["second"], images)) == ["second.t0", "second.t1"]


@pytest.mark.parametrize(("wrong", "near"), [("norm1", "'norm'"), ("Head", "'head'")])
def test_unknown_layer_lists_near_names(net, images, wrong, near):
    with pytest.raises(ValueError, match=near):
        features.record(net, ["conv", wrong], images)


@pytest.mark.parametrize(
    ("layers", "change", "error", "message"),
    [
        ([], lambda x: x, ValueError, "at least one layer"),
        ("conv", lambda x: x[:0], ValueError, "must be a batch"),
        ("conv", lambda x: x.numpy(), TypeError, "must be a tensor"),
        ("conv", lambda x: x[0], ValueError, r"not \(3, 8, 8\); for one image: images\[None\]"),
        (None, lambda x: x, TypeError, "by name, not as NoneType.*layer_names"),
        (["conv", 3], lambda x: x, TypeError, "by name, not as int"),
    ],
)
def test_bad_input(net, images, layers, change, error, message):
    with pytest.raises(error, match=message):
        features.record(net, layers, change(images))


@pytest.mark.parametrize("wrap", [lambda layer: layer, lambda layer: [layer]])
def test_a_module_in_place_of_its_name_is_told_its_name(net, images, wrap):
    with pytest.raises(TypeError, match="not as Conv2d; the net calls this one 'conv'"):
        features.record(net, wrap(net.conv), images)
    with pytest.raises(TypeError, match="not as Sequential; the net calls this one ''"):
        features.record(net, wrap(net), images)


def test_vectors_are_a_batch_too():
    records = features.record(nn.Sequential(nn.Linear(5, 2)), "0", torch.rand(3, 5))
    assert records["0"].shape == (3, 2)


def test_bad_batch_size(net, images):
    with pytest.raises(ValueError, match="batch_size"):
        features.record(net, "conv", images, batch_size=0)


def test_layer_names(net):
    assert features.layer_names(nn.Sequential(OrderedDict(a=net)))[:3] == ["a", "a.conv", "a.norm"]
