"""Pictures made worse: noise, blur, lost contrast, coarse pixels, and things in front.

All take images (b, c, h, w) in [0, 1] and return images in [0, 1], the same for the same seed on
every run. `SEVERITIES` holds five strengths of each, those of Hendrycks & Dietterich 2019 (ICLR,
arXiv 1903.12261) for 224-pixel photographs; widths in pixels are scaled to the images' own size.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import functional as tf

from brainkit._inputs import check_images
from brainkit.objects import ObjectSet, backgrounds

__all__ = ["SEVERITIES", "blur", "contrast", "noise", "occlude", "pixelate"]

SEVERITIES = {
    "noise": (0.08, 0.12, 0.18, 0.26, 0.38),
    "blur": (1, 2, 3, 4, 6),
    "contrast": (0.4, 0.3, 0.2, 0.1, 0.05),
    "pixelate": (0.6, 0.5, 0.4, 0.3, 0.25),
}
REFERENCE = 224  # pixels a side of the photographs whose blur the strengths are given for
GRAIN = 4.0 / 64  # size of an occluder's blobs, in sides of the image


def noise(images: Tensor, spread: float, seed: int = 0) -> Tensor:
    """Gaussian noise of standard deviation `spread` on every pixel."""
    check_images(images)
    _positive(spread=spread)
    generator = torch.Generator().manual_seed(seed)
    field = torch.randn(images.shape, generator=generator).to(images)
    return (images + spread * field).clamp(0, 1)


def blur(images: Tensor, spread: float) -> Tensor:
    """Gaussian blur; `spread` is its standard deviation in pixels of a 224-pixel image."""
    check_images(images)
    _positive(spread=spread)
    sigma = spread * images.shape[-1] / REFERENCE
    if sigma == 0:
        return images.clone()
    # A kernel wider than the image has nothing to reflect.
    half = min(math.ceil(3 * sigma), min(images.shape[2:]) - 1)
    return tf.gaussian_blur(images, 2 * half + 1, sigma)


def contrast(images: Tensor, factor: float) -> Tensor:
    """The deviation from each image's mean grey times `factor`, 0 to 1."""
    check_images(images)
    if not 0 <= factor <= 1:
        raise ValueError(f"factor={factor}: give a share of the contrast, 0 to 1")
    mean = images.mean((1, 2, 3), keepdim=True)
    return (mean + factor * (images - mean)).clamp(0, 1)


def pixelate(images: Tensor, scale: float) -> Tensor:
    """Shrunk to `scale` of its side, and drawn at the old size in coarse pixels."""
    check_images(images)
    if not 0 < scale <= 1:
        raise ValueError(f"scale={scale}: give a share of the side, above 0 and up to 1")
    size = list(images.shape[2:])
    small = tf.resize(images, [max(1, round(scale * side)) for side in size], antialias=True)
    return tf.resize(small, size, tf.InterpolationMode.NEAREST).clamp(0, 1)


def occlude(objects: ObjectSet, share: float, seed: int = 0) -> ObjectSet:
    """Rendered objects behind blobs of other texture, which hide `share` of each object.

    The blobs lie all over the picture, so they do not tell where the object is. They are filled
    with a background of the same kind as the picture's, but another one. A higher share with the
    same seed hides what a lower one did, and more.

    Args:
        objects: what to hide.
        share: of each object's visible area, 0 to 1.
        seed: of the blobs' shape and filling.

    Returns:
        A new set: images with occluders; masks reduced to what is still seen of the object.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share={share}: give a share of the object, 0 to 1")
    n, _, height, width = objects.images.shape
    generator = torch.Generator().manual_seed(seed)
    field = torch.randn(n, 1, height, width, generator=generator)
    sigma = GRAIN * width
    field = tf.gaussian_blur(field, 2 * math.ceil(3 * sigma) + 1, sigma).to(objects.images)
    # The threshold below which `share` of the object's area lies, for each image.
    values, order = field.flatten(1).sort(1)
    area = objects.masks.flatten(1).gather(1, order).cumsum(1)
    hidden = (area <= share * area[:, -1:]).sum(1, keepdim=True)  # places from the lowest up
    threshold = torch.cat([values, values[:, -1:] + 1], 1).gather(1, hidden)
    cover = (field.flatten(1) < threshold).view_as(field).to(objects.images)
    if share == 0:
        cover = torch.zeros_like(cover)
    seeds = np.random.default_rng([seed, 1]).integers(backgrounds.SEEDS, size=n)
    filling = backgrounds.draw(seeds, objects.background, width).to(objects.images)
    changed = objects[:]
    changed.images = objects.images * (1 - cover) + filling * cover
    changed.masks = objects.masks * (1 - cover)
    return changed


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{name}={value}: give a number of 0 or more")
