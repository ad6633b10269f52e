"""Several draws of a net's noise: what comes before it runs once, and nothing else changes."""

import pytest
import torch
from torch import nn

from brainkit import models
from brainkit.attacks import Averaged
from brainkit.models.vonenet import Noise, draws, fixed_noise, silent_part_once

NETS = ["vone_resnet-objects", "noise_resnet-objects", "vone_cornet_s-objects"]
DRAWS = 3


@pytest.fixture(scope="module", params=NETS)
def net(request):
    return models.load(request.param, 0).eval()


@pytest.fixture
def images():
    return torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))


def one_by_one(net, images):
    found = []
    for k in range(DRAWS):
        with fixed_noise(k):
            found.append(net(images))
    return torch.stack(found)


@torch.no_grad()
def test_draws_are_what_they_were(net, images):
    assert torch.equal(draws(net, images, DRAWS), one_by_one(net, images))


def test_gradients_are_what_they_were(net, images):
    def gradient(ask):
        x = images.clone().requires_grad_()
        with fixed_noise(0):
            return torch.autograd.grad(ask(x).square().sum(), x)[0]

    torch.testing.assert_close(gradient(Averaged(net, 2)), gradient(net), rtol=1e-4, atol=1e-6)


@torch.no_grad()
def test_the_front_runs_once_and_the_rest_each_time(net, images):
    first = next(module for module in net.modules() if isinstance(module, nn.Conv2d)
                 or hasattr(module, "silent"))  # fmt: skip
    last = [module for module in net.modules() if isinstance(module, nn.Linear)][-1]
    calls = {first: 0, last: 0}
    name = "silent" if hasattr(first, "silent") else "forward"
    kept = getattr(type(first), name)

    def counted(self, *given):
        if self is first:
            calls[first] += 1
        return kept(self, *given)

    def ran(*_):
        calls[last] += 1

    handle = last.register_forward_hook(ran)
    patch = pytest.MonkeyPatch()
    patch.setattr(type(first), name, counted)
    try:
        draws(net, images, DRAWS)
    finally:
        patch.undo()
        handle.remove()
    assert calls[first] == 1
    assert calls[last] == DRAWS


@torch.no_grad()
def test_other_images_get_other_answers_and_the_net_is_as_it_was(net, images):
    other = 1 - images
    with fixed_noise(0):
        want = net(images), net(other)
        with silent_part_once(net), silent_part_once(net):
            found = net(images), net(other)
            images.mul_(0.5)  # the same tensor, but not its numbers
            third = net(images)
        assert torch.equal(third, net(images))
    assert torch.equal(found[0], want[0])
    assert torch.equal(found[1], want[1])
    assert not any({"forward", "silent"} & set(vars(module)) for module in net.modules())


def test_training_runs_each_time_and_an_error_leaves_nothing_behind():
    net = nn.Sequential(nn.BatchNorm2d(1), Noise(), nn.Flatten()).train()
    x = torch.rand(4, 1, 2, 2)
    with silent_part_once(net):
        net(x), net(x)
    assert net[0].num_batches_tracked == 2
    with pytest.raises(RuntimeError, match="on purpose"), silent_part_once(net):
        raise RuntimeError("on purpose")
    assert "forward" not in vars(net[0])
