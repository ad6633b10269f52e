"""The harmoniser's loss: by hand, its invariances, and its second backward pass."""

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d

from brainkit import alignment
from brainkit.models import small
from brainkit.models.vonenet import fixed_noise


def by_hand(saliency, maps, token, levels=5):
    """The published procedure in NumPy, image by image, with a dense convolution."""
    def cut(m):
        return np.maximum((m - m.mean()) / (m.std() + 1e-5), 0)

    def halve(m):
        kernel = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256
        height, width = m.shape
        before = [1 if side % 2 == 0 else 2 for side in m.shape]
        wide = np.zeros((height + 5, width + 5))
        wide[before[0]:before[0] + height, before[1]:before[1] + width] = m
        full = convolve2d(wide, kernel, mode="valid")
        return full[::2, ::2][: -(-height // 2), : -(-width // 2)]

    total = np.zeros(levels)
    for s, h, t in zip(saliency[:, 0], maps[:, 0], token, strict=True):
        s, h = cut(s), cut(h)
        h = h / (h.max() + 1e-6) * (s.max() + 1e-6)
        for level in range(levels):
            total[level] += t * ((s - h) ** 2).mean()
            s, h = halve(s), halve(h)
    return (total / len(saliency)).mean()


@pytest.mark.parametrize("side", [64, 56, 37])
def test_is_the_published_procedure(side):
    random = np.random.default_rng(side)
    saliency, maps = random.normal(size=(2, 5, 1, side, side))
    token = np.array([1, 0, 1, 1, 0])
    got = alignment.harmonisation_loss(
        torch.from_numpy(saliency), torch.from_numpy(maps), torch.from_numpy(token))
    assert got.item() == pytest.approx(by_hand(saliency, maps, token), rel=1e-10)


def test_pads_with_zeros_as_tensorflow_does():
    ones = torch.ones(1, 1, 8, 8)
    second = alignment.pyramid(ones, 2)[1][0, 0]
    assert second.shape == (4, 4)
    assert second[1, 1] == 1
    # One zero before, so the first misses a tap of 1/16; two behind: the last misses 1 and 4.
    assert second[0, 0].item() == pytest.approx((15 / 16) ** 2)
    assert second[3, 3].item() == pytest.approx((11 / 16) ** 2)
    assert [m.shape[-1] for m in alignment.pyramid(torch.ones(1, 1, 224, 224))] == [
        224, 112, 56, 28, 14]


def test_scale_and_offset_of_the_maps_do_not_matter():
    torch.manual_seed(0)
    saliency, maps = torch.randn(2, 3, 1, 64, 64).double()
    loss = alignment.harmonisation_loss(saliency, maps)
    torch.testing.assert_close(alignment.harmonisation_loss(saliency, 7 * maps - 3), loss,
                               rtol=1e-4, atol=0)
    same = alignment.harmonisation_loss(saliency, saliency)
    assert same < 1e-8 < loss


def test_images_without_a_map_dilute_the_loss_and_get_no_gradient():
    torch.manual_seed(0)
    saliency, maps = torch.randn(2, 4, 1, 32, 32)
    saliency.requires_grad_()
    loss = alignment.harmonisation_loss(saliency, maps, torch.tensor([True, True, False, False]))
    half = alignment.harmonisation_loss(saliency[:2], maps[:2]) / 2
    torch.testing.assert_close(loss, half)
    loss.backward()
    assert (saliency.grad[2:] == 0).all()
    assert (saliency.grad[:2] != 0).any()


def test_the_peak_of_the_net_is_taken_as_given():
    """The gradient is that of the loss with people's map scaled beforehand."""
    torch.manual_seed(0)
    saliency, maps = torch.randn(2, 1, 1, 32, 32).double()
    free, held = saliency.clone().requires_grad_(), saliency.clone().requires_grad_()
    alignment.harmonisation_loss(free, maps).backward()
    net, people = alignment._cut(held), alignment._cut(maps)
    people = people / (people.amax() + 1e-6) * (alignment._cut(saliency).amax() + 1e-6)
    pairs = zip(alignment.pyramid(net), alignment.pyramid(people), strict=True)
    torch.stack([(a - b).square().mean() for a, b in pairs]).mean().backward()
    torch.testing.assert_close(free.grad, held.grad)


@pytest.mark.parametrize("name", small.__all__)
def test_the_loss_reaches_every_trained_weight_of_every_net(name):
    torch.manual_seed(0)
    net = getattr(small, name)().train()
    images, labels = torch.rand(4, 1, 64, 64), torch.arange(4)
    with fixed_noise(0):
        found = alignment.saliency(net, images, labels)
    alignment.harmonisation_loss(found, torch.rand(4, 1, 64, 64)).backward()
    for key, parameter in net.named_parameters():
        if parameter.requires_grad and key.rpartition(".")[2] == "weight" and parameter.ndim > 1:
            assert parameter.grad is not None, key
            assert parameter.grad.isfinite().all(), key
    assert images.grad is None


def test_saliency_is_the_gradient_of_the_true_class():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 4 * 4, 5))
    labels = torch.tensor([4, 0])
    found = alignment.saliency(net, torch.rand(2, 3, 4, 4), labels, create_graph=False)
    want = net[1].weight[labels].view(2, 3, 4, 4).mean(1, keepdim=True)
    torch.testing.assert_close(found, want)


MAPS = torch.rand(2, 1, 32, 32)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: alignment.harmonisation_loss(torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)),
     "average colours"),
    (lambda: alignment.harmonisation_loss(MAPS, torch.rand(2, 1, 16, 16)), "of one size"),
    (lambda: alignment.harmonisation_loss(MAPS, MAPS * torch.nan), "maps has values"),
    (lambda: alignment.harmonisation_loss(MAPS, torch.ones_like(MAPS)), r"images \[0, 1\] are con"),
    (lambda: alignment.harmonisation_loss(MAPS, MAPS, torch.ones(3)), "has_map is"),
    (lambda: alignment.pyramid(torch.rand(1, 1, 8, 8)), "at least 16 pixels"),
    (lambda: alignment.saliency(small.resnet().eval(), torch.rand(2, 1, 64, 64),
                                torch.tensor([0, 9])), "labels run to 9"),
])
def test_what_cannot_be_answered_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
