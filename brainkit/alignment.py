"""Losses that align a net with people's importance maps: the neural harmoniser.

Fel, Rodriguez, Linsley & Serre 2022 (Advances in Neural Information Processing Systems 35) train
a net so that the image regions its answer depends on are those that people find important. The
loss is theirs, term by term, in PyTorch; names are the paper's where it has them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["harmonisation_loss", "pyramid", "saliency"]

LEVELS = 5  # of the pyramid: 224, 112, 56, 28 and 14 pixels for the original's images
_BINOMIAL = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16


def saliency(model: nn.Module, images: Tensor, labels: Tensor, create_graph: bool = True) -> Tensor:
    """How much each pixel moves the true class' logit: its gradient, signed, mean over channels.

    Args:
        model: images (b, c, h, w) in [0, 1] to logits (b, classes); run in the mode it is in.
        images, labels: (b, c, h, w) and (b,).
        create_graph: keep the graph, so that a loss on the map can be differentiated by the
            weights (a second backward pass through the net).

    Returns:
        (b, 1, h, w).

    Raises:
        ValueError: labels that do not fit the images or have no logit.

    Source: Fel et al. 2022.
    """
    if labels.shape != images.shape[:1]:
        raise ValueError(
            f"labels {tuple(labels.shape)} do not fit images {tuple(images.shape)}; need (b,)"
        )
    # A leaf of its own: the caller's images need no gradient, and keep none.
    x = images.detach().requires_grad_()
    with torch.enable_grad():
        logits = model(x)
        if int(labels.max()) >= logits.shape[1] or int(labels.min()) < 0:
            raise ValueError(f"labels run to {int(labels.max())}, the logits are "
                             f"{tuple(logits.shape)}")  # fmt: skip
        answer = logits.gather(1, labels[:, None]).sum()
        (gradient,) = torch.autograd.grad(answer, x, create_graph=create_graph)
    return gradient.mean(1, keepdim=True)


def pyramid(maps: Tensor, levels: int = LEVELS) -> list[Tensor]:
    """A Gaussian pyramid: maps (b, 1, h, w), each level half as large as the one before.

    Blurred by a 5 x 5 binomial kernel and sampled at every second pixel; at the border there are
    zeros, as TensorFlow's padding "SAME" sets them (of an even side one before and two behind).

    Raises:
        ValueError: fewer than 1 level, or maps too small for so many.
    """
    if levels < 1 or min(maps.shape[2:]) < 2 ** (levels - 1):
        raise ValueError(
            f"levels={levels} of maps {tuple(maps.shape)}: give 1 or more, and maps of at least "
            f"{2 ** max(0, levels - 1)} pixels a side"
        )
    kernel = torch.outer(_BINOMIAL, _BINOMIAL).to(maps)[None, None]
    found = [maps]
    for _ in range(levels - 1):
        height, width = found[-1].shape[2:]
        (top, bottom), (left, right) = _same(height), _same(width)
        padded = F.pad(found[-1], (left, right, top, bottom))
        found.append(F.conv2d(padded, kernel, stride=2))
    return found


def _same(side: int) -> tuple[int, int]:
    """Zeros before and behind a side, for a kernel of 5 and a stride of 2."""
    needed = max(0, (-(-side // 2) - 1) * 2 + 5 - side)
    return needed // 2, needed - needed // 2


def harmonisation_loss(
    saliency: Tensor, maps: Tensor, has_map: Tensor | None = None, levels: int = LEVELS
) -> Tensor:
    """How far a net's saliency is from people's maps, over a pyramid of resolutions.

    Both maps are cut: standardised over the image, negative values set to 0. People's is scaled
    to the same highest value as the net's (which is taken as given there, so that the net gains
    nothing by making its own map faint), and the squared difference averaged over pixels, images
    and levels.

    Args:
        saliency: (b, 1, h, w) the net's, as `saliency` returns it.
        maps: (b, 1, h, w) people's, or a stand-in for them; any scale.
        has_map: (b,) bool or 0 and 1; images without a map count as 0. All have one if not given.
            The mean runs over the whole batch, those without a map included, as the authors' code
            has it: fewer maps in a batch weigh less.
        levels: of the pyramid.

    Returns:
        A scalar, not negative: the paper's term alone, without its weight.

    Raises:
        ValueError: shapes that do not fit, values that are not finite, or a map that is constant
            where `has_map` says that there is one.

    Source: Fel et al. 2022, and its authors' code for what the paper leaves open.
    """
    _check(saliency, maps, has_map)
    token = torch.ones(len(maps)) if has_map is None else has_map
    token = token.to(saliency).view(-1, 1, 1, 1)
    net, people = _cut(saliency), _cut(maps.to(saliency))
    peak = net.detach().amax((2, 3), keepdim=True)
    people = people / (people.amax((2, 3), keepdim=True) + 1e-6) * (peak + 1e-6)
    levels_of = zip(pyramid(net, levels), pyramid(people, levels), strict=True)
    return torch.stack([(token * (a - b).square()).mean() for a, b in levels_of]).mean()


def _cut(maps: Tensor) -> Tensor:
    """Standardised over each image, negative values set to 0."""
    mean = maps.mean((2, 3), keepdim=True)
    # Written out, because the gradient of a root is not finite where a map is constant.
    variance = (maps - mean).square().mean((2, 3), keepdim=True)
    spread = torch.where(variance > 0, variance, 1).sqrt() * (variance > 0)
    return ((maps - mean) / (spread + 1e-5)).relu()


def _check(saliency: Tensor, maps: Tensor, has_map: Tensor | None) -> None:
    if saliency.ndim != 4 or saliency.shape[1] != 1 or maps.shape != saliency.shape:
        raise ValueError(
            f"saliency {tuple(saliency.shape)} and maps {tuple(maps.shape)}: both must be "
            "(b, 1, h, w) of one size; average colours with .mean(1, keepdim=True), and resize "
            "with torch.nn.functional.interpolate"
        )
    if has_map is not None and has_map.shape != saliency.shape[:1]:
        raise ValueError(f"has_map is {tuple(has_map.shape)}; need ({len(saliency)},)")
    for name, values in (("saliency", saliency), ("maps", maps)):
        if not bool(values.isfinite().all()):
            raise ValueError(f"{name} has values that are not finite")
    flat = maps.flatten(1)
    constant = flat.amax(1) == flat.amin(1)
    if has_map is not None:
        constant = constant & has_map.to(constant.device).bool()
    if bool(constant.any()):
        which = constant.nonzero()[:4, 0].tolist()
        raise ValueError(
            f"the maps of images {which} are constant, so they say nothing of what is important; "
            "leave such images out by has_map"
        )
