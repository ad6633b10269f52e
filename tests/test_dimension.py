"""Dimension: the reference's numbers, clouds whose dimension is known, and bad input."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from brainkit.manifolds import (
    Dimension,
    explained_dimension,
    lid,
    local_pca,
    participation_ratio,
    two_nn,
)

FIXTURE = np.load(
    Path(__file__).parent / "fixtures/science/dimension.npz", allow_pickle=False
)  # fmt: skip
SETS = ("ball5_in50", "swiss2_in20", "powerlaw")

each_set = pytest.mark.parametrize("name", SETS)


def published(name):
    return FIXTURE[f"{name}_X"], json.loads(str(FIXTURE[f"{name}_json"]))


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def flat(n, dimensions, units=12, seed=0):
    """A uniform cube in a few dimensions, turned in many units."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.standard_normal((units, dimensions)))[0]
    return rng.random((n, dimensions)) @ turn.T


# ---- published numbers


@each_set
def test_linear_dimensions(name):
    X, numbers = published(name)
    assert participation_ratio(X) == pytest.approx(numbers["PR"], rel=1e-9)
    assert explained_dimension(X, 0.9) == numbers["EV90"]


@each_set
def test_two_nn(name):
    """scikit-dimension counts ranks from 1, as Facco et al. do; counted from 0 it is less."""
    X, numbers = published(name)
    found = two_nn(X)
    assert found == pytest.approx(numbers["TwoNN"], rel=1e-9)
    assert numbers["twonn_hand90"] < found < 1.02 * numbers["twonn_hand90"]


@each_set
def test_lid_of_each_point(name):
    X, numbers = published(name)
    found = lid(X, 20)
    np.testing.assert_allclose(found.per_point, FIXTURE[f"{name}_lid20"], rtol=1e-9)
    assert found == pytest.approx(numbers["lid20_invmean"], rel=1e-9)
    # Levina and Bickel's divisor is k - 1.
    assert found * 19 / 20 == pytest.approx(numbers["MLE20"], rel=1e-9)


@each_set
def test_local_pca_of_one_neighbourhood_is_fukunaga_olsens(name):
    X, numbers = published(name)
    assert local_pca(X[:2], 500, X) == numbers["lPCA_FO"]


# ---- clouds whose dimension is known


@pytest.mark.parametrize("dimensions", [1, 2, 4])
def test_flat_clouds(dimensions):
    X = flat(600, dimensions)
    assert explained_dimension(X, 1.0) == dimensions
    assert participation_ratio(X) == pytest.approx(dimensions, rel=0.02)
    assert local_pca(X, 20) == dimensions
    assert two_nn(X) == pytest.approx(dimensions, rel=0.15)
    assert lid(X, 20) == pytest.approx(dimensions, rel=0.15)


def test_curve_is_one_dimensional_to_those_that_look_close():
    t = np.random.default_rng(0).random(800) * 2 * np.pi
    X = np.concatenate([f(k * t)[:, None] for k in (1, 2, 3) for f in (np.sin, np.cos)], axis=1)
    assert participation_ratio(X) == pytest.approx(6, rel=0.05)
    for close in (two_nn(X), lid(X, 10), local_pca(X, 6)):
        assert close == pytest.approx(1, abs=0.15)


def test_participation_ratio_by_hand():
    X = np.diag([3.0, 1.0]) @ np.array([[1, -1, 0, 0], [0, 0, 1, -1]])
    # Variances 9 and 1: (10)^2 / 82.
    assert participation_ratio(X.T) == pytest.approx(100 / 82)
    wide = np.pad(X.T, ((0, 0), (0, 50)))  # more units than points
    assert participation_ratio(wide) == pytest.approx(100 / 82)
    assert explained_dimension(X.T, 0.9) == 1
    assert explained_dimension(X.T, 0.91) == 2


def test_lid_by_hand_against_a_reference():
    reference = np.array([[1.0, 0], [2, 0], [4, 0], [100, 0]])
    found = lid(np.zeros((1, 2)), 3, reference)
    assert found.per_point[0] == pytest.approx(3 / (np.log(4) + np.log(2)))
    assert (found.n, found.settings["k"]) == (4, 3)
    same = lid(np.zeros((1, 2)), 2, np.array([[1.0, 0], [-1, 0]]))
    assert np.isinf(same.per_point[0])


def test_lid_is_higher_off_the_manifold():
    X = flat(500, 2)
    off = X[:50] + 0.05 * normal(50, 12)
    assert np.median(lid(off, 20, X[50:]).per_point) > 1.5 * np.median(lid(X, 20).per_point)


def test_local_pca_counts_in_chunks_and_by_share(monkeypatch):
    X = np.concatenate([flat(60, 1, 400), 50 + flat(60, 3, 400, seed=1)])
    found = local_pca(X, 10)
    np.testing.assert_array_equal(found.per_point, np.repeat([1, 3], 60))
    assert found == 2
    by_share = local_pca(X, 10, share=0.999)
    np.testing.assert_array_equal(by_share.per_point, np.repeat([1, 3], 60))
    assert by_share.settings == {"k": 10, "share": 0.999}
    assert local_pca(X, 10, share=0.3).per_point.max() == 1
    # A neighbourhood is the point itself and its neighbours: a triangle here, not its side.
    assert local_pca(np.array([[0.0, 0], [1, 0], [0, 1]]), 2) == 2
    # All one point: nothing varies there.
    assert local_pca(np.zeros((5, 3)), 3) == 0


def test_close_points_far_from_the_origin():
    """The neighbours' distances survive a common mean, which inner products do not."""
    X = flat(300, 2)
    for moved in (X + 1e5, 1e-6 * X + 10):
        assert two_nn(moved) == pytest.approx(float(two_nn(X)), rel=1e-3)
        np.testing.assert_allclose(lid(moved, 10).per_point, lid(X, 10).per_point, rtol=1e-3)


def test_scale_and_rotation_change_nothing():
    X = flat(200, 3)
    turned = 40 * X @ np.linalg.qr(normal(12, 12))[0]
    for estimate in (participation_ratio, explained_dimension, two_nn, lid,
                     lambda Z: local_pca(Z, 12)):  # fmt: skip
        assert estimate(turned) == pytest.approx(float(estimate(X)), rel=1e-7)


# ---- what it says of itself


def test_answer_is_a_number_that_knows_its_estimator():
    X = flat(200, 3)
    found = two_nn(X, discard=0.2)
    assert isinstance(found, float)
    assert (found.estimator, found.n, found.units) == ("TwoNN", 200, 12)
    assert repr(found) == f"{float(found):.4g} (TwoNN; n = 200, discard = 0.2)"
    assert f"{found:.1f}" == f"{float(found):.1f}"
    again = pickle.loads(pickle.dumps(lid(X, 7)))
    assert again.settings == {"k": 7}
    assert again.per_point.shape == (200,)
    assert isinstance(again, Dimension)
    estimators = {participation_ratio(X).estimator, explained_dimension(X).estimator,
                  local_pca(X, 5).estimator, again.estimator, found.estimator}  # fmt: skip
    assert len(estimators) == 5


def test_takes_tensors():
    X = torch.tensor(flat(100, 3), dtype=torch.float32, requires_grad=True)
    for estimate in (participation_ratio, explained_dimension, two_nn, lid):
        assert estimate(X) == pytest.approx(float(estimate(X.detach().numpy())), rel=1e-9)


# ---- bad input


@pytest.mark.parametrize(
    ("estimate", "message"),
    [
        (lambda: participation_ratio(normal(1, 5)), "1 point; a variance needs at least 2"),
        (lambda: participation_ratio(np.full((5, 3), 0.1)), "all the same"),
        (lambda: participation_ratio(normal(4, 5, 2)), r"use X.reshape\(\*X.shape\[:1\], -1\)"),
        (lambda: explained_dimension(normal(9, 5), 1.5), "above 0 and at most 1"),
        (lambda: explained_dimension(normal(9, 5), 3), "share must be a float"),
        (lambda: two_nn(normal(2, 5)), "2 points; TwoNN needs at least 3"),
        (lambda: two_nn(normal(9, 5), discard=0), "F = 1 there is no logarithm"),
        (lambda: two_nn(normal(3, 5), discard=0.9), "need at least 1[01]"),
        (lambda: two_nn(np.repeat(normal(9, 5), 2, axis=0)), "18 of 18 points have a twin"),
        (lambda: two_nn(np.arange(8.0)[:, None] % 4 + 10 * (np.arange(8)[:, None] // 4)),
         None),
        (lambda: two_nn(np.eye(5)), "lattice"),
        (lambda: lid(normal(9, 5), 9), "k must be a whole number, at least 1 and at most 8"),
        (lambda: lid(normal(9, 5), 1), "at least 2"),
        (lambda: lid(normal(9, 5), 2.5), "k must be a whole number"),
        (lambda: lid(normal(9, 5), 3, normal(9, 4)), "from one layer"),
        (lambda: lid(normal(9, 5), 3, normal(9, 5)), "leave those out of the reference"),
        (lambda: lid(np.full((9, 5), np.nan), 3), "NaN or infinite in 9 of its 9 points"),
        (lambda: local_pca(normal(9, 5), 4, cutoff=0), "cutoff must be above 0 and below 1"),
        (lambda: local_pca(normal(9, 5), 4, share=1.0), "share must be above 0 and below 1"),
        (lambda: local_pca(normal(9, 5), 20), "at most 8, the number of other points"),
    ],
)  # fmt: skip
def test_bad_input(estimate, message):
    if message is None:
        assert np.isfinite(estimate())
        return
    with pytest.raises(ValueError, match=message):
        estimate()
