"""The investigation's measures: tails of nets, parts of a displacement, the confined search."""

import numpy as np
import pytest
import torch
from torch import nn

from brainkit import manifolds, models, objects
from brainkit.manifolds import Tail, measures, tails
from brainkit.models import vonenet

NETS = ["resnet-objects", "vone_resnet-objects", "noise_resnet-objects", "cornet_s-objects",
        "vone_cornet_s-objects", "feedforward_s-objects"]  # fmt: skip


@pytest.fixture(scope="module")
def test_set():
    return objects.sample(6, "medium", seed=9000)


@pytest.mark.parametrize("name", NETS)
def test_every_tail_is_the_rest_of_its_net(name, test_set):
    net = models.load(name, 0)
    layers = manifolds.main_layers(net)
    assert len(layers) == 6
    found = manifolds.responses(net, layers, test_set.images, seed=3)
    with torch.no_grad(), vonenet.fixed_noise(3_000_009):
        whole = net(test_set.images)
        for layer in layers:
            rest = Tail(net, layer, test_set.images)(found[layer])
            torch.testing.assert_close(rest, whole, atol=1e-5, rtol=0)
        again = net(test_set.images)
    torch.testing.assert_close(again, whole, atol=0, rtol=0)  # nothing is left switched off


def test_a_tails_gradient_is_that_of_the_answers(test_set):
    net = models.load("resnet-objects", 0)
    found = manifolds.responses(net, ["pool"], test_set.images)["pool"].requires_grad_()
    tail = Tail(net, "pool", test_set.images)
    (gradient,) = torch.autograd.grad(tail(found)[:, 2].sum(), found)
    torch.testing.assert_close(gradient, net.output.weight[2].expand_as(gradient))


def test_what_comes_before_a_tail_does_not_run(test_set):
    net = models.load("resnet-objects", 0)
    tail = Tail(net, "stages.1", test_set.images)
    ran = []
    handles = [m.register_forward_hook(lambda *_, name=n: ran.append(name))
               for n, m in net.named_modules() if isinstance(m, nn.Conv2d)]  # fmt: skip
    tail(torch.zeros(2, 2048))
    for handle in handles:
        handle.remove()
    assert ran
    assert all(name.startswith("stages.2") for name in ran)


def test_a_tail_refuses_what_it_cannot_begin_at(test_set):
    with pytest.raises(ValueError, match="no layer 'stage'"):
        Tail(models.load("resnet-objects", 0), "stage", test_set.images)
    with pytest.raises(ValueError, match="runs 2 times"):
        Tail(models.load("cornet_s-objects", 0), "IT.output", test_set.images)
    with pytest.raises(ValueError, match="not built like"):
        manifolds.main_layers(nn.Sequential(nn.Flatten(), nn.Linear(4096, 8)))


def test_noise_is_no_displacement(test_set):
    net = models.load("vone_resnet-objects", 0)
    for answer in manifolds.displacement(net, ["bottleneck", "model.pool"], test_set.images,
                                         test_set.images, draws=2).values():  # fmt: skip
        assert not answer.any()


class Line(nn.Module):
    """Two classes, told apart by the first unit alone: above 1 is class 1."""

    def forward(self, x):
        return torch.stack([torch.zeros(len(x)), x[:, 0] - 1], 1)


def axes(*which, units=5):
    basis = np.eye(units)[:, list(which)]
    return manifolds.Subspace(np.zeros(units), basis, "given", 0)


def test_cause_finds_the_part_that_flips():
    points, labels = torch.zeros(3, 5), torch.zeros(3, dtype=torch.long)
    changes = torch.tensor([[2.0, 0, 3, 0, 0], [0.8, 0, 3, 0, 0], [0, 2, 3, 0, 0]])
    found = measures.cause(Line(), points, labels, changes, axes(0, 1))
    assert set(found) == {"clean", *measures.PARTS}
    assert not found["clean"].any()
    assert found["whole"].tolist() == [True, False, False]
    assert found["within"].tolist() == [True, False, False]
    assert not found["outside"].any()
    # At full length the second one's part within is 3.1 long, and crosses.
    assert found["within, full length"].tolist() == [True, True, False]
    assert not found["random outside, full length"].any()
    other = measures.cause(Line(), points, labels, changes, axes(2, 3))
    assert other["outside"].tolist() == [True, False, False]
    assert not other["within, full length"].any()
    again = measures.cause(Line(), points, labels, changes, axes(2, 3), known=found)
    assert all(torch.equal(again[part], other[part]) for part in other)


def test_random_parts_are_as_long_as_those_they_stand_for():
    seen = []

    def tail(points):
        seen.append(points)
        return torch.zeros(len(points), 2)

    changes = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    space = axes(0, 1)
    measures.cause(tail, torch.zeros(4, 5), torch.zeros(4, dtype=torch.long), changes, space)
    by_part = dict(zip(["clean", *measures.PARTS], seen, strict=True))
    length = {name: part.norm(dim=1) for name, part in by_part.items()}
    torch.testing.assert_close(length["random within"], length["within"])
    torch.testing.assert_close(length["random outside"], length["outside"])
    for name in measures.PARTS:
        if name.endswith("full length"):
            torch.testing.assert_close(length[name], length["whole"])
        share = space.energy(by_part[name]) if name != "whole" else None
        if share is not None:
            torch.testing.assert_close(share, torch.full((4,), float("within" in name)))


def test_the_smallest_flip_is_the_distance_to_the_border():
    points = torch.tensor([[0.0, 0, 0, 0, 0], [-2, 1, 0, 0, 0], [3, 0, 0, 0, 0]])
    labels = torch.zeros(3, dtype=torch.long)
    free = measures.smallest_flip(Line(), points, labels)
    np.testing.assert_allclose(free[:2], [1, 3], rtol=0.03)
    assert free[2] == 0  # wrong already
    within = measures.smallest_flip(Line(), points, labels, axes(0))
    torch.testing.assert_close(within, free)
    outside = measures.smallest_flip(Line(), points, labels, axes(0), inside=False)
    assert outside[:2].isinf().all()
    # A direction at 60 degrees to the gradient takes twice the length.
    tilted = manifolds.Subspace(np.zeros(5), np.array([[0.5], [0.75**0.5], [0], [0], [0]]), "", 0)
    found = measures.smallest_flip(Line(), points, labels, tilted)
    np.testing.assert_allclose(found[:2], 2 * free[:2], rtol=0.03)


def test_natural_steps_go_to_the_nearest_of_the_kind():
    pool = torch.tensor([[0.0, 0], [1, 0], [0, 3], [5, 5]]).reshape(4, 1, 1, 2)
    names = torch.tensor([0, 1, 0, 1])
    image, label, length = pool[:1], names[:1], torch.tensor([0.5])
    same = measures.natural_steps(image, label, pool, names, length, True)
    other = measures.natural_steps(image, label, pool, names, length, False)
    assert same.flatten().tolist() == [0, 0.5]  # its own twin in the pool does not count
    assert other.flatten().tolist() == [0.5, 0]
    with pytest.raises(ValueError, match="larger pool"):
        measures.natural_steps(image, label, pool[:2], names[:2], length, True)


def test_the_index_is_undefined_where_natural_and_random_agree():
    rng = np.random.default_rng(0)
    random, natural = rng.normal(0.2, 0.02, 60), rng.normal(0.8, 0.02, 60)
    assert measures.index(natural, random, natural) == pytest.approx(1)
    assert measures.index(random, random, natural) == pytest.approx(0)
    assert measures.index((random + natural) / 2, random, natural) == pytest.approx(0.5)
    assert np.isnan(measures.index(natural, random, random + rng.normal(0, 0.1, 60)))


def test_auroc():
    assert measures.auroc([3, 4], [1, 2]) == 1
    assert measures.auroc([1, 2], [1, 2]) == 0.5
    with pytest.raises(ValueError, match="finite"):
        measures.auroc([1, np.inf], [1, 2])


def test_energy_in_each_images_own_tangent_space():
    tangents = torch.zeros(2, 3, 6)
    tangents[0, 0, 0], tangents[0, 1, 1], tangents[0, 2, 1] = 2, 1, -1  # two directions, one twice
    tangents[1, 0, 5] = 1
    bases = measures.span(tangents)
    change = torch.tensor([[1.0, 1, 1, 1, 0, 0], [0, 0, 0, 0, 3, 4]])
    torch.testing.assert_close(measures.tangent_energy(change, bases), torch.tensor([0.5, 16 / 25]))


def test_true_tangents_are_where_objects_move():
    seen = objects.sample(2, "medium", seed=1)
    bases = measures.span(objects.tangents(seen).flatten(2))
    latents = seen.latents.clone()
    latents[:, 0] += 0.002
    moved = objects.render(seen.labels, seen.exemplars, latents).images - seen.images
    share = measures.tangent_energy(moved.flatten(1), bases)
    assert (share > 0.9).all()


def test_the_layers_are_named_in_order():
    names = tails.main_layers(models.load("vone_cornet_s-objects", 0))
    assert names == ["normalise", "bottleneck", "model.V2", "model.V4", "model.IT",
                     "model.decoder.avgpool"]  # fmt: skip
