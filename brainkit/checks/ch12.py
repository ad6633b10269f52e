"""Checks of chapter 12, manifolds in CNNs."""

import numpy as np
from scipy.optimize import linprog

from .machinery import Misconception, check, compare


@check("ch12.two_nn")
def two_nn(answer):
    """answer(X (n, units)) -> the intrinsic dimension, n over the sum of log ratios."""
    rng = np.random.default_rng(3)
    X = rng.random((60, 3)) @ rng.standard_normal((3, 7))
    d = np.sort(np.linalg.norm(X[:, None] - X[None], axis=2), axis=1)
    mu = d[:, 2] / d[:, 1]
    n, logs = len(X), np.log(mu)
    with np.errstate(divide="ignore"):
        found = answer(X.copy())
    if np.ndim(found) == 0 and (not np.isfinite(found) or found == 0):
        raise Misconception("The result is 0 or not finite: among the two smallest distances is "
                            "one of 0. Each point is its own nearest neighbour, at distance 0.",
                            "Leave out the first column of the sorted distances.")
    compare(found, n / logs.sum(), what="The dimension", wrong=[
        (-n / logs.sum(), "It is negative: you took the first distance over the second."),
        (logs.mean(), "That is the mean logarithm, the dimension's reciprocal."),
        (n / np.log(mu**2).sum(), "You took squared distances. Their logarithms are twice as "
         "large, and the dimension comes out as half.", "`np.linalg.norm`, or the root."),
        (1 / np.log(mu.mean()), "You averaged the ratios and took the logarithm of the mean. Take "
         "the logarithm of each ratio first."),
        (n / mu.sum(), "The logarithm is missing: the sum is of log μ."),
        (n / np.log10(mu).sum(), "You took logarithms to base 10; the formula has natural ones."),
        (n / np.log2(mu).sum(), "You took logarithms to base 2; the formula has natural ones."),
        (n / np.log(d[:, 3] / d[:, 2]).sum(), "You took the second and the third neighbour. In "
         "the sorted distances the point itself stands at 0, its neighbours at 1 and 2."),
        (n / np.log(d[:, 3] / d[:, 1]).sum(), "You took the third neighbour in place of the "
         "second."),
        (1 / logs, "One number for all points was asked for; these are estimates of single "
         "points, and their mean would be another number."),
        ((1 / logs).mean(), "You averaged the estimates of single points. That mean is ruled by "
         "points whose two neighbours are almost equally far: average the logarithms, and invert "
         "at the end."),
        ((n - 1) / logs.sum(), "That is the unbiased version, with n - 1. A good thought; here "
         "the most likely d was asked for."),
    ])
    return ("Sixty points of three dimensions, in a space of seven: the estimate knows nothing of "
            "the seven.")


def _cases():
    rng = np.random.default_rng(11)
    w, X = rng.standard_normal(5), rng.standard_normal((9, 5))
    cases = [
        (X, np.sign(X @ w)),  # a plane through the origin was used
        (np.array([[1.0, 1], [-1, -1], [1, -1], [-1, 1]]), np.array([1.0, 1, -1, -1])),  # XOR
        (np.array([[1.0, 0.2], [2, 0.4], [3, 0.6]]), np.array([1.0, -1, -1])),  # with an offset
        (np.array([[-1.0, 0], [-2, 1], [1, 0.5]]), np.array([1.0, 1, -1])),  # a negative weight
        (np.array([[1.0, 0], [-1, 0]]), np.array([1.0, 1])),  # all on one side
        (np.array([[1.0, 0], [-1, 0.01], [20, 1]]), np.array([1.0, 1, 1])),  # a narrow way through
        (rng.standard_normal((24, 5)), rng.choice([-1.0, 1], 24)),
        (np.array([[0.1, 1.0], [0.1, -1], [0.1, 0.5], [5, -6]]), np.ones(4)),  # w = (1, 0)
        (np.array([[5.0, 1], [1, -1]]), np.array([1.0, -1])),  # not by the sum of the points
    ]
    return cases


def _possible(X, y, bounds=(None, None), least=1.0):
    return linprog(np.zeros(X.shape[1]), -y[:, None] * X, -least * np.ones(len(y)),
                   bounds=bounds).success  # fmt: skip


@check("ch12.separable")
def separable(answer):
    """answer(X (P, N), y (P,) of +1 and -1) -> whether a plane through the origin parts them."""
    cases = _cases()
    found = [answer(X.copy(), y.copy()) for X, y in cases]
    if any(np.ndim(f) or f is None for f in found):
        raise Misconception("Return one truth value, `True` or `False`, and no weights.",
                            "`return found.success`")
    found = np.array([bool(f) for f in found], float)

    def each(rule):
        return np.array([float(bool(rule(X, y))) for X, y in cases])

    def right(w, X, y):
        return (y * (X @ w) > 0).all()

    want = each(_possible)
    compare(found, want, what="The answers to nine small sets", wrong=[
        (np.ones(len(cases)), "You call every set separable. If the bound is 0, `w = 0` meets it "
         "always.", "`A_ub @ w <= -1`, not 0."),
        (np.zeros(len(cases)), "You call no set separable, not even one that was labelled by a "
         "plane."),
        (1 - want, "All answers are the wrong way round."),
        (each(lambda X, y: _possible(X, y, (0, None))), "You look among positive weights only: "
         "`linprog` does unless told otherwise.", "`bounds=(None, None)`"),
        (each(lambda X, y: _possible(np.c_[X, np.ones(len(X))], y)), "Your plane has an offset. "
         "Here it goes through the origin."),
        (each(lambda X, y: _possible(X, np.ones(len(y)))), "The labels play no part in your "
         "answer: each row of X is to be multiplied by its own label.", "`-y[:, None] * X`"),
        (each(lambda X, y: right(np.linalg.lstsq(X, y, rcond=None)[0], X, y)), "You fit the labels "
         "by least squares and look whether all signs are right. Least squares may miss a plane "
         "that exists, for the sake of points far away."),
        (each(lambda X, y: right(y @ X, X, y)), "You take the sum of the points, each times its "
         "label, as weights. That may miss a plane that exists."),
    ])  # fmt: skip
    return "A linear program is exact: it finds a plane wherever there is one."


@check("ch12.inside")
def inside(answer):
    """answer(changes (n, units), points (m, units), k) -> (n,) share in k leading directions."""
    rng = np.random.default_rng(4)
    turn = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    points = (rng.standard_normal((40, 6)) * [3, 2, 1.5, 1, 0.6, 0.3]) @ turn + 5
    changes = 2 + rng.standard_normal((5, 6)) * [1, 2, 0.5, 1, 3, 1]
    mean, k = points.mean(0), 2

    def share(c, directions):
        return ((c @ directions.T) ** 2).sum(1) / (c**2).sum(1)

    def directions(p, centre=True):
        return np.linalg.svd(p - p.mean(0) if centre else p, full_matrices=False)[2]

    V = directions(points)
    S = share(changes, V[:k])
    length = np.linalg.norm(changes, axis=1)
    inner = changes @ V[:k].T
    z = directions(points / points.std(0))
    compare(answer(changes.copy(), points.copy(), k), S, what="The share", wrong=[
        (share(changes, directions(points, False)[:k]), "You did not take the mean off the "
         "points. The first direction then points from the origin to the cloud.",
         "`points - points.mean(0)`"),
        (share(changes - mean, V[:k]), "You took the points' mean off the changes. A change is a "
         "difference of two responses: the mean has gone from it already."),
        (share(changes - changes.mean(0), V[:k]), "You took the changes' own mean off. What all "
         "changes have in common belongs to them."),
        (np.sqrt(S), "That is the share of the *length*. Asked was that of the squared length, "
         "of which inside and outside add up to 1."),
        (1 - S, "That is the share *outside*."),
        (S.mean(), "You averaged; one number for each change was asked for."),
        (share(changes, V[-k:]), "You took the directions of least variance. NumPy's `svd` gives "
         "the strongest first, `eigh` the weakest."),
        (share(changes, V), "You kept all directions: then everything is inside."),
        (share(changes, V[: k + 1]), "You kept one direction too many."),
        (share(changes, directions(changes)[:k]), "You fitted the directions to the changes "
         "themselves. They are to be those of the points."),
        (share(changes, V[:, :k].T), "You took columns of what `svd` returns last. The directions "
         "are its rows."),
        ((inner**2).sum(1), "You did not divide by the change's squared length."),
        ((inner**2).sum(1) / length, "You divided by the length, not by its square."),
        (inner.sum(1) ** 2 / length**2, "You squared the sum. It is the sum of squares that gives "
         "a length."),
        (((changes @ V[:k].T) ** 2).sum() / (changes**2).sum(), "You summed over changes before "
         "dividing, so long changes count for more. One share for each was asked for."),
        (share(changes, z[:k]), "You z-scored the units first. That is a choice, too, but here "
         "they count as they are."),
    ])
    return "Fitted on some images, asked of the changes of others."
