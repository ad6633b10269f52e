"""i2n: whether a net finds the same images hard to tell from the same other objects as people."""

import numpy as np
from scipy.special import ndtri

from brainkit.brainscore.score import Score

__all__ = ["i2n", "i2n_ceiling", "read_out"]

_LIMIT = 5  # of d', which a rate of 0 or 1 would make infinite
_SPLITS = 2
_COLUMNS = ("stimulus_id", "truth", "dist_obj", "choice")


def read_out(features, objects):
    """Brain-Score's read-out of objects: standardised features, multinomial logistic regression.

    Fit it on other images than those of i2n (Brain-Score: 2,160 images of 24 objects); what it
    returns has `.predict_proba(features)` (n, objects) and `.classes_`, the objects in that order.

    Parameters
    ----------
    features : (n, p) array
    objects : (n,) of names
        Three different ones or more.

    Raises
    ------
    ValueError
        If shapes do not fit, features are not finite, or there are fewer than 3 objects.

    Source: brain-score/vision, ProbabilitiesMapping (newton-cg, C = 1e-3).
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, objects = np.asarray(features, dtype=np.float64), np.asarray(objects)
    if x.ndim != 2 or objects.shape != x.shape[:1]:
        raise ValueError("features must have the shape (images, features) and objects one entry "
                         f"an image; they are {x.shape} and {objects.shape}")
    if not np.isfinite(x).all():
        raise ValueError("features are not finite (NaN or infinite)")
    if len(np.unique(objects)) < 3:
        raise ValueError("the read-out needs 3 objects or more")
    return make_pipeline(
        StandardScaler(), LogisticRegression(solver="newton-cg", C=1e-3)).fit(x, objects)


def i2n(probabilities, objects, stimulus_id, trials):
    """Agreement of a net with people in which image is taken for which other object.

    For each image and each other object: the rate at which the net would choose that object
    rather than the true one, p_other / (p_other + p_true); people's, over the trials in which the
    two were offered. d' = z(1 - rate) - z(mean rate at which images of the other object are taken
    for this one), cut at -5 and 5, less its mean over the images of that pair of objects. The
    score is Pearson's r of the net's d' and that of a random half of the trials, mean of 2 halves.

    Parameters
    ----------
    probabilities : (n, objects) array
        The net's, of each object for each image, as from `read_out`.
    objects : (objects,) of names
        What the columns stand for.
    stimulus_id : (n,) of names
        The images of the rows, those of the trials, each once.
    trials : table (DataFrame or dict of columns)
        One row a human trial: `stimulus_id`, `truth` (the object in the image), `dist_obj` (the
        other one offered) and `choice`, in the order in which they were published: the random
        halves are Brain-Score's.

    Returns
    -------
    Score
        Not ceiled; `.score`, `.per_split` (2,), `.error` (standard deviation of the two);
        `.ceiled(i2n_ceiling(trials), era="2026")` divides each by the square root of its ceiling.

    Raises
    ------
    ValueError
        For fewer than 4 images, images or objects that differ between net and trials,
        probabilities that are not, or rates that leave d' undefined.

    Source: Rajalingham et al. 2018, J. Neurosci. 38; brain-score/vision, metrics i1i2.
    """
    table = _Trials(trials)
    p, objects, images = np.asarray(probabilities, float), np.asarray(objects), np.asarray(
        stimulus_id)
    if p.ndim != 2 or p.shape != (len(images), len(objects)):
        raise ValueError(f"probabilities must have the shape (images, objects), here "
                         f"({len(images)}, {len(objects)}); it is {p.shape}")
    if not (np.isfinite(p) & (p >= 0)).all():
        raise ValueError("probabilities must be finite and not negative")
    rows = _order(images, table.images, "images")
    columns = _order(objects, table.objects, "objects")
    p = p[np.ix_(rows, columns)]
    true = np.take_along_axis(p, table.truth[:, None], 1)
    with np.errstate(invalid="ignore"):
        rates = p / (p + true)
    net = _normalised_d_prime(rates, table.truth)
    wanted = np.arange(len(table.objects)) != table.truth[:, None]
    if np.isnan(net[wanted]).any():
        raise ValueError("d' of the net is undefined: probabilities of 0 or 1, or of 0 for both of "
                         "a pair; soften them, as by a smaller C in the read-out")
    return _over_halves(
        [_correlate(net, table.d_prime(half), "a half of the trials") for half, _
         in table.halves()], "i2n")


def i2n_ceiling(trials):
    """Agreement of one random half of the human trials with the other, as `i2n` measures it.

    Parameters
    ----------
    trials : table
        As in `i2n`.

    Returns
    -------
    Score
        `.score`, `.per_split` (2,), `.error`. Not corrected for halving (no Spearman-Brown).

    Raises
    ------
    ValueError
        As in `i2n`.

    Source: brain-score/vision, metrics i1i2; pairs that one of the halves lacks do not count.
    """
    table = _Trials(trials)
    return _over_halves(
        [_correlate(*map(table.d_prime, halves), "the halves of the trials")
         for halves in table.halves()], "i2n ceiling")


def _over_halves(r, measure):
    r = np.array(r)
    return Score(float(r.mean()), None, r, float(r.std()), None, measure)


class _Trials:
    """Human trials as indices into sorted images and objects."""

    def __init__(self, trials):
        try:
            columns = {name: np.asarray(trials[name]) for name in _COLUMNS}
        except (KeyError, IndexError, TypeError) as error:
            raise ValueError(f"trials must be a table with the columns {', '.join(_COLUMNS)}; "
                             f"reading them failed: {error!r}") from None
        if len({column.shape for column in columns.values()}) > 1 or columns["choice"].ndim != 1:
            raise ValueError("the columns of trials must be of one length; they are "
                             + ", ".join(f"{k} {v.shape}" for k, v in columns.items()))
        for name, column in columns.items():
            if any(value is None or value != value for value in column.tolist()):
                raise ValueError(f"trials has entries missing in {name}")
        truth, other, choice = (columns[name].astype(str) for name in _COLUMNS[1:])
        odd = ~((choice == truth) | (choice == other)) | (truth == other)
        if odd.any():
            raise ValueError(f"{odd.sum()} trials name no choice between two objects, the first of "
                             f"them number {odd.argmax()}: choice must be truth or dist_obj, and "
                             "these two must differ")
        self.images, first, self.image = np.unique(
            columns["stimulus_id"].astype(str), return_index=True, return_inverse=True)
        if len(self.images) < 4:
            raise ValueError(f"i2n needs 4 images or more, got {len(self.images)}")
        self.objects = np.unique(np.concatenate([truth, other]))
        codes = [np.searchsorted(self.objects, values) for values in (truth, other, choice)]
        self.truths, self.others, self.choices = codes
        self.truth = self.truths[first]
        if (self.truth[self.image] != self.truths).any():
            raise ValueError("trials give one image two truths")
        lacking = np.setdiff1d(np.arange(len(self.objects)), self.truth)
        if len(lacking):
            raise ValueError(f"no image shows {str(self.objects[lacking[0]])!r}, which d' needs")

    def halves(self):
        """The random halves, those of Brain-Score for score and ceiling alike."""
        # RandomState, not a Generator: other numbers would be other halves.
        random = np.random.RandomState(0)
        order = list(range(len(self.image)))
        for _ in range(_SPLITS):
            indices = order.copy()
            random.shuffle(indices)
            middle = len(indices) // 2
            yield indices[:middle], indices[middle:]

    def d_prime(self, which):
        """Normalised d' (images, objects) of some of the trials."""
        image, shape = self.image[which], (len(self.images), len(self.objects))
        offered, chosen = np.zeros(shape), np.zeros(shape)
        for count, what in ((offered, self.truths), (offered, self.others),
                            (chosen, self.choices)):
            np.add.at(count, (image, what[which]), 1)
        rates = np.divide(chosen, offered, out=np.full(shape, np.nan), where=offered > 0)
        return _normalised_d_prime(rates, self.truth)


def _normalised_d_prime(rates, truth):
    """d' from the rates (images, objects) at which each object was chosen for the true one."""
    rates = rates.copy()
    np.put_along_axis(rates, truth[:, None], np.nan, 1)
    by_object = np.array([_mean(rates[truth == k]) for k in range(rates.shape[1])])
    with np.errstate(invalid="ignore"):  # inf - inf: undefined, and said to be so by the callers
        d = (ndtri(1 - rates) - ndtri(by_object.T[truth])).clip(-_LIMIT, _LIMIT)
    for k in range(rates.shape[1]):
        d[truth == k] -= _mean(d[truth == k])
    return d


def _mean(values):
    """The mean over rows of what is not NaN; NaN where all of it is."""
    there = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(there, values, 0).sum(0) / there.sum(0)


def _correlate(a, b, what):
    both = ~(np.isnan(a) | np.isnan(b))
    a, b = a[both], b[both]
    if len(a) < 3 or not np.ptp(a) or not np.ptp(b):
        raise ValueError(f"no correlation with {what}: {len(a)} pairs of image and object in "
                         "common, or d' alike in all of them")
    return np.corrcoef(a, b)[0, 1]


def _order(given, wanted, name):
    """The indices that bring what is given into the wanted order."""
    given = given.astype(str)
    order = np.argsort(given)
    if given.shape != wanted.shape or (given[order] != wanted).any():
        lacking = sorted({*wanted.tolist()} ^ {*given.tolist()})[:3]
        raise ValueError(f"the net's {name} and those of the trials must be the same, each once; "
                         f"{len(given)} and {len(wanted)}" +
                         (f", and only one has {', '.join(lacking)}" if lacking else ""))
    return order
