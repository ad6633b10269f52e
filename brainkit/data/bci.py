"""Two brain-computer interface sessions of monkey motor cortex, from the published files.

In both, a cursor's velocity v follows the spike counts u of some 90 units, bin by bin:

    z = beta (u - mean) / sd,    v(t + 1) = M1 v(t) + M2 u(t) + m0

with beta from a factor analysis: M2 looks at the ten factors z alone. A perturbed mapping has
another M2 and m0. What is here are the arrays; `brainkit.bci.Decoder.from_recording` computes with
them. None of the counts comes with brainkit: where the files are out of reach, `bci_summary` has
the figures that chapter 11 needs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources

import numpy as np

from brainkit.data.ladder import fetch

__all__ = ["BCI_BIN", "BciActivity", "BciBlock", "BciFactors", "BciLearning", "BciMapping",
           "BciSession", "bci_learning", "bci_session", "bci_summary"]

BCI_BIN = 0.045  # seconds
TARGET_DISTANCE = 125.0  # mm from the centre in the session; at it the published angles come out


@dataclass(frozen=True, eq=False)
class BciFactors:
    """The factor analysis that an interface reads: (u - mean) / sd = loadings z + noise."""

    mean: np.ndarray  # (units,) counts per bin
    sd: np.ndarray  # (units,) counts per bin
    loadings: np.ndarray  # (units, 10) of the z-scored counts
    private: np.ndarray  # (units,) variance of each unit's own noise, of 1 for all
    rotation: np.ndarray  # (10, 10) z @ rotation are the factors in orthonormal axes, as published


@dataclass(frozen=True, eq=False)
class BciMapping:
    """v(t + 1) = M1 v(t) + M2 u(t) + m0, in mm/s."""

    M1: np.ndarray  # (2, 2)
    M2: np.ndarray  # (2, units) mm/s per spike in a bin
    m0: np.ndarray  # (2,) mm/s


@dataclass(frozen=True, eq=False)
class BciActivity:
    """Activity in 50 trials, 69 bins towards each of 8 targets; no bin's trial is published.

    The velocities are what a bin adds, M2 u + m0: not the cursor's, for which M1 carries on.
    """

    counts: np.ndarray  # (8, 69, 86) float64, spikes per 45 ms bin
    directions: np.ndarray  # (8, 69, 2) unit vectors from the cursor to the target
    intuitive: np.ndarray  # (8, 69, 2) mm/s, by the intuitive mapping
    perturbed: np.ndarray  # (8, 69, 2) mm/s, by the perturbed one, whichever was in use


@dataclass(frozen=True, eq=False)
class BciLearning:
    """One session of learning: the animal's activity before and after, and both mappings."""

    before: BciActivity  # `windowIdx` 244 to 293, the intuitive mapping in use
    after: BciActivity  # `windowIdx` 891 to 940, the perturbed one in use and learned
    targets: np.ndarray  # (8,) radians, anticlockwise from the right
    factors: BciFactors
    intuitive: BciMapping
    perturbed: BciMapping
    order: np.ndarray  # (10,) int: the perturbed mapping reads factor `order[i]` as the i-th
    gain: np.ndarray  # (2, 10) K, the Kalman filter's gain: mm/s per standard deviation
    offset: np.ndarray  # (10,) d, the filter's mean of the scaled factors
    factor_scale: np.ndarray  # (10,) one over the standard deviation of each factor


@dataclass(frozen=True, eq=False)
class BciBlock:
    """A block of trials with one mapping, bin after bin; each towards one of 8 targets.

    With the cursor at `positions[t]` and `velocities[t]`, the counts of bin t make
    `next_velocities[t]`, which carries it on for `BCI_BIN`. The published trials end where the
    cursor comes within some 50 mm of the target; those towards the diagonal targets begin when it
    leaves the centre, and some lack bins between.
    """

    counts: np.ndarray  # (n, 87) float64, spikes per 45 ms bin
    trial: np.ndarray  # (n,) int, from 0
    target: np.ndarray  # (n,) radians, anticlockwise from the right, the trial's
    frozen: np.ndarray  # (n,) bool: the cursor is held in the centre, whatever the velocity
    velocities: np.ndarray  # (n, 2) mm/s before this bin's counts
    next_velocities: np.ndarray  # (n, 2) mm/s after them
    positions: np.ndarray  # (n, 2) mm from the centre, before them; NaN in a few bins
    directions: np.ndarray  # (n, 2) unit vectors from the cursor to the target; NaN likewise
    mapping: BciMapping


@dataclass(frozen=True, eq=False)
class BciSession:
    """One session: a block with the intuitive mapping, then one with a perturbed mapping."""

    intuitive: BciBlock
    perturbed: BciBlock
    factors: BciFactors


def bci_learning() -> BciLearning:
    """Golub et al. 2018, monkey J, 2012-03-05: 86 units learn a within-manifold perturbation.

    Counts per bin of 45 ms, 8 targets, 69 bins towards each, before and after learning, with the
    factor analysis and the Kalman filter of the interface.

    Raises
    ------
    AssetError
        Where the file cannot be had.

    Notes
    -----
    Source: Golub et al. 2018, Nature Neuroscience 21, 607; exampleData.mat of
    github.com/mattgolub/bci_learning (BSD-3-Clause, (c) 2018 Matthew D. Golub). It has no trials
    and no cursor positions. A bin's velocity is that of `BciActivity`: the progress that the paper
    reports.
    """
    file = _read("bci-learning")
    parts = [file[f"{when}Learning"].clouds for when in ("before", "after")]
    published = [getattr(file["expParams"], f"{kind}Mapping")
                 for kind in ("intuitive", "perturbed")]
    shared, perturbed = published
    # 69 bins a target, bins last; one field for each that is kept, in the class's order.
    fields = ("spikes", "cursorToTargetDirection", "vraw_intuitive", "vraw_perturbed")
    activities = [BciActivity(*(np.stack([one.T for one in getattr(part, name)]).astype(float)
                                for name in fields)) for part in parts]  # fmt: skip
    factors = BciFactors(shared.mu_u, 1 / np.diag(shared.Sigma_u), shared.L, shared.Ph,
                         shared.V @ shared.D)  # fmt: skip
    return BciLearning(
        *activities, np.deg2rad(parts[0].angles.astype(float)), factors,
        *(BciMapping(m.M1, m.M2, m.m0) for m in published), np.argmax(perturbed.eta, axis=1),
        shared.K, shared.d, np.diag(shared.Sigma_z))


def bci_session() -> BciSession:
    """Hennig et al. 2018, session 2013-12-18: 87 units, 332 trials each of two mappings.

    4,788 bins of 45 ms with the intuitive mapping, then 7,446 with a within-manifold perturbation:
    its factors were dealt out in the order 0, 5, 6, 4, 9, 2, 3, 7, 8, 1.

    Raises
    ------
    AssetError
        Where the file cannot be had.

    Notes
    -----
    Source: Hennig et al. 2018, eLife 7, e36774; data/sessions/20131218.mat of
    github.com/mobeets/neural-redundancy-elife2018 (MIT, (c) 2018 Jay Hennig). The file has no
    positions and no trials: trials are where its own estimates of the velocity pause, and positions
    those that give its angles from cursor to target, which they do to 1e-4 degrees with targets
    125 mm from the centre. It measures these angles clockwise, against its velocities; here they
    are turned to agree.
    """
    file = _read("bci-session")["D"]
    analysis = file.dec.FactorAnalysisParams
    factors = BciFactors(file.dec.spikeCountMean, file.dec.spikeCountStd, analysis.L, analysis.ph,
                         analysis.spikeRot)  # fmt: skip
    return BciSession(*(_block(published) for published in file.blocks), factors)


def bci_summary() -> dict:
    """What this project computed from recordings of motor cortex; comes with brainkit, offline.

    Returns
    -------
    dict
        `recorded`, the date; and what `brainkit.bci` gave then: "reaching" by
        `summarise_reaching(m1_reaching(width=50))`, "learning" by
        `summarise_learning(bci_learning())` and "session" by `summarise_session(bci_session())`,
        rounded to four digits.

    Notes
    -----
    Made by tools/record_bci.py. Means, spectra, angles and curves; no bin's counts.
    """
    path = resources.files("brainkit").joinpath("records/bci.json")
    return json.loads(path.read_text(encoding="utf-8"))


def _block(b) -> BciBlock:
    n, frozen = len(b.vel), b.isFreezePeriod.astype(bool)
    # Their estimate of the velocity that the animal believes in has none for a trial's first bins.
    new = [x & ~np.r_[False, x[:-1]] for x in (np.isnan(b.velIme[:, 0]), frozen)]
    trials = np.flatnonzero(new[0] | new[1])
    broken = np.abs(b.vel[1:] - b.velNext[:-1]).max(1) > 1e-3  # a bin's velocity is the last's next
    runs = np.union1d(trials, np.flatnonzero(broken) + 1)  # stretches without a missing bin
    trial = np.searchsorted(trials, np.arange(n), side="right") - 1
    sector = -np.round(b.thetas[trials] / 45).astype(int) % 8  # theirs run clockwise
    target = sector[trial] * np.pi / 4
    goals = TARGET_DISTANCE * np.stack([np.cos(target), np.sin(target)], axis=1)
    positions = np.empty((n, 2))
    for run in np.split(np.arange(n), runs[1:]):
        positions[run] = _positions(b, run, goals[run[0]], frozen)
    way = goals - positions
    return BciBlock(b.spikes.astype(float), trial, target, frozen, b.vel, b.velNext, positions,
                    way / np.linalg.norm(way, axis=1, keepdims=True),
                    BciMapping(b.nDecoder.M1, b.nDecoder.M2, b.nDecoder.M0))  # fmt: skip


def _positions(b, run, goal, frozen) -> np.ndarray:
    """(bins of the run, 2): those that give its angles to the target.

    A trial that begins with the cursor held begins in the centre. In any other run each angle
    says on which line through the target the cursor is; two lines or more fix the two numbers.
    """
    steps = np.where(frozen[run, None], 0, b.velNext[run]) * BCI_BIN
    moved = np.cumsum(steps, axis=0) - steps
    if frozen[run[0]]:
        return moved
    angle = -np.deg2rad(b.thetas[run])
    across = np.stack([-np.sin(angle), np.cos(angle)], axis=1)
    start, _, rank, _ = np.linalg.lstsq(across, (across * (goal - moved)).sum(1), rcond=1e-4)
    return moved + (start if rank == 2 else np.nan)


def _read(asset) -> dict:
    from scipy.io import loadmat  # here, so that `import brainkit` does not wait for it

    return loadmat(fetch(asset), squeeze_me=True, struct_as_record=False)
