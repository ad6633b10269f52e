"""What chapter 11 says about recordings, computed from them: means, spectra, angles and curves.

Each function takes what `brainkit.data` loads and gives a dict of plain numbers and lists, without
any bin's activity; tools/record_bci.py keeps what came out, for machines that cannot have the
recordings.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm
from sklearn.model_selection import KFold

from brainkit import manifolds
from brainkit.bci._check import finite, whole
from brainkit.bci.behaviour import learned, progress, repertoire_change
from brainkit.bci.decoder import Decoder
from brainkit.bci.perturbations import matched_pair, perturbations

__all__ = ["SIZES", "dimensions", "summarise_learning", "summarise_reaching", "summarise_session"]

SIZES = (1, 2, 3, 4, 6, 8, 10, 12, 15, 20, 25, 30)
FACTORS, FOLDS = 10, 4
QUIET = 0.05  # spikes per bin of 50 ms: units below 1 a second are left out
SHOWN = 300  # candidates of each kind that are drawn


def dimensions(counts: ArrayLike, points: Iterable[int] | None = None, *,
               sizes: Iterable[int] = SIZES, factors: int = FACTORS, seed: int = 0) -> dict:
    """How many dimensions a population has: all its variance, and the shared part.

    Parameters
    ----------
    counts : (bins, units)
        Units that do not vary must be left out.
    points : ints, optional
        How many of the bins, drawn at random, the factors are cross-validated on; all, if not
        given.
    sizes : ints
        Numbers of factors to cross-validate.
    factors : int
        Of the factor analysis that shared variance is taken from.
    seed : int
        Of the draw, of the folds, and of the shuffled control.

    Returns
    -------
    dict
        units, bins; `spectrum`, shares of the z-scored variance by principal component;
        `shuffled`, the same when each unit's bins are permuted by themselves; `shared_spectrum`,
        the factors' variance on the same scale; `components_95`; participation_ratio of each
        spectrum (`pr`, `pr_shuffled`, `pr_shared`); `shared`, the mean over units of the shared
        share of a unit's variance; `sizes`; `curves`, for each number of points: `gain`, nats a bin
        that so many factors predict held-out bins better than units by themselves do, and `error`,
        standard error over 4 folds of the difference to the best size.
    """
    counts = finite(counts, "counts", (None, None))
    z = (counts - counts.mean(0)) / counts.std(0)
    n, units = z.shape
    rng = np.random.default_rng(seed)
    analysis = manifolds.fit_subspace(z, whole(factors, "factors"), "fa")
    strengths = (analysis.loadings**2).sum(0)
    spectra = {"": _spectrum(z), "_shuffled": _spectrum(rng.permuted(z, axis=0)),
               "_shared": strengths / units}
    found = {"units": units, "bins": n, "spectrum": spectra[""].tolist(),
             "shuffled": spectra["_shuffled"].tolist(),
             "shared_spectrum": spectra["_shared"].tolist(),
             "components_95": int((np.cumsum(spectra[""]) < 0.95).sum()) + 1,
             "shared": float(strengths.sum() / (strengths.sum() + analysis.noise.sum()))}
    found |= {f"pr{name}": float(s.sum() ** 2 / (s**2).sum()) for name, s in spectra.items()}
    sizes, curves = list(sizes), {}
    for many in [n] if points is None else points:
        drawn = z if many == n else z[rng.permutation(n)[:many]]
        tried = manifolds.cross_validated_size(drawn, sizes, folds=FOLDS, seed=seed)
        alone = np.array([_alone(drawn[a], drawn[b]) for a, b in
                          KFold(FOLDS, shuffle=True, random_state=seed).split(drawn)])
        gain = tried.per_fold - alone[:, None]
        behind = gain - gain[:, [gain.mean(0).argmax()]]
        curves[str(many)] = {"gain": gain.mean(0).tolist(),
                             "error": (behind.std(0, ddof=1) / FOLDS**0.5).tolist()}
    return found | {"sizes": sizes, "curves": curves}


def _spectrum(z):
    values = np.linalg.eigvalsh(np.cov(z.T, bias=True))[::-1].clip(0)
    return values / values.sum()


def _alone(train, test):
    """Log-likelihood of held-out bins, nats, if units have only a mean and a variance each."""
    return norm.logpdf(test, train.mean(0), train.std(0)).sum(1).mean()


def summarise_reaching(recording) -> dict:
    """M1 while the hand reaches, as `data.m1_reaching(width=50)` gives it: means and dimensions.

    Returns
    -------
    dict
        session, trials, times (ms from the onset); `hand` (8, bins, 2) cm, mean paths; `rates`
        (3, 8, bins), spikes per second of the three units that differ most between targets, mean
        over trials; `latents` (8, bins, 3), mean activity along the first three of 10 factors'
        orthonormal axes; and `dimensions`.
    """
    counts = recording.counts
    trials, bins, _ = counts.shape
    counts = counts[..., counts.mean((0, 1)) >= QUIET * recording.width / 50]
    flat = counts.reshape(trials * bins, -1)
    mean, sd = flat.mean(0), flat.std(0)
    analysis = manifolds.fit_subspace((flat - mean) / sd, FACTORS, "fa")
    means, hand = (np.stack([part[recording.target == k].mean(0) for k in range(8)])
                   for part in (counts, recording.positions))
    tuned = np.argsort(-(means.mean(1).std(0) / sd), kind="stable")[:3]
    L, noise = analysis.loadings, analysis.noise
    posterior = np.linalg.solve(L @ L.T + np.diag(noise), L)
    latents = ((means - mean) / sd) @ posterior * np.linalg.norm(L, axis=0)
    rates = 1000 / recording.width * np.moveaxis(means[..., tuned], -1, 0)
    n = len(flat)
    return {"session": recording.session, "trials": trials, "times": recording.times.tolist(),
            "hand": hand.tolist(), "rates": rates.tolist(), "latents": latents[..., :3].tolist(),
            "dimensions": dimensions(flat, [n // 8, n // 4, n // 2, n])}  # fmt: skip


def summarise_learning(recording, n: int = 2000) -> dict:
    """Golub's session, as `data.bci_learning()` gives it: what was perturbed, and what learned.

    Returns
    -------
    dict
        `dimensions` of the activity before; `targets`, radians; `progress`, mm/s by target, and
        `pushes`, mean velocities (8, 2) that the activity before makes through the intuitive, the
        animal's own and the matched mappings; `shares` of the control space in the manifold;
        `angles` to the intuitive one, degrees; `shared`, how much of the variance in each control
        space is shared, by the factor analysis; `candidates` of each kind with their impairment
        and mean angle; `pair`, the matched one's features (within, outside); `recovered`,
        `after_effect`; `repertoire`: change, control, low, high.
    """
    intuitive = Decoder.from_recording(recording)
    before, after = recording.before, recording.after
    u, directions = before.counts, before.directions
    scored = [perturbations(intuitive, u, directions, kind, n) for kind in ("within", "outside")]
    pair = matched_pair(*scored)
    maps = {"intuitive": intuitive, "animal": intuitive.perturbed(within=recording.order),
            "within": pair.within, "outside": pair.outside}
    moved = {name: decoder.pushes(u) for name, decoder in maps.items()}
    animal = learned(intuitive, maps["animal"], before, after)
    patterns = [intuitive.latents(part.counts).reshape(-1, intuitive.factors)
                for part in (before, after)]
    repertoire = repertoire_change(*patterns)
    return {
        "dimensions": dimensions(u.reshape(-1, intuitive.units)),
        "targets": recording.targets.tolist(),
        "progress": {f"{kind}_{when}": _by_target(getattr(part, kind), part)
                     for when, part in (("before", before), ("after", after))
                     for kind in ("intuitive", "perturbed")},
        "pushes": {name: v.mean(1).tolist() for name, v in moved.items()},
        "shares": {name: decoder.share_within for name, decoder in maps.items()},
        "angles": {name: intuitive.angles_to(maps[name]).tolist()
                   for name in ("animal", "within", "outside")},
        "shared": {name: _shared(decoder) for name, decoder in maps.items()},
        "candidates": {c.kind: {"impairment": c.impairment[:SHOWN].tolist(),
                                "angle": c.angles[:SHOWN].mean(1).tolist()} for c in scored},
        "pair": {name: list(values) for name, values in pair.features.items()},
        "impairment": 1 - animal.perturbed_before / animal.intuitive_before,
        "recovered": animal.recovered, "after_effect": animal.after_effect,
        "repertoire": {name: getattr(repertoire, name)
                       for name in ("change", "control", "low", "high")},
    }  # fmt: skip


def _shared(decoder):
    """Shared variance over all variance of z-scored activity, in the plane that is read."""
    plane = decoder.control_space
    shared = np.sum((decoder.L.T @ plane) ** 2)
    return float(shared / (shared + np.sum(decoder.Psi[:, None] * plane**2)))


def _by_target(velocities, part):
    return progress(velocities, part.directions).mean(1).tolist()


def summarise_session(recording, group: int = 33) -> dict:
    """Hennig's session, as `data.bci_session()` gives it: dimensions, and progress over trials.

    Returns
    -------
    dict
        `dimensions` of the intuitive block; `shares` of both mappings' control spaces in the
        manifold; `trials`, `progress` (mm/s) and `duration` (s) of each mapping: means over groups
        of so many trials, with the standard error of the mean over the group's trials.
    """
    found = {"dimensions": dimensions(recording.intuitive.counts,
                                      [len(recording.intuitive.counts) // 8,
                                       len(recording.intuitive.counts)]),
             "shares": {}, "blocks": {}}  # fmt: skip
    inside = np.linalg.qr(recording.factors.loadings)[0]
    for kind in ("intuitive", "perturbed"):
        block = getattr(recording, kind)
        plane = np.linalg.qr((block.mapping.M2 * recording.factors.sd).T)[0]
        found["shares"][kind] = float(np.sum((inside.T @ plane) ** 2) / 2)
        used = ~block.frozen & np.isfinite(block.directions).all(1)
        trial = block.trial[used]
        forward = progress(block.next_velocities[used], block.directions[used])
        bins = np.bincount(trial)
        per_trial = np.bincount(trial, forward) / np.maximum(bins, 1)
        kept = np.flatnonzero(bins)
        parts = [kept[i : i + group] for i in range(0, len(kept) - group + 1, group)]
        found["blocks"][kind] = {
            "trials": [float(part.mean()) for part in parts],
            "progress": [float(per_trial[part].mean()) for part in parts],
            "progress_error": [float(per_trial[part].std(ddof=1) / len(part) ** 0.5)
                               for part in parts],
            "duration": [float(0.045 * bins[part].mean()) for part in parts],
        }  # fmt: skip
    return found
