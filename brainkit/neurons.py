"""A simulated population like inferior temporal cortex, whose truth is known.

Wherever its numbers are shown they are to be called simulated: nothing here was recorded. It is a
stand-in by which a measure can be judged, because what real recordings hide (each site's tuning,
its noise, the best score that any model could reach) is known here exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from brainkit.objects import CATEGORIES, VARIATIONS, ObjectSet

__all__ = ["Recording", "SimulatedIT"]

SITES = 168  # IT sites of Majaj, Hong et al. 2015
WINDOW = 0.1  # seconds in which spikes are counted, 70 to 170 ms after the image
MEAN_DRIVE = 0.3  # of a site at high variation, over images and sites (measured)
EXEMPLARS = 8
# Latents that a site may care about, each over its range at high variation.
_LATENTS = ("x", "y", "size", "yaw", "pitch", "roll", "light_azimuth", "light_elevation")
_ANGLES = ("yaw", "pitch", "roll", "light_azimuth")  # taken by sine and cosine
_EMBEDDED = 12  # dimensions in which objects are near or far from one another


@dataclass(frozen=True)
class Recording:
    """Simulated spike counts to images, repeated.

    counts: (repeats, n, sites), whole numbers. rates: (n, sites), the expected counts, which no
    experiment would know. simulated: True, for whoever draws the numbers to say so.
    """

    counts: Tensor
    rates: Tensor
    simulated: bool = True

    @property
    def mean(self) -> Tensor:
        """(n, sites) mean count over repeats."""
        return self.counts.mean(0)


class SimulatedIT:
    """Sites with mixed selectivity for what an object is and for how it is seen.

    A site's expected count is a rectified sum of what the object is (a point in a space in which
    exemplars of one category lie close together), of how it is seen (position, size, pose, light)
    and of products of the two, so that category and pose cannot be read from single sites but
    from the population, as in recordings (Rigotti et al. 2013; Hong, Yamins, Majaj & DiCarlo 2016
    read position, size and pose from IT as well as category). Gains differ from site to site by a
    log-normal factor, as firing rates do; counts are Poisson.

    Args:
        sites: how many.
        seed: of the sites' tuning. Another seed is another animal.
        category: share of a site's drive that comes from what the object is; how it is seen and
            the products share the rest equally. 0 to 1.
        rate: median over sites of the mean rate, spikes a second.
        spread: of the log of the sites' gains (natural logarithm, standard deviation).

    Raises:
        ValueError: settings that make no population.
    """

    def __init__(
        self,
        sites: int = SITES,
        seed: int = 0,
        category: float = 0.5,
        rate: float = 20.0,
        spread: float = 0.7,
    ):
        if sites < 1 or not 0 <= category <= 1 or rate <= 0 or spread < 0:
            raise ValueError(
                f"sites={sites}, category={category}, rate={rate}, spread={spread}: give 1 site or "
                "more, a share from 0 to 1, a positive rate and a spread of 0 or more"
            )
        self.sites, self.category, self.rate = int(sites), float(category), float(rate)
        # What objects have in common is the world's, not the animal's: its seed is fixed.
        world = np.random.default_rng(20151001)
        centres = world.normal(size=(len(CATEGORIES), 1, _EMBEDDED))
        members = world.normal(size=(len(CATEGORIES), EXEMPLARS, _EMBEDDED))
        self._embedding = torch.from_numpy((centres + 0.7 * members) / math.hypot(1, 0.7)).float()
        own = np.random.default_rng([seed, 1])
        seen = len(_LATENTS) + len(_ANGLES)
        self._what = torch.from_numpy(own.normal(size=(_EMBEDDED, sites))).float()
        self._how = torch.from_numpy(own.normal(size=(seen, sites))).float()
        self._product = torch.from_numpy(own.normal(size=(_EMBEDDED, seen, sites))).float()
        self._threshold = torch.from_numpy(own.normal(0.3, 0.3, size=sites)).float()
        self._gain = torch.from_numpy(np.exp(own.normal(0, spread, size=sites))).float()

    def rates(self, objects: ObjectSet) -> Tensor:
        """Expected counts (n, sites) in the counting window."""
        what = self._embedding[objects.labels.cpu(), objects.exemplars.cpu()]  # (n, e)
        how = _seen(objects)  # (n, s)
        e, s = what.shape[1], how.shape[1]
        drive = math.sqrt(self.category / e) * (what @ self._what)
        rest = math.sqrt((1 - self.category) / 2)
        drive = drive + rest / math.sqrt(s) * (how @ self._how)
        both = torch.einsum("ne,ns->nes", what, how).flatten(1)
        drive = drive + rest / math.sqrt(e * s) * (both @ self._product.flatten(0, 1))
        # Softened, so that no site is silent for ever.
        driven = torch.nn.functional.softplus(4 * (drive - self._threshold)) / 4
        return self.rate * WINDOW * self._gain * driven / MEAN_DRIVE

    def record(self, objects: ObjectSet, repeats: int = 30, seed: int = 0) -> Recording:
        """Spike counts to each image, `repeats` times; the noise follows `seed` alone.

        Raises:
            ValueError: fewer than 1 repeat.
        """
        if repeats < 1:
            raise ValueError(f"repeats={repeats}: give 1 or more")
        rates = self.rates(objects)
        generator = torch.Generator().manual_seed(seed)
        counts = torch.poisson(rates.expand(repeats, *rates.shape), generator)
        return Recording(counts, rates)

    def reliability(self, objects: ObjectSet, repeats: int = 30) -> Tensor:
        """Squared correlation of each site's mean count with its expected count: (sites,).

        The variance of the rates over these images, over that of the mean of `repeats` counts: no
        model can explain more of a site, and one that knows the rates explains just this much, in
        expectation.
        """
        rates = self.rates(objects)
        signal = rates.var(0, correction=0)
        noise = rates.mean(0) / repeats  # Poisson: variance equals mean
        return signal / (signal + noise)


def _seen(objects: ObjectSet) -> Tensor:
    """How objects are seen (n, s): latents over their range at high variation, angles as pairs."""
    columns = []
    for name in _LATENTS:
        values = objects.latent(name).cpu().float()
        low, high = VARIATIONS["high"][name]
        if name in _ANGLES:
            angle = values.deg2rad()
            # 2 / pi is the cosine's mean over 90 degrees to either side.
            columns += [math.sqrt(2) * angle.sin(), math.sqrt(2) * (angle.cos() - 2 / math.pi)]
        else:  # uniform over the range would have a spread of 1
            columns.append((values - (low + high) / 2) / (high - low) * math.sqrt(12))
    return torch.stack(columns, 1)
