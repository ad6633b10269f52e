"""What the zoo's aligned nets are aligned with: a simulated IT, or the objects' masks."""

from __future__ import annotations

import torch

from brainkit.alignment import Harmonisation, NeuralAlignment, importance_maps
from brainkit.neurons import SimulatedIT
from brainkit.objects import ObjectSet
from brainkit.training import Term

__all__ = ["ANIMAL", "shuffled", "terms"]

ANIMAL = 0  # the seed of the simulated IT that nets are aligned with; others are held out
REPEATS = 30  # of each image
RECORDED = 0  # seed of its noise


def terms(
    train: ObjectSet,
    to: str,
    weight: float,
    images: int,
    layer: str = "stages",
    wrong: bool = False,
) -> list[Term]:
    """The term of one aligned net, on the first images of its own training set, not mirrored.

    So an aligned net sees no image that the plain one does not see.

    Args:
        train: the training set.
        to: "simulated IT" or "masks".
        weight: of the term.
        images: how many of the training images have been recorded, or have a map.
        layer: that is aligned with the simulated IT.
        wrong: the control: the same responses or maps, each of another image.

    Raises:
        ValueError: anything else in `to`, or more images than there are.
    """
    if to not in ("simulated IT", "masks") or not 0 < images <= len(train):
        raise ValueError(f"to={to!r}, images={images}: align to 'simulated IT' or 'masks', with "
                         f"1 to {len(train)} images")  # fmt: skip
    part = train[:images]
    order = shuffled(images) if wrong else torch.arange(images)
    if to == "masks":
        maps = importance_maps(part.masks)[order]
        return [Harmonisation(part.images, part.labels, maps, weight)]
    responses = SimulatedIT(seed=ANIMAL).record(part, REPEATS, RECORDED).mean[order]
    return [NeuralAlignment(layer, part.images, responses, weight)]


def shuffled(n: int) -> torch.Tensor:
    """The controls' order: which image's target each of n images gets. The same for all seeds."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(0))
