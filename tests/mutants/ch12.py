"""Planted wrong answers to chapter 12's exercises, each with what its check must say."""

from mutants.changing import but, returning
from scipy.optimize import linprog

NAMESPACE = {"linprog": linprog}

_TWO_NN = """
def two_nn(X):
    d = np.sort(np.linalg.norm(X[:, None] - X[None], axis=2), axis=1)
    mu = d[:, 2] / d[:, 1]
    return len(X) / np.log(mu).sum()
"""

_SEPARABLE = """
def separable(X, y):
    found = linprog(np.zeros(X.shape[1]), -y[:, None] * X, -np.ones(len(y)), bounds=(None, None))
    return found.success
"""

_INSIDE = """
def inside(changes, points, k):
    V = np.linalg.svd(points - points.mean(0), full_matrices=False)[2][:k]
    return ((changes @ V.T) ** 2).sum(1) / (changes**2).sum(1)
"""

MUTANTS = {
    "ch12.two_nn": [
        (but(_TWO_NN, ("d[:, 2] / d[:, 1]", "d[:, 1] / d[:, 0]")), "its own nearest neighbour"),
        (but(_TWO_NN, ("d[:, 2] / d[:, 1]", "d[:, 1] / d[:, 2]")), "It is negative"),
        (returning(_TWO_NN, "np.log(mu).mean()"), "reciprocal"),
        (but(_TWO_NN, ("axis=2), axis=1)", "axis=2) ** 2, axis=1)")), "squared distances"),
        (returning(_TWO_NN, "1 / np.log(mu.mean())"), "logarithm of the mean"),
        (returning(_TWO_NN, "len(X) / mu.sum()"), "The logarithm is missing"),
        (but(_TWO_NN, ("np.log(", "np.log10(")), "base 10"),
        (but(_TWO_NN, ("d[:, 2] / d[:, 1]", "d[:, 3] / d[:, 2]")), "second and the third"),
        (returning(_TWO_NN, "1 / np.log(mu)"), "One number for all points"),
        (returning(_TWO_NN, "(1 / np.log(mu)).mean()"), "averaged the estimates"),
        (returning(_TWO_NN, "(len(X) - 1) / np.log(mu).sum()"), "unbiased"),
    ],
    "ch12.separable": [
        (but(_SEPARABLE, ("-np.ones(", "-0 * np.ones(")), "every set separable"),
        (but(_SEPARABLE, (", bounds=(None, None)", "")), "positive weights only"),
        (but(_SEPARABLE, ("def separable(X, y):",
                          "def separable(X, y):\n    X = np.c_[X, np.ones(len(X))]")),
         "has an offset"),
        (but(_SEPARABLE, ("-y[:, None] * X", "-X")), "labels play no part"),
        (returning(_SEPARABLE, "not found.success"), "wrong way round"),
        (returning(_SEPARABLE, "y * (X @ np.ones(X.shape[1])) > 0"), "one truth value"),
        (returning(_SEPARABLE, "(y * (X @ np.linalg.lstsq(X, y, rcond=None)[0]) > 0).all()"),
         "least squares"),
        (returning(_SEPARABLE, "(y * (X @ (y @ X)) > 0).all()"), "each times its label"),
    ],
    "ch12.inside": [
        (but(_INSIDE, ("points - points.mean(0)", "points")), "mean off the points"),
        (but(_INSIDE, ("    return", "    changes = changes - points.mean(0)\n    return")),
         "points' mean off the changes"),
        (but(_INSIDE, ("    return", "    changes = changes - changes.mean(0)\n    return")),
         "changes' own mean"),
        (returning(_INSIDE, "np.linalg.norm(changes @ V.T, axis=1) "
                            "/ np.linalg.norm(changes, axis=1)"), "share of the *length*"),
        (returning(_INSIDE, "1 - ((changes @ V.T) ** 2).sum(1) / (changes**2).sum(1)"),
         "share *outside*"),
        (but(_INSIDE, ("[:k]", "[-k:]")), "least variance"),
        (but(_INSIDE, ("[:k]", "")), "kept all directions"),
        (but(_INSIDE, ("points - points.mean(0)", "changes - changes.mean(0)")),
         "to the changes themselves"),
        (but(_INSIDE, ("[2][:k]", "[2][:, :k].T")), "columns of what"),
        (returning(_INSIDE, "((changes @ V.T) ** 2).sum(1)"), "did not divide"),
        (returning(_INSIDE, "((changes @ V.T) ** 2).sum() / (changes**2).sum()"),
         "before dividing"),
    ],
}
