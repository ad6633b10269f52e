"""Adversarial attacks: the smallest that a net has to be trained against, so far.

Images are in [0, 1] and stay there; epsilon is in the same unit, so 1/255 is one grey level.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["pgd"]


def pgd(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    epsilon: float,
    steps: int = 10,
    step: float | None = None,
    random_start: bool = True,
) -> Tensor:
    """Projected gradient ascent of the cross-entropy within an L-infinity ball.

    Args:
        model: images (b, c, h, w) in [0, 1] to logits (b, classes); attacked in the mode it is in.
        images, labels: (b, c, h, w) and (b,).
        epsilon: radius of the ball.
        steps: signed gradient steps.
        step: their size; 2.5 epsilon / steps if not given, which lets an image cross the ball.
        random_start: begin at a random point of the ball (torch's global generator).

    Returns:
        The attacked images (b, c, h, w), detached; the weights' gradients are left alone.

    Raises:
        ValueError: a negative epsilon or step, or fewer than 1 step.

    Source: Madry et al. 2018, arXiv 1706.06083.
    """
    if epsilon < 0 or (step is not None and step < 0) or steps < 1:
        raise ValueError(f"epsilon={epsilon}, step={step}, steps={steps}: give radii of 0 or more "
                         "and 1 step or more")  # fmt: skip
    step = 2.5 * epsilon / steps if step is None else step
    attacked = images.detach()
    if random_start:
        attacked = attacked + epsilon * (2 * torch.rand_like(images) - 1)
        attacked = attacked.clamp(0, 1)
    for _ in range(steps):
        attacked.requires_grad_()
        with torch.enable_grad():
            # The sum, so that an image's gradient does not depend on its company.
            loss = F.cross_entropy(model(attacked), labels, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, attacked)
        attacked = attacked.detach() + step * gradient.sign()
        attacked = images + (attacked - images).clamp(-epsilon, epsilon)
        attacked = attacked.clamp(0, 1).detach()
    return attacked
