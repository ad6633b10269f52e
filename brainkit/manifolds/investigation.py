"""The investigation of chapter 14, for one net: every question, every layer, every null.

`investigate` returns rows; tools/record_manifolds.py runs it over the zoo. What is asked, of which
images and with which settings was fixed in `PROTOCOL` before any net but the pilot's was measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import product

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from brainkit import attacks, data, models, objects
from brainkit.attacks.gradient import evaluating
from brainkit.manifolds._points import nearest
from brainkit.manifolds.dimension import likelihood
from brainkit.manifolds.distances import Mahalanobis, mahalanobis
from brainkit.manifolds.measures import (
    PARTS,
    auroc,
    cause,
    index,
    natural_steps,
    smallest_flip,
    span,
    taken,
    tangent_energy,
)
from brainkit.manifolds.subspaces import Subspace, fit_subspace, random_subspace
from brainkit.manifolds.tails import Tail, displacement, main_layers, responses
from brainkit.models import vonenet
from brainkit.models._folded import fold

__all__ = ["PROTOCOL", "investigate"]

PROTOCOL = {
    "fit": 2048,  # clean images that the subspaces are fitted on: of the training distribution
    "held out": 512,  # clean test images that say what is usual
    "probes": 128,  # test images that are attacked, those that the net names right
    "search": 48,  # of the probes, those that the confined search is made for
    "objects_seeds": {"fit": 9100, "held out": 9200, "probes": 9000},
    "epsilon": 1 / 255,  # the fixed radius, Linf
    # The radii at which the matched attack is tried: each image's is the first that fools the net.
    "radii": tuple(k / 255 for k in (0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12, 16)),
    "steps": 20, "draws": 4, "looks": 16,  # of the attack; as chapter 10's record
    "noise_draws": 20,  # over which a stochastic net's responses and displacements are averaged
    "sizes": (1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
    "shares": (0.8, 0.95, 0.99),  # of the variance of clean responses
    "neighbours": 50, "local_size": 10,  # of the local subspaces
    "k": 20,  # neighbours for distance and local dimension
}  # fmt: skip
# Into which parts a displacement is split in which subspaces, for "cause".
FULL = tuple(part for part in PARTS if part.endswith("full length"))
SPLIT = {"95%": PARTS[1:5] + FULL[2:], "random": PARTS[1:5] + FULL[2:], "class means": FULL,
         "80%": FULL[:2], "99%": FULL[:2]}  # fmt: skip
COLUMNS = ["net", "seed", "layer", "question", "subspace", "size", "measure", "change", "value",
           "n"]  # fmt: skip


@cache
def _images(kind: str) -> _Images:
    return _Images(kind)


class _Images:
    """What a kind of net is asked about: fit, held-out and probe images with labels."""

    def __init__(self, kind: str):
        n = {part: PROTOCOL[part] for part in ("fit", "held out", "probes")}
        self.fits = []  # of the pixels' responses, the last two that were met
        self.tangents = None  # (n, t, pixels): of objects, bases of the true tangent spaces
        if kind == "objects":
            seeds = PROTOCOL["objects_seeds"]
            sets = {part: objects.sample(n[part], "medium", seed=seeds[part]) for part in n}
            self.fit, self.held_out, self.probes = (
                (s.images, s.labels) for s in sets.values())  # fmt: skip
            true = objects.tangents(sets["probes"]).flatten(2)
            self.tangents = span(true).transpose(1, 2)
        elif kind == "cifar10":
            train, test = data.cifar10_tensors("train"), data.cifar10_tensors("test")
            self.fit = tuple(part[: n["fit"]] for part in train)
            self.probes = tuple(part[: n["probes"]] for part in test)
            after = slice(n["probes"], n["probes"] + n["held out"])
            self.held_out = tuple(part[after] for part in test)
        else:
            raise ValueError(f"kind {kind!r}: objects or cifar10")


def changes(net: nn.Module, seen: _Images, right: Tensor, noisy: bool, seed: int
            ) -> dict[str, tuple[Tensor, Tensor]]:  # fmt: skip
    """Changed images, and which of `right` they are changes of: name -> (images, positions).

    The fixed attack is of every image; the matched one of those that any radius fooled, at the
    first that did. Each null is made for the images of its attack, at the attack's own size.
    """
    images, labels = seen.probes[0][right], seen.probes[1][right]
    pool, names = seen.fit
    generator = torch.Generator().manual_seed(seed)
    settings = {"steps": PROTOCOL["steps"], "batch_size": 128, "seed": seed, "keep": True}
    if noisy:
        settings |= {"draws": PROTOCOL["draws"], "looks": PROTOCOL["looks"]}
    found = {}
    for kind, radii in (("fixed", [PROTOCOL["epsilon"]]), ("matched", PROTOCOL["radii"])):
        run = attacks.robust_accuracy(net, images, labels, "Linf", radii, **settings)
        at = (torch.arange(len(images)) if kind == "fixed"
              else ((run.smallest > 0) & run.smallest.isfinite()).nonzero()[:, 0])  # fmt: skip
        if not len(at):
            continue
        x, y, attacked = images[at], labels[at], run.adversarials[at]
        # An attack that failed and came back as it went is no change; the fixed one of a net that
        # errs at once has its image from the first step that fooled it, which is one.
        moved = (attacked - x).flatten(1).norm(dim=1) > 0
        at, x, y, attacked = at[moved], x[moved], y[moved], attacked[moved]
        change = attacked - x
        lengths, height = change.flatten(1).norm(dim=1), change.flatten(1).abs().amax(1)
        signs = torch.randn(x.shape, generator=generator).sign()
        gauss = torch.randn(x.shape, generator=generator)
        gauss *= (lengths / gauss.flatten(1).norm(dim=1)).reshape(-1, 1, 1, 1)
        found |= {
            f"attack, {kind}": (attacked, at),
            f"random signs, {kind}": (x + signs * height.reshape(-1, 1, 1, 1), at),
            f"Gaussian, {kind}": (x + gauss, at),
            f"same class, {kind}": (natural_steps(x, y, pool, names, lengths, True), at),
            f"other class, {kind}": (natural_steps(x, y, pool, names, lengths, False), at),
        }
        if seen.tangents is not None:
            true = seen.tangents[right[at]]
            mix = torch.randn(true.shape[:2], generator=generator)
            step = torch.einsum("nt,ntd->nd", mix, true)
            step *= (lengths / step.norm(dim=1).clamp_min(1e-12))[:, None]
            found[f"tangent, {kind}"] = (x + step.reshape(x.shape), at)
    # Images have an end at 0 and 1, for the attack as for its nulls.
    return {name: (changed.clamp(0, 1), at) for name, (changed, at) in found.items()}


def investigate(name: str, seed: int, layers: list[str] | None = None, progress: bool = False
                ) -> pd.DataFrame:  # fmt: skip
    """All rows of one net of the zoo: net, seed, layer, question, subspace, size, measure, change,
    value, n.

    Question is A (direction), B (position), C (cause), D (search) or E (true tangents), or
    "layer" for what describes the layer. `change` is an attack or one of its nulls, "fixed" (all
    right-named images at one radius) or "matched" (each image at the first radius that fooled the
    net). `value` is the mean over n images, but for AUROC. See `PROTOCOL` for the settings.
    `layers` are all of `main_layers`, unless some are named.

    Raises data.AssetError where CIFAR-10 is needed and cannot be had.
    """
    net, kind = fold(models.load(name, seed)), name.rpartition("-")[2]
    seen = _images(kind)
    rows: list[tuple] = []
    with evaluating(net):
        noisy = attacks.is_stochastic(net, seen.probes[0])
        draws = PROTOCOL["noise_draws"] if noisy else 1
        looks = PROTOCOL["looks"] if noisy else 1
        right, usual = (
            (vonenet.draws(net, x, looks).mean(0).argmax(1) == y).nonzero()[:, 0]
            for x, y in (seen.probes, seen.held_out))  # fmt: skip
        held_out = tuple(part[usual] for part in seen.held_out)  # named right, as the probes are
        found = changes(net, seen, right, noisy, seed)
        layers = layers or main_layers(net)
        images, labels = seen.probes[0][right], seen.probes[1][right]
        clean = responses(net, layers, images, draws)
        fitted = responses(net, layers, seen.fit[0], draws)
        held = responses(net, layers, held_out[0], draws)
        # Noise goes by an image's place in a batch: what some are moved from is measured anew.
        moved, before = {}, {tuple(range(len(images))): clean}
        for change, (x, at) in found.items():
            places = tuple(at.tolist())
            if places not in before:
                before[places] = responses(net, layers, images[at], draws)
            moved[change] = displacement(net, layers, images[at], x, draws, before=before[places])
        single = [responses(net, layers, images, 1, k) for k in range(looks)]
        if seen.tangents is not None:
            pushed = _pushed(net, layers, images, seen.tangents[right], draws)
        for layer in layers:
            if progress:
                print(name, seed, layer, flush=True)
            here = {change: (m[layer], found[change][1]) for change, m in moved.items()}
            one = _Layer(net, layer, seen, images, labels, clean[layer], fitted[layer],
                         (held[layer], held_out[1]), _draws(single, layer), here, seed)  # fmt: skip
            for part in (one.described, one.direction, one.position, one.cause, one.search):
                rows += [(layer, *row) for row in part()]
            if seen.tangents is not None:
                rows += [(layer, *row) for row in one.tangents(pushed.pop(layer))]
    return pd.DataFrame([(name, seed, *row) for row in rows], columns=COLUMNS)


def _draws(single: list[dict[str, Tensor]], layer: str) -> Tensor:
    """Clean responses (draws, n, units), one for each look at a stochastic net.

    One tensor expanded, where there is no noise yet.
    """
    found = [one.pop(layer) for one in single]
    if all(torch.equal(found[0], other) for other in found[1:]):
        return found[0].expand(len(found), *found[0].shape)
    return torch.stack(found)


def _pushed(net: nn.Module, layers: list[str], images: Tensor, true: Tensor, draws: int,
            length: float = 0.05) -> dict[str, Tensor]:  # fmt: skip
    """True tangents (n, t, pixels) pushed forward to each layer: (n, t, units)."""
    pushed: dict[str, list[Tensor]] = {layer: [] for layer in layers}
    for t in range(true.shape[1]):
        step = length * true[:, t].reshape(images.shape)
        back, forth = ((images + sign * step).clamp(0, 1) for sign in (-1, 1))
        for layer, moved in displacement(net, layers, back, forth, min(draws, 4)).items():
            pushed[layer].append(moved)
    return {layer: torch.stack(parts, 1) for layer, parts in pushed.items()}


def _fits(fitted: Tensor, seen: _Images, first: bool) -> tuple[Subspace, Mahalanobis]:
    """Of clean responses the subspace and the classes; the first layer's, pixels, are kept.

    There they are the same for all nets that normalise alike.
    """
    if first:
        for responses_then, found in seen.fits:
            if torch.equal(responses_then, fitted):
                return found
    found = fit_subspace(fitted), mahalanobis(fitted, seen.fit[1])
    if first:
        seen.fits = [*seen.fits[-1:], (fitted, found)]
    return found


class _Layer:
    """One layer's clean responses, its subspaces, and how each change moves it."""

    def __init__(self, net, layer, seen, images, labels, clean, fitted, held, single, moved, seed):
        self.net, self.layer, self.seen, self.images = net, layer, seen, images
        self.labels, self.clean, self.fitted = labels, clean, fitted
        self.held, self.held_labels = held
        self.single, self.moved, self.seed = single, moved, seed
        self.units = clean.shape[1]
        self.full, self.classes = _fits(fitted, seen, first=layer == main_layers(net)[0])
        self.spaces: dict[str, Subspace] = {f"{share:.0%}": self.full.keep(share)
                                            for share in PROTOCOL["shares"]}  # fmt: skip
        means = torch.stack([fitted[seen.fit[1] == c].mean(0) for c in seen.fit[1].unique()])
        self.spaces["class means"] = fit_subspace(means)
        self.spaces["random"] = random_subspace(self.units, self.spaces["95%"].size, seed)

    def described(self) -> Iterator[tuple]:
        yield "layer", "", 0, "units", "", self.units, len(self.fitted)
        for name, space in self.spaces.items():
            yield "layer", name, space.size, "size", "", space.size, len(self.fitted)
            held = _mean(space.energy(self.held - _t(space.mean)))
            yield "layer", name, space.size, "energy of held-out", "", held, len(self.held)
        for change, (moved, at) in self.moved.items():
            relative = moved.norm(dim=1) / (self.clean[at] - _t(self.full.mean)).norm(dim=1)
            yield "layer", "", 0, "relative length", change, _mean(relative), len(at)

    def direction(self) -> Iterator[tuple]:
        """A: the share of each change's energy inside."""
        leading = [k for k in PROTOCOL["sizes"] if k < self.full.size]
        lengths = {c: self.full.keep(leading[-1]).coordinates(m).square().cumsum(1).numpy()
                   / m.square().sum(1, keepdim=True).numpy()
                   for c, (m, _) in self.moved.items()}  # fmt: skip
        spaces = list(self.spaces.items()) + [("leading", self.full.keep(k)) for k in leading]
        for name, space in spaces:
            if name == "leading":
                inside = {c: length[:, space.size - 1] for c, length in lengths.items()}
            else:
                inside = {c: np.asarray(space.energy(m)) for c, (m, _) in self.moved.items()}
            for change, share in inside.items():
                yield "A", name, space.size, "energy", change, _mean(share), len(share)
            for kind in ("fixed", "matched"):
                if f"attack, {kind}" in inside:
                    for natural in ("same class", "other class"):
                        found = index(inside[f"attack, {kind}"], inside[f"random signs, {kind}"],
                                      inside[f"{natural}, {kind}"])  # fmt: skip
                        yield ("A", name, space.size, f"index, {natural}", f"attack, {kind}",
                               found, len(inside[f"attack, {kind}"]))  # fmt: skip
        for change, share in self._local().items():
            yield ("A", "local", PROTOCOL["local_size"], "energy", change, _mean(share),
                   len(share))  # fmt: skip

    def _local(self) -> dict[str, Tensor]:
        """Energy in the subspace of each clean point's own neighbourhood."""
        near = torch.cdist(self.clean, self.fitted).topk(PROTOCOL["neighbours"], largest=False)[1]
        around = self.fitted[near].double()  # (n, neighbours, units)
        around -= around.mean(1, keepdim=True)
        # Principal directions from the neighbours' products, of which there are few.
        values, vectors = torch.linalg.eigh(around @ around.transpose(1, 2))
        last = slice(-PROTOCOL["local_size"], None)
        scores = vectors[:, :, last] / values[:, None, last].sqrt()  # (n, neighbours, k)
        bases = around.float().transpose(1, 2) @ scores.float()  # (n, units, k)
        return {change: tangent_energy(moved, bases[at])
                for change, (moved, at) in self.moved.items()}  # fmt: skip

    def position(self) -> Iterator[tuple]:
        """B: how well scores of unusualness tell changed points from held-out clean ones."""
        space, k = self.spaces["95%"], PROTOCOL["k"]
        near, fitted = self.classes, _np(self.fitted)
        logits = Tail(self.net, self.layer, self.images)

        def scores(points: Tensor, labels: Tensor) -> dict[str, np.ndarray]:
            with torch.no_grad(), vonenet.fixed_noise(0):
                said = logits(points).argmax(1)
            far = torch.from_numpy(near.distance(points))
            distances, _ = nearest(_np(points), fitted, k)
            return {
                "residual": space.residual(points),
                "distance to neighbours": distances[:, -1],
                "local dimension": likelihood(distances)[0],
                "Mahalanobis, true class": far.gather(1, labels[:, None])[:, 0],
                "Mahalanobis, named class": far.gather(1, said[:, None])[:, 0],
            }

        usual = scores(self.held, self.held_labels)
        states = {"none": (self.clean, self.labels)}
        states |= {change: (self.clean[at] + moved, self.labels[at])
                   for change, (moved, at) in self.moved.items()}  # fmt: skip
        for change, (points, labels) in states.items():
            for measure, score in scores(points, labels).items():
                yield ("B", "95%", space.size, f"AUROC, {measure}", change,
                       auroc(_np(score), _np(usual[measure])), len(points))  # fmt: skip
                yield ("B", "95%", space.size, f"median, {measure}", change,
                       float(np.median(_np(score))), len(points))  # fmt: skip

    def cause(self) -> Iterator[tuple]:
        """C: which part of the displacement flips the decision."""
        tail = Tail(self.net, self.layer, self.images)
        asked = [("attack, fixed", SPLIT), ("attack, matched", SPLIT),
                 ("other class, matched", {"95%": PARTS[1:5]})]  # fmt: skip
        for change, split in asked:
            if change not in self.moved:
                continue
            moved, at = self.moved[change]
            points = taken(self.single, at)
            flipped = None
            with vonenet.kept_noise():
                for name, parts in split.items():
                    space = self.spaces[name]
                    flipped = cause(tail, points, self.labels[at], moved, space, self.seed,
                                    flipped, parts)  # fmt: skip
                    counted = ~flipped["clean"]
                    for part in ("whole", *parts):
                        wrong = flipped[part]
                        share = wrong[counted].double().mean().item() if counted.any() else np.nan
                        yield ("C", name, space.size, f"flipped by {part}", change, share,
                               int(counted.sum()))  # fmt: skip

    def search(self) -> Iterator[tuple]:
        """D: the smallest flip found, free and confined, as a share of the response's length."""
        tail = Tail(self.net, self.layer, self.images)
        at = torch.arange(min(PROTOCOL["search"], len(self.labels)))
        points, labels = taken(self.single, at), self.labels[at]
        length = (self.clean[at] - _t(self.full.mean)).norm(dim=1)
        with vonenet.kept_noise():
            free = smallest_flip(tail, points, labels)
            yield "D", "", self.units, "smallest flip", "free", *_middle(free / length, free > 0)
            for name, inside in product(("95%", "class means", "random"), (True, False)):
                space, where = self.spaces[name], "within" if inside else "outside"
                found = smallest_flip(tail, points, labels, space, inside)
                yield ("D", name, space.size, "smallest flip", where,
                       *_middle(found / length, free > 0))  # fmt: skip
                yield ("D", name, space.size, "times the free one", where,
                       *_middle(found / free, free > 0))  # fmt: skip

    def tangents(self, pushed: Tensor) -> Iterator[tuple]:
        """E: energy in the true tangent space, pushed forward to the layer (n, t, units)."""
        bases = span(pushed)
        size = int((bases.abs().sum(1) > 0).sum(1).double().mean().round())
        for change, (moved, at) in self.moved.items():
            share = tangent_energy(moved, bases[at])
            yield "E", "tangents", size, "energy", change, _mean(share), len(share)
        yield "E", "tangents", size, "energy", "by chance", size / self.units, len(bases)


def _middle(values: Tensor, counted: Tensor) -> tuple[float, int]:
    """Median over the images counted, infinite values included, and their number."""
    return float(np.median(_np(values[counted]))), int(counted.sum())


def _mean(values) -> float:
    return float(np.asarray(values, dtype=np.float64).mean())


def _np(values) -> np.ndarray:
    return np.asarray(values, dtype=np.float64)


def _t(values) -> Tensor:
    return torch.as_tensor(np.asarray(values), dtype=torch.float32)
