"""How far points lie from a sample of others, and from each class of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import solve_triangular
from torch import Tensor

from brainkit.manifolds._points import count, float64, nearest, numbers_of

__all__ = ["Mahalanobis", "knn_distance", "mahalanobis"]


def knn_distance(points: ArrayLike | Tensor, reference: ArrayLike | Tensor | None = None,
                 k: int = 10) -> np.ndarray:  # fmt: skip
    """Distance of each point to its k-th nearest neighbour in a reference.

    Parameters
    ----------
    points : (n, units) tensor or array
    reference : (references, units) tensor or array, optional
        Without: the other points.
    k : int
        At most the number of references.

    Returns
    -------
    (n,) array
        In the units of the points.

    Raises
    ------
    ValueError
        For wrong shapes, numbers of units that differ, too few references for k, NaN or infinity.

    Source: Sun et al. 2022, ICML, arXiv:2204.06507 (who normalise the points' lengths first).
    """
    points = float64(points, "points")
    if reference is not None:
        reference = float64(reference, "reference")
    elif len(points) < 2:
        raise ValueError("one point has no other; give at least 2 points, or a reference")
    count(k, "k")
    return nearest(points, reference, k)[0][:, -1]


@dataclass(frozen=True, eq=False)
class Mahalanobis:
    """Class-conditional Gaussians that share a shrunk covariance; `mahalanobis` fits it.

    classes : (c,) the labels, in the order of the columns of `distance`.
    means : (c, units)
    shrinkage : float
        Weight of the sphere, in [0, 1]: Ledoit and Wolf's.
    sphere : float
        Its variance in every direction, the mean over units.
    n : int
        Points that it was fitted on.
    centred : (n, units) or None
        Those points about their class's mean, where there are more units than points.
    root : (n, n) or (units, units)
        Lower triangular; of the points' products and the sphere, or of the shrunk covariance.
    """

    classes: np.ndarray
    means: np.ndarray
    shrinkage: float
    sphere: float
    n: int
    centred: np.ndarray | None
    root: np.ndarray

    def distance(self, points: ArrayLike | Tensor) -> np.ndarray:
        """Distances (n, c), in standard deviations, of points (n, units) to each class's mean.

        Not squared. The smallest in a row is that of the predicted class; of the true class take
        the column of its label in `classes`. ValueError for a wrong shape, NaN or infinity.
        """
        points = float64(points, "points")
        if points.shape[1] != self.means.shape[1]:
            raise ValueError(f"points have {points.shape[1]} units; the classes were fitted on "
                             f"{self.means.shape[1]}")  # fmt: skip
        middle = self.means.mean(0)
        points, means = points - middle, self.means - middle
        # With more units than points their covariance is never made: the inverse of
        # outer + C'C w is (1 - C' (outer / w + C C')^-1 C) / outer (Woodbury).
        dual, outer = self.centred is not None, self.shrinkage * self.sphere
        both = np.concatenate([points, means])
        seen = both @ self.centred.T if dual else both
        solved = solve_triangular(self.root, seen.T, lower=True, check_finite=False).T
        squared = np.empty((len(points), len(means)))
        for c, (mean, at) in enumerate(zip(means, solved[len(points) :], strict=True)):
            squared[:, c] = ((solved[: len(points)] - at) ** 2).sum(1)
            if dual:
                squared[:, c] = (((points - mean) ** 2).sum(1) - squared[:, c]) / outer
        return np.sqrt(squared.clip(0))


def mahalanobis(X: ArrayLike | Tensor, labels: ArrayLike | Tensor) -> Mahalanobis:
    """Fit a Gaussian to each class, with one covariance within all of them, shrunk to a sphere.

    The covariance is (1 - s) S + s m I: S that of the points about their class's mean, m its mean
    variance, and s the share that brings it closest to the true one, in expectation. This keeps
    it invertible where there are more units than points: there, s says how little S can be
    trusted.

    Parameters
    ----------
    X : (points, units) tensor or array
        At least 2 of each class.
    labels : (points,) tensor or array
        Whole numbers.

    Returns
    -------
    Mahalanobis

    Raises
    ------
    ValueError
        For wrong shapes, a class of one point, NaN or infinity, classes without any spread, or a
        covariance that cannot be inverted (a unit that never varies, with next to no shrinkage).

    Source: Lee et al. 2018, NeurIPS, arXiv:1807.03888, equation 1; Ledoit and Wolf 2004, J.
    Multivar. Anal. 88, 365 (scikit-learn's `ledoit_wolf` gives the same numbers, in a time that
    grows with the square of the number of units).
    """
    x = float64(X, "X", 2, "a covariance")
    labels = numbers_of(labels, "labels", ("points",))
    if len(labels) != len(x):
        raise ValueError(f"there are {len(x)} points and {len(labels)} labels; need one each")
    if (labels % 1 != 0).any():
        raise ValueError("labels must be whole numbers, the points' classes")
    classes, index, members = np.unique(labels.astype(np.int64), return_inverse=True,
                                        return_counts=True)  # fmt: skip
    if members.min() < 2:
        raise ValueError(f"class {classes[members.argmin()]} has 1 point; need at least 2 of each")
    means = np.stack([x[index == c].mean(0) for c in range(len(classes))])
    centred = x - means[index]
    if np.abs(centred).max() <= 8 * np.finfo(float).eps * np.abs(x).max():
        raise ValueError("the points of every class are all the same: there is no covariance")
    n, units = x.shape
    dual = n < units
    products = centred @ centred.T if dual else centred.T @ centred
    sphere = products.trace() / n / units
    shrinkage = _ledoit_wolf(centred, products / n)
    try:
        if dual and shrinkage < 1e-10:
            raise np.linalg.LinAlgError
        scale = max(1 - shrinkage, 1e-12)  # all sphere: the points no longer count
        if dual:
            root = np.linalg.cholesky(products + n * shrinkage * sphere / scale * np.eye(n))
        else:
            root = np.linalg.cholesky((1 - shrinkage) * products / n
                                      + shrinkage * sphere * np.eye(units))  # fmt: skip
            if root.diagonal().min() ** 2 < 1e-14 * sphere:
                raise np.linalg.LinAlgError
    except np.linalg.LinAlgError:
        raise ValueError(f"the covariance of {units} units cannot be inverted, and the shrinkage "
                         f"is {shrinkage:.0e}; leave out units that never vary") from None
    return Mahalanobis(classes, means, shrinkage, sphere, n, centred if dual else None,
                       np.asfortranarray(root))  # fmt: skip


def _ledoit_wolf(centred: np.ndarray, products: np.ndarray) -> float:
    """Ledoit and Wolf 2004, equations 14 and 15, of (n, units) and their products over n."""
    n, units = centred.shape
    squares = (products**2).sum()
    spread = squares - products.trace() ** 2 / units  # from the sphere, d^2
    fourth = (np.einsum("ij,ij->i", centred, centred) ** 2).mean()
    noise = (fourth - squares) / n  # of the sample covariance, b^2
    return float(np.clip(noise / spread, 0, 1)) if spread > 0 else 1.0
