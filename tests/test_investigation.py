"""The investigation of one net, on a few images: every question, every layer, every null."""

import numpy as np
import pytest
import torch

from brainkit import manifolds, models
from brainkit.manifolds import investigation

SMALL = {"fit": 96, "held out": 32, "probes": 16, "search": 4, "steps": 4, "draws": 2, "looks": 2,
         "noise_draws": 2, "sizes": (1, 8), "neighbours": 20, "local_size": 4, "k": 8,
         "radii": (1 / 255, 8 / 255)}  # fmt: skip
LAYERS = ["normalise", "pool"]  # the others would take the time of a whole chapter


@pytest.fixture(scope="module")
def small():
    patch = pytest.MonkeyPatch()
    for name, value in SMALL.items():
        patch.setitem(investigation.PROTOCOL, name, value)
    investigation._images.cache_clear()
    yield
    patch.undo()
    investigation._images.cache_clear()


@pytest.fixture(scope="module")
def rows(small):
    return investigation.investigate("resnet-objects", 0, LAYERS)


def test_every_question_is_asked_of_every_layer(rows):
    assert list(dict.fromkeys(rows.layer)) == LAYERS
    for layer in LAYERS:
        here = rows[rows.layer == layer]
        assert set(here.question) == {"layer", "A", "B", "C", "D", "E"}
        changes = set(here[here.question == "A"].change)
        assert changes == {f"{change}, {kind}" for kind in ("fixed", "matched")
                           for change in ("attack", "random signs", "Gaussian", "same class",
                                          "other class", "tangent")}  # fmt: skip
        split = here[(here.question == "C") & (here.change == "attack, matched")]
        for space, parts in investigation.SPLIT.items():
            assert set(split[split.subspace == space].measure) == {
                f"flipped by {part}" for part in ("whole", *parts)}  # fmt: skip
    assert not rows.duplicated([c for c in rows if c not in ("value", "n")]).any()
    assert rows.value.notna().sum() > 0.9 * len(rows)


def test_what_must_hold_of_any_net(rows):
    def value(**where):
        found = rows
        for column, wanted in where.items():
            found = found[found[column] == wanted]
        assert len(found)
        return found.value.to_numpy()

    # A matched attack is one that fooled the net, so the whole displacement flips every decision.
    whole = value(question="C", measure="flipped by whole", change="attack, matched")
    assert (whole == 1).all()
    energy = value(question="A", measure="energy")
    assert ((energy >= 0) & (energy <= 1 + 1e-6)).all()
    tangent = value(question="E", change="tangent, fixed", layer="normalise")
    assert tangent[0] > 0.95  # a step along the manifold lies in its tangent space
    times = value(question="D", measure="times the free one")
    assert (times > 0.8).all()  # confined, the border is no nearer (up to the linear guess)


def test_energy_is_what_it_says(rows):
    net = models.load("resnet-objects", 0).eval()
    seen = investigation._images("objects")
    with torch.no_grad():
        right = (net(seen.probes[0]).argmax(1) == seen.probes[1]).nonzero()[:, 0]
    x = seen.probes[0][right]
    changed, at = investigation.changes(net, seen, right, False, 0)["attack, fixed"]
    fitted, before, after = (manifolds.responses(net, ["pool"], images)["pool"]
                             for images in (seen.fit[0], x[at], changed))  # fmt: skip
    space = manifolds.fit_subspace(fitted, size=0.95)
    found = rows[(rows.question == "A") & (rows.layer == "pool") & (rows.subspace == "95%")
                 & (rows.measure == "energy") & (rows.change == "attack, fixed")]  # fmt: skip
    assert found["size"].item() == space.size
    np.testing.assert_allclose(found.value.item(), space.energy(after - before).mean(), rtol=1e-4)
    # Every null is as large as its attack in its own norm.
    attack = (changed - x[at]).flatten(1)
    signs = investigation.changes(net, seen, right, False, 0)["random signs, fixed"][0] - x[at]
    assert signs.abs().amax() <= attack.abs().amax() + 1e-6


def test_a_stochastic_net_is_looked_at_more_than_once(small):
    found = investigation.investigate("noise_resnet-objects", 0, ["pool"])
    again = investigation.investigate("noise_resnet-objects", 0, ["pool"])
    np.testing.assert_array_equal(found.value, again.value)
    assert set(found.question) == {"layer", "A", "B", "C", "D", "E"}


def test_a_kind_of_net_without_images_is_refused():
    with pytest.raises(ValueError, match="objects or cifar10"):
        investigation._Images("imagenet")
