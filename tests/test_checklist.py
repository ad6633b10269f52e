"""Every check catches a net built to hide its gradient, and an honest net passes all."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from brainkit import attacks, figures

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
    """The gradient is noise."""

    share = 0.0

    def forward(self, x):
        return self.net(NoisyGradient.apply(x, self.share))


class NearlyShattered(Shattered):
    """Some of the gradient is left, for whoever takes many steps."""

    share = 0.25


class Clamped(Masked):
    """Black and white far from grey: from most points all pixels are stuck."""

    def forward(self, x):
        return self.net(((x - 0.5) * 400).tanh() * 0.15 + 0.5)


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
    ("epsilon to infinity", Clamped, {}),
    ("falls with epsilon", Smoothing, {}),
    ("many steps beat one", Shy, {}),
    ("more steps", NearlyShattered, {}),
    ("more restarts", Moody, {}),
    ("more draws", Noise, dict(draws=1)),
    ("more draws", Jitter, dict(draws=1)),
    ("white box beats transfer", Rounded, {}),
    ("white box beats transfer", Shattered, {}),
    ("white box beats black box", Rounded, {}),
]
named = [f"{check}-{net.__name__}" for check, net, _ in TRIPS]


@pytest.mark.parametrize(("check", "masked", "settings"), TRIPS, ids=named)
def test_a_masking_net_trips(honest, some, check, masked, settings):
    report = attacks.sanity_checks(masked(honest), some, epsilon=EPSILON, surrogate=honest,
                                   only=[check], **settings)  # fmt: skip
    assert report[check].passed is False
    assert report.failed == [check]
    assert not report.passed
    assert report[check].remedy in str(report)


def test_an_honest_net_passes_all(data, honest, some):
    report = attacks.sanity_checks(honest, some, epsilon=0.75 * EPSILON, surrogate=trained(data, 1))
    assert report.passed, report
    assert len(report.checks) == 11
    assert [c.name for c in report.checks if c.passed is None] == ["more draws"]
    assert 0.1 < float(report.title.split("accuracy ")[1].split("%")[0]) / 100 < 0.9


FEW = ["gradient there", "gradient better than noise", "loss rises", "many steps beat one",
       "more draws", "white box beats transfer"]  # fmt: skip


def test_an_honest_stochastic_net_passes_with_enough_draws(honest, some):
    report = attacks.sanity_checks(Noise(honest), some, epsilon=EPSILON / 2, steps=10, draws=8,
                                   looks=32, surrogate=honest, only=FEW)  # fmt: skip
    assert report.passed, report
    assert report["more draws"].passed


@pytest.mark.parametrize(("threat", "epsilon"), [("L2", 0.4), ("L1", 3.0)])
def test_of_other_threats(honest, some, threat, epsilon):
    report = attacks.sanity_checks(honest, some, threat=threat, epsilon=epsilon)
    assert report.passed, report
    assert (report["white box beats black box"].passed is None) == (threat == "L1")


def test_a_gradient_that_is_missing_is_not_mistaken_for_robustness(honest, some):
    for masked in (Root, Detached):
        report = attacks.sanity_checks(masked(honest), some, epsilon=EPSILON)
        assert "gradient there" in report.failed
        assert report["more steps"].passed is None
        assert "not run" in report["more steps"].measured


def test_is_the_same_for_the_same_seed_and_leaves_the_generator_alone(honest, some):
    few = ["loss rises", "gradient better than noise", "more draws"]
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, second = (attacks.sanity_checks(Noise(honest), some, epsilon=EPSILON, draws=2, looks=4,
                                           only=few) for _ in range(2))  # fmt: skip
    assert first == second
    assert torch.equal(torch.get_rng_state(), before)


def test_is_a_table_in_words_and_for_figures(honest, some, capsys):
    report = attacks.sanity_checks(Rounded(honest), some, epsilon=EPSILON,
                                   only=["gradient there", "more draws"])  # fmt: skip
    assert list(report.rows[0]) == ["check", "expected", "measured", "passed", "if it fails"]
    figures.table(report.rows, "What the checks found.")
    lines = str(report).splitlines()
    assert lines[0] == "64 images, Linf 0.06, 20 steps: accuracy 100% under attack, 100% clean"
    assert lines[2].startswith("FAILED  gradient there  zero or not finite")
    assert lines[3].strip().startswith("-> something in the net passes no gradient on")
    assert lines[4].startswith("-       more draws")


def test_puts_the_net_back_as_it_was(honest, some):
    net = nn.Sequential(nn.BatchNorm2d(1), honest).train()
    net[0].eval()
    before = [m.training for m in net.modules()]
    attacks.sanity_checks(net, some, epsilon=EPSILON, queries=2, only=["white box beats black box"])
    assert [m.training for m in net.modules()] == before


@pytest.mark.parametrize(("wrong", "message"), [
    (dict(epsilon=0), "a radius above 0"), (dict(epsilon=float("nan")), "a radius above 0"),
    (dict(only=["speed"]), "the checks are gradient there"), (dict(steps=0), "positive integer"),
    (dict(threat="L7"), "choose one of"),
])
def test_refuses_senseless_settings(honest, some, wrong, message):
    with pytest.raises(ValueError, match=message):
        attacks.sanity_checks(honest, some, **wrong)


def test_refuses_a_normalised_batch_and_labels_of_other_nets(honest, some):
    with pytest.raises(ValueError, match=r"must be in \[0, 1\]"):
        attacks.sanity_checks(honest, (some[0] - 0.5) / 0.2, some[1])
    with pytest.raises(ValueError, match="a label is 15"):
        attacks.sanity_checks(honest, some[0], some[1] + 8)
