"""Planted wrong answers to chapter 9's exercises, each with what its check must say."""

from mutants.changing import but, returning

NAMESPACE = {}

_FGSM = """
def fgsm(net, images, labels, epsilon, targets=None):
    images = images.clone().requires_grad_()
    wanted, sign = (labels, 1) if targets is None else (targets, -1)
    loss = F.cross_entropy(net(images), wanted, reduction="sum")
    gradient = torch.autograd.grad(loss, images)[0]
    return (images + sign * epsilon * gradient.sign()).clamp(0, 1).detach()
"""

_PGD = """
def pgd(net, images, labels, epsilon, steps, step, start):
    moved = start
    for _ in range(steps):
        x = moved.clone().requires_grad_()
        loss = F.cross_entropy(net(x), labels, reduction="sum")
        moved = moved + step * torch.autograd.grad(loss, x)[0].sign()
        moved = (images + (moved - images).clamp(-epsilon, epsilon)).clamp(0, 1)
    return moved.detach()
"""

_STRAIGHT = """
def straight_through(x, levels):
    rounded = (levels * x).round() / levels
    return x + (rounded - x).detach()
"""

_PROJECT = "        moved = (images + (moved - images).clamp(-epsilon, epsilon)).clamp(0, 1)\n"
_UNIT = "torch.nn.functional.normalize(torch.autograd.grad(loss, x)[0].flatten(1)).view_as(x)"

MUTANTS = {
    "ch09.fgsm": [
        (but(_FGSM, ("(labels, 1)", "(labels, -1)"), ("(targets, -1)", "(targets, 1)")),
         "You went down"),
        (but(_FGSM, (".clamp(0, 1)", "")), "leaves [0, 1]"),
        (but(_FGSM, ("gradient.sign()", "gradient")), "the gradient itself"),
        (but(_FGSM, ("gradient.sign()", "gradient / gradient.flatten(1).norm(dim=1).view("
                     "-1, 1, 1, 1)")), "You normalised the gradient"),
        (but(_FGSM, ("(targets, -1)", "(labels, 1)")), "still move away from `labels`"),
        (but(_FGSM, ("(targets, -1)", "(targets, 1)")), "*away* from the targets"),
        (but(_FGSM, ("(targets, -1)", "(labels, -1)")), "lower the loss of `labels`"),
        (returning(_FGSM, "(sign * epsilon * gradient.sign()).detach()"), "the perturbation"),
    ],
    "ch09.pgd": [
        (but(_PGD, ("moved + step", "moved - step")), "You went down"),
        (but(_PGD, ("(images + (moved - images).clamp(-epsilon, epsilon))",
                    "(x.detach() + (moved - x.detach()).clamp(-epsilon, epsilon))")),
         "clip the last step alone"),
        (but(_PGD, (_PROJECT, "        moved = moved.clamp(0, 1)\n")),
         "farther than `epsilon`"),
        (but(_PGD, (".clamp(0, 1)", "")), "leaves [0, 1]"),
        (but(_PGD, (_PROJECT, _PROJECT[4:])), "project once, at the end"),
        (but(_PGD, ("torch.autograd.grad(loss, x)[0].sign()", _UNIT)), "normalised the gradient"),
        (but(_PGD, ("x = moved.clone()", "x = images.clone()")), "at the images in every step"),
        (but(_PGD, ("moved = start", "moved = images")), "begin at `start`"),
        (returning(_PGD, "(moved - images).detach()"), "the perturbation"),
        (but(_PGD, ("    return moved", "        return moved")), "You took one step"),
    ],
    "ch09.straight_through": [
        (returning(_STRAIGHT, "rounded"), "the gradient is zero"),
        (returning(_STRAIGHT, "(x + rounded - x).detach()"), "all of it is detached"),
        (returning(_STRAIGHT, "x"), "Nothing is rounded"),
        (returning(_STRAIGHT, "x + rounded.detach()"), "mixed up"),
        (returning(_STRAIGHT, "x - (rounded - x).detach()"), "instead of adding"),
        (but(_STRAIGHT, ("(levels * x).round() / levels", "x.round()")), "whole numbers"),
        (but(_STRAIGHT, (".round() / levels", ".round()")), "Divide by `levels`"),
        (but(_STRAIGHT, (".round()", ".floor()")), "rounded down"),
        (returning(_STRAIGHT, "2 * x + (rounded - 2 * x).detach()"), "x enters twice"),
    ],
}
