"""Checks of chapter 14, are attacks on the manifold."""

import numpy as np

from .machinery import Misconception, check, compare, tensor


@check("ch14.energy_inside")
def energy_inside(answer):
    """answer(basis (units, k) orthonormal, changes (n, units)) -> (n,) share of energy inside."""
    rng = np.random.default_rng(3)
    basis = np.linalg.qr(rng.standard_normal((12, 4)))[0]
    changes = rng.standard_normal((6, 12)) * np.arange(1, 7)[:, None]
    inside = ((changes @ basis) ** 2).sum(1)
    whole = (changes**2).sum(1)
    found = tensor(answer(basis.copy(), changes.copy()), "The shares")
    if found.ndim == 0:
        raise Misconception("That is one number for all changes. Give one for each: an attack's "
                            "share is compared image by image.", "`.sum(1)`, over the units.")
    compare(found, tensor(inside / whole, ""), what="The shares", wrong=[
        (tensor(np.sqrt(inside / whole), ""), "That is a ratio of lengths. Energy is the *square* "
         "of a length; only squares of the parts within and outside add up to the whole."),
        (tensor(1 - inside / whole, ""), "That is the share *outside*."),
        (tensor(inside, ""), "That is the energy inside, not its share: a longer change has more.",
         "Divide by the change's own squared length."),
        (tensor(inside / whole.sum(), ""), "You divided by the energy of all changes together. "
         "Each change is compared with itself."),
        (tensor((changes @ basis).sum(1) ** 2 / whole, ""), "You added the coordinates before "
         "squaring them, so that they cancel. Square each first."),
        (tensor(np.abs(changes @ basis).sum(1) / np.abs(changes).sum(1), ""), "You took absolute "
         "values in place of squares. They depend on how the axes are turned; squares do not."),
        (tensor(((changes - changes.mean(0)) @ basis).__pow__(2).sum(1)
                / ((changes - changes.mean(0)) ** 2).sum(1), ""),
         "You took the mean change off first. A change is a difference already, and its mean is "
         "part of it."),
    ])
    return "What is inside, over what there is, one share for each change."


@check("ch14.index")
def index(answer):
    """answer(attack, random, natural), (n,) shares each -> index, or nan without a scale."""
    rng = np.random.default_rng(5)
    random = 0.3 + 0.05 * rng.standard_normal(40)
    natural = 0.7 + 0.1 * rng.standard_normal(40)
    attack = 0.45 + 0.08 * rng.standard_normal(40)
    a, r, m = attack.mean(), random.mean(), natural.mean()
    found = tensor(float(answer(attack.copy(), random.copy(), natural.copy())), "The index")
    compare(found, tensor((a - r) / (m - r), ""), what="The index", wrong=[
        (tensor(((attack - random) / (natural - random)).mean(), ""), "You took the ratio image "
         "by image. Where an image's two nulls are alike it explodes, and the mean follows that "
         "one image.", "Means first, then one ratio."),
        (tensor(a / m, ""), "That is the attack over the natural change. A random change has a "
         "share, too, and the index has to call it 0."),
        (tensor((a - r) / m, ""), "A natural change has to come out as 1: subtract the random "
         "share below the line as well."),
        (tensor((m - a) / (m - r), ""), "You measured from the natural end: a random change comes "
         "out as 1."),
        (tensor((a - m) / (r - m), ""), "You measured from the natural end."),
        (tensor(a - r, ""), "That is only the distance from random. How far is a natural change?"),
        (tensor((m - r) / (a - r), ""), "The index is upside down."),
    ])
    alike = random + 0.1 * rng.standard_normal(40)
    alike += random.mean() + 0.002 - alike.mean()
    silent = tensor(float(answer(attack.copy(), random.copy(), alike.copy())), "The index")
    if not silent.isnan():
        raise Misconception(
            f"Here natural changes have the same share as random ones, give or take chance, and "
            f"your index is {float(silent):.0f}. Dividing by nearly nothing makes numbers that "
            "mean nothing.", "Return `np.nan` where the mean of natural - random is less than two "
            "standard errors from 0.")
    low = answer(attack.copy(), natural.copy(), random.copy())
    if not np.isfinite(float(low)):
        raise Misconception("Natural changes may have a *smaller* share than random ones. That is "
                            "a scale as well; compare the size of the gap, without its sign.",
                            "`abs`")
    return "Random is 0, natural is 1, and where the two cannot be told apart there is no index."


@check("ch14.benjamini_hochberg")
def benjamini_hochberg(answer):
    """answer(p (k,), level) -> (k,) booleans: which are found at that false discovery rate."""
    p = np.array([0.60, 0.028, 0.001, 0.20, 0.024, 0.0275, 0.045, 0.011])
    level, k = 0.05, len(p)
    order = np.argsort(p)
    lines = level * np.arange(1, k + 1) / k
    below = p[order] <= lines
    last = np.flatnonzero(below).max()
    right = p <= p[order][last]

    def unsorted(sorted_answer):
        out = np.zeros(k, bool)
        out[order] = sorted_answer
        return out

    found = np.asarray(answer(p.copy(), level))
    if found.dtype != bool or found.shape != p.shape:
        raise Misconception(f"Return {k} booleans, one for each p value; this is "
                            f"{found.dtype} of shape {found.shape}.")
    until = np.arange(k) < np.flatnonzero(~below).min()  # stops at the first that fails
    named = [
        (p < level, "You corrected nothing. Of many true nulls one in twenty passes."),
        (p <= level / k, "That is Bonferroni's correction: no false find at all, and few finds. "
         "Benjamini and Hochberg allow more the more is found."),
        (unsorted(until), "You stopped at the first p value above its line. It is the *largest* "
         "below its line that counts; all smaller ones are found with it.",
         "`np.flatnonzero(below).max()`"),
        (unsorted(below), "You compared each p value with its own line only. All that are smaller "
         "than the largest one below its line are found with it."),
        (np.arange(k) <= last, "Right in number, but in the order of the sorted values. The answer "
         "must stand in the order in which the p values came."),
        (p <= level * (order + 1) / k, "`np.argsort` gives positions, not ranks. Sort the p "
         "values, and count along the sorted ones."),
        (~right, "Those are the ones that are *not* found."),
    ]
    for wrong, message, *hint in named:
        if (found == wrong).all() and not (wrong == right).all():
            raise Misconception(message, *hint)
    if not (found == right).all():
        raise Misconception(f"{int((found != right).sum())} of {k} are judged otherwise than they "
                            "should be.", "Sort; find the largest p that is at most its line "
                            "`level * rank / k`; all p values up to that one are found.")
    none = np.asarray(answer(np.array([0.3, 0.9, 0.06]), level))
    if none.any():
        raise Misconception("Where no p value is below its line, none is found.")
    return "The more layers show it, the less each has to show."
