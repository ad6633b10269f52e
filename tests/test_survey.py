"""The geometry of one net's layers, on few images."""

import numpy as np
import pytest
import torch

from brainkit import manifolds, models
from brainkit.manifolds import survey


@pytest.fixture(scope="module")
def small():
    patch = pytest.MonkeyPatch()
    for name, value in {"points": 6, "probes": 20, "varied": 24, "projected": 32}.items():
        patch.setitem(survey.SETTINGS, name, value)
    survey._stimuli.cache_clear(), survey._varied.cache_clear()
    yield
    patch.undo()
    survey._stimuli.cache_clear(), survey._varied.cache_clear()


def test_every_object_is_shown_equally_often(small):
    images, labels, which = survey._stimuli("objects")
    assert len(images) == 64 * 6
    assert (torch.bincount(which) == 6).all()
    assert (which // 8 == labels).all()


def test_one_thing_is_varied_at_a_time(small):
    images, varied = survey._varied("objects")
    moved = {name: (x - images).abs().flatten(1).amax(1) for name, x in varied.items()}
    for name in ("position", "size", "pose", "background", "another category"):
        assert (moved[name] > 0.05).double().mean() > 0.9, name
    # The border of the picture is background, which another pose or light leaves alone.
    for name in ("pose", "light"):
        corner = (varied[name] - images)[:, 0, :3, :3].abs().amax((1, 2))
        assert (corner < 1e-6).double().mean() > 0.5, name
    assert all(x.min() >= 0 and x.max() <= 1 for x in varied.values())


def test_the_rows_are_what_the_measures_give(small):
    found = survey.survey("resnet-objects", 0, ["pool"])
    assert not found.duplicated(["layer", "of", "measure"]).any()
    assert found.value.notna().all()
    net = models.load("resnet-objects", 0).eval()
    images, _labels, which = survey._stimuli("objects")
    points = manifolds.responses(net, ["pool"], images)["pool"]

    def value(of, measure):
        return found[(found.of == of) & (found.measure == measure)].value.item()

    assert value("all", "TwoNN") == pytest.approx(float(manifolds.two_nn(points)), rel=1e-5)
    small_points = survey._projected(points)
    clouds = torch.stack([small_points[which == c].T for c in which.unique()])
    capacity = manifolds.manifold_capacity(clouds, n_probes=20, centre_subspace=0)
    assert value("objects", "capacity") == pytest.approx(capacity.mean_capacity, rel=1e-5)
    base, varied = survey._varied("objects")
    before, after = (manifolds.responses(net, ["pool"], x)["pool"] for x in (base, varied["pose"]))
    space = manifolds.fit_subspace(points, size=0.95)
    inside = space.energy(after - before).mean()
    np.testing.assert_allclose(value("pose", "energy"), inside, rtol=1e-4)


def test_projections_keep_distances(monkeypatch):
    monkeypatch.setitem(survey.SETTINGS, "projected", 1024)
    points = torch.randn(20, 4096, generator=torch.Generator().manual_seed(1))
    before, after = torch.pdist(points), torch.pdist(survey._projected(points))
    assert after.shape == before.shape
    assert (after / before - 1).abs().max() < 0.1
