"""Within- and outside-manifold perturbations that are equally hard at first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import linalg
from scipy.spatial import cKDTree

from brainkit.bci._check import finite, sectors, unit_directions, whole
from brainkit.bci.decoder import Decoder

__all__ = ["Candidates", "Match", "matched_pair", "perturbations"]


@dataclass(frozen=True, eq=False)
class Candidates:
    """Perturbations of one kind, and what each does to activity that has not adapted.

    Attributes
    ----------
    decoder : Decoder
        The intuitive one.
    kind : "within" or "outside"
    permutations : (n, factors) or (n, units) ints
    impairment : (n,)
        1 - mean progress under it / under the intuitive decoder: 0 none, 1 no progress left,
        above 1 away from the targets.
    errors : (n, targets)
        By how much the pushes of each target's bins change, root mean square, in units of the
        intuitive pushes' (all bins): 1 is as bad as a cursor that stands still.
    angles : (n, 2) degrees
        Principal angles to the intuitive control space, the larger first.
    """

    decoder: Decoder
    kind: str
    permutations: np.ndarray
    impairment: np.ndarray
    errors: np.ndarray
    angles: np.ndarray

    def __len__(self):
        return len(self.permutations)

    def __repr__(self):
        low, high = np.quantile(self.impairment, [0.05, 0.95])
        return (f"Candidates({len(self)} {self.kind}, impairment {low:.2f} to {high:.2f} (90 %), "
                f"mean angle {self.angles.mean():.0f} degrees)")

    def decoded(self, index: int) -> Decoder:
        """The decoder under the permutation of that index."""
        return self.decoder.perturbed(**{self.kind: self.permutations[index]})

    @property
    def features(self) -> np.ndarray:
        """(n, 4): impairment, mean error over targets, larger and smaller angle."""
        return np.column_stack([self.impairment, self.errors.mean(1), self.angles])


def perturbations(decoder: Decoder, activity: ArrayLike, directions: ArrayLike, kind: str,
                  n: int = 2000, *, units: int | None = 30, groups: int | None = None,
                  targets: int = 8, seed: int = 0) -> Candidates:
    """Random perturbations of a kind, scored open loop on activity under intuitive control.

    Parameters
    ----------
    decoder : Decoder
        The intuitive one.
    activity : (..., units), directions : (..., 2)
        Bins of recorded or simulated activity, and the direction to the target in each.
    kind : "within" or "outside"
        Permutes the decoder's factors, or its units.
    n : int
        Distinct candidates; a permutation that moves nothing is not among them.
    units : int, optional
        Outside: only the so many most modulated are permuted, by the range of mean activity over
        targets (30 in Payeur et al. 2023, the 39 +- 18 most modulated for monkey J in Sadtler et
        al. 2014); None for all.
    groups : int, optional
        Outside: those units fall at random into that many groups of one size, which are exchanged
        as wholes, so that there are as many permutations as of factors (10 for monkey L).
    targets : int
        On a circle, evenly, the first to the right; each bin counts to the nearest.
    seed : int

    Returns
    -------
    Candidates

    Raises
    ------
    ValueError
        For a kind that is neither, shapes that do not fit, fewer distinct permutations than n, a
        target without bins, or a decoder under which the activity makes no progress.

    Source: Sadtler et al. 2014, Nature 512, 423, methods; Payeur et al. 2023.
    """
    if not isinstance(decoder, Decoder):
        raise TypeError(f"decoder must be a Decoder, not {type(decoder).__name__}")
    if kind not in ("within", "outside"):
        raise ValueError(f"kind={kind!r}: give 'within' or 'outside'")
    n, targets = whole(n, "n"), whole(targets, "targets", 2)
    activity = finite(activity, "activity", (..., decoder.units))
    u = activity.reshape(-1, decoder.units)
    directions = unit_directions(directions, activity.shape[:-1]).reshape(-1, 2)
    target = sectors(directions, targets)
    if (empty := np.setdiff1d(np.arange(targets), target)).size:
        raise ValueError(f"no bin is nearest to target {empty.tolist()} of {targets}; are there "
                         "fewer targets?")
    z = (u - decoder.mean) / decoder.sd
    start = -decoder.K @ decoder.d
    means = np.stack([u[target == k].mean(0) for k in range(targets)])  # (targets, units)

    def scored(scaled):
        pushes = z @ scaled.T + start
        return (pushes * directions).sum(1).mean(), pushes

    counts = np.bincount(target)
    intuitive, pushes = scored(decoder._scaled)
    if intuitive <= 0:
        raise ValueError(f"the activity makes no progress under the decoder ({intuitive:.3g}); "
                         "are the directions in the velocities' frame?")
    rng = np.random.default_rng(seed)
    if kind == "within":
        chosen = _distinct(rng, n, decoder.factors)
    else:
        chosen = _of_units(rng, n, means, units, groups)
    power = (pushes**2).sum(1).mean()
    impairment, errors, angles = np.empty(n), np.empty((n, targets)), np.empty((n, 2))
    for i, order in enumerate(chosen):
        scaled = decoder._scaled_under(*(
            (order, decoder.outside) if kind == "within" else (decoder.within, order)))
        forward, perturbed = scored(scaled)
        impairment[i] = 1 - forward / intuitive
        squares = np.bincount(target, ((perturbed - pushes) ** 2).sum(1))
        errors[i] = np.sqrt(squares / counts / power)
        angles[i] = np.degrees(linalg.subspace_angles(decoder.control_space, scaled.T))
    return Candidates(decoder, kind, chosen, impairment, errors, angles)


def _of_units(rng, n, means, units, groups):
    """(n, units) permutations that exchange the most modulated ones, singly or in groups."""
    total = means.shape[1]
    units = total if units is None else whole(units, "units", 2)
    if units > total:
        raise ValueError(f"units={units}, but there are {total}")
    movable = np.argsort(-np.ptp(means, axis=0), kind="stable")[:units]
    groups = units if groups is None else whole(groups, "groups", 2)
    if groups > units:
        raise ValueError(f"groups={groups}, but there are {units} units to group")
    size = units // groups
    members = rng.permutation(movable)[: groups * size].reshape(groups, size)
    found = np.tile(np.arange(total), (n, 1))
    for row, order in zip(found, _distinct(rng, n, groups), strict=True):
        row[members.ravel()] = members[order].ravel()
    return found


def _distinct(rng, n, length):
    """(n, length) different permutations, none the identity."""
    possible = 1.0
    for k in range(2, min(length, 20) + 1):
        possible *= k
    if n > possible - 1:
        raise ValueError(f"n={n}, but {length} things have only {possible - 1:.0f} permutations "
                         "that move any")
    found = {}
    identity = tuple(range(length))
    while len(found) < n:
        order = tuple(rng.permutation(length).tolist())
        if order != identity:
            found[order] = None
    return np.array(list(found))


@dataclass(frozen=True, eq=False)
class Match:
    """A within- and an outside-manifold perturbation that are alike in what they ask at first.

    Attributes
    ----------
    within, outside : Decoder
    index : (int, int)
        Of both among their candidates.
    features : {name: (within, outside)}
        impairment; error (mean over targets); larger_angle, smaller_angle (degrees).
    criteria : {name: value}
        What was asked: the ranges, and how much both may differ.
    eligible : (int, int)
        Candidates of each kind in the ranges; `pairs`: outside ones that have a within one
        as near as asked.
    """

    within: Decoder
    outside: Decoder
    index: tuple[int, int]
    features: dict[str, tuple[float, float]]
    criteria: dict[str, object]
    eligible: tuple[int, int]
    pairs: int

    def __str__(self):
        rows = [f"{'':16}{'within':>9}{'outside':>9}"]
        rows += [f"{name:16}{w:9.2f}{o:9.2f}" for name, (w, o) in self.features.items()]
        rows.append(f"of {self.eligible[0]} and {self.eligible[1]} candidates, {self.pairs} pairs")
        return "\n".join(rows)


FEATURES = ("impairment", "error", "larger_angle", "smaller_angle")


def matched_pair(within: Candidates, outside: Candidates, *,
                 impairment: tuple[float, float] = (0.25, 1.0),
                 angles: tuple[float, float] = (20.0, 75.0), impairment_within: float = 0.05,
                 error_within: float = 0.15, angle_within: float = 5.0) -> Match:
    """The most typical pair of a within- and an outside-manifold perturbation that match.

    They match if impairment, error and both principal angles differ by no more than asked. Of the
    pairs that do, the one nearest the median of both kinds is taken (after Payeur et al. 2023),
    not the best match, which may be an odd pair.

    Parameters
    ----------
    within, outside : Candidates
        Of the same decoder and activity.
    impairment : (low, high)
        Range for both: neither too easy nor beyond hope.
    angles : (low, high), degrees
        Range for the mean of both principal angles (20 to 75: Gurnani et al.).
    impairment_within, error_within, angle_within : float
        The largest differences allowed, the last in degrees; a large number leaves one out.

    Returns
    -------
    Match

    Raises
    ------
    ValueError
        If no pair matches; the message says how near the nearest comes and what to relax.
    """
    for name, given, kind in (("within", within, "within"), ("outside", outside, "outside")):
        if not isinstance(given, Candidates) or given.kind != kind:
            raise ValueError(f"{name} must be the Candidates of kind {kind!r}")
    if within.decoder is not outside.decoder:
        raise ValueError("the candidates must be of one and the same decoder")
    allowed = np.array([impairment_within, error_within, angle_within, angle_within])
    if not (np.isfinite(allowed).all() and (allowed > 0).all()):
        raise ValueError(f"the differences allowed must be positive, not {allowed.tolist()}")
    kept, scaled = [], []
    for given in (within, outside):
        mean_angle = given.angles.mean(1)
        hard = (given.impairment >= impairment[0]) & (given.impairment <= impairment[1])
        apart = (mean_angle >= angles[0]) & (mean_angle <= angles[1])
        kept.append(np.flatnonzero(hard & apart))
        if not len(kept[-1]):
            raise ValueError(
                f"no {given.kind} candidate of {len(given)} has an impairment in {impairment} "
                f"and a mean angle in {angles}: {hard.sum()} have the impairment (all: "
                f"{given.impairment.min():.2f} to {given.impairment.max():.2f}), {apart.sum()} "
                f"the angle (all: {mean_angle.min():.0f} to {mean_angle.max():.0f} degrees). "
                "Widen the range, ask for more candidates, or permute more or fewer units")
        scaled.append(given.features[kept[-1]] / allowed)
    tree = cKDTree(scaled[0])
    near = [np.array(found, int) for found in tree.query_ball_point(scaled[1], 1, p=np.inf)]
    if not any(len(found) for found in near):
        distance, nearest = tree.query(scaled[1], p=np.inf)
        best = int(distance.argmin())
        gaps = np.abs(scaled[1][best] - scaled[0][nearest[best]])
        wide = ", ".join(f"{name} by {gap * limit:.3g} (allowed {limit:g})" for name, gap, limit
                         in zip(FEATURES, gaps, allowed, strict=True) if gap > 1)
        raise ValueError(
            f"no pair of {len(kept[0])} within and {len(kept[1])} outside candidates matches; "
            f"the nearest differ in {wide}. Relax that, or ask for more candidates")
    median = np.median(np.concatenate(scaled), axis=0)
    best, pair = np.inf, None
    for o, found in enumerate(near):
        if len(found):
            far = ((scaled[0][found] - median) ** 2).sum(1) + ((scaled[1][o] - median) ** 2).sum()
            if far.min() < best:
                best, pair = far.min(), (int(kept[0][found[far.argmin()]]), int(kept[1][o]))
    w, o = within.features[pair[0]], outside.features[pair[1]]
    criteria = {"impairment": tuple(impairment), "angles": tuple(angles),
                "impairment_within": impairment_within, "error_within": error_within,
                "angle_within": angle_within, "choice": "nearest the median of both kinds"}
    return Match(within.decoded(pair[0]), outside.decoded(pair[1]), pair,
                 {name: (float(a), float(b)) for name, a, b in zip(FEATURES, w, o, strict=True)},
                 criteria, (len(kept[0]), len(kept[1])), sum(len(found) > 0 for found in near))
