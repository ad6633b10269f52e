"""Checks of chapter 11, neural manifolds."""

import numpy as np

from .machinery import Misconception, check, compare


@check("ch11.participation_ratio")
def participation_ratio(answer):
    """answer(X (points, units)) -> the participation ratio of their covariance."""
    rng = np.random.default_rng(5)
    X = 4 + rng.standard_normal((60, 6)) * [3.0, 2, 1, 1, 0.5, 0.2]
    X = X @ np.linalg.qr(rng.standard_normal((6, 6)))[0]
    v = np.linalg.eigvalsh(np.cov(X.T))

    def ratio(values):
        return values.sum() ** 2 / (values**2).sum()

    raw = np.linalg.eigvalsh(X.T @ X / len(X))
    share = v / v.sum()
    compare(answer(X.copy()), ratio(v), what="The participation ratio", wrong=[
        (ratio(raw), "You did not take the mean off. Then the largest component points from the "
         "origin to the cloud, and its length says nothing about the cloud's shape.",
         "`np.cov(X.T)` does it for you."),
        (ratio(np.sqrt(v)), "You summed standard deviations (or singular values). The ratio is of "
         "variances: the eigenvalues of the covariance, singular values *squared*."),
        (ratio(v**2), "You squared once too often. An eigenvalue of the covariance is a variance "
         "already."),
        (1 / ratio(v), "That is its reciprocal, between 1/units and 1.",
         "The square of the sum stands above the sum of the squares."),
        ((v**2).sum() / v.sum(), "The sum of the squares stands above. Which of the two is larger "
         "when all are equal?", "`values.sum() ** 2 / (values ** 2).sum()`"),
        (ratio(np.diag(np.cov(X.T))), "You took the units' variances, the diagonal of the "
         "covariance. Its *eigenvalues* are the variances along the principal components, and "
         "see how units vary together."),
        (ratio(np.linalg.eigvalsh(np.corrcoef(X.T))), "You used correlations, which first give all "
         "units the same variance. That is a choice, too, but here X counts as it is."),
        (ratio(np.linalg.eigvalsh(np.cov(X))), "You took the covariance of the *points* over "
         "units: `np.cov` wants one row for each unit.", "`np.cov(X.T)`"),
        (np.exp(-(share * np.log(share)).sum()), "That is the exponential of the entropy, another "
         "effective number of dimensions. Asked was the participation ratio."),
        (6.0, "That is the number of units. How many *share* the variance?"),
    ])
    return ("Equal variances in all directions give the number of units, a single direction "
            "gives 1, and everything else lies between.")


@check("ch11.progress")
def progress(answer):
    """answer(velocities (n, 2), ways (n, 2) from the cursor to the target) -> (n,) progress."""
    velocities = np.array([[3.0, 4.0], [3.0, 4.0], [-2.0, 1.0], [0.0, 5.0], [1.0, 1.0]])
    ways = np.array([[10.0, 0.0], [-6.0, -8.0], [0.0, 2.0], [3.0, 4.0], [4.0, -4.0]])
    length = np.linalg.norm(ways, axis=1, keepdims=True)
    speed = np.linalg.norm(velocities, axis=1, keepdims=True)
    forward = (velocities * ways / length).sum(1)
    compare(answer(velocities.copy(), ways.copy()), forward, what="The progress", wrong=[
        ((velocities * ways).sum(1), "You did not divide by the length of the way. Then a cursor "
         "that is far from its target seems to be faster.",
         "`ways / np.linalg.norm(ways, axis=1, keepdims=True)`"),
        (forward / speed[:, 0], "You divided by the speed as well: that is the cosine of the "
         "angle, which does not care how fast the cursor moves."),
        (speed[:, 0], "That is the speed, whatever the direction. Away from the target it should "
         "count against the animal."),
        (np.abs(forward), "You took the absolute value. Away from the target is negative "
         "progress."),
        (np.maximum(forward, 0), "You cut off what leads away from the target. It is progress, "
         "too, a negative one."),
        (forward.mean(), "You averaged. One number for each bin was asked for; the mean comes "
         "later."),
        (forward[:, None] * ways / length, "That is the velocity's part along the way, a vector. "
         "Its length, with a sign, is the progress."),
        ((velocities * ways / length**2).sum(1), "You divided by the square of the length. One "
         "division makes a unit vector of the way."),
        (np.linalg.norm(velocities - ways, axis=1), "That is a distance between a velocity and a "
         "way, which have different units."),
    ])
    return "Golub and colleagues' measure: the part of the velocity that leads to the target."


def _mapping():
    rng = np.random.default_rng(2)
    K, beta = rng.standard_normal((2, 4)), rng.standard_normal((4, 6))
    return K, beta, np.array([2, 0, 3, 1]), np.array([3, 0, 5, 1, 2, 4])


@check("ch11.perturbed")
def perturbed(answer):
    """answer(K (2, f), beta (f, units), kind, order) -> (2, units), velocity by z-scored count."""
    K, beta, p, q = _mapping()
    within = answer(K.copy(), beta.copy(), "within", p.copy())
    M = K @ beta
    back = np.argsort(p)
    if np.shape(within) == (2,) or np.shape(within) == (6, 2):
        raise Misconception(f"The map has shape {np.shape(within)}; it should be (2, units): one "
                            "row for each component of the velocity.")
    same = ("Nothing is permuted: this is the intuitive mapping.",)
    compare(within, K @ beta[p], what="The within-manifold map", wrong=[
        (M, *same),
        (K @ beta[back], "You dealt the factors out the other way round: column i of `K` is to be "
         "fed factor `order[i]`, and is fed the one whose place is i.",
         "Index the rows of `beta`, or the columns of `K` with `np.argsort(order)`."),
        (M[::-1], "You exchanged the cursor's axes. It is the factors that are dealt out anew."),
    ])
    outside = answer(K.copy(), beta.copy(), "outside", q.copy())
    by_unit = np.empty_like(M)
    by_unit[:, q] = M
    compare(outside, by_unit, what="The outside-manifold map", wrong=[
        (M, *same),
        (M[:, q], "You dealt the units out the other way round. Place i of `beta` is to be fed "
         "unit `order[i]`; so the weight at place i belongs to that unit.",
         "`out[:, order] = K @ beta`"),
        (K[:, p] @ beta, "You permuted factors again. Outside the manifold lead permutations of "
         "*units*."),
    ])
    return ("Within: another velocity for each factor. Outside: factors read off the wrong units, "
            "a pattern that the population does not have.")
