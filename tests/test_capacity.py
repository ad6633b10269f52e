"""Manifold capacity: the reference's numbers, closed forms, and inputs that break solvers."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from brainkit import manifolds
from brainkit.manifolds import _centres, manifold_capacity
from brainkit.manifolds._centres import _overlap, shared_directions
from brainkit.manifolds.capacity import _anchored

FIXTURE = np.load(
    Path(__file__).parent / "fixtures/science/replica_mft.npz", allow_pickle=False
)  # fmt: skip


def published(name):
    return FIXTURE[f"a20x50x200_{name}"]


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def clouds(shape, radius, units=30, count=6, seed=0):
    """(count, units, points): the points (D, m) at that radius, turned, about random centres."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        turn = np.linalg.qr(rng.standard_normal((units, len(shape) + 1)))[0]
        made.append(turn[:, :1] + radius * turn[:, 1:] @ shape)
    made = np.array(made)
    # Centres that sum to 0: what the mean of all takes off would shorten them.
    return made - made.mean((0, 2))[:, None]


def circle(points=80):
    angles = np.arange(points) * 2 * np.pi / points
    return np.array([np.cos(angles), np.sin(angles)])


def ball(radius, across, centre):
    """The closed form for one probe: its squared push against a ball's cone.

    across: the probe's length within the ball's space; centre: its centre coordinate.
    """
    touching = radius * across + centre
    push = touching**2 / (1 + radius**2)
    push = np.where(across <= radius * centre, across**2 + centre**2, push)  # inside of the cone
    return np.where(touching <= 0, 0.0, push)


# ---- numbers


def test_published_numbers_for_the_same_probes():
    found = manifold_capacity(published("X"), published("T"), published("V11"))
    np.testing.assert_allclose(found.capacity, published("alpha"), rtol=1e-9)
    np.testing.assert_allclose(found.radius, published("R"), rtol=1e-7)
    np.testing.assert_allclose(found.dimension, published("D"), rtol=1e-7)
    assert found.correlation == pytest.approx(published("rho").item(), rel=1e-9)
    assert found.residual_correlation == pytest.approx(published("res_coeff")[0], rel=1e-9)


@pytest.mark.parametrize(("kappa", "name"), [(0.0, "core_out"), (0.5, "core_kappa05_out")])
def test_published_numbers_with_a_margin(kappa, name):
    points, probes = published("core_sD1"), published("T")[0].astype(float)
    capacity, _, radius, dimension = _anchored(points[:-1], probes, kappa)
    np.testing.assert_allclose([capacity, radius, dimension], published(name), rtol=1e-7)


def test_margin_is_that_of_the_quadratic_program():
    """max(t s + k, 0)^2 / s^2 = |t - v|^2 for the nearest v with v s <= -k for all points."""
    X, kappa = clouds(normal(3, 7), 1.0), 0.7
    probes = normal(6, 8, 4, seed=1)
    found = manifold_capacity(X, probes, 0, kappa)
    centred = X - X.mean((0, 2))[:, None]
    for i in range(2):
        centre = centred[i].mean(1, keepdims=True)
        corner = np.linalg.qr((centred[i] - centre) / np.linalg.norm(centre), mode="r")
        points = np.vstack([corner, np.ones(7)])
        squares = []
        for t in probes[i].T:
            nearest = minimize(
                lambda v, t=t: ((v - t) ** 2).sum(), t, jac=lambda v, t=t: 2 * (v - t),
                constraints={"type": "ineq", "fun": lambda v, p=points: -kappa - p.T @ v,
                             "jac": lambda v, p=points: -p.T},
                options={"ftol": 1e-12, "maxiter": 500},
            )  # fmt: skip
            squares.append(nearest.fun)
        assert found.capacity[i] == pytest.approx(1 / np.mean(squares), rel=1e-6)
    assert (found.capacity < manifold_capacity(X, probes, 0).capacity).all()


@pytest.mark.parametrize(
    ("radius", "dimensions", "expected"),
    [(0.5, 2, 0.950), (1, 2, 0.667), (1, 5, 0.333), (1, 10, 0.182), (3, 5, 0.211)],
)
def test_closed_form_of_the_ball(radius, dimensions, expected):
    """The form that the next test compares with gives the published capacities of balls."""
    probes = normal(dimensions + 1, 200_000)
    pushes = ball(radius, np.linalg.norm(probes[:-1], axis=0), probes[-1])
    assert 1 / pushes.mean() == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(("radius", "expected"), [(0.5, 0.950), (1.0, 0.667), (3.0, None)])
def test_circle_of_80_points_is_a_disc(radius, expected):
    """The 80 points on which the reference's solver fails."""
    axes = np.linalg.qr(normal(30, 3))[0]
    X = np.stack([sign * axes[:, :1] + radius * axes[:, 1:] @ circle() for sign in (1, -1)])
    probes = normal(2, 31, 3000, seed=3)
    found = manifold_capacity(X, probes, 0)
    for i in range(2):
        # The first two coordinates are the circle's plane.
        pushes = ball(radius, np.linalg.norm(probes[i, :2], axis=0), probes[i, -1])
        # A polygon of 80 corners is smaller than its circle by 0.0008 of the radius at most.
        assert found.capacity[i] == pytest.approx(1 / pushes.mean(), rel=2e-3)
        assert found.capacity[i] >= 1 / pushes.mean()
    if expected:
        assert found.mean_capacity == pytest.approx(expected, rel=0.04)
    assert found.mean_radius < radius


def test_points_have_capacity_two():
    X = np.repeat(normal(5, 40, 1), 6, axis=2)
    found = manifold_capacity(X, centre_subspace=0, n_probes=4000)
    np.testing.assert_allclose(found.capacity, 2, rtol=0.12)
    np.testing.assert_allclose(found.capacity, 2, atol=5 * found.error.max())
    assert (found.radius < 1e-12).all()
    assert (found.dimension == 0).all()


def test_capacity_falls_with_radius_and_with_dimension():
    by_radius = [manifold_capacity(clouds(normal(4, 40), r), centre_subspace=0).mean_capacity
                 for r in (0.1, 0.3, 1.0)]  # fmt: skip
    by_dimension = [manifold_capacity(clouds(normal(d, 40) / np.sqrt(d), 1), centre_subspace=0)
                    for d in (1, 3, 9)]  # fmt: skip
    assert by_radius == sorted(by_radius, reverse=True)
    capacities = [found.mean_capacity for found in by_dimension]
    assert capacities == sorted(capacities, reverse=True)
    dimensions = [found.mean_dimension for found in by_dimension]
    assert dimensions == sorted(dimensions)


def test_scale_rotation_and_translation_change_nothing():
    X = clouds(normal(3, 12), 0.8)
    probes = normal(6, 13, 400)
    before = manifold_capacity(X, probes, 0)
    after = manifold_capacity(7 * X + 50 * normal(30, seed=6)[:, None], probes, 0)
    for name in ("capacity", "radius", "dimension", "correlation"):
        np.testing.assert_allclose(getattr(after, name), getattr(before, name), rtol=1e-8)
    # A rotation changes the signs of the coordinates, and so what the probes are.
    turned = manifold_capacity(np.linalg.qr(normal(30, 30, seed=5))[0] @ X, probes, 0)
    assert turned.correlation == pytest.approx(before.correlation, rel=1e-9)
    error = np.hypot(before.error, turned.error)
    assert (np.abs(turned.capacity - before.capacity) < 4 * error).all()


# ---- inputs that break solvers


@pytest.mark.parametrize(
    "shape",
    [
        np.linspace(-1, 1, 9)[None],  # on a line
        np.repeat(normal(3, 4), 5, axis=1),  # each five times
        np.hstack([normal(3, 8), np.zeros((3, 1))]),  # one at the centre
        1e-9 * normal(3, 8),
        1e6 * normal(3, 8),
        normal(29, 60),  # more points than units
    ],
)
def test_degenerate_shapes(shape):
    found = manifold_capacity(clouds(shape, 1.0))
    for values in (found.capacity, found.radius, found.dimension, found.error):
        assert np.isfinite(values).all()
    assert ((found.capacity > 0) & (found.capacity < 3)).all()
    # Interior points are no generators of the cone.
    assert (found.dimension <= np.linalg.matrix_rank(shape) + 1.5).all()


def test_repeating_points_changes_nothing():
    X = clouds(normal(3, 8), 1.0)
    probes = normal(6, 9, 40)
    once = manifold_capacity(X, probes, 0)
    more = np.concatenate([probes[:, :-1], np.zeros((6, 8, 40)), probes[:, -1:]], axis=1)
    twice = manifold_capacity(np.concatenate([X, X], axis=2), more, 0)
    np.testing.assert_allclose(twice.capacity, once.capacity, rtol=1e-8)
    np.testing.assert_allclose(twice.radius, once.radius, rtol=1e-6)


# ---- the centres' subspace


def test_gradient_of_the_centres_overlap():
    centres, x = normal(9, 8), normal(8 * 3, seed=1)
    _, gradient = _overlap(x, centres, 3)
    step = 1e-6
    numeric = [(_overlap(x + step * e, centres, 3)[0] - _overlap(x - step * e, centres, 3)[0])
               / (2 * step) for e in np.eye(len(x))]  # fmt: skip
    np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-7)


def test_overlap_is_stationary_at_the_published_subspace_and_ours_is_lower():
    """The same objective; the published descent has ended in a local minimum."""
    centres = published("X").astype(float).mean(2)
    centres -= centres.mean(0)
    theirs, gradient = _overlap(published("V11").ravel(), centres, 1)
    assert np.abs(gradient).max() < 1e-5
    _, away = _overlap(published("V11").ravel() + 0.1 * normal(200) / 14, centres, 1)
    assert np.abs(away).max() > 1e-2
    ours, _ = _overlap(shared_directions(centres, 1, 0).ravel(), centres, 1)
    assert 0.98 * theirs < ours <= theirs * (1 + 1e-9)


def test_lowest_of_several_starts_is_taken(monkeypatch):
    centres = published("X").astype(float).mean(2)
    centres -= centres.mean(0)

    def lowest(starts):
        monkeypatch.setattr(_centres, "STARTS", starts)
        return [_overlap(shared_directions(centres, 2, s).ravel(), centres, 2)[0] for s in range(4)]

    one, eight = lowest(1), lowest(8)
    assert (np.array(eight) <= np.array(one) * (1 + 1e-6)).all()
    assert max(eight) < 0.999 * max(one)


def test_one_direction_found_or_published_gives_about_the_same_numbers():
    X, T = published("X"), published("T")
    ours, theirs = manifold_capacity(X, T, 1), manifold_capacity(X, T, published("V11"))
    assert ours.centre_subspace.shape == (200, 1)
    for name in ("mean_capacity", "mean_radius", "mean_dimension"):
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=0.015)


def test_removes_as_many_directions_as_centres_share():
    X = normal(20, 200, 8) * 0.3 + normal(20, 200, 1, seed=1)
    assert manifold_capacity(X).centre_subspace.shape[1] == 0
    shared = np.linalg.qr(normal(200, 3, seed=2))[0]
    X = X + (shared @ (80 * normal(3, 20, seed=3))).T[:, :, None]
    found = manifold_capacity(X)
    assert found.centre_subspace.shape[1] == 3
    assert manifolds.principal_angles(found.centre_subspace, shared).max() < 4
    assert found.residual_correlation < 0.15 < 0.3 < found.correlation
    # Left in, long shared centres make every manifold look small and easy.
    left_in = manifold_capacity(X, centre_subspace=0)
    assert left_in.mean_radius < 0.5 * found.mean_radius


def test_given_subspace_is_removed():
    X, V = clouds(normal(3, 12), 0.8), np.linalg.qr(normal(30, 2))[0]
    probes = normal(6, 13, 40)
    found = manifold_capacity(X, probes, V)
    np.testing.assert_array_equal(found.centre_subspace, V)
    without = manifold_capacity(X - V @ (V.T @ X), probes, 0)
    np.testing.assert_allclose(found.capacity, without.capacity, rtol=1e-8)
    # What one result has removed can be removed of other manifolds, be it nothing.
    again = manifold_capacity(X, probes, manifold_capacity(X, probes, 0).centre_subspace)
    np.testing.assert_array_equal(again.capacity, manifold_capacity(X, probes, 0).capacity)


# ---- what it says of itself


def test_result_says_how_it_was_made():
    X = clouds(normal(3, 12), 0.8)
    found = manifold_capacity(X, centre_subspace=1, kappa=0.1, n_probes=40, seed=4)
    assert (found.manifolds, found.units, found.points) == (6, 30, 12)
    assert (found.n_probes, found.seed, found.kappa) == (40, 4, 0.1)
    assert "Chung" in found.estimator
    for word in ("6 manifolds of 12 points", "40 probes", "seed 4", "kappa 0.1", "1 centre"):
        assert word in repr(found)
    assert found.mean_capacity == pytest.approx(6 / (1 / found.capacity).sum())
    assert manifold_capacity(X, normal(6, 13, 5), 0).seed is None


def test_seed_decides_the_probes():
    X = clouds(normal(3, 12), 0.8)
    first, same, other = (manifold_capacity(X, n_probes=20, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.capacity, same.capacity)
    assert (first.capacity != other.capacity).all()
    np.testing.assert_array_equal(
        manifold_capacity(X, np.random.default_rng(1).standard_normal((6, 13, 20))).capacity,
        first.capacity,
    )


def test_error_is_the_spread_over_probes():
    X = clouds(normal(3, 12), 0.8, count=3)
    each = [manifold_capacity(X, centre_subspace=0, n_probes=100, seed=s) for s in range(30)]
    spread = np.std([found.capacity for found in each], axis=0, ddof=1)
    np.testing.assert_allclose(np.mean([f.error for f in each], axis=0), spread, rtol=0.45)


def test_takes_tensors_in_single_precision():
    X = clouds(normal(3, 12), 0.8)
    single = torch.tensor(X, dtype=torch.float32, requires_grad=True)
    found, expected = manifold_capacity(single), manifold_capacity(X)
    assert found.capacity.dtype == np.float64
    np.testing.assert_allclose(found.capacity, expected.capacity, rtol=1e-5)
    assert np.isfinite(manifold_capacity(single.bfloat16()).capacity).all()


# ---- bad input


@pytest.mark.parametrize(
    ("X", "options", "message"),
    [
        (normal(5, 9), {}, r"X must be \(manifolds, units, points\), not \(5, 9\)"),
        (normal(5, 9, 1), {}, "1 point; a manifold needs at least 2"),
        (normal(1, 9, 4), {}, "needs at least 2, better 20"),
        (np.where(np.arange(180).reshape(5, 9, 4) == 3, np.nan, 1.0), {},
         "NaN or infinite in 1 of its 5 manifolds"),
        (normal(5, 9, 4), {"probes": normal(5, 4, 10)}, r"probes must be \(5, 5, n\)"),
        (normal(5, 9, 4), {"probes": normal(5, 5, 1)}, "n at least 2"),
        (normal(5, 9, 4), {"probes": np.tile([[0], [0], [0], [0], [-1.0]], (5, 1, 3))},
         "no probe touches a manifold; use more"),
        (normal(5, 9, 4), {"n_probes": 1}, "n_probes must be a whole number, at least 2"),
        (normal(5, 9, 4), {"kappa": -1}, "kappa must be a number, at least 0"),
        (normal(5, 9, 4), {"kappa": float("nan")}, "kappa must be"),
        (normal(5, 9, 4), {"centre_subspace": normal(8, 2)}, "8 units and X of 9"),
        (normal(5, 9, 4), {"centre_subspace": normal(9, 2)}, "not orthonormal"),
        (normal(5, 9, 4), {"centre_subspace": 4}, "give at most 3"),
        (normal(5, 9, 4), {"centre_subspace": -1}, "at least 0"),
        (normal(5, 9, 4), {"centre_subspace": np.eye(9)}, "lies in the centre subspace"),
        (normal(2, 9, 4) - normal(2, 9, 4).mean(2, keepdims=True), {}, "is the mean of all"),
        (np.ones((3, 9, 4)), {}, "is the mean of all points"),
    ],
)  # fmt: skip
def test_bad_input(X, options, message):
    with pytest.raises(ValueError, match=message):
        manifold_capacity(X, **options)


def test_bad_types():
    with pytest.raises(TypeError, match="X must be real numbers"):
        manifold_capacity(normal(5, 9, 4) * 1j)
    with pytest.raises(TypeError, match="X must be real numbers"):
        manifold_capacity([[["a", "b"]]])
