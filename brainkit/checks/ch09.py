"""Checks of chapter 9, adversarial attacks."""

import torch
from torch import nn
from torch.nn import functional as F

from brainkit import attacks

from .machinery import Misconception, check, compare, tensor


def _net():
    """A small smooth net, its images (6, 1, 5, 5), their labels, and other classes."""
    generator = torch.Generator().manual_seed(3)

    def random(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    net = nn.Sequential(nn.Flatten(), nn.Linear(25, 20), nn.Tanh(), nn.Linear(20, 4)).double()
    for parameter in net.parameters():
        parameter.data = random(*parameter.shape) / 3
    net.requires_grad_(False)
    images = torch.rand(6, 1, 5, 5, generator=generator, dtype=torch.float64)
    images = images.mul(1.2).sub(0.1).clamp(0, 1)  # some at the ends of the range
    labels = torch.arange(6) % 4
    return net, images, labels, (labels + 1) % 4


def _gradient(net, images, labels):
    images = images.detach().clone().requires_grad_()
    loss = F.cross_entropy(net(images), labels, reduction="sum")
    return torch.autograd.grad(loss, images)[0]


@check("ch09.fgsm")
def fgsm(answer):
    """answer(net, images (n, c, h, w), labels (n,), epsilon, targets=None) -> attacked images."""
    net, images, labels, targets = _net()
    epsilon = 0.1
    g = _gradient(net, images, labels)
    flat = g / g.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    found = tensor(answer(net, images.clone(), labels, epsilon), "The result")
    compare(found, attacks.fgsm(net, images, labels, epsilon), what="Without targets the result",
            wrong=[
        (images - epsilon * g.sign(), "You went down: the loss of the right class falls, and the "
         "net gets surer. And the result leaves [0, 1].", "Training descends; an attack ascends."),
        ((images - epsilon * g.sign()).clamp(0, 1), "You went down: the loss of the right class "
         "falls, and the net gets surer.", "Training descends; an attack ascends."),
        (images + epsilon * g.sign(), "The result leaves [0, 1]: it is no image any more.",
         "`.clamp(0, 1)` at the end."),
        ((images + epsilon * flat).clamp(0, 1), "You normalised the gradient. That is the best "
         "step for a budget in L2; for one on each number it is the sign."),
        (images + epsilon * flat, "You normalised the gradient. That is the best step for a budget "
         "in L2; for one on each number it is the sign."),
        ((images + epsilon * g).clamp(0, 1), "You added the gradient itself. Its size says nothing "
         "about how far you may go; only its sign is wanted."),
        (images + epsilon * g, "You added the gradient itself. Its size says nothing about how far "
         "you may go; only its sign is wanted."),
        (epsilon * g.sign(), "That is the perturbation. Add it to the images."),
    ])
    h = _gradient(net, images, targets)
    found = tensor(answer(net, images.clone(), labels, epsilon, targets), "The result")
    compare(found, attacks.fgsm(net, images, labels, epsilon, targets=targets),
            what="With targets the result", wrong=[
        ((images + epsilon * g.sign()).clamp(0, 1), "With `targets` given you still move away from "
         "`labels`.", "Which class is the loss taken of?"),
        ((images + epsilon * h.sign()).clamp(0, 1), "You move *away* from the targets: their loss "
         "must fall, so that their chance rises.", "The sign of the step depends on the goal."),
        ((images - epsilon * g.sign()).clamp(0, 1), "You lower the loss of `labels`. That of "
         "`targets` is to fall."),
        (images - epsilon * h.sign(), "With targets the result leaves [0, 1]."),
    ])
    return "One step, two goals: away from a class up its loss, towards a class down its loss."


def _pgd(net, images, labels, epsilon, steps, step, start, *, project=None, sign=1, shape=None,
         at=None):
    moved = start
    for _ in range(steps):
        g = _gradient(net, moved if at is None else at, labels)
        g = g.sign() if shape is None else shape(g)
        before, moved = moved, moved + sign * step * g
        moved = (project or _total)(images, before, moved, epsilon)
    return moved


def _total(images, before, moved, epsilon):
    return (images + (moved - images).clamp(-epsilon, epsilon)).clamp(0, 1)


def _unclipped(images, before, moved, epsilon):
    return images + (moved - images).clamp(-epsilon, epsilon)


def _range(images, before, moved, epsilon):
    return moved.clamp(0, 1)


def _itself(images, before, moved, epsilon):
    return moved.clamp(-epsilon, epsilon)


def _l2(g):
    return g / g.flatten(1).norm(dim=1).view(-1, 1, 1, 1)


@check("ch09.pgd")
def pgd(answer):
    """answer(net, images, labels, epsilon, steps, step, start) -> images within epsilon."""
    net, images, labels, _ = _net()
    epsilon, steps, step = 0.1, 6, 0.04
    noise = torch.Generator().manual_seed(8)
    start = images + epsilon * (2 * torch.rand(images.shape, generator=noise,
                                               dtype=torch.float64) - 1)
    start = start.clamp(0, 1)
    given = (net, images, labels, epsilon, steps, step, start)
    found = tensor(answer(net, images.clone(), labels, epsilon, steps, step, start.clone()),
                   "The result")
    away = ("The result is farther than `epsilon` from the images: after each step project the "
            "*total* change, `moved - images`. To clip the last step alone lets steps add up.")
    zeros = torch.zeros_like(images)
    once = _pgd(*given, project=lambda images, before, moved, epsilon: moved)
    compare(found, attacks.pgd(net, images, labels, epsilon, steps, step, start=start),
            what="The result", wrong=[
        (_pgd(*given, sign=-1), "You went down: the loss falls, and the net gets surer.",
         "Training descends; an attack ascends."),
        (_pgd(*given, project=_range), away, "`(moved - images).clamp(-epsilon, epsilon)`"),
        (once, away, "`(moved - images).clamp(-epsilon, epsilon)`"),
        (_pgd(*given, project=_unclipped), "The result leaves [0, 1]: it is no image any more.",
         "Clip to [0, 1] after you have clipped the change."),
        (_total(images, images, once, epsilon), "You project once, at the end. So the steps wander "
         "where the attack may not go, and what is brought back is not the best within.",
         "The projection belongs into the loop."),
        (_pgd(*given, shape=_l2), "You normalised the gradient, as for a budget in L2. Here each "
         "number has its own budget: take the sign."),
        (_pgd(*given, at=images), "You take the gradient at the images in every step. Then all "
         "steps are one: look anew at each point.", "`x = moved.clone()`, not `images.clone()`."),
        (_pgd(*given, at=start), "You take the gradient at the start in every step. Look anew at "
         "each point."),
        (_pgd(*given[:-1], images), "You begin at the images; begin at `start`."),
        (_pgd(*given, project=_itself), "You clipped the images themselves to ±epsilon, not their "
         "change.", "`images + (moved - images).clamp(...)`"),
        (_pgd(*given) - images, "That is the perturbation. Return the attacked images."),
        (_pgd(net, images, labels, epsilon, 1, step, start), "You took one step. Is the `return` "
         "inside the loop?"),
        (zeros, "The result is zero everywhere."),
    ])
    return "The same as `attacks.pgd`, step by step."


@check("ch09.straight_through")
def straight_through(answer):
    """answer(x, levels) -> x rounded to multiples of 1/levels, with gradient 1 by x."""
    x = torch.linspace(0.013, 0.987, 24, dtype=torch.float64).view(2, 1, 3, 4)
    levels = 8
    rounded = (levels * x).round() / levels
    asked = x.clone().requires_grad_()
    given = answer(asked, levels)
    found = tensor(given, "The result")
    compare(found, rounded, what="The result", wrong=[
        (x, "Nothing is rounded. The net must see what `Stairs` would show it; only the gradient "
         "pretends."),
        (x.round(), "You rounded to whole numbers. Multiply by `levels` first, divide after."),
        ((levels * x).round(), "Divide by `levels` after rounding."),
        ((levels * x).floor() / levels, "You rounded down; `Stairs` takes the nearest level."),
        (x + rounded, "Value and correction are mixed up: what must be added to `x` so that the "
         "sum is the rounded picture?", "`rounded - x`, detached."),
        (2 * x - rounded, "You took the correction off instead of adding it."),
    ])
    if not isinstance(given, torch.Tensor) or not given.requires_grad:
        raise Misconception("The values are right, but no gradient flows back: all of it is "
                            "detached.", "Detach only the correction, `rounded - x`.")
    weights = torch.arange(1.0, 25, dtype=torch.float64).view_as(x)  # tells elements apart
    (slope,) = torch.autograd.grad((weights * given).sum(), asked, allow_unused=True)
    if slope is None or not slope.any():
        raise Misconception("The values are right, but the gradient is zero: it went through "
                            "`round`, which is flat.", "`x + (rounded - x).detach()`")
    compare(slope / weights, torch.ones_like(x), what="The gradient", wrong=[
        (2 * torch.ones_like(x), "The gradient is 2, not 1: x enters twice."),
        (-torch.ones_like(x), "The gradient is -1: the attack would go the wrong way."),
        (levels * torch.ones_like(x), "The gradient is `levels`, not 1: round, then divide, within "
         "what is detached."),
    ])
    return "The net sees the stairs, the attack a ramp: BPDA in one line."
