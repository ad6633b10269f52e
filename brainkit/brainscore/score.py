"""What Brain-Score's measures answer with: a score that knows by which convention it was made."""

import operator
from dataclasses import dataclass

import numpy as np

__all__ = ["ERAS", "Score", "average"]

ERAS = {
    "2018": "r / ceiling: the papers of 2018 to 2020",
    "2019": "(r / ceiling)^2: Brain-Score's website, 2019 to 2025",
    "2026": "r^2 / ceiling: Brain-Score today",
}


def _compared(operation):
    def method(self, other):
        if not isinstance(other, Score):
            return NotImplemented
        _one_convention([self, other])
        return operation(self.score, other.score)

    return method


@dataclass(frozen=True, eq=False)
class Score:
    """A score over random splits, comparable only with scores of its own convention.

    score : float
        The median over sites, then the mean over splits.
    per_neuroid : (sites,) float or None
        The mean over splits, site by site; None for behaviour, which has no sites.
    per_split : (splits,) float
        The median over sites, split by split.
    error : float
        Standard error of the mean over splits. Splits share images: it says how much the choice of
        the split matters, not how far another set of images or sites would lead. For i2n, as
        there, the standard deviation over its two splits.
    raw : (splits, sites) float or None
        What all of it was taken from. NaN where a site's held-out responses were all the same.
    measure : "predictivity", "ceiling", "i2n" or "i2n ceiling"
    era : None where no ceiling was taken into account, else a key of `ERAS`
        <, <=, >, >=, == and - of two scores compare their `.score`, and raise ValueError where the
        measures or the eras differ.
    """

    score: float
    per_neuroid: np.ndarray | None
    per_split: np.ndarray
    error: float
    raw: np.ndarray | None
    measure: str
    era: str | None = None

    __lt__, __le__, __gt__, __ge__, __eq__, __sub__ = map(_compared, (
        operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.sub))
    __hash__ = None

    def __repr__(self):
        by = "not ceiled" if self.era is None else f"era {self.era}: {ERAS[self.era]}"
        by = f"i2n of {self.era}: r / sqrt(ceiling)" if self.era and self.measure == "i2n" else by
        return f"{self.measure} {self.score:.3f} ± {self.error:.3f} ({by})"

    def ceiled(self, ceiling, *, era):
        """This score relative to what the noise of the recordings lets any model reach.

        Parameters
        ----------
        ceiling : Score
            Of `ceiling` for predictivity, of `i2n_ceiling` for i2n, from the same recordings.
        era : "2018", "2019" or "2026"
            r / ceiling as in the papers of 2018 to 2020; (r / ceiling)^2 as in Brain-Score's code
            from 2019; or r^2 / ceiling as in its code today (changed by pull request 2169, opened
            in December 2025). There is no default, for they differ as much as good and bad models
            do (the first and the last .85 and .59 for one and the same fit). i2n is
            r / sqrt(ceiling) split by split; "2026" alone.

        Returns
        -------
        Score
            All of it, each site too, by the one ceiling of all sites: Brain-Score knows no other.
            `score` is the formula applied to the mean over splits and not the mean of `per_split`.
            `error` is that of `per_split`, where Brain-Score hands on the unceiled one. A negative
            r keeps its sign when squared; Brain-Score counts it as if it were positive.

        Raises
        ------
        ValueError
            If the era is unknown, the ceiling is of another measure, of other sites or not
            positive, or this is a ceiling or has been divided by one already.

        Source: brain-score/vision, benchmark_helpers/neural_common.py; the eras: Schrimpf et al.
        2018, bioRxiv 407007.
        """
        if era not in ERAS:
            raise ValueError(f"era must be one of {sorted(ERAS)}, got {era!r}: "
                             + "; ".join(f"{key!r} is {text}" for key, text in ERAS.items()))
        if self.era is not None or "ceiling" in self.measure:
            raise ValueError(f"only a score that is not ceiled can be; this is {self!r}")
        needs = {"predictivity": "ceiling", "i2n": "i2n ceiling"}[self.measure]
        if not isinstance(ceiling, Score) or ceiling.measure != needs:
            found = ceiling.measure if isinstance(ceiling, Score) else type(ceiling).__name__
            raise ValueError(f"{self.measure} needs a Score of {needs}, got {found}; "
                             f"brainscore.{needs.replace(' ', '_')} makes one")
        if self.measure == "i2n":
            return self._ceiled_i2n(ceiling, era)
        if len(self.per_neuroid) != len(ceiling.per_neuroid):
            raise ValueError(f"the ceiling is of {len(ceiling.per_neuroid)} sites and the score of "
                             f"{len(self.per_neuroid)}: they must be the same recordings")
        limit = ceiling.score
        if not limit > 0:
            raise ValueError(f"the ceiling is {limit:.3f}: responses that do not agree with "
                             "themselves leave nothing to explain")

        def relative(r):
            if era == "2018":
                return r / limit
            return r * abs(r) / (limit**2 if era == "2019" else limit)

        per_split = relative(self.per_split)
        return Score(float(relative(self.score)), relative(self.per_neuroid), per_split,
                     standard_error(per_split), relative(self.raw), self.measure, era)

    def _ceiled_i2n(self, ceiling, era):
        if era != "2026":
            raise ValueError(f'i2n has one convention here, era="2026"; got {era!r}')
        if not (ceiling.per_split > 0).all():
            raise ValueError(f"the i2n ceiling is {ceiling.per_split} in its splits; a half of the "
                             "trials that does not agree with the other leaves nothing to explain")
        per_split = self.per_split / np.sqrt(ceiling.per_split)
        return Score(float(per_split.mean()), None, per_split, float(per_split.std()), None,
                     self.measure, era)


def standard_error(per_split):
    """Standard error of the mean over splits, NaN of a single one."""
    n = len(per_split)
    # By n and not n - 1, as in Brain-Score.
    return float(np.std(per_split) / np.sqrt(n)) if n > 1 else float("nan")


def _one_convention(scores):
    for name in ("era", "measure"):
        kinds = {str(getattr(score, name)) for score in scores}
        if len(kinds) > 1:
            raise ValueError(
                f"scores of several {name}s ({', '.join(sorted(kinds))}) cannot be compared or "
                "combined; make them by the same convention")


def average(scores):
    """The mean of several scores' `.score`, as of V4 and IT, all of one measure and era.

    Raises ValueError where they are not, or there are none.
    """
    scores = list(scores)
    if not scores:
        raise ValueError("there is no score to average")
    _one_convention(scores)
    return float(np.mean([score.score for score in scores]))
