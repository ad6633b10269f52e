"""How many dimensions a cloud of points has: one question, several estimators, several answers.

They differ by more than their errors do: a spectrum that falls as a power law has 17 dimensions
by its participation ratio, 33 by TwoNN and 21 by local PCA. So every answer carries its estimator
and the number of points; compare like with like. None of them draws anything at random.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from brainkit.manifolds._points import (
    centred,
    count,
    enough,
    float64,
    is_share,
    nearest,
    refuse_twins,
    spectrum,
)

__all__ = [
    "Dimension", "explained_dimension", "lid", "local_pca", "participation_ratio", "two_nn",
]  # fmt: skip

FUKUNAGA_OLSEN = 0.05  # of the largest eigenvalue: what is smaller counts as noise


class Dimension(float):
    """A dimension: a number that knows how it was estimated.

    estimator : str
    n, units : int
        Of the points it is of (of the reference, where one was given).
    settings : dict
        What else the number depends on, such as k or discard.
    per_point : array or None
        The local estimates, where there are any: one for each point of X.

    Arithmetic and formats such as f"{d:.1f}" see the number alone.
    """

    estimator: str
    n: int
    units: int
    settings: dict[str, Any]
    per_point: np.ndarray | None

    def __new__(cls, value, estimator="", n=0, units=0, per_point=None, **settings):
        self = super().__new__(cls, value)
        self.estimator, self.n, self.units = estimator, n, units
        self.per_point, self.settings = per_point, settings
        return self

    def __repr__(self) -> str:
        settings = "".join(f", {name} = {value}" for name, value in self.settings.items())
        return f"{float(self):.4g} ({self.estimator}; n = {self.n}{settings})"


def participation_ratio(X: ArrayLike | Tensor) -> Dimension:
    r"""How many principal components share the variance, in effect.

    .. math:: \left(\sum \lambda_i\right)^2 / \sum \lambda_i^2

    with the eigenvalues of the covariance. Linear: a curved line that winds through 10 dimensions
    has 10. At most n - 1, and for few points too small.

    Parameters
    ----------
    X : (points, units) tensor or array
        At least 2 points.

    Returns
    -------
    Dimension

    Raises
    ------
    ValueError
        For a wrong shape, too few points, NaN or infinity, or points that are all the same.

    Source: Gao et al. 2017, bioRxiv 214262.
    """
    x = _centred(X)
    small = x.T @ x if x.shape[1] < len(x) else x @ x.T  # the same eigenvalues but for zeros
    return Dimension(np.trace(small) ** 2 / (small * small).sum(), "participation ratio", *x.shape)


def explained_dimension(X: ArrayLike | Tensor, share: float = 0.9) -> Dimension:
    """The fewest principal components that hold a share of the variance.

    Parameters
    ----------
    X : (points, units) tensor or array
        At least 2 points.
    share : float
        In (0, 1].

    Returns
    -------
    Dimension
        A whole number.

    Raises
    ------
    ValueError
        As `participation_ratio`, and for another share.
    """
    if not is_share(share, "share"):
        raise ValueError(f"share must be a float above 0 and at most 1; got {share!r}")
    x = _centred(X)
    return Dimension(enough(spectrum(x), share), "PCA", *x.shape, share=share)


def two_nn(X: ArrayLike | Tensor, discard: float = 0.1) -> Dimension:
    r"""Intrinsic dimension by the ratio of the distances to the two nearest neighbours.

    The ratios :math:`\mu` follow :math:`F(\mu) = 1 - \mu^{-d}` where the density is about the
    same over both distances; d is the slope of :math:`-\log(1 - F)` on :math:`\log \mu`, through
    0, the empirical F of the i-th smallest being i / n. It sees the smallest scale there is, where
    noise is, and is too small for many dimensions and few points.

    Parameters
    ----------
    X : (points, units) tensor or array
        At least 3 points, no two the same.
    discard : float
        Share of the largest ratios that is left out, in (0, 1).

    Returns
    -------
    Dimension

    Raises
    ------
    ValueError
        For a wrong shape, too few points, NaN or infinity, twins, or a lattice, in which all two
        nearest neighbours are equally far.

    Source: Facco et al. 2017, Sci. Rep. 7:12140; the numbers are scikit-dimension 0.5's.
    """
    if not 0 < discard < 1:
        raise ValueError(f"discard must be above 0 and below 1, such as 0.1; got {discard!r}: at "
                         "F = 1 there is no logarithm")  # fmt: skip
    x = float64(X, "X", 3, "TwoNN")
    n = len(x)
    kept = int(n * (1 - discard))
    if not kept:
        raise ValueError(f"discard={discard} of {n} points leaves none; need at least "
                         f"{int(1 / (1 - discard)) + 1}")  # fmt: skip
    distances, _ = nearest(x, None, 2)
    refuse_twins(distances[:, 0], reference=False)
    ratios = np.log(np.sort(distances[:, 1] / distances[:, 0])[:kept])
    rises = -np.log1p(-np.arange(1, kept + 1) / n)
    if not ratios.any():
        raise ValueError("both nearest neighbours are equally far from every point, as on a "
                         "lattice: TwoNN is undefined")  # fmt: skip
    return Dimension(ratios @ rises / (ratios @ ratios), "TwoNN", *x.shape, discard=discard)


def local_pca(
    X: ArrayLike | Tensor,
    k: int,
    reference: ArrayLike | Tensor | None = None,
    *,
    cutoff: float = FUKUNAGA_OLSEN,
    share: float | None = None,
) -> Dimension:
    """Principal components of each point's neighbourhood, counted, and the mean over points.

    Parameters
    ----------
    X : (points, units) tensor or array
    k : int
        Neighbours; a neighbourhood is the point with its k nearest others, or, with a reference,
        its k nearest there. No more than k - 1 or k dimensions can be found.
    reference : (references, units) tensor or array, optional
    cutoff : float
        Counted are eigenvalues above cutoff times the largest, in (0, 1).
    share : float, optional
        In place of the cutoff: as many as hold this share of the neighbourhood's variance.

    Returns
    -------
    Dimension
        With `.per_point`, whole numbers; 0 for a neighbourhood of twins.

    Raises
    ------
    ValueError
        For wrong shapes, too few points for k, NaN or infinity, a cutoff or share outside (0, 1).

    Source: Fukunaga and Olsen 1971, IEEE Trans. Comput. C-20, 176.
    """
    for name, value in (("cutoff", cutoff), ("share", share)):
        if value is not None and not 0 < value < 1:
            raise ValueError(f"{name} must be above 0 and below 1; got {value!r}")
    points, sample = _sample(X, reference)
    count(k, "k", least=2)
    _, index = nearest(points, sample, k)
    if sample is None:
        index = np.hstack([np.arange(len(points))[:, None], index])
        sample = points
    size, units = index.shape[1], sample.shape[1]
    per_point = np.empty(len(points))
    step = max(1, 2**23 // (size * units))
    for start in range(0, len(points), step):
        around = sample[index[start : start + step]]  # (step, size, units)
        around = around - around.mean(1, keepdims=True)
        turned = around.transpose(0, 2, 1)
        small = turned @ around if units < size else around @ turned
        values = np.linalg.eigvalsh(small)[:, ::-1].clip(0)
        if share is None:
            found = (values > cutoff * values[:, :1]).sum(1)
        else:
            found = [enough(row, share) if row[0] else 0 for row in values]
        per_point[start : start + step] = found
    how = {"cutoff": cutoff} if share is None else {"share": share}
    return Dimension(per_point.mean(), "local PCA", *sample.shape, per_point, k=k, **how)


def lid(X: ArrayLike | Tensor, k: int = 20, reference: ArrayLike | Tensor | None = None
        ) -> Dimension:  # fmt: skip
    r"""Local intrinsic dimension of each point, by maximum likelihood.

    .. math:: -\left( \frac{1}{k} \sum_{i=1}^{k} \log \frac{r_i}{r_k} \right)^{-1}

    with the distances to the k nearest neighbours. (The i = k term is 0, and is counted, as Ma et
    al. count it; Levina and Bickel divide by k - 1.) It depends on n and k: Ma et al. take
    k = 20 of minibatches of 100.

    Parameters
    ----------
    X : (points, units) tensor or array
    k : int
        Neighbours, at least 2, fewer than there are points.
    reference : (references, units) tensor or array, optional
        Whose points the neighbours are, such as clean ones for attacked X; none of them in X.
        Without: the other points of X.

    Returns
    -------
    Dimension
        With `.per_point` (points,), infinite where all k are equally far. The number itself is
        their harmonic mean, the estimate if all have one dimension (MacKay and Ghahramani 2005).

    Raises
    ------
    ValueError
        For wrong shapes, too few points for k, NaN or infinity, or twins.

    Source: Amsaleg et al. 2015, KDD; Ma et al. 2018, ICLR, arXiv:1801.02613, equation 4. As a
    detector of attacks it is broken (Athalye et al. 2018): it describes.
    """
    points, sample = _sample(X, reference)
    count(k, "k", least=2)
    distances, _ = nearest(points, sample, k)
    refuse_twins(distances[:, 0], reference=sample is not None)
    per_point, whole = likelihood(distances)
    shape = (points if sample is None else sample).shape
    return Dimension(whole, "LID by maximum likelihood", *shape, per_point, k=k)


def likelihood(distances: np.ndarray) -> tuple[np.ndarray, float]:
    """`lid` from distances (points, k), rising: of each point, and their harmonic mean."""
    inverse = -np.log(distances / distances[:, -1:]).mean(1)
    with np.errstate(divide="ignore"):
        return 1 / inverse, 1 / inverse.mean()


def _sample(X, reference) -> tuple[np.ndarray, np.ndarray | None]:
    if reference is None:
        return float64(X, "X", 3, "a neighbourhood"), None
    return float64(X, "X"), float64(reference, "reference", 2, "a neighbourhood")


def _centred(X) -> np.ndarray:
    return centred(float64(X, "X", 2, "a variance"), "X")
