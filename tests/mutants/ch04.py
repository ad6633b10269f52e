"""Planted wrong answers to chapter 4's exercises, each with what its check must say."""

from mutants.changing import but, returning

_RDM = """
def rdm(X):
    X = X - X.mean(1, keepdims=True)
    X = X / np.sqrt((X**2).sum(1, keepdims=True))
    return 1 - X @ X.T
"""

_AGREEMENT = """
from scipy.stats import rankdata
def agreement(a, b):
    pairs = np.triu_indices(len(a), 1)
    return np.corrcoef(rankdata(a[pairs]), rankdata(b[pairs]))[0, 1]
"""

_RELIABILITY = """
def reliability(first, second):
    a, b = first - first.mean(0), second - second.mean(0)
    r = (a * b).sum(0) / np.sqrt((a**2).sum(0) * (b**2).sum(0))
    return 2 * r / (1 + r)
"""

_ROWS = """
from scipy.stats import rankdata
def agreement(a, b):
    rows = [np.corrcoef(rankdata(np.delete(x, i)), rankdata(np.delete(y, i)))[0, 1]
            for i, (x, y) in enumerate(zip(a, b))]
    return np.mean(rows)
"""

MUTANTS = {
    "ch04.rdm": [
        (returning(_RDM, "X @ X.T"), "how *alike* two images are"),
        ("def rdm(X):\n    return 1 - np.corrcoef(X.T)\n", "neurons over images"),
        (but(_RDM, ("    X = X - X.mean(1, keepdims=True)\n", "")), "the *cosine*"),
        (but(_RDM, ("X.mean(1, keepdims=True)", "X.mean(0)")), "each neuron's mean over images"),
        ("def rdm(X):\n    return 1 - np.corrcoef(X - X.mean(0))\n",
         "depend on which others were shown"),
        ("def rdm(X):\n    return np.sqrt(((X[:, None] - X) ** 2).sum(-1))\n",
         "the Euclidean distance"),
        (returning(_RDM, "1 - abs(X @ X.T)"), "took the absolute value"),
        (returning(_RDM, "1 - (X @ X.T)**2"), "squared the correlation"),
    ],
    "ch04.agreement": [
        (returning(_AGREEMENT, "np.corrcoef(a[pairs], b[pairs])[0, 1]"), "Pearson's correlation"),
        (returning(_AGREEMENT, "np.corrcoef(rankdata(a), rankdata(b))[0, 1]"), "whole matrices"),
        (but(_AGREEMENT, ("len(a), 1)", "len(a))")), "The diagonal is still in"),
        (but(_AGREEMENT, ("[0, 1]", "")), "two by two"),
        (_ROWS, "row by row"),
    ],
    "ch04.reliability": [
        (returning(_RELIABILITY, "r"), "reliability of *half*"),
        (but(_RELIABILITY, ("first - first.mean(0), second - second.mean(0)", "first, second")),
         "the cosine"),
        (but(_RELIABILITY, ("first - first.mean(0), second - second.mean(0)",
                            "first.T - first.mean(1), second.T - second.mean(1)")),
         "over sites, image by image"),
        (returning(_RELIABILITY, "(2 * r / (1 + r)).mean()"), "averaged over sites"),
        (returning(_RELIABILITY, "np.median(2 * r / (1 + r))"), "median over sites"),
        (returning(_RELIABILITY, "r / (1 + r)"), "factor 2 is missing"),
        (returning(_RELIABILITY, "np.sqrt(r)"), "root of the halves' correlation"),
        (returning(_RELIABILITY, "np.sqrt(2 * r / (1 + r))"), "took the root as well"),
        (returning(_RELIABILITY, "np.corrcoef(first.ravel(), second.ravel())[0, 1] * 2"
                   " / (1 + np.corrcoef(first.ravel(), second.ravel())[0, 1])"),
         "one correlation"),
    ],
}
