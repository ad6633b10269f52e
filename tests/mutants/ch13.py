"""Planted wrong answers to chapter 13's exercises, each with what its check must say."""

from mutants.changing import but, returning

_PROJECT = """
def project(points, mean, basis):
    return mean + (points - mean) @ basis @ basis.T
"""

_PARTS = """
def parts(changes, basis):
    within = changes @ basis @ basis.T
    outside = changes - within
    length = np.linalg.norm(changes, axis=1, keepdims=True)
    within = within * length / np.linalg.norm(within, axis=1, keepdims=True)
    outside = outside * length / np.linalg.norm(outside, axis=1, keepdims=True)
    return within, outside
"""

_EXCHANGE = """
def exchange(W, basis, order):
    weights = W @ basis
    return weights[:, order] @ basis.T
"""

_PENALTY = """
def penalty(gradients, basis):
    inside = ((gradients @ basis) ** 2).sum(1)
    return np.log1p(inside).mean()
"""

MUTANTS = {
    "ch13.project": [
        (but(_PROJECT, ("mean + (points - mean)", "points")), "projected the points themselves"),
        (but(_PROJECT, ("mean + ", "")), "The mean is missing"),
        (but(_PROJECT, ("(points - mean)", "points")), "without having taken it off"),
        (returning(_PROJECT, "points - (points - mean) @ basis @ basis.T"), "left *outside*"),
        (returning(_PROJECT, "(points - mean) @ basis"), "coordinates in the subspace"),
        (but(_PROJECT, ("    return", "    mean = points.mean(0)\n    return")),
         "mean of its own"),
    ],
    "ch13.parts": [
        (but(_PARTS, ("    length", "    return within, outside\n    length")),
         "each at the length it has"),
        (returning(_PARTS, "outside, within"), "exchanged"),
        (but(_PARTS, (" * length", "")), "length 1"),
        (but(_PARTS, ("    within = within * l", "    length = length.mean()\n"
                      "    within = within * l")), "one length"),
        (but(_PARTS, ("axis=1, keepdims=True", "keepdims=True")), "whole array"),
        (returning(_PARTS, "within"), "Two results"),
        (but(_PARTS, ("    outside = outside * length", "    _ = outside * length")),
         "outside still has its own"),
    ],
    "ch13.exchange": [
        (but(_EXCHANGE, ("[:, order]", "[:, np.argsort(order)]")), "other way round"),
        (but(_EXCHANGE, (" @ basis.T", "")), "by unit again"),
        (but(_EXCHANGE, ("[:, order]", "")), "exchanged nothing"),
        (but(_EXCHANGE, ("[:, order]", "[order]")), "exchanged rows"),
        (returning(_EXCHANGE, "W - weights @ basis.T + weights[:, order] @ basis.T"),
         "outside of the manifold is still in it"),
    ],
    "ch13.penalty": [
        (returning(_PENALTY, "np.log1p(inside.mean())"), "logarithm of the mean"),
        (returning(_PENALTY, "np.log1p(inside).sum()"), "the sum over images"),
        (returning(_PENALTY, "np.log1p(inside)"), "One number"),
        (returning(_PENALTY, "inside.mean()"), "logarithm is missing"),
        (but(_PENALTY, ("(gradients @ basis)", "gradients")), "whole gradient"),
        (returning(_PENALTY, "np.log1p((gradients**2).sum(1) - inside).mean()"), "*outside*"),
        (but(_PENALTY, ("np.log1p", "np.log")), "The 1 is missing"),
        (but(_PENALTY, (" ** 2).sum(1)", ").sum(1) ** 2")), "sum of squares"),
    ],
}
