"""Planted wrong answers to chapter 10's exercises, each with what its check must say."""

from mutants.changing import but, returning
from scipy import stats

NAMESPACE = {"stats": stats}

_PAIRED = """
def paired(treated, control):
    d = treated - control
    n, sd = len(d), d.std(ddof=1)
    return d.mean(), sd / n ** 0.5 * stats.t.ppf(0.975, n - 1)
"""

_WORST = """
def worst_case(right):
    return right.all(0).mean()
"""

_PARTIAL = """
def partial(x, y, z):
    def left(v):
        return v - np.polyval(np.polyfit(z, v, 1), z)

    a, b = left(x), left(y)
    return np.corrcoef(a, b)[0, 1]
"""

MUTANTS = {
    "ch10.paired": [
        (but(_PAIRED, ("treated - control", "control - treated")), "a gain comes out as a loss"),
        (but(_PAIRED, ("d.mean(),", "np.median(d),")), "median of the differences"),
        (but(_PAIRED, ("stats.t.ppf(0.975, n - 1)", "1.959964")), "the normal's quantile"),
        (but(_PAIRED, ("n - 1)", "n)")), "n - 1 degrees"),
        (but(_PAIRED, ("0.975", "0.95")), "one of 90 %"),
        (but(_PAIRED, ("ddof=1", "")), "divided by n in the variance"),
        (but(_PAIRED, (" / n ** 0.5", "")), "how far single seeds scatter"),
        (but(_PAIRED, ("n ** 0.5", "n")), "*root* of n"),
        (but(_PAIRED, (" * stats.t.ppf(0.975, n - 1)", "")), "the standard error itself"),
        (but(_PAIRED, ("sd /", "2 * sd /")), "whole width"),
        (but(_PAIRED, ("d.std(ddof=1)", "(treated.var(ddof=1) + control.var(ddof=1)) ** 0.5")),
         "two unrelated samples"),
        (returning(_PAIRED, "d.mean()"), "Return two numbers"),
    ],
    "ch10.worst_case": [
        (returning(_WORST, "right.mean(1).min()"), "*single* best attack"),
        (returning(_WORST, "right.mean()"), "You averaged over attacks"),
        (returning(_WORST, "right.any(0).mean()"), "if *any* attack failed"),
        (returning(_WORST, "1 - right.all(0).mean()"), "the attacker's success"),
        (returning(_WORST, "(~right).all(0).mean()"), "which every attack"),
        (returning(_WORST, "right.all(0).sum()"), "how many pictures"),
        (returning(_WORST, "right.all(1).mean()"), "wrong axis"),
    ],
    "ch10.partial": [
        (returning(_PARTIAL, "np.corrcoef(x, y)[0, 1]"), "nothing was taken off"),
        (returning(_PARTIAL, "np.corrcoef(a, y)[0, 1]"), "off `x` alone"),
        (returning(_PARTIAL, "np.corrcoef(x, b)[0, 1]"), "off `y` alone"),
        (but(_PARTIAL, ("np.polyval(np.polyfit(z, v, 1), z)", "z")), "subtracted `z` itself"),
        (but(_PARTIAL, ("np.polyval(np.polyfit(z, v, 1), z)", "z * (v @ z) / (z @ z)")),
         "go through zero"),
        (but(_PARTIAL, ("v - np.polyval", "np.polyval")), "correlated the lines"),
        (but(_PARTIAL, ("v, 1)", "v, 2)")), "a parabola"),
        (returning(_PARTIAL, "np.corrcoef(a, b)[0, 1] ** 2"), "the square"),
    ],
}
