"""Checks of what comes in, shared by the nets and the trainer: an error says what to do."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import Tensor
from torch.fx import Proxy

__all__ = ["check_images", "check_item", "check_logits", "pair"]

TOLERANCE = 1e-4  # an attack's projection may leave [0, 1] by a rounding error


def check_images(
    images: Tensor,
    channels: int | None = None,
    side: int | None = None,
    *,
    smallest: int = 1,
    dtype: torch.dtype | None = None,
) -> None:
    """Refuse anything but a floating-point batch (b, c, h, w) with values in [0, 1].

    Costs one pass over the values, and on a GPU one wait for them. A graph that is being traced,
    exported or compiled is left alone, and where there are no values to look at (on the meta
    device, under vmap) the shape alone is checked.

    Args:
        images: what a net was given.
        channels: c; any if not given.
        side: h and w in pixels; any if not given.
        smallest: least h and w, where `side` is not given.
        dtype: that of the net's weights; any floating type if not given.

    Raises:
        ValueError: says what is wrong with the images and how to mend it.
    """
    if torch.compiler.is_compiling() or torch.jit.is_tracing() or isinstance(images, Proxy):
        return
    expected = f"(b, {channels or 'c'}, {side or 'h'}, {side or 'w'})"
    if not isinstance(images, Tensor):
        raise ValueError(
            f"images must be a tensor {expected}, not {type(images).__name__}; "
            "for a NumPy array use torch.from_numpy(images)"
        )
    if images.ndim != 4 or images.shape[1] != (channels or images.shape[1]):
        hint = _shape_hint(images, channels)
        raise ValueError(f"images must be {expected}, not {tuple(images.shape)}{hint}")
    height, width = images.shape[2:]
    if side is not None and (height, width) != (side, side):
        raise ValueError(
            f"images must be {expected}, not {tuple(images.shape)}; for another size use "
            f"torch.nn.functional.interpolate(images, {side}, mode='bilinear', antialias=True)"
        )
    if min(height, width) < smallest:
        raise ValueError(
            f"images must be at least {smallest} pixels high and wide for this net, "
            f"not {height} x {width}"
        )
    if not images.is_floating_point():
        raise ValueError(
            f"images must be floating-point in [0, 1], not {images.dtype}; "
            "for bytes use images.float() / 255"
        )
    # Autocast brings images and weights to one type by itself.
    autocast = torch.is_autocast_enabled(images.device.type) if not images.is_meta else False
    if dtype is not None and images.dtype != dtype and not autocast:
        raise ValueError(
            f"images are {images.dtype}, the net's weights {dtype}; use images.to({dtype})"
        )
    if not images.numel():
        raise ValueError("the batch holds no image")
    _check_range(images.detach())


def _shape_hint(images: Tensor, channels: int | None) -> str:
    if images.ndim == 3:
        return "; for one image add the batch dimension with images[None]"
    if images.ndim == 4 and images.shape[-1] == channels:
        return "; the channels come second: images.permute(0, 3, 1, 2)"
    if images.ndim == 4 and images.shape[1] == 1:
        return f"; repeat a grey image's channel: images.expand(-1, {channels}, -1, -1)"
    if images.ndim == 4 and channels == 1:
        return "; make colour grey: images.mean(1, keepdim=True)"
    return ""


def _check_range(images: Tensor) -> None:
    try:
        low, high = torch.stack(torch.aminmax(images)).tolist()  # one wait for a GPU, not two
    except RuntimeError:  # no values: a meta or fake tensor, or a batch inside of vmap
        return
    # Written so that NaN, which fails every comparison, is caught as well.
    if not (low >= -TOLERANCE and high <= 1 + TOLERANCE):
        hint = (
            "Look for a division by zero in what made them" if low != low else
            "A net of brainkit's normalises them itself, so pass them as they are, bytes "
            "divided by 255"
        )  # fmt: skip
        raise ValueError(
            f"images must be in [0, 1]; these run from {low:.3g} to {high:.3g}. {hint}"
        )


def pair(data: Any, what: str = "data") -> tuple[Tensor, Tensor]:
    """Images (n, c, h, w) in [0, 1] and labels (n,), long, of an ObjectSet or a pair; checked.

    Raises:
        TypeError: `data` is no such thing, or holds something other than tensors.
        ValueError: no image, shapes that do not fit, images outside [0, 1] or not finite, labels
            that are no class indices.
    """
    if hasattr(data, "images") and hasattr(data, "labels"):
        images, labels = data.images, data.labels
    elif isinstance(data, tuple | list) and len(data) == 2:
        images, labels = data
    else:
        raise TypeError(
            f"{what} is a {type(data).__name__}; give an ObjectSet or (images, labels), or a "
            "torch.utils.data.Dataset of them"
        )
    for name, values in (("images", images), ("labels", labels)):
        if not isinstance(values, Tensor):
            raise TypeError(
                f"{name} must be a tensor, not {type(values).__name__}; "
                f"use torch.as_tensor({name})"
            )
    if images.ndim != 4 or labels.shape != images.shape[:1]:
        hint = "; use labels.squeeze(1)" if labels.shape == (len(images), 1) else ""
        if labels.ndim == 2 and labels.shape[1] > 1:
            hint = "; for one-hot labels use labels.argmax(1)"
        raise ValueError(
            f"images {tuple(images.shape)} and labels {tuple(labels.shape)} do not fit; "
            f"need (n, c, h, w) and (n,){hint}"
        )
    if not len(labels):
        raise ValueError(f"{what} holds no image")
    check_images(images)
    if labels.is_floating_point() or labels.is_complex():
        raise ValueError(f"labels must be integers, not {labels.dtype}; use labels.long()")
    if (lowest := int(labels.min())) < 0:
        raise ValueError(f"labels are class indices from 0; the lowest here is {lowest}")
    return images, labels.long()


def check_item(item: Any, what: str) -> tuple[Tensor, int]:
    """An image (c, h, w) in [0, 1] and its class index, as a dataset gives them; checked.

    Raises:
        TypeError: the item is no such pair, the image no tensor, or the label no integer.
        ValueError: another shape, values outside [0, 1] or not finite, a label below 0.
    """
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise TypeError(f"{what} is a {type(item).__name__}; a dataset must give (image, label)")
    image, label = item
    if not isinstance(image, Tensor):
        raise TypeError(
            f"{what}: its image is a {type(image).__name__}, not a tensor; end the dataset's "
            "transform with torchvision.transforms.ToTensor()"
        )
    if image.ndim != 3:
        raise ValueError(f"{what}: its image is {tuple(image.shape)}; need (c, h, w)")
    try:
        check_images(image[None])
        label = operator.index(label)
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from None
    except TypeError:
        raise TypeError(f"{what}: its label is {label!r}; need a class index, an int") from None
    if label < 0:
        raise ValueError(f"{what}: labels are class indices from 0; this one is {label}")
    return image, label


def check_logits(logits: Tensor, n: int, highest: int) -> None:
    """Refuse logits that are not (n, classes), or have no class for the highest label there is."""
    shape = tuple(getattr(logits, "shape", (type(logits).__name__,)))
    if len(shape) != 2 or shape[0] != n:
        raise ValueError(f"the model gives {shape} for {n} images; need logits (n, classes)")
    if highest >= shape[1]:
        raise ValueError(
            f"a label is {highest}, but the model tells {shape[1]} classes apart, 0 to "
            f"{shape[1] - 1}; count labels from 0, or give the model more outputs"
        )
