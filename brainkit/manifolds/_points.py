"""What comes in, checked: points as float64 arrays, the directions they vary in, neighbours."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from torch import Tensor

__all__ = [
    "centred", "count", "float64", "is_share", "nearest", "numbers_of", "principal",
    "refuse_twins",
]  # fmt: skip


def float64(values: Any, name: str, least: int = 1, why: str = "") -> np.ndarray:
    """`numbers_of` points by units, in float64."""
    return numbers_of(values, name, ("points", "units"), least, why).astype(np.float64, copy=False)


def numbers_of(values: Any, name: str, axes: tuple[str, ...], least: int = 1,
               why: str = "") -> np.ndarray:  # fmt: skip
    """An array of a tensor, an array or lists, all finite; float32 stays float32.

    axes: what they are; least: how many points there must be at least, and why.
    """
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        values = values.float() if values.itemsize < 4 else values
        array = values.numpy()
    else:
        array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must be real numbers, not {array.dtype}")
    if array.ndim != len(axes) or 0 in array.shape:
        hint = ""
        if array.ndim > len(axes):
            hint = f"; use {name}.reshape(*{name}.shape[:{len(axes) - 1}], -1)"
        raise ValueError(f"{name} must be ({', '.join(axes)}), not {array.shape}{hint}")
    points = array.shape[axes.index("points")] if "points" in axes else least
    if points < least:
        raise ValueError(f"{name} has {points} point{'s' * (points != 1)}; {why or 'this'} needs "
                         f"at least {least}")  # fmt: skip
    if array.dtype.kind != "f" or array.dtype.itemsize < 4:
        array = array.astype(np.float64)
    if not np.isfinite(array).all():
        wrong = int((~np.isfinite(array)).reshape(len(array), -1).any(1).sum())
        raise ValueError(f"{name} is NaN or infinite in {wrong} of its {len(array)} {axes[0]}; "
                         "leave those out, or look for what made them")  # fmt: skip
    return array


def count(value: Any, name: str, most: int | None = None, why: str = "", least: int = 1) -> int:
    """A whole number in [least, most]."""
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):
        top = "" if most is None else f" and at most {most}{f', {why}' if why else ''}"
        raise ValueError(f"{name} must be a whole number, at least {least}{top}; got {value!r}")
    return int(value)


def is_share(value: Any, name: str) -> bool:
    """Whether it is a share in (0, 1], as a float; ValueError for a float that is none."""
    if not isinstance(value, numbers.Real) or isinstance(value, numbers.Integral):
        return False
    if not 0 < value <= 1:
        raise ValueError(f"{name} as a share must be above 0 and at most 1; got {value}")
    return True


def centred(x: np.ndarray, name: str) -> np.ndarray:
    """Points without their mean; ValueError if there is but one, repeated."""
    if (x == x[0]).all():  # of which the mean would leave rounding errors
        raise ValueError(f"the points of {name} are all the same: they vary in no direction")
    return x - x.mean(0)


def principal(x: np.ndarray, share: float | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Principal directions (units, k) of centred x, and the variances along all (r,), falling.

    From whichever is smaller, the covariance of the units or the Gram matrix of the points, so
    that 500 points of 16,384 units take a second. r is the rank; 0 where the points are all one.
    k is r, or the fewest directions that hold a share of the variance, which takes half the time.
    """
    n, units = x.shape
    by_units = units <= n
    values, vectors = np.linalg.eigh(_products(x))
    variances = _variances(values, x)
    k = len(variances) if share is None else enough(variances, share)
    values, vectors = values[::-1][:k], vectors[:, ::-1][:, :k]
    if not by_units and k:
        vectors = x.T @ (vectors / np.sqrt(values))
        if values[-1] < 1e-6 * values[0]:  # rounding has left the last ones oblique
            vectors, corner = np.linalg.qr(vectors)
            vectors *= np.sign(np.diag(corner))
    if k:  # a sign of its own, the same on every machine
        vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(0), np.arange(k)])
    return vectors, variances


def spectrum(x: np.ndarray) -> np.ndarray:
    """The variances of `principal` alone, in a third of the time."""
    return _variances(np.linalg.eigvalsh(_products(x)), x)


def _products(x: np.ndarray) -> np.ndarray:
    return x.T @ x if x.shape[1] <= len(x) else x @ x.T


def _variances(values: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Of rising eigenvalues those that are not rounding errors, falling, as variances."""
    falling = values[::-1]
    real = falling > falling[0] * max(x.shape) * np.finfo(float).eps
    return falling[: int(real.sum())] / (len(x) - 1)


def enough(variances: np.ndarray, share: float) -> int:
    """How many of the falling variances hold a share of their sum."""
    held = np.cumsum(variances) / variances.sum()
    return min(int((held < share * (1 - 1e-9)).sum()) + 1, len(variances))


def nearest(points: np.ndarray, reference: np.ndarray | None,
            k: int) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Distances (n, k), rising, of the k nearest of the reference, and which they are.

    Without a reference: of the other points, each left out of its own neighbours by its index.
    """
    from sklearn.neighbors import NearestNeighbors

    sample = points if reference is None else reference
    if sample.shape[1] != points.shape[1]:
        raise ValueError(f"points have {points.shape[1]} units and the reference "
                         f"{sample.shape[1]}; take both from one layer")  # fmt: skip
    others = len(sample) - (reference is None)
    count(k, "k", others, f"the number of {'other points' if reference is None else 'references'}")
    middle = sample.mean(0)
    search = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(sample - middle)
    index = search.kneighbors(None if reference is None else points - middle,
                              return_distance=False)  # fmt: skip
    # Measured again as differences: of points that lie close together the search, which goes by
    # inner products, keeps few digits.
    distances = np.empty(index.shape)
    for i, row in enumerate(index):
        distances[i] = np.linalg.norm(sample[row] - points[i], axis=1)
    order = np.argsort(distances, axis=1, kind="stable")
    return np.take_along_axis(distances, order, 1), np.take_along_axis(index, order, 1)


def refuse_twins(first: np.ndarray, reference: bool) -> None:
    """ValueError where a point is 0 away from its nearest neighbour."""
    if twins := int((first == 0).sum()):
        mend = ("leave those out of the reference, or give reference=None where the points are "
                "their own" if reference else "keep one of each, np.unique(X, axis=0)")  # fmt: skip
        raise ValueError(f"{twins} of {len(first)} points have a twin at distance 0, for which "
                         f"the estimate is undefined; {mend}")  # fmt: skip
