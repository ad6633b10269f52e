"""Subspaces, their size, angles, and distances: against definitions, scikit-learn, made data."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.spatial.distance import mahalanobis as scipy_mahalanobis
from sklearn.covariance import ledoit_wolf
from sklearn.decomposition import PCA, FactorAnalysis

from brainkit.manifolds import (
    CrossValidatedSize,
    Subspace,
    cross_validated_size,
    fit_subspace,
    knn_distance,
    mahalanobis,
    principal_angles,
    random_subspace,
)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def factors(n=400, units=15, k=3, noise=1.0, seed=0):
    """Points (n, units) of k shared factors of falling strength, with noise of each unit's own."""
    rng = np.random.default_rng(seed)
    loadings = np.linalg.qr(rng.standard_normal((units, k)))[0] * np.arange(k + 2, 2, -1) * 2
    own = noise * np.linspace(0.5, 2, units)
    shared = rng.standard_normal((n, k)) @ loadings.T
    return shared + own * rng.standard_normal((n, units)) + 5, loadings


def within_plane(n=50, units=8, k=2):
    """A plane off the origin, its points, and its directions."""
    basis = np.linalg.qr(normal(units, k))[0]
    mean = normal(units, seed=1) * 3
    return mean + normal(n, k, seed=2) @ (basis * np.array([3, 1])).T, basis, mean


# ---- PCA


@pytest.mark.parametrize("shape", [(60, 9), (9, 60), (20, 20)])
def test_pca_is_scikit_learns(shape):
    X = normal(*shape) * np.linspace(1, 3, shape[1]) + 4
    expected = PCA(5).fit(X)
    found = fit_subspace(X, 5)
    assert found.basis.shape == (shape[1], 5)
    np.testing.assert_allclose(found.basis.T @ found.basis, np.eye(5), atol=1e-12)
    np.testing.assert_allclose(np.abs(np.diag(expected.components_ @ found.basis)), 1, rtol=1e-9)
    np.testing.assert_allclose(found.shares, expected.explained_variance_ratio_, rtol=1e-9)
    np.testing.assert_allclose(found.mean, X.mean(0))
    assert (found.n, found.method, found.size, found.units) == (shape[0], "pca", 5, shape[1])


def test_pca_of_all_directions_a_share_and_first_ones():
    X = normal(50, 6) * np.array([10, 5, 2, 1, 1, 1])
    whole = fit_subspace(X)
    assert whole.size == 6
    assert whole.shares.sum() == pytest.approx(1)
    share = whole.shares[:2].sum()
    assert fit_subspace(X, float(share)).size == 2
    assert fit_subspace(X, float(share) + 1e-6).size == 3
    assert fit_subspace(X, 1.0).size == 6
    for kept in (whole.keep(2), whole.keep(float(share)), fit_subspace(X, 2)):
        np.testing.assert_array_equal(kept.basis, whole.basis[:, :2])
        np.testing.assert_array_equal(kept.shares, whole.shares[:2])
    with pytest.raises(ValueError, match="at most 2, the directions there are"):
        whole.keep(2).keep(3)
    with pytest.raises(ValueError, match=r"hold .* of the variance, not 0\.999"):
        whole.keep(2).keep(0.999)


def test_rank_is_found_and_no_direction_beyond_it():
    X, basis, _ = within_plane()
    assert fit_subspace(X).size == 2
    wide = np.pad(X, ((0, 0), (0, 500)))
    assert fit_subspace(wide.astype(np.float32)).size >= 2
    assert fit_subspace(wide).size == 2
    assert principal_angles(fit_subspace(X), basis).max() < 1e-5
    with pytest.raises(ValueError, match="at most 2, the directions in which these 50 points"):
        fit_subspace(X, 3)


def test_many_more_units_than_points_of_very_different_variance():
    """Small directions, from a Gram matrix, come out oblique if nothing is done about it."""
    mixed = np.linalg.qr(normal(40, 40, seed=1))[0] * np.geomspace(1, 1e-4, 40)
    X = mixed @ normal(40, 2000)
    found = fit_subspace(X)
    np.testing.assert_allclose(found.basis.T @ found.basis, np.eye(found.size), atol=1e-10)
    assert found.residual(X).max() < 1e-6


# ---- inside and outside


def test_parts_energy_and_residual_by_hand():
    space = Subspace(np.array([1.0, 0, 0]), np.eye(3)[:, :2], "by hand", 0)
    changes = np.array([[3.0, 0, 4], [0, 2, 0], [0, 0, 5]])
    np.testing.assert_allclose(space.within(changes), [[3, 0, 0], [0, 2, 0], [0, 0, 0]])
    np.testing.assert_allclose(space.outside(changes), [[0, 0, 4], [0, 0, 0], [0, 0, 5]])
    np.testing.assert_allclose(space.energy(changes), [9 / 25, 1, 0])
    np.testing.assert_allclose(space.coordinates(changes), changes[:, :2])
    # The mean counts for points, and not for changes.
    np.testing.assert_allclose(space.residual(changes + space.mean), [4 / 5, 0, 1])
    assert np.isnan(space.energy(np.zeros((1, 3)))).all()
    assert np.isnan(space.residual(np.array([[1.0, 0, 0]]))).all()


def test_parts_add_up_and_are_orthogonal():
    space, changes = fit_subspace(normal(30, 12), 4), normal(7, 12, seed=1)
    inside, outside = space.within(changes), space.outside(changes)
    np.testing.assert_allclose(inside + outside, changes, atol=1e-12)
    np.testing.assert_allclose((inside * outside).sum(1), 0, atol=1e-12)
    np.testing.assert_allclose(space.energy(inside), 1)
    np.testing.assert_allclose(space.energy(outside), 0, atol=1e-12)
    curve = (space.coordinates(changes) ** 2).cumsum(1) / (changes**2).sum(1, keepdims=True)
    for k in range(1, 5):
        np.testing.assert_allclose(space.keep(k).energy(changes), curve[:, k - 1])


def test_random_direction_has_its_chance_inside():
    changes = normal(4000, 40)
    assert fit_subspace(normal(90, 40, seed=1), 10).energy(changes).mean() == pytest.approx(
        10 / 40, abs=0.005
    )


def test_tensors_stay_tensors_and_carry_gradients():
    space = fit_subspace(torch.tensor(normal(30, 12), dtype=torch.float32), 4)
    changes = torch.tensor(normal(5, 12, seed=1), dtype=torch.float32, requires_grad=True)
    for method in (space.within, space.outside, space.energy, space.residual, space.coordinates):
        found = method(changes)
        assert found.dtype == torch.float32
        np.testing.assert_allclose(
            found.detach(), method(changes.detach().double().numpy()), rtol=1e-4, atol=1e-5
        )
    space.energy(changes).sum().backward()
    # Energy is a ratio of lengths: along the change itself it does not vary.
    assert changes.grad.abs().max() > 1e-3
    assert (changes.grad * changes).sum(1).abs().max() < 1e-5
    assert space.within(changes.double()).dtype == torch.float64


# ---- factor analysis


def test_fa_finds_the_shared_directions_and_pca_the_noisy_unit():
    X, loadings = factors(n=3000)
    X[:, 0] += 20 * normal(3000, seed=5)  # one unit's own noise
    found = fit_subspace(X, 3, "fa")
    assert principal_angles(found, loadings).max() < 8
    assert abs(fit_subspace(X, 1).basis[0, 0]) > 0.99
    assert abs(found.basis[0]).max() < 0.5
    assert found.noise.argmax() == 0
    assert found.noise[0] == pytest.approx(400, rel=0.1)


def test_fa_is_the_same_in_other_units_of_measurement():
    """scikit-learn's own start makes it stop elsewhere."""
    X, _ = factors()
    first, scaled = fit_subspace(X, 3, "fa"), fit_subspace(1000 * X, 3, "fa")
    np.testing.assert_allclose(scaled.basis, first.basis, atol=1e-6)
    np.testing.assert_allclose(scaled.noise, 1e6 * first.noise, rtol=1e-6)


def test_fa_is_scikit_learns_with_loadings_in_order():
    X, _ = factors()
    model = FactorAnalysis(3, svd_method="lapack", noise_variance_init=X.var(0)).fit(X)
    found = fit_subspace(X, 3, "fa")
    shared = model.components_.T @ model.components_
    np.testing.assert_allclose(found.loadings @ found.loadings.T, shared, atol=1e-9)
    np.testing.assert_allclose(found.noise, model.noise_variance_)
    np.testing.assert_allclose(found.basis.T @ found.basis, np.eye(3), atol=1e-12)
    # L = U D V': the columns of loadings are U D, D falling.
    lengths = np.linalg.norm(found.loadings, axis=0)
    assert (np.diff(lengths) < 0).all()
    np.testing.assert_allclose(found.loadings, found.basis * lengths, atol=1e-12)
    np.testing.assert_allclose(found.shares, np.linalg.eigvalsh(shared)[::-1][:3]
                               / np.trace(shared), rtol=1e-9)  # fmt: skip
    np.testing.assert_array_equal(found.keep(2).loadings, found.loadings[:, :2])
    assert found.keep(0.5).size < 3


def test_fa_refuses_what_it_cannot_fit():
    X, _ = factors()
    with pytest.raises(ValueError, match="a whole number for size, not None"):
        fit_subspace(X, method="fa")
    with pytest.raises(ValueError, match=r"\.keep\(0.95\)"):
        fit_subspace(X, 0.9, "fa")
    with pytest.raises(ValueError, match="at most 14, fewer than the 400 points and 15 units"):
        fit_subspace(X, 15, "fa")
    X[:, 4] = 2
    with pytest.raises(ValueError, match="1 of 15 units never vary in X"):
        fit_subspace(X, 3, "fa")
    with pytest.raises(ValueError, match="method must be 'pca' or 'fa'"):
        fit_subspace(X, 3, "ica")


# ---- cross-validated size


@pytest.mark.parametrize("method", ["fa", "pca"])
def test_size_is_that_of_the_made_factors(method):
    X, _ = factors(n=600)
    if method == "pca":  # its model: the same noise in all units
        X, _ = factors(n=600)
        X += 3 * normal(*X.shape, seed=9)
    found = cross_validated_size(X, range(1, 7), method)
    assert found.within_one_error == 3
    assert 3 <= found.best <= 5
    assert found.per_fold.shape == (4, 6)
    assert (found.n, found.folds, found.seed, found.method) == (600, 4, 0, method)
    np.testing.assert_allclose(found.error, found.per_fold.std(0, ddof=1) / 2)
    assert "within one error 3" in repr(found)


def test_smallest_size_within_one_error():
    per_fold = np.array([[1.0, 5.0, 5.5, 5.4], [1.2, 6.0, 6.5, 6.4], [1.1, 7.0, 7.5, 7.0]])
    found = CrossValidatedSize(np.array([1, 2, 4, 8]), per_fold, "fa", 30, 3, 0)
    np.testing.assert_allclose(found.log_likelihood, [1.1, 6, 6.5, 6.2667], atol=1e-4)
    np.testing.assert_allclose(found.error[2], 1 / np.sqrt(3))
    assert (found.best, found.within_one_error) == (4, 2)


def test_pca_likelihood_is_scikit_learns():
    from sklearn.model_selection import KFold

    X, _ = factors(n=40, units=6)
    found = cross_validated_size(X, [1, 2, 4], "pca", folds=3, seed=5)
    for row, (train, test) in zip(
        found.per_fold, KFold(3, shuffle=True, random_state=5).split(X), strict=True
    ):
        expected = [PCA(k).fit(X[train]).score(X[test]) for k in (1, 2, 4)]
        np.testing.assert_allclose(row, expected, rtol=1e-9)


def test_size_with_more_units_than_points():
    X, _ = factors(n=60, units=3000, k=2, noise=0.02)
    assert cross_validated_size(X, range(1, 6), "pca").best == 2


@pytest.mark.parametrize(
    ("sizes", "options", "message"),
    [
        ([], {}, "rising whole numbers"),
        ([3, 2], {}, "rising whole numbers"),
        ([1, 15], {}, "at most 14, below the 15 units"),
        ([1], {"folds": 1}, "folds must be a whole number, at least 2"),
        ([1], {"method": "nmf"}, "'pca' or 'fa'"),
    ],
)
def test_bad_sizes(sizes, options, message):
    with pytest.raises(ValueError, match=message):
        cross_validated_size(factors()[0], sizes, **options)


def test_unit_that_answers_once_cannot_be_cross_validated_by_fa():
    X, _ = factors(n=40)
    X[:, 2] = 0
    X[7, 2] = 1
    with pytest.raises(ValueError, match="never vary in the training part of a fold"):
        cross_validated_size(X, [1, 2])


# ---- random subspaces, angles


def test_random_subspace_is_seeded_and_orthonormal():
    first, same, other = (random_subspace(30, 4, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.basis, same.basis)
    assert principal_angles(first, other).min() > 5
    np.testing.assert_allclose(first.basis.T @ first.basis, np.eye(4), atol=1e-12)
    # No sign is preferred.
    signs = [random_subspace(5, 1, seed).basis[0, 0] > 0 for seed in range(60)]
    assert 15 < sum(signs) < 45


def test_principal_angles_by_hand():
    tilt = np.radians(30)
    A = np.eye(4)[:, :2]
    B = np.array([[1, 0], [0, np.cos(tilt)], [0, np.sin(tilt)], [0, 0]])
    np.testing.assert_allclose(principal_angles(A, B), [0, 30], atol=1e-6)
    np.testing.assert_allclose(principal_angles(A, np.eye(4)[:, 2:3]), [90])
    # Whatever spans them, and small angles too, which an arccosine loses.
    np.testing.assert_allclose(principal_angles(A @ [[1, 5], [0, 2]], B), [0, 30], atol=1e-6)
    small = np.array([[1.0], [1e-9]])
    assert principal_angles(small, np.array([[1.0], [0]]))[0] == pytest.approx(
        np.degrees(1e-9), rel=1e-6
    )
    with pytest.raises(ValueError, match="A is of 4 units and B of 2"):
        principal_angles(A, small)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fit_subspace(normal(5)), r"X must be \(points, units\)"),
        (lambda: fit_subspace(normal(5, 2, 3)), "reshape"),
        (lambda: fit_subspace(normal(1, 3)), "1 point; a subspace needs at least 2"),
        (lambda: fit_subspace(np.full((5, 3), 0.1)), "all the same"),
        (lambda: fit_subspace(normal(9, 3), 0), "at least 1"),
        (lambda: fit_subspace(normal(9, 3), 1.5), "above 0 and at most 1"),
        (lambda: fit_subspace(normal(9, 3), True), "whole number"),
        (lambda: fit_subspace(np.full((9, 3), np.inf)), "NaN or infinite in 9 of its 9 points"),
        (lambda: random_subspace(3, 4), "at most 3, the units there are"),
        (lambda: random_subspace(3, 2).energy(normal(4, 5)), "5 units; the subspace is of 3"),
        (lambda: random_subspace(3, 2).energy(normal(3)), r"must be \(points, units\)"),
        (lambda: random_subspace(3, 2).within(torch.tensor([[1.0, 2, torch.nan]])), "NaN"),
        (lambda: random_subspace(3, 2).within(torch.zeros(2, 3, 4, 4)), r"changes.flatten\(1\)"),
        (lambda: random_subspace(3, 2).keep(0.5), "has no shares"),
        (lambda: Subspace(np.zeros(3), normal(3, 2), "?", 0), "not orthonormal"),
        (lambda: Subspace(np.zeros(2), np.eye(3), "?", 0), "do not fit"),
    ],
)
def test_bad_subspaces(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# ---- distances


def test_knn_distance_is_that_of_all_pairs():
    points, reference = normal(7, 5), normal(30, 5, seed=1)
    expected = np.sort(cdist(points, reference), axis=1)
    for k in (1, 4, 30):
        np.testing.assert_allclose(knn_distance(points, reference, k), expected[:, k - 1])
    own = np.sort(cdist(points, points), axis=1)
    np.testing.assert_allclose(knn_distance(points, k=2), own[:, 2])
    # A clean point's own copy in the reference is at distance 0, and exactly so.
    np.testing.assert_array_equal(knn_distance(reference[:3] + 1e6, reference + 1e6, 1), 0)
    with pytest.raises(ValueError, match="at most 30, the number of references"):
        knn_distance(points, reference, 31)


@pytest.mark.parametrize("shape", [(90, 6), (30, 80)])
def test_mahalanobis_is_by_ledoit_and_wolfs_covariance(shape):
    labels = np.arange(shape[0]) % 3 + 4
    X = normal(*shape) * np.linspace(0.5, 3, shape[1]) + labels[:, None]
    found = mahalanobis(X, labels)
    means = np.stack([X[labels == c].mean(0) for c in (4, 5, 6)])
    covariance, shrinkage = ledoit_wolf(X - means[labels - 4], assume_centered=True)
    assert found.shrinkage == pytest.approx(shrinkage, rel=1e-9)
    np.testing.assert_array_equal(found.classes, [4, 5, 6])
    points = normal(5, shape[1], seed=1) * 3
    expected = [[scipy_mahalanobis(p, m, np.linalg.inv(covariance)) for m in means]
                for p in points]  # fmt: skip
    np.testing.assert_allclose(found.distance(points), expected, rtol=1e-7)
    assert found.n == shape[0]


def test_mahalanobis_counts_in_standard_deviations():
    labels = np.arange(20_000) % 2
    X = normal(20_000, 2) * [1, 10] + np.stack([0 * labels, 100 * labels], axis=1)
    distances = mahalanobis(torch.tensor(X), torch.tensor(labels)).distance([[0.0, 50], [3, 0]])
    np.testing.assert_allclose(distances, [[5, 5], [3, np.hypot(3, 10)]], rtol=0.03)
    # The nearest class is the right one.
    points = normal(200, 2, seed=3) * [1, 10] + np.repeat([[0, 0], [0, 100]], 100, axis=0)
    nearest = mahalanobis(X, labels).distance(points).argmin(1)
    np.testing.assert_array_equal(nearest, np.repeat([0, 1], 100))


@pytest.mark.parametrize(
    ("X", "labels", "message"),
    [
        (normal(6, 3), [0, 0, 1, 1, 2, 2, 2], "6 points and 7 labels"),
        (normal(6, 3), [0, 0, 0, 1, 1, 2], "class 2 has 1 point; need at least 2 of each"),
        (normal(6, 3), [0, 0, 0, 1, 1, 0.5], "whole numbers"),
        (np.repeat(normal(2, 3), 3, axis=0), [0, 0, 0, 1, 1, 1], "all the same"),
    ],
)
def test_bad_classes(X, labels, message):
    with pytest.raises(ValueError, match=message):
        mahalanobis(X, labels)


def test_mahalanobis_of_other_units():
    found = mahalanobis(normal(6, 3), [0, 0, 0, 1, 1, 1])
    with pytest.raises(ValueError, match="4 units; the classes were fitted on 3"):
        found.distance(normal(2, 4))
