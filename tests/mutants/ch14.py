"""Planted wrong answers to chapter 14's exercises, each with what its check must say."""

from mutants.changing import but, returning

_ENERGY = """
def energy_inside(basis, changes):
    inside = ((changes @ basis) ** 2).sum(1)
    whole = (changes ** 2).sum(1)
    return inside / whole
"""

_INDEX = """
def index(attack, random, natural):
    gap = natural - random
    if abs(gap.mean()) < 2 * gap.std(ddof=1) / len(gap) ** 0.5:
        return np.nan
    return (attack.mean() - random.mean()) / gap.mean()
"""

_BH = """
def benjamini_hochberg(p, level):
    k = len(p)
    ordered = np.sort(p)
    below = ordered <= level * np.arange(1, k + 1) / k
    if not below.any():
        return np.zeros(k, bool)
    return p <= ordered[np.flatnonzero(below).max()]
"""

MUTANTS = {
    "ch14.energy_inside": [
        (returning(_ENERGY, "np.sqrt(inside / whole)"), "ratio of lengths"),
        (returning(_ENERGY, "1 - inside / whole"), "share *outside*"),
        (returning(_ENERGY, "inside"), "not its share"),
        (returning(_ENERGY, "inside / whole.sum()"), "all changes together"),
        (returning(_ENERGY, "inside.sum() / whole.sum()"), "one number for all"),
        (but(_ENERGY, ("((changes @ basis) ** 2).sum(1)", "(changes @ basis).sum(1) ** 2")),
         "before squaring"),
        (returning(_ENERGY, "abs(changes @ basis).sum(1) / abs(changes).sum(1)"),
         "absolute values"),
        (but(_ENERGY, ("    inside", "    changes = changes - changes.mean(0)\n    inside")),
         "the mean change"),
    ],
    "ch14.index": [
        (returning(_INDEX, "((attack - random) / gap).mean()"), "image by image"),
        (returning(_INDEX, "attack.mean() / natural.mean()"), "has to call it 0"),
        (returning(_INDEX, "(attack - random).mean() / natural.mean()"), "has to come out as 1"),
        (returning(_INDEX, "(natural - attack).mean() / gap.mean()"), "from the natural end"),
        (returning(_INDEX, "(attack - random).mean()"), "only the distance"),
        (returning(_INDEX, "gap.mean() / (attack - random).mean()"), "upside down"),
        (but(_INDEX, ("        return np.nan", "        pass")), "mean nothing"),
        (but(_INDEX, ("abs(gap.mean())", "gap.mean()")), "without its sign"),
    ],
    "ch14.benjamini_hochberg": [
        (returning(_BH, "p < level"), "corrected nothing"),
        (returning(_BH, "p <= level / k"), "Bonferroni's"),
        (returning(_BH, "p < ordered[np.flatnonzero(~below).min()]"), "stopped at the first"),
        (returning(_BH, "np.array([below[list(ordered).index(one)] for one in p])"),
         "its own line only"),
        (returning(_BH, "np.arange(k) <= np.flatnonzero(below).max()"), "order of the sorted"),
        (returning(_BH, "p <= level * (np.argsort(p) + 1) / k"), "positions, not ranks"),
        (returning(_BH, "p > ordered[np.flatnonzero(below).max()]"), "*not* found"),
        (returning(_BH, "list(p)"), "8 booleans"),
        (but(_BH, ("return np.zeros(k, bool)", "return p <= p.min()")), "none is found"),
    ],
}
