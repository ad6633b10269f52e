"""Attacks by the gradient: one step (FGSM), many (PGD), and through noise (EOT).

Attacks return the last iterate, whether or not it fools the net: a library that hands back the
clean image where it failed spoils any statistic of perturbations.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brainkit._inputs import check_images, check_logits
from brainkit.attacks.threats import Radius, Threat, threat_of
from brainkit.models.vonenet import silent_part_once

__all__ = ["Averaged", "fgsm", "is_stochastic", "margin", "pgd"]

Loss = Callable[[Tensor, Tensor], Tensor]


class Averaged(nn.Module):
    """A stochastic net as the mean of its logits over several draws of its noise.

    Attack it, and its gradient is the expectation's (EOT, "expectation over transformation":
    Athalye et al. 2018, arXiv 1802.00420); ask it for a label, and the answer is not one draw's.
    Any attack takes it, those of torchattacks and AutoAttack too.

    Args:
        model: images (b, c, h, w) to logits (b, classes), different at each call.
        draws: at each call, 1 or more; time and memory grow with it.
    """

    def __init__(self, model: nn.Module, draws: int):
        super().__init__()
        if isinstance(draws, bool) or not isinstance(draws, int) or draws < 1:
            raise ValueError(f"draws={draws!r}: give a number of draws, 1 or more")
        self.model, self.draws = model, draws
        self.training = model.training  # not train(), which would set the net's parts alike

    def forward(self, images: Tensor) -> Tensor:  # (b, c, h, w) -> (b, classes)
        with silent_part_once(self.model):
            total = self.model(images)
            for _ in range(self.draws - 1):
                total = total + self.model(images)
        return total / self.draws

    def extra_repr(self) -> str:
        return f"draws={self.draws}"


@torch.no_grad()
def is_stochastic(model: nn.Module, images: Tensor) -> bool:
    """Whether `model`, in the mode it is in, answers the same image differently twice."""
    return not torch.equal(model(images[:1]), model(images[:1]))


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """The best wrong logit less the right one: (b, classes), (b,) -> (b,); above 0 is fooled.

    Source: Carlini and Wagner 2017, arXiv 1608.04644, their f6 without its floor.
    """
    right = logits.gather(1, labels[:, None])[:, 0]
    return logits.scatter(1, labels[:, None], -torch.inf).amax(1) - right


def pgd(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    epsilon: Radius,
    steps: int = 10,
    step: Radius | None = None,
    random_start: bool = True,
    *,
    threat: str | Threat = "Linf",
    targets: Tensor | None = None,
    draws: int = 1,
    start: Tensor | None = None,
    loss: Loss | None = None,
) -> Tensor:
    """Projected gradient ascent of a loss within a ball.

    Args:
        model: images (b, c, h, w) in [0, 1] to logits (b, classes); attacked in the mode it is in.
        images, labels: (b, c, h, w) and (b,).
        epsilon: radius of the ball; one number, or (b,), one for each image.
        steps: how many.
        step: their length; 2.5 epsilon / steps if not given, which lets an image cross the ball.
        random_start: begin at a random point of the ball (torch's global generator).
        threat: "Linf", "L2", "L1", or a `Threat`.
        targets: (b,) classes to be taken for; then the loss towards them falls.
        draws: of a stochastic net's noise, over which the logits are averaged in each step.
        start: (b, c, h, w) to begin at, in place of a random point; projected first.
        loss: (logits, labels) -> (b,), to be raised; cross-entropy if not given.

    Returns:
        The attacked images (b, c, h, w) after the last step, detached; the weights' gradients are
        left alone.

    Raises:
        ValueError: images outside [0, 1] (a normalised batch: put the normalisation into the
            net), or labels that do not fit; a negative epsilon or step, or fewer than 1 step.
        FloatingPointError: a gradient that is not finite.

    Source: Madry et al. 2018, arXiv 1706.06083.
    """
    threat = threat_of(threat)
    _check(images, labels, epsilon, steps, step)
    if targets is not None and targets.shape != labels.shape:
        raise ValueError(f"targets {tuple(targets.shape)} for {len(images)} images: give one each")
    step = 2.5 * epsilon / steps if step is None else step
    images = images.detach()
    if start is not None:
        attacked = threat.project(images, start.detach(), epsilon)
    else:
        attacked = threat.random(images, epsilon) if random_start else images
    asked = model if draws == 1 else Averaged(model, draws)
    sign, wanted = (1, labels) if targets is None else (-1, targets)
    for _ in range(steps):
        _, gradient = gradient_of(asked, attacked, wanted, loss)
        attacked = attacked + threat.step(sign * gradient, step, attacked)
        attacked = threat.project(images, attacked, epsilon)
    return attacked


def fgsm(model: nn.Module, images: Tensor, labels: Tensor, epsilon: Radius, **options) -> Tensor:
    """The fast gradient (sign) method: one step of length epsilon, from the image itself.

    Arguments, result and errors as `pgd`'s. Source: Goodfellow et al. 2015, arXiv 1412.6572.
    """
    return pgd(model, images, labels, epsilon, 1, epsilon, random_start=False, **options)


def gradient_of(
    model: nn.Module, images: Tensor, labels: Tensor, loss: Loss | None = None
) -> tuple[Tensor, Tensor]:
    """Logits (b, classes) and the loss's gradient by the images (b, c, h, w), both detached."""
    images = images.detach().requires_grad_()
    with torch.enable_grad():
        logits = model(images)
        check_logits(logits, len(images), int(labels.max()))
        # The sum, so that an image's gradient does not depend on its company.
        if loss is None:
            total = F.cross_entropy(logits, labels, reduction="sum")
        else:
            total = loss(logits, labels).sum()
    if not total.requires_grad:
        raise RuntimeError(
            "the loss does not require grad by the images: the net cuts them off (detach, "
            "no_grad, NumPy), so there is no gradient to follow"
        )
    (gradient,) = torch.autograd.grad(total, images)
    if not gradient.isfinite().all():
        raise FloatingPointError(
            "the gradient by the images is not finite: a square root or logarithm at 0 in the net?"
        )
    return logits.detach(), gradient


@contextlib.contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Within it the net is in eval mode; afterwards each module is as it was."""
    before = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in before:
            module.training = training


def _check(images, labels, epsilon, steps, step) -> None:
    check_images(images)
    if labels.shape != images.shape[:1] or labels.is_floating_point():
        raise ValueError(f"labels {tuple(labels.shape)}, {labels.dtype}, for "
                         f"{len(images)} images: give a class index for each")  # fmt: skip
    radii = [torch.as_tensor(r) for r in (epsilon, step) if r is not None]
    # Written so that NaN is caught as well.
    if not all(bool((r >= 0).all()) for r in radii) or steps < 1:
        raise ValueError(f"epsilon={epsilon}, step={step}, steps={steps}: give radii of 0 or more "
                         "and 1 step or more")  # fmt: skip
    if any(r.ndim and r.shape != labels.shape for r in radii):
        raise ValueError(f"epsilon and step are numbers, or one for each of {len(images)} images")
