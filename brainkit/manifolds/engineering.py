"""Nets trained to be insensitive within their manifold, or outside of it (chapter 13)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from brainkit import features
from brainkit._checkpoint import digest
from brainkit.attacks.gradient import evaluating, margin

__all__ = ["Insensitivity", "sensitivity"]


def sensitivity(
    model: nn.Module, layer: str, images: Tensor, labels: Tensor, fit: Tensor,
    share: float = 0.95, create_graph: bool = False,
) -> tuple[Tensor, Tensor]:
    r"""How much the decision depends on a layer's answers within its manifold, and outside.

    The gradient g of the margin (the best wrong logit less the right one) by the layer's answers
    is split by the subspace of `share` of the variance of the answers to `fit`, as a displacement
    is in `cause`. Returned are the squared lengths of both parts, times the mean squared length of
    the answers' deviations from their mean, so that the size of a layer's answers does not matter:
    1 means that a change as long as a typical deviation moves the margin by 1, to first order.

    Args:
        model: images to logits (b, classes); run in the mode it is in.
        layer: a name of `features.layer_names(model)`, of a layer that runs once.
        images, labels: (b, c, h, w) and (b,).
        fit: (m, c, h, w) images, whose answers span the subspace: m - 1 directions at most.
        share: of their variance, above 0, at most 1.
        create_graph: so that the result can be differentiated by the weights. The subspace is
            taken as given.

    Returns:
        within, outside: (b,) each.

    Raises:
        ValueError: fewer than 2 images to fit, answers that do not differ, a share out of range, a
            layer that runs several times.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share={share}: give a share of the variance, above 0, at most 1")
    if len(fit) < 2:
        raise ValueError("fit has 1 image; a subspace needs 2, better hundreds")
    basis, scale = _subspace(model, layer, fit, share)
    return _parts(model, layer, images, labels, basis, scale, create_graph)


def _subspace(model: nn.Module, layer: str, fit: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Directions (units, k) of the share of variance of answers, and their mean squared length."""
    answers = _one(features.record(model, layer, fit, keep_mode=True), layer).flatten(1)
    centred = answers - answers.mean(0)
    # By the small matrix of products of images: there are far more units than images.
    values, vectors = torch.linalg.eigh((centred @ centred.T).double())
    values, vectors = values.flip(0).clamp_min(0), vectors.flip(1)
    if values[0] <= 0:
        raise ValueError(f"layer {layer!r} answers all images of `fit` alike: no subspace")
    k = int((values.cumsum(0) < share * values.sum() * (1 - 1e-9)).sum()) + 1
    k = min(k, int((values > 1e-10 * values[0]).sum()))
    basis = (centred.T.double() @ vectors[:, :k] / values[:k].sqrt()).to(answers)  # (units, k)
    return basis, centred.square().sum(1).mean()


def _parts(
    model: nn.Module, layer: str, images: Tensor, labels: Tensor, basis: Tensor, scale: Tensor,
    create_graph: bool,
) -> tuple[Tensor, Tensor]:
    """`sensitivity` to changes inside of the directions `basis`, and to the others."""
    given = images if images.requires_grad else images.detach().requires_grad_()
    found = features.record(model, [layer, ""], given, grad=True, keep_mode=True)
    here = _one({n: a for n, a in found.items() if n}, layer)
    lack = margin(found[""], labels.to(found[""].device))
    (gradient,) = torch.autograd.grad(lack.sum(), here, create_graph=create_graph)
    gradient = gradient.flatten(1)
    within = (gradient @ basis).square().sum(1)
    whole = gradient.square().sum(1)
    return scale * within, scale * (whole - within).clamp_min(0)


class Insensitivity:
    """A term for `fit`: the decision's sensitivity within a layer's manifold, or outside of it.

    The subspace is fitted anew every so many steps, on images drawn for it, for it moves as the
    net learns; and the net is as it will be used, its normalisations at their running statistics.

    Args:
        images, labels: (n, c, h, w) in [0, 1] and (n,), of which each step draws.
        layer: whose manifold it is.
        inside: penalise the part within; or the part outside.
        weight: of this loss beside the net's own.
        batch_size: images of each step whose sensitivity is measured: they cost a second backward
            pass.
        fit: further images, that the subspace is fitted on. With few of them it is too small.
        share: of their variance.
        every: steps from one fit to the next. (A run that is resumed begins with a fit, and goes
            on the same only if it was interrupted before one.)
        control: take a random subspace of the fitted one's size in its place, drawn once, by
            torch's seed; as the pictures' own hardly moves, and many draws would span everything.

    The loss is the mean of log(1 + sensitivity), so that the few images that are very sensitive do
    not decide the step. What comes after the layer learns from it; what comes before it hardly
    does, for between the kinks of its ReLUs a net's gradient does not depend on the point.

    Raises ValueError for images and labels that do not fit, too few of them, a weight below 0.
    """

    name = "sensitivity"

    def __init__(
        self, images: Tensor, labels: Tensor, layer: str, inside: bool, weight: float = 1.0,
        batch_size: int = 16, fit: int = 192, share: float = 0.95, every: int = 1,
        control: bool = False,
    ):
        if images.ndim != 4 or labels.shape != images.shape[:1]:
            raise ValueError(f"images {tuple(images.shape)} and labels {tuple(labels.shape)} must "
                             "be (n, c, h, w) and (n,)")  # fmt: skip
        if batch_size < 1 or fit < 2 or batch_size + fit > len(images):
            raise ValueError(f"batch_size={batch_size} and fit={fit} of {len(images)} images: give "
                             "1 and 2 or more, together at most as many as there are")  # fmt: skip
        if not 0 <= weight < math.inf:
            raise ValueError(f"weight={weight}: give 0 or more")
        if every < 1:
            raise ValueError(f"every={every}: give 1 step or more")
        self.images, self.labels, self.layer, self.inside = images, labels, layer, inside
        self.weight, self.batch_size, self.fit, self.share = weight, batch_size, fit, share
        self.every, self.control = every, control
        self._steps, self._fitted, self._random = 0, None, None

    @property
    def identity(self) -> str:
        return (f"Insensitivity {self.layer} {self.inside} {self.batch_size} {self.fit} "
                f"{self.share} {self.every} {self.control} "
                f"{digest([self.images, self.labels])}")  # fmt: skip

    def __call__(self, model: nn.Module) -> Tensor:
        device = next(model.parameters()).device
        drawn = torch.randperm(len(self.images))[: self.batch_size + self.fit]
        here, fit = drawn[: self.batch_size], drawn[self.batch_size :]
        with evaluating(model):
            if self._steps % self.every == 0:
                basis, scale = _subspace(model, self.layer, self.images[fit].to(device), self.share)
                if self.control:
                    basis = self._random_like(basis)
                self._fitted = basis, scale
            parts = _parts(model, self.layer, self.images[here].to(device),
                           self.labels[here].to(device), *self._fitted,
                           create_graph=True)  # fmt: skip
        self._steps += 1
        return torch.log1p(parts[0] if self.inside else parts[1]).mean()

    def _random_like(self, basis: Tensor) -> Tensor:
        if self._random is None:
            generator = torch.Generator().manual_seed(torch.initial_seed())
            most = torch.randn(len(basis), min(self.fit, len(basis)), generator=generator)
            self._random = torch.linalg.qr(most).Q
        return self._random[:, : basis.shape[1]].to(basis)


def _one(found: dict[str, Tensor], layer: str) -> Tensor:
    if layer not in found:
        raise ValueError(f"layer {layer!r} runs {len(found)} times in one pass; name one that "
                         "runs once, such as the whole area")  # fmt: skip
    return found[layer]
