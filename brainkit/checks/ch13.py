"""Checks of chapter 13, manipulating neural space."""

import numpy as np

from .machinery import Misconception, check, compare, tensor


def _space(seed, n=6, units=7, k=3):
    """Points (n, units), a mean, and an orthonormal basis (units, k)."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.standard_normal((units, k)))[0]
    return rng.standard_normal((n, units)) + 2, rng.standard_normal(units) + 1, basis


@check("ch13.project")
def project(answer):
    """answer(points (n, units), mean (units,), basis (units, k)) -> points on the subspace."""
    points, mean, basis = _space(0)
    d = points - mean
    want = mean + d @ basis @ basis.T
    wrong = [
        (points @ basis @ basis.T, "You projected the points themselves. The subspace goes "
         "through the mean of the points, not through 0: take the mean off first, and add it "
         "again."),
        (d @ basis @ basis.T, "The mean is missing: you projected the deviations and did not add "
         "the mean again."),
        (mean + points @ basis @ basis.T, "You added the mean without having taken it off first."),
        (points - d @ basis @ basis.T, "That is what is left *outside*, the mean and the part "
         "orthogonal to the subspace."),
        (d - d @ basis @ basis.T, "That is the deviation's part outside."),
        (d @ basis, "These are the coordinates in the subspace, k for each point. One more product "
         "leads back to the units.", "`coordinates @ basis.T`"),
        (points.mean(0) + (points - points.mean(0)) @ basis @ basis.T, "You took the mean of these "
         "points. The subspace has a mean of its own, fitted on others."),
        (points, "These are the points as they were."),
    ]
    compare(answer(points.copy(), mean.copy(), basis.copy()), want, wrong, what="The projection")
    return "What is left of each point is what the subspace can say of it."


@check("ch13.parts")
def parts(answer):
    """answer(changes (n, units), basis (units, k)) -> the parts within and outside, full length."""
    changes, _, basis = _space(1)
    inner = changes @ basis @ basis.T
    outer = changes - inner
    length = np.linalg.norm(changes, axis=1, keepdims=True)

    def norm(x):
        return np.linalg.norm(x, axis=1, keepdims=True)

    found = answer(changes.copy(), basis.copy())
    if not isinstance(found, tuple | list | np.ndarray) or len(found) != 2:
        raise Misconception("Two results were asked for, the part within and the part outside.",
                            "`return within, outside`")
    within, outside = (tensor(one, name).numpy() for one, name in
                       zip(found, ("The part within", "The part outside"), strict=True))
    want = np.stack([inner / norm(inner) * length, outer / norm(outer) * length])
    got = np.stack([within, outside]) if within.shape == outside.shape else within
    mean = length.mean()
    wrong = [
        (np.stack([inner, outer]), "These are the two parts, each at the length it has. The "
         "longer part has the advantage then: bring both to the length of the whole change."),
        (want[::-1], "The two are exchanged: the part within comes first."),
        (np.stack([inner / norm(inner), outer / norm(outer)]), "Both parts have length 1. They "
         "are to be as long as the change they come from."),
        (np.stack([inner / norm(inner) * mean, outer / norm(outer) * mean]), "You gave all of "
         "them one length. Each is to be as long as its own change."),
        (np.stack([inner / norm(inner) * length**2, outer / norm(outer) * length**2]),
         "You multiplied by the squared length."),
        (np.stack([inner / norm(inner) ** 2 * length**2, outer / norm(outer) ** 2 * length**2]),
         "You used squared lengths in the ratio. A vector's length goes with the root."),
        (np.stack([inner / np.linalg.norm(inner) * np.linalg.norm(changes),
                   outer / np.linalg.norm(outer) * np.linalg.norm(changes)]),
         "Your norm is that of the whole array. Take it for each row.", "`axis=1, keepdims=True`"),
        (np.stack([want[0], outer]), "The part outside still has its own length."),
        (np.stack([inner, want[1]]), "The part within still has its own length."),
    ]
    compare(got, want, wrong, what="The pair of parts")
    return "Now length is no excuse: whatever the two parts do differently, direction did it."


@check("ch13.exchange")
def exchange(answer):
    """answer(W (classes, units), basis (units, k), order (k,)) -> W's directions exchanged."""
    rng = np.random.default_rng(2)
    W, order = rng.standard_normal((4, 7)), np.array([2, 0, 3, 1])
    basis = np.linalg.qr(rng.standard_normal((7, 4)))[0]
    A = W @ basis
    want = A[:, order] @ basis.T
    wrong = [
        (A[:, np.argsort(order)] @ basis.T, "That is the permutation the other way round. Weight "
         "number `order[j]` is to go to direction j.", "`weights[:, order]`"),
        (A[:, order], "These are the weights by direction, (classes, k). The read-out is to be by "
         "unit again.", "`@ basis.T`"),
        (A @ basis.T, "You projected the read-out on the manifold and exchanged nothing."),
        (A[order] @ basis.T, "You exchanged rows, which are the categories. Columns are the "
         "directions."),
        (W - A @ basis.T + want, "What the read-out has outside of the manifold is still in it. "
         "All of the new read-out is to lie within."),
        (A @ basis[:, order].T @ basis @ basis.T, "You permuted the basis and not the weights, "
         "which is the permutation the other way round."),
    ]
    compare(answer(W.copy(), basis.copy(), order.copy()), want, wrong, what="The read-out")
    return "The same manifold, the same lengths: each direction now speaks for another."


@check("ch13.penalty")
def penalty(answer):
    """answer(gradients (n, units), basis (units, k)) -> mean of log(1 + squared length within)."""
    gradients, _, basis = _space(3)
    inside = ((gradients @ basis) ** 2).sum(1)
    whole = (gradients**2).sum(1)
    want = np.log1p(inside).mean()
    wrong = [
        (np.log1p(inside.mean()), "You took the logarithm of the mean. Take it for each image: "
         "else the few most sensitive images decide."),
        (np.log1p(inside).sum(), "That is the sum over images; the mean was asked for, which does "
         "not grow with the batch."),
        (np.log1p(inside), "One number was asked for: the mean over images."),
        (inside.mean(), "The logarithm is missing."),
        (np.log1p(whole).mean(), "That is the length of the whole gradient. Only the part within "
         "counts."),
        (np.log1p(whole - inside).mean(), "That is the part *outside*."),
        (np.log1p(inside**0.5).mean(), "That is the length; its square was asked for."),
        (np.log(inside).mean(), "The 1 is missing: log 0 is minus infinity, and a net could gain "
         "without end."),
        (np.log1p((gradients @ basis).sum(1) ** 2).mean(), "You squared the sum. A squared length "
         "is a sum of squares."),
        (np.log1p((gradients @ basis) ** 2).mean(), "You took the logarithm of each coordinate. "
         "Sum the squares over the directions first."),
    ]
    compare(answer(gradients.copy(), basis.copy()), want, wrong, what="The penalty")
    return "Added to the loss, it pays for a decision that does not care about the subspace."
