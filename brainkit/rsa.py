"""Representational similarity analysis: dissimilarity matrices of images, and comparing them.

Kriegeskorte, Mur and Bandettini 2008 (Front. Syst. Neurosci. 2:4); noise ceilings and rank
correlations as in Nili et al. 2014 (PLoS Comput. Biol. 10:e1003553).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from scipy.spatial.distance import pdist, squareform

__all__ = ["BootstrapRSA", "NoiseCeiling", "bootstrap_rsa", "compare_rdms", "noise_ceiling", "rdm"]

METRICS = ("correlation", "euclidean", "sqeuclidean", "cosine")
METHODS = ("spearman", "pearson", "kendall", "tau-a")
LEAST_IMAGES = 4  # three images have three pairs: too few to rank


class NoiseCeiling(NamedTuple):
    """Between which bounds the best possible model of these subjects scores."""

    lower: float
    upper: float


class BootstrapRSA(NamedTuple):
    """How sure a comparison of two RDMs is, for other images of the same kind."""

    estimate: float  # on the images as they are
    low: float  # ends of the percentile interval
    high: float
    samples: np.ndarray  # (n_boot,), one a resampling; NaN where it was undefined


def _array(values: Any, name: str) -> np.ndarray:
    if hasattr(values, "detach"):  # a tensor, perhaps on a GPU or in a graph
        values = values.detach().cpu()
    try:
        array = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be an array of numbers: {error}") from None
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has {(~np.isfinite(array)).sum()} entries NaN or infinite")
    return array


def _one_of(given: str, known: tuple[str, ...], name: str) -> None:
    if given not in known:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}, not {given!r}")


def rdm(X: ArrayLike, metric: str = "correlation") -> np.ndarray:
    """The dissimilarity of each pair of images: a representational dissimilarity matrix (RDM).

    Parameters
    ----------
    X : (n, p) tensor or array
        The answers of p neurons to n images, n at least 4.
    metric : str
        "correlation": 1 minus Pearson's correlation of two images' patterns over neurons, 0 to 2.
        "cosine": 1 minus the cosine between them, 0 to 2. "euclidean" and "sqeuclidean": their
        distance, in units of X, and its square.

    Returns
    -------
    (n, n) float64 array
        Symmetric, with zeros on the diagonal.

    Raises
    ------
    ValueError
        For fewer than 4 images, NaN or infinity, another shape, an unknown metric, answers that
        are the same to all images, and where a dissimilarity is undefined: a pattern constant
        over neurons has no correlation with others, one of zeros has no angle.
    TypeError
        If X does not hold numbers.

    Noise adds to all of these distances: an RDM from single trials is biased upwards.
    """
    _one_of(metric, METRICS, "metric")
    X = _array(X, "X")
    if X.ndim != 2:
        hint = "; use X.reshape(len(X), -1)" if X.ndim > 2 else ""
        raise ValueError(f"X must be (n images, p neurons), not {X.shape}{hint}")
    if len(X) < LEAST_IMAGES:
        raise ValueError(f"X has {len(X)} images; need at least {LEAST_IMAGES}")
    if not X.shape[1]:
        raise ValueError("X has no neurons")
    if not np.ptp(X, axis=0).any():
        raise ValueError(f"X is constant: no neuron of it varies over the {len(X)} images")
    undefined = np.zeros(len(X), dtype=bool)
    if metric == "correlation":
        undefined = np.ptp(X, axis=1) == 0
    elif metric == "cosine":
        undefined = (X == 0).all(1)
    if undefined.any():
        what = "constant over neurons" if metric == "correlation" else "zero"
        some = ", ".join(map(str, np.flatnonzero(undefined)[:5]))
        raise ValueError(
            f"the pattern is {what} for {undefined.sum()} images (first: {some}), so the {metric} "
            "distance to them is undefined; leave them out or use metric='euclidean'"
        )
    return squareform(pdist(X, metric))


def _rdms(values: ArrayLike, name: str, ndim: int = 2) -> np.ndarray:
    rdms = _array(values, name)
    wanted = "(n, n)" if ndim == 2 else "(subjects, n, n)"
    if rdms.ndim != ndim or rdms.shape[-1] != rdms.shape[-2]:
        hint = "; brainkit.similarity.rdm makes one of (n, p)" if ndim == 2 == rdms.ndim else ""
        raise ValueError(f"{name} must be {wanted}, not {rdms.shape}{hint}")
    if rdms.shape[-1] < LEAST_IMAGES:
        raise ValueError(f"{name} is of {rdms.shape[-1]} images; need at least {LEAST_IMAGES}")
    scale = np.abs(rdms).max()
    if np.abs(rdms - rdms.swapaxes(-1, -2)).max() > 1e-6 * scale:
        raise ValueError(f"{name} is no RDM: it is not symmetric")
    if np.abs(np.diagonal(rdms, axis1=-2, axis2=-1)).max() > 1e-6 * scale:
        raise ValueError(
            f"{name} is no RDM: its diagonal is not 0. Of a similarity matrix take 1 minus it"
        )
    return rdms


def _pair(a: ArrayLike, b: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    a, b = _rdms(a, "a"), _rdms(b, "b")
    if a.shape != b.shape:
        raise ValueError(f"a and b must be of the same images: {len(a)} and {len(b)}")
    return a, b


def _pairs(rdms: np.ndarray) -> np.ndarray:
    """(..., n, n) to (..., n (n - 1) / 2): each pair of images once."""
    return rdms[(..., *np.triu_indices(rdms.shape[-1], 1))]


def _ties(values: np.ndarray) -> float:
    counts = np.unique(values, return_counts=True)[1].astype(float)
    return float((counts * (counts - 1)).sum() / 2)


def _correlation(x: np.ndarray, y: np.ndarray, method: str) -> float:
    """Of two vectors; NaN if one of them is constant."""
    if len(x) < 3 or (x == x[0]).all() or (y == y[0]).all():
        return float("nan")
    if method == "pearson":
        return float(np.corrcoef(x, y)[0, 1])
    if method == "spearman":
        return float(np.corrcoef(stats.rankdata(x), stats.rankdata(y))[0, 1])
    tau = stats.kendalltau(x, y).statistic  # tau-b
    if method == "tau-a":
        pairs = len(x) * (len(x) - 1) / 2
        tau *= np.sqrt((1 - _ties(x) / pairs) * (1 - _ties(y) / pairs))
    return float(tau)


def compare_rdms(a: ArrayLike, b: ArrayLike, method: str = "spearman") -> float:
    """The correlation of two RDMs over pairs of images, each pair once.

    Parameters
    ----------
    a, b : (n, n) tensor or array
        RDMs of the same images in the same order; only ranks matter but for "pearson", so they
        may be of different metrics.
    method : str
        "spearman", "pearson", "kendall" (tau-b, which takes ties off the count) or "tau-a" (all
        pairs count, so a model that predicts many ties is not favoured; Nili et al. 2014 advise
        it where a model does).

    Returns
    -------
    float
        In [-1, 1]; NaN where undefined, if all dissimilarities in one of the two are equal.

    Raises
    ------
    ValueError
        For fewer than 4 images, RDMs of different sizes, a matrix that is not square, not
        symmetric or not 0 on the diagonal, NaN or infinity, an unknown method.
    TypeError
        If a or b does not hold numbers.
    """
    _one_of(method, METHODS, "method")
    a, b = _pair(a, b)
    return _correlation(_pairs(a), _pairs(b), method)


def noise_ceiling(rdms: ArrayLike, method: str = "spearman") -> NoiseCeiling:
    """How well the best possible model could do, given how much the subjects differ.

    Upper: the mean correlation of each subject's RDM with the mean over all subjects, its own
    among them; no one RDM does better on average (for Kendall's tau, approximately). Lower: with
    the mean over the others. Nili et al. 2014, where the RDMs are first brought to one scale: to
    ranks, or to zero mean and unit variance for Pearson's correlation.

    Parameters
    ----------
    rdms : (subjects, n, n) tensor or array
        RDMs of the same images, at least two subjects. Also of sessions or halves of trials.
    method : str
        As in `compare_rdms`.

    Returns
    -------
    NoiseCeiling
        `lower` and `upper`, in units of the correlation.

    Raises
    ------
    ValueError
        As in `compare_rdms`, for fewer than two subjects, and for a subject whose dissimilarities
        are all equal.
    """
    _one_of(method, METHODS, "method")
    vectors = _pairs(_rdms(rdms, "rdms", ndim=3))
    if len(vectors) < 2:
        raise ValueError(f"a noise ceiling needs at least 2 subjects, not {len(vectors)}")
    constant = np.flatnonzero((vectors == vectors[:, :1]).all(1))
    if len(constant):
        raise ValueError(f"all dissimilarities are equal in the RDM of subject {constant[0]}")
    if method == "pearson":
        scaled = stats.zscore(vectors, axis=1)
    else:
        scaled = stats.rankdata(vectors, axis=1)
    total = scaled.sum(0)
    lower, upper = zip(*(
        (_correlation(total - own, vector, method), _correlation(total, vector, method))
        for own, vector in zip(scaled, vectors, strict=True)
    ), strict=True)  # fmt: skip
    return NoiseCeiling(float(np.mean(lower)), float(np.mean(upper)))


def bootstrap_rsa(
    a: ArrayLike,
    b: ArrayLike,
    method: str = "spearman",
    n_boot: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> BootstrapRSA:
    """A confidence interval of `compare_rdms(a, b, method)` over images.

    Images are drawn with replacement, the same for both RDMs. A pair of an image with itself has
    dissimilarity 0 in both and would raise the correlation, so such pairs are left out of a
    resampling (Schütt et al. 2023, eLife 12:e82566); pairs that occur repeatedly count so often.
    The images are resampled, not the neurons nor the subjects: what varies with those is not in
    the interval.

    To compare two models, bootstrap both against the same RDM with the same `seed`: image by
    image the same resamplings are drawn, so that the differences of `samples` are paired.

    Parameters
    ----------
    a, b, method
        As in `compare_rdms`.
    n_boot : int
        Number of resamplings.
    confidence : float
        Of the interval between the percentiles, in (0, 1).
    seed : int

    Returns
    -------
    BootstrapRSA
        `estimate`, `low`, `high` and `samples` (n_boot,). With few images some resamplings have
        too few different ones; these samples are NaN and not in the interval. NaN all, if
        `compare_rdms` is.

    Raises
    ------
    ValueError
        As in `compare_rdms`, and for an n_boot below 1 or a confidence outside (0, 1).
    """
    estimate = compare_rdms(a, b, method)
    if n_boot < 1:
        raise ValueError(f"n_boot must be at least 1, not {n_boot}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, not {confidence}")
    a, b = _pair(a, b)
    rng = np.random.default_rng(seed)
    upper = np.triu_indices(len(a), 1)
    samples = np.empty(n_boot)
    for i in range(n_boot):
        drawn = rng.integers(len(a), size=len(a))
        first, second = drawn[upper[0]], drawn[upper[1]]
        different = first != second
        pairs = first[different], second[different]
        samples[i] = _correlation(a[pairs], b[pairs], method)
    defined = samples[~np.isnan(samples)]
    low = high = float("nan")
    if len(defined):
        low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2]).tolist()
    return BootstrapRSA(estimate, low, high, samples)
