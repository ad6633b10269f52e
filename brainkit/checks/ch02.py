"""Checks of chapter 2, CNNs and humans."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from .machinery import Misconception, NotYet, check, compare, same, tensor


@check("ch02.shape_bias")
def shape_bias(answer):
    """answer(shape (n,), texture (n,), response (n,)) -> shape / (shape + texture) decisions."""
    shape = np.array(["cat"] * 10 + ["dog"] * 6 + ["car"] * 4)
    texture = np.array(["dog"] * 8 + ["cat"] * 2 + ["car"] * 4 + ["dog"] * 2 + ["cat"] * 4)
    response = np.array(["cat"] * 5 + ["dog"] * 2 + ["car"] + ["cat", "dog"]
                        + ["dog"] * 3 + ["car"] + ["dog", "na"] + ["car", "cat", "na", "oven"])
    conflict = shape != texture
    by_shape, by_texture = response == shape, response == texture
    s, t = (conflict & by_shape).sum(), (conflict & by_texture).sum()  # 9 and 4 of 16
    n = len(shape)
    wrong = [
        (t / (s + t), "That is the *texture* bias: of the two counts, the shape's goes into the "
                      "numerator."),
        (s / t, "You divided the shape decisions by the texture decisions. A fraction has both "
                "in its denominator.", "It must lie between 0 and 1."),
        (by_shape.sum() / n,
         "You counted all trials, so this is the accuracy by shape. Responses that name neither "
         "cue, and pictures whose two cues agree, say nothing about which cue was used.",
         "Divide by the decisions for the shape *or* the texture."),
        (s / conflict.sum(),
         "You divided by all trials with a conflict. A response that names neither cue decides "
         "for neither, so it does not belong in the denominator.",
         "Count the texture decisions as well, and divide by the sum of both counts."),
        (s / n,
         "You divided by the number of all trials. Only decisions for one of the two cues "
         "belong in the denominator."),
        (by_shape.sum() / (by_shape.sum() + by_texture.sum()),
         "Pictures whose shape and texture are of the same category are still counted. There is "
         "no conflict in them: a right answer goes by either cue.",
         "Leave them out first: `conflict = shape != texture`."),
        (by_shape.sum() / (by_shape | by_texture).sum(),
         "Pictures whose shape and texture are of the same category are still counted. There is "
         "no conflict in them: a right answer goes by either cue.",
         "Leave them out first: `conflict = shape != texture`."),
    ]
    got = tensor(answer(shape, texture, response), "The shape bias")
    if got.ndim:
        raise Misconception(f"Your answer has shape {tuple(got.shape)}; one number for all trials "
                            "was asked for.", "Sum before you divide.")
    if same(got, 100 * s / (s + t)):
        raise Misconception("That is in percent; a fraction between 0 and 1 was asked for.")
    compare(got, s / (s + t), wrong, what="The shape bias")
    # Only texture decisions: a formula with the counts mixed up may have passed by luck.
    compare(answer(shape[:8], texture[:8], np.array(["dog"] * 8)), 0.0, what="The shape bias of "
            "an observer who always goes by the texture")
    return ("Shape decisions among those for either cue, over pictures in which the cues "
            "disagree. `brainkit.brainscore.shape_bias` computes the same.")


@check("ch02.error_consistency")
def error_consistency(answer):
    """answer(right_1 (n,) bool, right_2 (n,) bool) -> Cohen's kappa of the two."""
    a = np.array([1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 0], dtype=bool)
    b = np.array([1, 1, 1, 1, 0, 1, 0, 1, 0, 1, 0, 0], dtype=bool)
    p, q = a.mean(), b.mean()
    observed, expected = (a == b).mean(), p * q + (1 - p) * (1 - q)
    kappa = (observed - expected) / (1 - expected)
    got = tensor(answer(a, b), "The error consistency")
    if got.ndim:
        raise Misconception(f"Your answer has shape {tuple(got.shape)}; one number for all "
                            "pictures was asked for.", "`.mean()` over the pictures.")
    compare(got, kappa, what="The error consistency", wrong=[
        (observed, "That is the share of pictures on which the two agree. Two observers who are "
                   "both right 90 % of the time agree on most pictures by accuracy alone.",
         "Subtract what independent observers of these accuracies would reach."),
        (observed - expected, "You subtracted the expected agreement and stopped there. Divide "
                              "by 1 - c_exp, the most that could be left, so that the same "
                              "errors give 1."),
        ((observed - expected) / expected, "You divided by c_exp; the most that is left above "
                                           "chance is 1 - c_exp."),
        (((a & b).mean() - p * q) / (1 - p * q),
         "You count agreement only where both are right. Two observers who are both *wrong* on "
         "a picture agree about it too.", "Use `right_1 == right_2`."),
        ((observed - p * q) / (1 - p * q),
         "Your c_exp holds only the chance of both being right. Independent observers also agree "
         "when both are wrong, with probability (1 - p_1)(1 - p_2)."),
        ((observed - 0.5) / 0.5,
         "You took 0.5 for the expected agreement. That holds for two coins; observers with "
         "accuracies p_1 and p_2 agree by chance more often, the better they are.",
         "p_1 p_2 + (1 - p_1)(1 - p_2)"),
        (((a & b).mean() - expected) / (1 - expected),
         "Your c_obs counts only pictures on which both are right. Both wrong is agreement too.",
         "Use `right_1 == right_2`."),
        (np.corrcoef(a, b)[0, 1],
         "That is the correlation of the two. It is a relative of kappa, and equal to it only "
         "where both accuracies are the same."),
    ])
    compare(answer(a, ~a), (0 - 2 * p * (1 - p)) / (1 - 2 * p * (1 - p)),
            what="The error consistency of two observers who never agree")
    compare(answer(a, a), 1.0, what="The error consistency of an observer with itself")
    return ("Agreement beyond what the two accuracies imply. "
            "`brainkit.brainscore.error_consistency` computes the same, and answers with NaN "
            "where nothing is left to explain: two observers who are always right.")


def _attack_net():
    """A small net in double precision whose loss rises along the gradient everywhere nearby."""
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(4 * 16, 3)).double()


@check("ch02.fgsm_step")
def fgsm_step(answer):
    """answer(net, images (n,c,h,w), labels (n,), epsilon) -> images one signed step away."""
    net = _attack_net()
    images = torch.rand(4, 2, 6, 6, dtype=torch.double)
    images[:, :, 0] = torch.tensor([0.0, 1.0, 0.001, 0.999, 0.002, 0.998]).double()  # at the ends
    labels, epsilon = torch.tensor([0, 1, 2, 1]), 8 / 255

    x = images.clone().requires_grad_()
    loss = F.cross_entropy(net(x), labels)
    (slope,) = torch.autograd.grad(loss, x)
    scores = net(x)
    (top_slope,) = torch.autograd.grad(scores.max(1).values.sum(), x, retain_graph=True)
    (own_slope,) = torch.autograd.grad(F.cross_entropy(scores, scores.argmax(1)), x)
    want = (images + epsilon * slope.sign()).clamp(0, 1)

    out = answer(net, images, labels, epsilon)
    if isinstance(out, torch.Tensor) and out.requires_grad:
        raise Misconception(
            "The images you return still carry the graph of the net that made them, which keeps "
            "it in memory and follows them into the next step.", "End with `.detach()`.")
    if images.requires_grad:
        raise Misconception(
            "After your function the caller's own images ask for gradients: `requires_grad_()` "
            "was called on the tensor that came in.", "Call it on `images.clone()`.")
    got = tensor(out, "The adversarial batch")
    if same(got, images, 1e-9):
        raise NotYet("`fgsm_step` returns the images as they came: write the step, run its cell, "
                     "then this one.")
    if any(p.grad is not None for p in net.parameters()):
        raise Misconception(
            "Your function left gradients in the net's parameters: whoever trains the net next "
            "would add them to their own.", "`torch.autograd.grad(loss, images)` asks for the "
            "images' gradient alone; `loss.backward()` fills every tensor that requires one.")
    unclipped = images + epsilon * slope.sign()
    far = (images + 255 * epsilon * slope.sign()).clamp(0, 1)
    compare(got, want, tolerance=1e-6, what="The adversarial batch", wrong=[
        ((images - epsilon * slope.sign()).clamp(0, 1),
         "You went *down* the loss, as training does: the net becomes more certain of the right "
         "answer. An attack goes up.", "Add the step, do not subtract it."),
        (images - epsilon * slope.sign(),
         "You went *down* the loss, as training does: the net becomes more certain of the right "
         "answer. An attack goes up.", "Add the step, do not subtract it."),
        (unclipped, "Some of your values leave [0, 1]: that is no image any more, and no file "
                    "could hold it.", "`.clamp(0, 1)`"),
        ((images + epsilon * slope).clamp(0, 1),
         "You added the gradient itself. Its values are tiny where the net is certain, so the "
         "step almost vanishes; the method takes its *sign*, a step of size epsilon everywhere.",
         "`gradient.sign()`"),
        (images + epsilon * slope,
         "You added the gradient itself. Its values are tiny where the net is certain, so the "
         "step almost vanishes; the method takes its *sign*, a step of size epsilon everywhere.",
         "`gradient.sign()`"),
        ((images + epsilon / 255 * slope.sign()).clamp(0, 1),
         "You divided epsilon by 255 once more. It comes in the images' own units, in which one "
         "grey level is 1/255 already."),
        (far, "You multiplied epsilon by 255. It comes in the images' own units, in which one "
              "grey level is 1/255 already."),
        ((images + epsilon * top_slope.sign()).clamp(0, 1),
         "You followed the gradient of the largest score, which makes the net *more* certain of "
         "what it says. The loss of the given labels is what should grow."),
        ((images + epsilon * own_slope.sign()).clamp(0, 1),
         "You attacked what the net says instead of the labels that were given. Where the net is "
         "wrong already, the two differ.", "Use `labels` in the loss."),
        ((epsilon * slope.sign()),
         "You returned the step alone. Add it to the images."),
    ])
    return ("One signed step up the loss, back into [0, 1]. Nothing in it knows what the "
            "photograph shows.")
