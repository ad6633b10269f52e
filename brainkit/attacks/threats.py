"""Threat models: how far an attacker may go, and by which measure of distance.

A threat knows four things: the size of a perturbation, the steepest step, the nearest allowed
image, and a random allowed start. An attack is then the same few lines under each of them.
Images are in [0, 1] and stay there, so a size is in units of the full grey range: an epsilon of
1/255 under L-infinity is one grey level in each pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

__all__ = ["L1", "L2", "THREATS", "Linf", "Threat", "threat_of"]

Radius = float | Tensor  # one for all images, or (b,), one for each


class Threat(Protocol):
    """What an attack asks of a threat model; write your own with these four and a name."""

    name: str

    def size(self, perturbation: Tensor) -> Tensor:
        """Of each perturbation (b, ...): (b,)."""

    def step(self, gradient: Tensor, length: Radius, at: Tensor) -> Tensor:
        """The displacement (b, ...) of this length that raises a loss of this gradient most."""

    def project(self, images: Tensor, attacked: Tensor, epsilon: Radius) -> Tensor:
        """`attacked`, brought to within `epsilon` of `images` and into [0, 1]."""

    def random(self, images: Tensor, epsilon: Radius) -> Tensor:
        """A start drawn evenly from the ball about `images` (torch's generator), in [0, 1]."""


@dataclass(frozen=True)
class Linf:
    """The largest change of any pixel; the step is the gradient's sign."""

    name: str = "Linf"

    def size(self, perturbation: Tensor) -> Tensor:
        return perturbation.flatten(1).abs().amax(1)

    def step(self, gradient: Tensor, length: Radius, at: Tensor) -> Tensor:
        return _shaped(length, gradient) * gradient.sign()

    def project(self, images: Tensor, attacked: Tensor, epsilon: Radius) -> Tensor:
        epsilon = _shaped(epsilon, images)
        if isinstance(epsilon, Tensor):
            change = torch.minimum(torch.maximum(attacked - images, -epsilon), epsilon)
        else:
            change = (attacked - images).clamp(-epsilon, epsilon)
        return (images + change).clamp(0, 1)

    def random(self, images: Tensor, epsilon: Radius) -> Tensor:
        noise = 2 * torch.rand_like(images) - 1
        return (images + _shaped(epsilon, images) * noise).clamp(0, 1)


@dataclass(frozen=True)
class L2:
    """The Euclidean length of the change; the step is the gradient's direction.

    Projection scales the change and then clips to [0, 1], which only shortens it further.
    """

    name: str = "L2"

    def size(self, perturbation: Tensor) -> Tensor:
        return perturbation.flatten(1).norm(dim=1)

    def step(self, gradient: Tensor, length: Radius, at: Tensor) -> Tensor:
        return _shaped(length, gradient) * _unit(gradient, 2)

    def project(self, images: Tensor, attacked: Tensor, epsilon: Radius) -> Tensor:
        change = attacked - images
        size = _shaped(self.size(change), change)
        factor = (_shaped(epsilon, images) / size.clamp_min(1e-30)).clamp(max=1)
        return (images + factor * change).clamp(0, 1)

    def random(self, images: Tensor, epsilon: Radius) -> Tensor:
        direction = _unit(torch.randn_like(images), 2)
        # In d dimensions a ball's volume grows with r^d.
        radius = torch.rand(len(images), device=images.device) ** (1 / images[0].numel())
        change = _shaped(radius.to(images), images) * direction
        return (images + _shaped(epsilon, images) * change).clamp(0, 1)


@dataclass(frozen=True)
class L1:
    """The sum of all pixels' changes.

    The steepest step would change one pixel, which is slow; this one divides its length evenly
    among the `share` of pixels with the largest gradients that can still move that way (Tramèr
    and Boneh 2019, arXiv 1904.13000). With `share=None` it follows the gradient, divided by its
    L1 norm. The projection is the exact one on the ball within [0, 1]: to clip after projecting
    on the ball alone would waste most of a sparse change (Croce and Hein 2021, arXiv 2103.01208).
    """

    share: float | None = 0.01
    name: str = "L1"

    def __post_init__(self):
        if self.share is not None and not 0 < self.share <= 1:
            raise ValueError(f"share={self.share}: give a share of the pixels, 0 < share <= 1")

    def size(self, perturbation: Tensor) -> Tensor:
        return perturbation.flatten(1).abs().sum(1)

    def step(self, gradient: Tensor, length: Radius, at: Tensor) -> Tensor:
        length = _shaped(length, gradient)
        if self.share is None:
            return length * _unit(gradient, 1)
        stuck = ((at <= 0) & (gradient < 0)) | ((at >= 1) & (gradient > 0))
        free = gradient.masked_fill(stuck, 0).flatten(1)
        k = max(1, round(self.share * free.shape[1]))
        values, places = free.abs().topk(k, dim=1)
        chosen = torch.zeros_like(free).scatter(1, places, free.gather(1, places).sign())
        chosen = chosen / (values > 0).sum(1, keepdim=True).clamp_min(1)
        return length * chosen.view_as(gradient)

    def project(self, images: Tensor, attacked: Tensor, epsilon: Radius) -> Tensor:
        change = attacked - images
        wish = change.abs().flatten(1)
        room = torch.where(change > 0, 1 - images, images).flatten(1)
        if not isinstance(epsilon, Tensor):
            epsilon = torch.full((len(images),), float(epsilon))
        epsilon = epsilon.to(images)[:, None]
        # The nearest point takes the same amount off all wishes, before each is cut to its room;
        # what remains falls as that amount grows, so halving an interval finds it.
        low, high = torch.zeros_like(epsilon), wish.amax(1, keepdim=True)
        for _ in range(40):
            middle = (low + high) / 2
            over = torch.minimum((wish - middle).relu(), room).sum(1, keepdim=True) > epsilon
            low, high = torch.where(over, middle, low), torch.where(over, high, middle)
        inside = torch.minimum(wish, room).sum(1, keepdim=True) <= epsilon
        taken = torch.where(inside, 0, high)
        kept = torch.minimum((wish - taken).relu(), room).view_as(images)
        return (images + kept * change.sign()).clamp(0, 1)

    def random(self, images: Tensor, epsilon: Radius) -> Tensor:
        # Exponential variables over their sum, one more of them included, fill the simplex.
        lengths = torch.empty_like(images).exponential_().flatten(1)
        rest = torch.empty_like(lengths[:, :1]).exponential_()
        lengths = lengths / (lengths.sum(1, keepdim=True) + rest)
        signs = torch.randint_like(lengths, 2) * 2 - 1
        change = _shaped(epsilon, images) * (signs * lengths).view_as(images)
        return (images + change).clamp(0, 1)


THREATS: dict[str, Threat] = {"Linf": Linf(), "L2": L2(), "L1": L1()}


def threat_of(threat: str | Threat) -> Threat:
    """A threat model by its name, or the object itself.

    Raises:
        ValueError: an unknown name; TypeError: an object that is no threat.
    """
    if isinstance(threat, str):
        if threat not in THREATS:
            raise ValueError(f"threat={threat!r}: choose one of {', '.join(THREATS)}, or give an "
                             "object with size, step, project and random")  # fmt: skip
        return THREATS[threat]
    lacking = [m for m in ("size", "step", "project", "random") if not hasattr(threat, m)]
    if lacking or isinstance(threat, type):
        what = threat.__name__ if isinstance(threat, type) else type(threat).__name__
        hint = f"; make one with {what}()" if isinstance(threat, type) else ""
        raise TypeError(f"threat is {what}, which is no threat model: it lacks "
                        f"{', '.join(lacking) or 'its settings'}{hint}")  # fmt: skip
    return threat


def _shaped(radius: Radius, like: Tensor) -> Radius:
    """One number for each image, so that it multiplies (b, ...)."""
    if not isinstance(radius, Tensor) or radius.ndim == 0:
        return radius
    return radius.to(like).view(-1, *[1] * (like.ndim - 1))


def _unit(gradient: Tensor, order: int) -> Tensor:
    """Divided by its norm; a gradient of zero stays zero."""
    size = gradient.flatten(1).norm(p=order, dim=1)
    return gradient / _shaped(torch.where(size > 0, size, 1), gradient)
