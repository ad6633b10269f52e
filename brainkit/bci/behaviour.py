"""How well the cursor does, and what changed when the animal (or net) learned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import cKDTree

from brainkit.bci._check import finite, unit_directions, whole
from brainkit.bci.decoder import Decoder

__all__ = ["Learned", "Repertoire", "learned", "progress", "repertoire_change"]


def progress(velocities: ArrayLike, directions: ArrayLike) -> np.ndarray:
    """Speed towards the target of each bin: the velocity's projection on the direction there.

    Parameters
    ----------
    velocities : (..., 2)
    directions : (..., 2)
        From the cursor to the target, of any length but 0.

    Returns
    -------
    (...), in the unit of the velocities; negative away from the target. Its mean is Golub et al.
    2018's measure of behaviour.
    """
    velocities = finite(velocities, "velocities", (..., 2))
    return (velocities * unit_directions(directions, velocities.shape[:-1])).sum(-1)


@dataclass(frozen=True)
class Learned:
    """Mean progress before and after learning, under both mappings; in the decoder's unit.

    Attributes
    ----------
    intuitive_before, perturbed_before, intuitive_after, perturbed_after : float
        Activity of before or after, seen through the intuitive or the perturbed mapping.
    recovered : float
        Share of the impairment that is made up for: 0 nothing learned, 1 as good as intuitive
        control was. NaN if there was no impairment.
    after_effect : float
        By how much the intuitive mapping would be worse off with the activity after learning
        than with that before; negative if better. The paper's own after-effect is of the first
        trials back under the intuitive mapping, where those were recorded.
    """

    intuitive_before: float
    perturbed_before: float
    intuitive_after: float
    perturbed_after: float

    @property
    def recovered(self) -> float:
        lost = self.intuitive_before - self.perturbed_before
        return (self.perturbed_after - self.perturbed_before) / lost if lost > 0 else float("nan")

    @property
    def after_effect(self) -> float:
        return self.intuitive_before - self.intuitive_after


def learned(intuitive: Decoder, perturbed: Decoder, before, after) -> Learned:
    """Progress before and after learning, through both mappings, bin by bin (their pushes).

    Parameters
    ----------
    intuitive, perturbed : Decoder
    before, after : (activity (..., units), directions (..., 2))
        Or a part of a recording that has `.counts` and `.directions`.

    Returns
    -------
    Learned
    """
    found = []
    for part in (before, after):
        activity, directions = (part if isinstance(part, tuple | list)
                                else (part.counts, part.directions))
        found += [float(progress(decoder.pushes(activity), directions).mean())
                  for decoder in (intuitive, perturbed)]
    return Learned(*found)


@dataclass(frozen=True)
class Repertoire:
    """How far activity after learning lies from that before it.

    Attributes
    ----------
    change : float
        Median distance from a pattern after learning to the nearest one before, over that of
        patterns before to the nearest others before, minus 1. About 0: the same repertoire.
    control : float
        The same for patterns whose latents keep their distributions one by one, but are
        combined at random: the change if the old correlations were given up.
    low, high : float
        95 % interval of `change` over the random halves; not over bins or sessions.
    """

    change: float
    control: float
    low: float
    high: float


def repertoire_change(before: ArrayLike, after: ArrayLike, *, repeats: int = 50,
                      seed: int = 0) -> Repertoire:
    """Are the patterns after learning among those before it? Golub et al. 2018's question.

    They distinguish realignment and rescaling, which make new patterns, from reassociation, which
    uses the old patterns for other movements, and find the last in monkeys that learn
    within-manifold perturbations. This answers only whether patterns are new. Distances are in
    the metric of the covariance before (Mahalanobis); half of the patterns before are the
    repertoire and the other half its yardstick, drawn anew in each repeat.

    Parameters
    ----------
    before, after : (n, factors), (m, factors)
        Latents of single bins, as from `Decoder.latents`; n at least 20 and 2 x factors.
    repeats : int
        Random halves.

    Returns
    -------
    Repertoire

    Raises
    ------
    ValueError
        For too few patterns, numbers of factors that differ, or latents that do not vary.

    Notes
    -----
    A change near 0 does not show reassociation by itself: activity that did not change at all has
    it, too. See it beside what `learned` says. The paper's own measure counts movements
    separately and takes the covariance of each; its predictions for the other strategies are not
    made here.
    """
    before = finite(before, "before", (None, None))
    after = finite(after, "after", (None, before.shape[1]))
    n, factors = before.shape
    if n < max(20, 2 * factors):
        raise ValueError(f"{n} patterns before learning are too few for {factors} factors; need "
                         f"{max(20, 2 * factors)}")
    covariance = np.atleast_2d(np.cov(before.T))
    power, axes = np.linalg.eigh(covariance)
    if power[0] <= 1e-12 * power[-1]:
        raise ValueError("the latents before learning do not vary in all directions")
    rng = np.random.default_rng(seed)
    mean, whiten = before.mean(0), axes / np.sqrt(power)
    b, a = (before - mean) @ whiten, (after - mean) @ whiten
    changes, controls = [], []
    for _ in range(whole(repeats, "repeats")):
        order = rng.permutation(n)
        old, held = b[order[: n // 2]], b[order[n // 2 :]]
        mixed = rng.permuted(before[order[n // 2 :]], axis=0)  # each latent for itself
        tree = cKDTree(old)
        scale = np.median(tree.query(held)[0])
        changes.append(np.median(tree.query(a)[0]) / scale - 1)
        controls.append(np.median(tree.query((mixed - mean) @ whiten)[0]) / scale - 1)
    return Repertoire(float(np.mean(changes)), float(np.mean(controls)),
                      *map(float, np.quantile(changes, [0.025, 0.975])))
