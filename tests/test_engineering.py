"""Sensitivity within and outside a layer's manifold, and the term that trains against it."""

import pytest
import torch
from torch import nn

from brainkit import manifolds, models, objects
from brainkit.attacks import margin
from brainkit.manifolds import engineering


class Planted(nn.Module):
    """Two classes by a line in four units, of which images move only the first two."""

    def __init__(self, weights=(3.0, 0.0, 2.0, 0.0)):
        super().__init__()
        self.inner = nn.Flatten()
        self.out = nn.Linear(4, 2, bias=False)
        with torch.no_grad():
            self.out.weight.copy_(torch.tensor([[0.0] * 4, list(weights)]))

    def forward(self, x):
        return self.out(self.inner(x))


@pytest.fixture
def planted():
    generator = torch.Generator().manual_seed(0)
    images = torch.zeros(40, 1, 2, 2)
    images[:, 0, 0] = torch.randn(40, 2, generator=generator)  # the first two of four units
    return images


def test_the_split_is_that_of_the_line(planted):
    labels = torch.zeros(40, dtype=torch.long)
    within, outside = manifolds.sensitivity(Planted(), "inner", planted, labels, planted, 1.0)
    scale = (planted - planted.mean(0)).square().sum((1, 2, 3)).mean()
    torch.testing.assert_close(within, (9 * scale).expand(40))
    torch.testing.assert_close(outside, (4 * scale).expand(40))


def test_sensitivity_does_not_depend_on_the_size_of_answers(planted):
    labels = torch.zeros(40, dtype=torch.long)
    one = manifolds.sensitivity(Planted(), "inner", planted, labels, planted)
    ten = manifolds.sensitivity(Planted((0.3, 0, 0.2, 0)), "inner", 10 * planted, labels,
                                10 * planted)  # fmt: skip
    torch.testing.assert_close(one, ten)


def test_it_is_the_subspace_and_the_gradient_of_the_other_measures():
    test = objects.sample(40, "medium", seed=1)
    net = models.load("resnet-objects", 0).eval()
    within, outside = manifolds.sensitivity(net, "stages.1", test.images[:4], test.labels[:4],
                                            test.images[4:], 0.9)  # fmt: skip
    fitted, here = (manifolds.responses(net, ["stages.1"], part)["stages.1"]
                    for part in (test.images[4:], test.images[:4]))  # fmt: skip
    space = manifolds.fit_subspace(fitted, size=0.9)
    tail = manifolds.Tail(net, "stages.1", test.images)
    here.requires_grad_()
    (gradient,) = torch.autograd.grad(margin(tail(here), test.labels[:4]).sum(), here)
    share = space.energy(gradient)
    torch.testing.assert_close(within / (within + outside), share, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("inside", [True, False])
def test_training_against_one_part_leaves_the_other(planted, inside):
    net, labels = Planted(), torch.zeros(40, dtype=torch.long)
    term = engineering.Insensitivity(planted, labels, "inner", inside, batch_size=8, fit=30)
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
    torch.manual_seed(0)
    for _ in range(60):
        optimiser.zero_grad()
        term(net).backward()
        optimiser.step()
    weights = (net.out.weight[1] - net.out.weight[0]).abs().detach()
    kept, gone = (2, 0) if inside else (0, 2)
    assert weights[gone] < 0.1
    assert weights[kept] > 1.9


def test_the_net_is_left_as_it_was_and_the_draw_is_torchs(planted):
    net = models.load("resnet-objects", 0).train().requires_grad_()
    test = objects.sample(24, "medium", seed=1)
    term = engineering.Insensitivity(test.images, test.labels, "stem", True, batch_size=4, fit=16)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    torch.manual_seed(5)
    one = term(net)
    torch.manual_seed(5)
    torch.testing.assert_close(term(net), one)
    assert not torch.equal(term(net), one)
    assert net.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    one.backward()
    assert net.stages[0][0].conv1.weight.grad.abs().sum() > 0


def test_bad_input_is_refused(planted):
    labels = torch.zeros(40, dtype=torch.long)
    net = models.load("cornet_s-objects", 0)
    test = objects.sample(4, "medium", seed=1)
    with pytest.raises(ValueError, match="runs 2 times"):
        manifolds.sensitivity(net, "IT.output", test.images, test.labels, test.images)
    with pytest.raises(ValueError, match="share=0"):
        manifolds.sensitivity(Planted(), "inner", planted, labels, planted, 0)
    with pytest.raises(ValueError, match="1 image"):
        manifolds.sensitivity(Planted(), "inner", planted, labels, planted[:1])
    with pytest.raises(ValueError, match="alike"):
        manifolds.sensitivity(Planted(), "inner", planted, labels, planted[:1].expand(3, 1, 2, 2))
    with pytest.raises(ValueError, match="weight=-1"):
        engineering.Insensitivity(planted, labels, "inner", True, weight=-1, fit=20)
    with pytest.raises(ValueError, match="of 40 images"):
        engineering.Insensitivity(planted, labels, "inner", True, fit=40)


def test_a_fit_serves_several_steps_and_the_control_is_random():
    net = models.load("resnet-objects", 0)
    test = objects.sample(40, "medium", seed=1)
    given = dict(layer="stages.1", inside=True, batch_size=4, fit=24)
    term = engineering.Insensitivity(test.images, test.labels, **given, every=2)
    torch.manual_seed(0)
    bases = [(term(net), term._fitted[0])[1] for _ in range(3)]
    assert bases[0] is bases[1]
    assert bases[1] is not bases[2]
    control = engineering.Insensitivity(test.images, test.labels, **given, control=True)
    torch.manual_seed(0)
    control(net)
    random = control._fitted[0]
    assert random.shape == bases[0].shape
    torch.testing.assert_close(random.T @ random, torch.eye(random.shape[1]), atol=1e-4, rtol=0)
    shared = (bases[0].T @ random).square().sum() / random.shape[1]
    assert shared < 3 * random.shape[1] / random.shape[0]
    control(net)  # fitted anew, of another size perhaps, and still the same directions
    both = min(random.shape[1], control._fitted[0].shape[1])
    assert torch.equal(control._fitted[0][:, :both], random[:, :both])
    assert control.identity != engineering.Insensitivity(test.images, test.labels,
                                                         **given).identity  # fmt: skip


def test_a_fit_that_never_comes_is_refused(planted):
    labels = torch.zeros(40, dtype=torch.long)
    with pytest.raises(ValueError, match="every=0"):
        engineering.Insensitivity(planted, labels, "inner", True, fit=20, every=0)
