"""Every check catches a net built to hide its gradient, and an honest net passes all."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from brainkit import attacks, models, objects

EPSILON = 0.06


@pytest.fixture(scope="module")
def data():
    """Images (256, 1, 16, 16) of 8 made classes, and their labels."""
    generator = torch.Generator().manual_seed(0)
    smooth = torch.randn(8, 1, 6, 6, generator=generator)
    classes = F.interpolate(smooth, 16, mode="bicubic").tanh()
    labels = torch.arange(256) % 8
    noise = torch.randn(256, 1, 16, 16, generator=generator)
    return (0.5 + 0.14 * classes[labels] + 0.06 * noise).clamp(0, 1), labels


def trained(data, seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Conv2d(1, 16, 5, 2), nn.ReLU(), nn.Flatten(), nn.Linear(576, 8))
        images, labels = data[0][64:], data[1][64:]
        optimiser = torch.optim.Adam(net.parameters(), 0.01)
        for _ in range(60):
            optimiser.zero_grad()
            F.cross_entropy(net(images), labels).backward()
            optimiser.step()
    return net.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def honest(data):
    return trained(data, 0)


@pytest.fixture(scope="module")
def some(data):
    return data[0][:64], data[1][:64]


# --- Nets that hide their gradient ----------------------------------------------------------------


class Masked(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net


class Rounded(Masked):
    """Few grey levels: the gradient of rounding is 0."""

    def forward(self, x):
        return self.net((x * 32).round() / 32)


class Saturated(Masked):
    """The same answers, but a softmax that is 1 in float32 has no gradient."""

    def forward(self, x):
        return 1e4 * self.net(x)


class Detached(Masked):
    def forward(self, x):
        return self.net(x.detach())


class Root(Masked):
    """A root at 0: its gradient is infinite, and times 0 not a number."""

    def forward(self, x):
        return self.net(x + (x - x).sqrt())


class NoisyGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, share):
        ctx.share = share
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        size = gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
        noise = torch.randn_like(gradient) * size / math.sqrt(gradient[0].numel())
        return ctx.share * gradient + noise, None


class Shattered(Masked):
    """The gradient is noise: all of it, or all but a share."""

    def __init__(self, net, share=0.0):
        super().__init__(net)
        self.share = share

    def forward(self, x):
        return self.net(NoisyGradient.apply(x, self.share))


class Noise(Masked):
    """Noise on the pixels, at each call anew."""

    def forward(self, x):
        return self.net(x + 0.25 * torch.randn_like(x))


class Jitter(Masked):
    """Each call sees the images elsewhere and in another contrast."""

    def forward(self, x):
        move = torch.randint(-2, 3, (2,)).tolist()
        noise = F.interpolate(torch.randn(len(x), 1, 8, 8), 16)
        return self.net(x.roll(move, (2, 3)) * (0.7 + 0.6 * torch.rand(())) + 0.25 * noise)


def roughness(x):
    return (x.diff(dim=2).abs().mean((1, 2, 3)) + x.diff(dim=3).abs().mean((1, 2, 3))) / 2


class Smoothing(Masked):
    """Smooths what looks noisy, and smoothing passes no gradient on."""

    def forward(self, x):
        smooth = F.interpolate(F.avg_pool2d(x, 4), 16, mode="bicubic").detach()
        return self.net(torch.where(rough(x), smooth, x))


class Shy(Masked):
    """Has a gradient at smooth images only, so not at a random start."""

    def forward(self, x):
        return self.net(torch.where(rough(x), x.detach(), x))


def rough(x, limit=0.089):
    return (roughness(x) > limit).view(-1, 1, 1, 1)


class Moody(Masked):
    """Has a gradient from some starts only: the first pixel, which never moves, decides."""

    def forward(self, x):
        corner = torch.zeros_like(x, dtype=torch.bool)
        corner[..., 0, 0] = True
        asleep = (x[:, :1, :1, :1] * 1e4 % 1) > 0.2
        return self.net(torch.where(corner | asleep, x.detach(), x))


# The check, the net that trips it, and how it is attacked.
TRIPS = [
    ("gradient there", Rounded, {}),
    ("gradient there", Saturated, {}),
    ("gradient there", Detached, {}),
    ("gradient there", Root, {}),
    ("gradient better than noise", Shattered, {}),
    ("gradient better than noise", Rounded, {}),
    ("loss rises", Shattered, {}),
    ("loss rises", Saturated, {}),
    ("epsilon to infinity", Rounded, {}),
    ("epsilon to infinity", Shattered, {}),
    ("falls with epsilon", Smoothing, {}),
    ("many steps beat one", Shy, {}),
    ("more steps", lambda net: Shattered(net, 0.1), {}),
    ("more restarts", Moody, {}),
    ("more draws", Noise, dict(draws=1)),
    ("more draws", Jitter, dict(draws=1)),
    ("white box beats transfer", Rounded, {}),
    ("white box beats transfer", Shattered, {}),
    ("white box beats black box", Rounded, {}),
]
named = [f"{check}-{getattr(net, '__name__', 'few')}" for check, net, _ in TRIPS]


@pytest.mark.parametrize(("check", "masked", "settings"), TRIPS, ids=named)
def test_a_masking_net_trips(honest, some, check, masked, settings):
    report = attacks.sanity_checks(masked(honest), some, epsilon=EPSILON, surrogate=honest,
                                   only=[check], **settings)  # fmt: skip
    print(report)
    assert report[check].passed is False
    assert report.failed == [check]
    assert not report.passed
    assert report[check].remedy in str(report)
