"""Manifold capacity: how many manifolds a unit lets a linear read-out tell apart.

The mean-field theory of Chung, Lee and Sompolinsky 2018 (Phys. Rev. X 8, 031003), for clouds of
points with correlated centres as in Cohen, Chung, Lee and Sompolinsky 2020 (Nat. Commun. 11, 746).
"""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import nnls
from torch import Tensor

from brainkit.manifolds._centres import correlation, shared_directions
from brainkit.manifolds._points import count, numbers_of

__all__ = ["ManifoldCapacity", "manifold_capacity"]

ESTIMATOR = "mean-field theory of manifold capacity (Chung, Lee and Sompolinsky 2018)"
NOTHING = 1e-10  # a length below this part of the others' is a rounding error


@dataclass(frozen=True, eq=False)
class ManifoldCapacity:
    """What `manifold_capacity` found.

    capacity : (manifolds,)
        Manifolds per unit that can be told apart, if all were like this one; at most 2.
    radius : (manifolds,)
        Of the anchor points, over the length of the manifold's centre.
    dimension : (manifolds,)
        Of the anchor points: in how many directions the read-out feels the manifold.
    correlation : float
        Mean absolute cosine of two centres, the mean of all points being 0.
    residual_correlation : float
        The same after the centre subspace has been removed.
    centre_subspace : (units, k)
        Orthonormal; what was removed.
    error : (manifolds,)
        Standard error of `capacity` over probes; points and manifolds are taken as they are.
    kappa : float
        Margin.
    manifolds, units, points, n_probes : int
    seed : int or None
        Of the probes and of the search for the centre subspace; None if both were given.
    estimator : str
    """

    capacity: np.ndarray
    radius: np.ndarray
    dimension: np.ndarray
    correlation: float
    residual_correlation: float
    centre_subspace: np.ndarray
    error: np.ndarray
    kappa: float
    manifolds: int
    units: int
    points: int
    n_probes: int
    seed: int | None
    estimator: str = ESTIMATOR

    @property
    def mean_capacity(self) -> float:
        """That of all manifolds together: the harmonic mean."""
        return float(1 / (1 / self.capacity).mean())

    @property
    def mean_radius(self) -> float:
        """Over manifolds."""
        return float(self.radius.mean())

    @property
    def mean_dimension(self) -> float:
        """Over manifolds."""
        return float(self.dimension.mean())

    def __repr__(self) -> str:
        return (f"capacity {self.mean_capacity:.4f}, radius {self.mean_radius:.3f}, dimension "
                f"{self.mean_dimension:.2f}, correlation {self.correlation:.3f} "
                f"({self.manifolds} manifolds of {self.points} points, {self.units} units, "
                f"{self.n_probes} probes, kappa {self.kappa:g}, "
                f"{self.centre_subspace.shape[1]} centre directions removed, "
                f"seed {self.seed})")  # fmt: skip


def manifold_capacity(
    X: ArrayLike | Tensor,
    probes: ArrayLike | Tensor | None = None,
    centre_subspace: ArrayLike | Tensor | int | None = None,
    kappa: float = 0.0,
    n_probes: int = 200,
    seed: int = 0,
) -> ManifoldCapacity:
    r"""Capacity, radius and dimension of manifolds, by the mean-field theory of anchor points.

    Manifolds are told apart by random halves: capacity is how many per unit there may be until no
    hyperplane can divide them as asked, whichever side each falls on. It is 2 for points, and
    falls with radius and dimension.

    The mean of all points is taken off, then the centre subspace. Each manifold's points, about
    their centre and over its length, are written in the m coordinates of their QR decomposition
    (`numpy.linalg.qr`), with a last one of 1 for the centre. For a Gaussian probe t, the point of
    the cone :math:`\{\sum_i \alpha_i s_i, \alpha \ge 0\}` nearest to :math:`t + \kappa e`, e being
    the centre's coordinate, is found by non-negative least squares; that over
    :math:`\sum \alpha` is the anchor point :math:`\tilde s`, the mixture of points that a read-out
    for t leans on (where none is needed, the point that comes nearest to it). Then

    .. math:: \alpha_M^{-1} = \langle [t \cdot \tilde s + \kappa]_+^2 / |\tilde s|^2 \rangle_t,
       \quad R_M^2 = \langle |\delta\tilde s - \langle\delta\tilde s\rangle|^2 \rangle_t,
       \quad D_M = D \langle \hat t \cdot \delta\hat s \rangle_t^2,

    with :math:`\delta\tilde s`, the anchor without the centre's coordinate, and t likewise in
    :math:`D_M`; D = min(points, units).

    Parameters
    ----------
    X : (manifolds, units, points) tensor or array
        At least 2 manifolds of at least 2 points. With m points, capacity hardly falls below 2 / m:
        what is near that has too few points to say. Results depend on m; compare at the same one.
    probes : (manifolds, D + 1, n) tensor or array, optional
        The probes t, n at least 2; without, `n_probes` are drawn for each manifold. As LAPACK
        chooses the signs of the QR decomposition, turning X turns the probes along: results for
        the same probes then differ by as much as for others.
    centre_subspace : (units, k) array, int or None
        Directions that the centres share, and are removed, for the theory is for centres in
        random directions; orthonormal, and there may be none. An int: so many, those that
        minimise the sum of squared cosines of the centres, as the published code does, from
        several starts. None: as many as leave the smallest mean absolute cosine, 0 where none
        does better (the published code takes at least 1); of manifolds that are not much fewer
        than units, it removes a few directions even where centres are random.
    kappa : float
        Margin, 0 or more, in units of the probes.
    n_probes : int
        At least 2; 200 or more for a standard error of a few percent.
    seed : int

    Returns
    -------
    ManifoldCapacity

    Raises
    ------
    ValueError
        For a wrong shape, too few manifolds or points, NaN or infinity, probes or a subspace that
        do not fit, or a manifold without a centre: its mean is that of all points, or lies in
        the centre subspace.
    """
    X = numbers_of(X, "X", ("manifolds", "units", "points"), 2, "a manifold")
    manifolds, units, points = X.shape
    if manifolds < 2:
        raise ValueError("X has 1 manifold; capacity needs at least 2, better 20 or more")
    if not isinstance(kappa, numbers.Real) or not 0 <= kappa < np.inf:
        raise ValueError(f"kappa must be a number, at least 0; got {kappa!r}")
    D = min(points, units)
    drawn = probes is None
    if drawn:
        count(n_probes, "n_probes", least=2)
        rng = np.random.default_rng(seed)
        probes = rng.standard_normal((manifolds, D + 1, n_probes))
    else:
        probes = _check_probes(probes, (manifolds, D + 1))
    centres = X.mean(2, dtype=np.float64)  # (manifolds, units)
    middle = centres.mean(0)
    centres -= middle
    size = max(np.abs(cloud - middle[:, None]).max() for cloud in X)
    _refuse_centreless(centres, size, "is the mean of all points")
    if centre_subspace is None or isinstance(centre_subspace, numbers.Integral):
        if centre_subspace is not None:
            count(centre_subspace, "centre_subspace", least=0)
        V = shared_directions(centres, centre_subspace, seed)
        drawn = drawn or centre_subspace != 0
    else:
        V = _check_subspace(centre_subspace, units)
    left = centres - centres @ V @ V.T
    _refuse_centreless(left, size, f"lies in the centre subspace of {V.shape[1]} directions")
    found = []
    for cloud, centre, t in zip(X, left, probes, strict=True):
        cloud = cloud - cloud.mean(1, keepdims=True, dtype=np.float64)
        cloud = (cloud - V @ (V.T @ cloud)) / np.linalg.norm(centre)
        found.append(_anchored(np.linalg.qr(cloud, mode="r"), t, kappa))
    capacity, error, radius, dimension = np.array(found).T
    return ManifoldCapacity(
        capacity, radius, dimension, correlation(centres), correlation(left), V, error,
        float(kappa), manifolds, units, points, probes.shape[2],
        seed if drawn else None,
    )  # fmt: skip


def _anchored(cloud: np.ndarray, probes: np.ndarray, kappa: float) -> tuple[float, ...]:
    """Capacity, its standard error, radius, dimension of points (D, m) for probes (D + 1, n)."""
    D, m = cloud.shape
    points = np.vstack([cloud, np.ones(m)])
    shifted = probes.copy()
    shifted[-1] += kappa  # as all points have 1 there, this is the margin
    weights = np.empty((m, probes.shape[1]))
    for i, probe in enumerate(shifted.T):
        weights[:, i], _ = nnls(points, probe, maxiter=30 * m)
    pushes = ((points @ weights) ** 2).sum(0)  # [t s + kappa]^2 / |s|^2, by orthogonality
    idle = ~weights.any(0)
    weights[(probes.T @ points).argmax(1)[idle], idle] = 1
    anchors = cloud @ (weights / weights.sum(0))  # (D, n)
    about = anchors - anchors.mean(1, keepdims=True)
    mean = pushes.mean()
    if not mean:
        raise ValueError("no probe touches a manifold; use more probes")
    error = pushes.std(ddof=1) / np.sqrt(len(pushes)) / mean**2
    lengths = np.linalg.norm(probes[:-1], axis=0) * np.linalg.norm(anchors, axis=0)
    along = (probes[:-1] * anchors).sum(0)
    # A manifold that is one point has no direction, and so no dimension.
    cosines = np.divide(along, lengths, out=np.zeros_like(along), where=lengths > NOTHING)
    return 1 / mean, error, np.sqrt((about**2).sum(0).mean()), D * cosines.mean() ** 2


def _check_probes(probes: Any, shape: tuple[int, int]) -> np.ndarray:
    probes = numbers_of(probes, "probes", ("manifolds", "coordinates", "probes"))
    if probes.shape[:2] != shape or probes.shape[2] < 2:
        raise ValueError(f"probes must be ({shape[0]}, {shape[1]}, n), n at least 2, for "
                         f"min(points, units) coordinates and the centre's; they are "
                         f"{probes.shape}")  # fmt: skip
    return probes.astype(np.float64, copy=False)


def _check_subspace(directions: Any, units: int) -> np.ndarray:
    if np.shape(directions) == (units, 0):  # as a result holds it where nothing was removed
        return np.zeros((units, 0))
    V = numbers_of(directions, "centre_subspace", ("units", "directions")).astype(np.float64)
    if len(V) != units:
        raise ValueError(f"centre_subspace is of {len(V)} units and X of {units}")
    if V.shape[1] > units or not np.allclose(V.T @ V, np.eye(V.shape[1]), atol=1e-5):
        raise ValueError("centre_subspace is not orthonormal; use np.linalg.qr(centre_subspace)[0]")
    return V


def _refuse_centreless(centres: np.ndarray, size: float, why: str) -> None:
    lengths = np.linalg.norm(centres, axis=1)
    if (lengths <= NOTHING * size).any() or not size:
        raise ValueError(f"the centre of manifold {lengths.argmin()} {why}: it has no length to "
                         "measure a radius by")  # fmt: skip
