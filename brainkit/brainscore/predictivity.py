"""How well a net's features predict neurons, and how well the neurons predict themselves."""

import numpy as np

from brainkit.brainscore.regression import pls, ridge
from brainkit.brainscore.score import Score, standard_error

__all__ = ["ceiling", "neural_predictivity"]

FEWEST_IMAGES = 4
# A correlation over two images is 1 or -1 whatever they are.
FEWEST_HELD_OUT = 3


def neural_predictivity(features, responses, groups=None, *, regression="pls", n_components=25,
                        alpha=1.0, splits=10):
    """How well a linear map from features predicts responses to images it was not fitted on.

    Brain-Score's procedure: random splits into 90% of the images to fit and 10% to test, each
    with every group in its proportion (it is not a cross-validation in ten folds); one regression
    for all sites together; Pearson's r of predicted and recorded responses for each site; the
    median over sites and the mean over splits.

    Parameters
    ----------
    features : (n, p) array
        One row an image. Ordered by stimulus id, the splits are those of Brain-Score.
    responses : (n, sites) array
        Responses to the same images in the same order, averaged over repetitions; in any unit.
    groups : (n,) array, optional
        What splits keep the proportions of: in Brain-Score the object in the image. Without, the
        splits are drawn from all images alike.
    regression : "pls" or "ridge"
        Partial least squares with n_components, or ridge regression with the penalty alpha
        (Brain-Score's `ridge`: 1), chosen anew in each split where alpha is a list of several,
        such as `ALPHAS`.
    splits : int
        How many; 10 in Brain-Score, whose first ones a smaller number gives.

    Returns
    -------
    Score
        Not ceiled: `.score`, `.per_neuroid` (sites,), `.per_split` (splits,), `.error`, `.raw`
        (splits, sites); `.ceiled(ceiling(...), era=...)` sets it beside what noise allows.

    Raises
    ------
    ValueError
        For fewer than 4 images, too few to fit or to hold out, numbers of images that differ,
        numbers that are not finite, a site that answers alike to all images, or features that do.

    PLS gives the numbers of scikit-learn's PLSRegression(25, scale=False) as Brain-Score runs it,
    to rounding errors: with the tolerance of 1e-6, at which its power method stops early. (Run on
    to 1e-12, at the size of Majaj et al. 2015 in benchmarks/predictivity.py, it moves one site's r
    in one split by up to .005, over ten splits by .001, and the score by .00003.) Features of
    fewer dimensions than n_components are fitted by as many components as they have; scikit-learn
    fits rounding errors with the rest, and its numbers are arbitrary there.

    Source: Schrimpf et al. 2018, bioRxiv 407007; brain-score/vision, `pls` and `ridge`.
    """
    x, y = _matrix(features, "features", 2), _matrix(responses, "responses", 2)
    if len(x) != len(y):
        raise ValueError(f"features are of {len(x)} images and responses of {len(y)}: they must "
                         "be the same images in the same order")
    _enough_images(len(x))
    if not np.ptp(x, axis=0).any():
        raise ValueError("features are the same for all images: they predict nothing")
    _not_constant(y, "responses")
    fit = _regression(regression, n_components, alpha)
    raw = []
    for train, test in _splits(len(x), groups, splits, x.shape[1],
                               n_components if regression == "pls" else 1):
        predicted, _ = fit(x[train], y[train], x[test])
        raw.append(pearson(predicted, y[test]))
    return _over_splits(np.array(raw), "predictivity")


def ceiling(responses, *, splits=10):
    """How well responses predict themselves: the most that any model can be expected to reach.

    The repetitions are split in two at random, `splits` times; Pearson's r of the two halves'
    means over images for each site; corrected for having but half of the data each
    (Spearman-Brown, 2 r / (1 + r)); the median over sites and the mean over splits.

    Parameters
    ----------
    responses : (repeats, n, sites) array
        Of each repetition, for the same n images in the same order.

    Returns
    -------
    Score
        `.score`, `.per_neuroid` (sites,), `.per_split` (splits,), `.error`, `.raw`.

    Raises
    ------
    ValueError
        For fewer than 2 repetitions or 4 images, numbers that are not finite, or a site that
        answers alike to all images in one of the halves.

    Source: Schrimpf et al. 2018, bioRxiv 407007; brain-score/vision, `internal_consistency`.
    """
    from sklearn.model_selection import ShuffleSplit

    y = _matrix(responses, "responses", 3)
    if len(y) < 2:
        raise ValueError(f"a ceiling needs 2 repetitions or more, shape (repeats, images, sites); "
                         f"the shape is {y.shape}")
    _enough_images(y.shape[1])
    _at_least_one(splits)
    raw = []
    for halves in ShuffleSplit(splits, train_size=0.5, random_state=1).split(y):
        first, second = (y[half].mean(0) for half in halves)
        for half in (first, second):
            _not_constant(half, "responses in one half of the repetitions")
        r = pearson(first, second)
        raw.append(2 * r / (1 + r))
    return _over_splits(np.array(raw), "ceiling")


def pearson(a, b):
    """Pearson's r of each column of a with the same one of b; NaN where one is constant."""
    a, b = a - a.mean(0), b - b.mean(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (a * b).sum(0) / np.sqrt((a * a).sum(0) * (b * b).sum(0))


def _over_splits(raw, measure):
    lost = np.flatnonzero(np.isnan(raw).all(0))
    if len(lost):
        raise ValueError(f"there is no correlation in any split for {_some(lost)}: what is held "
                         "out or predicted there is constant")
    if np.isnan(raw).all(1).any():
        raise ValueError("in one split the held-out responses of every site are constant")
    # NaN-aware as xarray's median in Brain-Score: a sparse site may be silent in one split.
    per_split = np.nanmedian(raw, axis=1)
    return Score(float(per_split.mean()), np.nanmean(raw, axis=0), per_split,
                 standard_error(per_split), raw, measure)


def _regression(name, n_components, alpha):
    if name == "pls":
        if int(n_components) != n_components or n_components < 1:
            raise ValueError(f"n_components must be a whole number from 1, got {n_components!r}")
        return lambda *data: pls(*data, n_components=int(n_components))
    if name == "ridge":
        values = np.atleast_1d(np.asarray(alpha, float))
        if values.ndim != 1 or not values.size or not (np.isfinite(values) & (values > 0)).all():
            raise ValueError(f"alpha must be above 0, a number or a list of them; got {alpha!r}")
        return lambda *data: ridge(*data, alpha=alpha)
    raise ValueError(f'regression must be "pls" or "ridge", got {name!r}')


def _splits(n, groups, splits, p, fewest):
    """Indices to fit on and to hold out, `splits` times."""
    from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

    _at_least_one(splits)
    to_fit = int(0.9 * n)
    if n - to_fit < FEWEST_HELD_OUT:
        raise ValueError(f"{n} images leave {n - to_fit} to hold out, and a correlation needs "
                         f"{FEWEST_HELD_OUT}: give 21 images or more")
    if min(to_fit, p) < fewest:
        raise ValueError(f"PLS with {fewest} components needs as many features and images to fit "
                         f"on; there are {p} features and {to_fit} of {n} images")
    kind = ShuffleSplit if groups is None else StratifiedShuffleSplit
    groups = np.zeros(n) if groups is None else _groups(groups, n, n - to_fit)
    return kind(splits, train_size=0.9, random_state=1).split(np.zeros(n), groups)


def _groups(groups, n, held_out):
    groups = np.asarray(groups)
    if groups.shape != (n,):
        raise ValueError(f"groups must have one entry an image, shape ({n},); it is {groups.shape}")
    if any(value is None or value != value for value in groups.tolist()):
        raise ValueError("groups has entries that are missing (NaN or None)")
    names, counts = np.unique(groups, return_counts=True)
    if counts.min() < 2:
        raise ValueError(f"each group needs 2 images or more, to fit and to hold out; "
                         f"{str(names[counts.argmin()])!r} has one")
    if len(names) > held_out:
        raise ValueError(f"{held_out} held-out images cannot hold one of each of {len(names)} "
                         "groups; give more images or coarser groups")
    return groups


def _at_least_one(splits):
    if int(splits) != splits or splits < 1:
        raise ValueError(f"splits must be a whole number from 1, got {splits!r}")


def _matrix(values, name, ndim):
    array = np.asarray(values)
    shape = {2: "(images, columns)", 3: "(repeats, images, sites)"}[ndim]
    if array.ndim != ndim or 0 in array.shape:
        raise ValueError(f"{name} must have the shape {shape}; it is {array.shape}")
    if not (np.issubdtype(array.dtype, np.number) or array.dtype == bool) or np.iscomplexobj(array):
        raise ValueError(f"{name} must be real numbers; they are {array.dtype}")
    array = array.astype(np.float64, copy=False)
    wrong = np.flatnonzero(~np.isfinite(array).all(tuple(range(ndim - 1))))
    if len(wrong):
        raise ValueError(f"{name} are not finite (NaN or infinite) in {_some(wrong, 'column')}; "
                         "leave those images or columns out")
    return array


def _enough_images(n):
    if n < FEWEST_IMAGES:
        raise ValueError(f"needs {FEWEST_IMAGES} images or more, got {n}")


def _not_constant(y, name):
    constant = np.flatnonzero(np.ptp(y, axis=0) == 0)
    if len(constant):
        raise ValueError(f"{name} are the same for all images at {_some(constant)}: a correlation "
                         "is undefined there; leave it out")


def _some(which, kind="site"):
    listed = ", ".join(map(str, which[:5])) + (", ..." if len(which) > 5 else "")
    return f"{kind} {listed}" if len(which) == 1 else f"{len(which)} {kind}s ({listed})"
