"""The geometry of a net's manifolds, layer by layer: what chapter 12 compares.

`survey` returns rows for one net; tools/record_manifolds.py runs it over the zoo.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import RidgeClassifier
from torch import Tensor

from brainkit import attacks, corruptions, data, models, objects
from brainkit.attacks.gradient import evaluating
from brainkit.manifolds.capacity import manifold_capacity
from brainkit.manifolds.dimension import explained_dimension, participation_ratio, two_nn
from brainkit.manifolds.measures import auroc
from brainkit.manifolds.subspaces import fit_subspace
from brainkit.manifolds.tails import main_layers, responses

__all__ = ["SETTINGS", "survey"]

SETTINGS = {
    "objects_seed": 12_000,
    "points": 40,  # images of each of the 64 objects; of each category of CIFAR-10, 200
    "projected": 1024,  # units that a larger layer is projected to at random for the capacity
    "probes": 100,  # Gaussian probes of the capacity
    "share": 0.95,  # of variance, of the subspace that varied inputs are held against
    "varied": 192,  # images that are varied
    "noise_draws": 8,
}  # fmt: skip
COLUMNS = ["net", "seed", "layer", "of", "measure", "value", "n"]


@cache
def _stimuli(kind: str) -> tuple[Tensor, Tensor, Tensor]:
    """Images (n, c, h, w), labels (n,) and which manifold each is of (n,)."""
    if kind == "objects":
        shown = objects.sample(64 * SETTINGS["points"], "medium", seed=SETTINGS["objects_seed"])
        return shown.images, shown.labels, 8 * shown.labels + shown.exemplars
    if kind == "cifar10":
        images, labels = data.cifar10_tensors("test")
        first = torch.cat([(labels == c).nonzero()[:200, 0] for c in range(10)])
        return images[first], labels[first], labels[first]
    raise ValueError(f"kind {kind!r}: objects or cifar10")


@cache
def _varied(kind: str) -> tuple[Tensor, dict[str, Tensor]]:
    """Images (n, c, h, w), and the same with one thing changed: name -> (n, c, h, w)."""
    n, worse = SETTINGS["varied"], {}
    if kind == "objects":
        base = objects.sample(n, "medium", seed=SETTINGS["objects_seed"] + 1)
        other = objects.sample(n, "medium", seed=SETTINGS["objects_seed"] + 2)
        images = base.images

        def with_other(*names: str, labels=base.labels, exemplars=base.exemplars) -> Tensor:
            latents = base.latents.clone()
            for name in names:
                column = objects.ObjectSet.latent_names.index(name)
                latents[:, column] = other.latents[:, column]
            return objects.render(labels, exemplars, latents).images

        worse = {
            "position": with_other("x", "y"), "size": with_other("size"),
            "pose": with_other("yaw", "pitch", "roll"),
            "light": with_other("light_azimuth", "light_elevation", "albedo"),
            "background": with_other("background"),
            "another object of the category": with_other(exemplars=(base.exemplars + 3) % 8),
            "another category": with_other(labels=(base.labels + 3) % 8),
        }  # fmt: skip
    else:
        images = data.cifar10_tensors("test")[0][-n:]
    for name in ("noise", "blur", "contrast", "pixelate"):
        strength = corruptions.SEVERITIES[name][2]
        worse[name] = getattr(corruptions, name)(images, strength)
    scrambled = images.flatten(1)[:, torch.randperm(images[0].numel(),
                              generator=torch.Generator().manual_seed(0))]  # fmt: skip
    worse["scrambled pixels"] = scrambled.reshape(images.shape)
    return images, worse


def survey(name: str, seed: int, layers: list[str] | None = None) -> pd.DataFrame:
    """The geometry of one net of the zoo: net, seed, layer, of, measure, value, n.

    `of` says of what: "objects" (the manifolds of 64 objects, each seen in many ways),
    "categories", "all" (the whole cloud of responses), or a way to vary an image. Measures:

    - of manifolds: capacity, radius, dimension, correlation (of centres) by
      `manifold_capacity`, in at most 1,024 random projections; participation ratio (mean);
      "read-out", the accuracy of a ridge read-out of the category on objects it has not seen;
    - of all: participation ratio, TwoNN, components for 90 % of the variance;
    - of varied images: "energy", the share of the change inside the subspace of 95 % of the
      variance of clean responses; "relative length" of the change; "AUROC", how well the
      distance from the subspace tells the varied images from the unvaried.

    A stochastic net's responses are means over draws. Raises data.AssetError where CIFAR-10 is
    needed and cannot be had.
    """
    net, kind = models.load(name, seed).eval(), name.rpartition("-")[2]
    images, labels, which = _stimuli(kind)
    rows: list[tuple] = []
    with evaluating(net):
        draws = SETTINGS["noise_draws"] if attacks.is_stochastic(net, images) else 1
        layers = layers or main_layers(net)
        points = responses(net, layers, images, draws)
        base, varied = _varied(kind)
        before = responses(net, layers, base, draws)
        after = {change: responses(net, layers, x, draws) for change, x in varied.items()}
        for layer in layers:
            rows += [(layer, *row) for row in _clouds(points[layer], labels, which)]
            rows += [(layer, *row) for row in _changes(
                points[layer], before[layer], {c: a[layer] for c, a in after.items()})]
    return pd.DataFrame([(name, seed, *row) for row in rows], columns=COLUMNS)


def _clouds(points: Tensor, labels: Tensor, which: Tensor) -> Iterator[tuple]:
    n = len(points)
    yield "all", "units", points.shape[1], n
    for measure, found in (("participation ratio", participation_ratio(points)),
                           ("TwoNN", two_nn(points)),
                           ("components for 90 %", explained_dimension(points, 0.9))):
        yield "all", measure, float(found), n
    small = _projected(points)
    groups = {"categories": labels} if torch.equal(labels, which) else {
        "objects": which, "categories": labels}  # fmt: skip
    for of, group in groups.items():
        members = [small[group == c] for c in group.unique()]
        # A category's many points are thinned: time grows with them, and radius and dimension
        # are compared at one number of points.
        m = min(SETTINGS["points"] if of == "objects" else 100, *map(len, members))
        clouds = torch.stack([cloud[torch.linspace(0, len(cloud) - 1, m).long()].T
                              for cloud in members])  # fmt: skip
        found = manifold_capacity(clouds, n_probes=SETTINGS["probes"], centre_subspace=0)
        for measure in ("capacity", "radius", "dimension"):
            yield of, measure, getattr(found, f"mean_{measure}"), len(members)
        yield of, "correlation", found.correlation, len(members)
        ratios = [float(participation_ratio(cloud)) for cloud in members]
        yield of, "participation ratio", float(np.mean(ratios)), len(members)
    yield "categories", "read-out", *_read_out(points, labels, which)


def _read_out(points: Tensor, labels: Tensor, which: Tensor) -> tuple[float, int]:
    """Accuracy of a linear read-out; where objects are known, on objects it was not shown."""
    objects_known = not torch.equal(labels, which)
    test = (which % 8 >= 6) if objects_known else torch.arange(len(labels)) % 4 == 0
    decoder = RidgeClassifier(alpha=float(points.var()) * points.shape[1])
    decoder.fit(points[~test].numpy(), labels[~test].numpy())
    return float(decoder.score(points[test].numpy(), labels[test].numpy())), int(test.sum())


def _changes(points: Tensor, before: Tensor, after: dict[str, Tensor]) -> Iterator[tuple]:
    space = fit_subspace(points, size=SETTINGS["share"])
    middle = torch.as_tensor(space.mean, dtype=before.dtype)
    usual = space.residual(before)
    yield "none", "size of the subspace", space.size, len(points)
    for change, moved in after.items():
        delta = moved - before
        real = delta.norm(dim=1) > 0  # a new light from behind may change nothing
        share = space.energy(delta[real])
        relative = delta[real].norm(dim=1) / (before[real] - middle).norm(dim=1)
        yield change, "energy", float(share.double().mean()), int(real.sum())
        yield change, "relative length", float(relative.double().mean()), int(real.sum())
        yield change, "AUROC", auroc(space.residual(moved).numpy(), usual.numpy()), len(moved)


def _projected(points: Tensor) -> Tensor:
    """At most `projected` random projections: distances are kept, and the time is bounded."""
    units = SETTINGS["projected"]
    if points.shape[1] <= units:
        return points
    generator = torch.Generator().manual_seed(0)
    return points @ torch.randn(points.shape[1], units, generator=generator) / units**0.5
