"""Checks of chapter 6, VOneNet."""

import numpy as np
import torch
from torch import nn

from brainkit.models.v1_neurons import FREQUENCIES
from brainkit.models.vonenet import Noise

from .machinery import Misconception, check, compare, same, tensor


@check("ch06.draw_frequencies")
def draw_frequencies(answer):
    """answer(u (n,), edges (k+1,), counts (k,)) -> (n,): quantiles, even in octaves in a bin."""
    u = (np.arange(400) + 0.5) / 400
    histograms = [tuple(np.array(part, float) for part in FREQUENCIES),
                  (np.array([1.0, 2.0, 8.0]), np.array([1.0, 3.0]))]
    for edges, counts in histograms:
        found = tensor(answer(u.copy(), edges.copy(), counts.copy()), "The result")
        steps = np.log2(edges)
        reached = np.concatenate([[0], counts.cumsum() / counts.sum()])
        even = np.linspace(0, 1, len(edges))
        at = np.searchsorted(reached, u, side="right") - 1
        density = (counts / np.diff(edges)).cumsum()
        density = np.concatenate([[0], density / density[-1]])
        want = 2 ** np.interp(u, reached, steps)
        compare(found, want, what="The result", wrong=[
            (2 ** np.interp(u, even, steps), "Every bin gets as many cells as any other: the "
             "counts have no effect yet.", "Put the *shares*, counts over their sum, end to end."),
            (np.interp(u, reached, edges), "Within a bin you spread the cells evenly in cycles per "
             "degree. The exercise asks for even in octaves: interpolate log2 of the edges, then "
             "raise 2 to the result."),
            (np.interp(u, reached, steps), "You returned octaves, the logarithm to base 2. Raise "
             "2 to it."),
            (np.exp(np.interp(u, reached, steps)), "You took the logarithm to base 2 and undid "
             "another one.", "`2 ** ...` undoes `np.log2`."),
            (edges[at], "Every cell gets its bin's lower edge: eight frequencies in all. Say how "
             "far into the bin u lies, too.", "`np.interp` does it."),
            (edges[at + 1], "Every cell gets its bin's upper edge: eight frequencies in all. Say "
             "how far into the bin u lies, too.", "`np.interp` does it."),
            (np.sqrt(edges[at] * edges[at + 1]), "Every cell gets its bin's middle: eight "
             "frequencies in all. Say how far into the bin u lies, too.", "`np.interp` does it."),
            (2 ** np.interp(u, np.concatenate([[0], counts.cumsum()]), steps), "You put the counts "
             "end to end, not the shares: they reach to their sum, while u stays below 1, so all "
             "cells fall into the first bin.", "Divide by `counts.sum()`."),
            (2 ** np.interp(u, reached[1:], steps[1:]), "The running sum lacks its start: no "
             "share is reached at the lowest edge. Put a 0 before it, so that the first bin has "
             "two ends.", "`np.concatenate([[0], ...])`"),
            (2 ** np.interp(u, reached[1:], steps[:-1]), "The running sum lacks its start, and so "
             "every bin is shifted down by one. Put a 0 before it, so that there are as many "
             "values as edges.", "`np.concatenate([[0], ...])`"),
            (2 ** np.interp(u, density, steps), "You divided the counts by the width of their "
             "bins. A share is already what it is: the bin's probability.",
             "Use `counts / counts.sum()`."),
        ])
    shuffled = tensor(answer(u[::-1].copy(), edges.copy(), counts.copy()), "The result")
    if not same(shuffled, want[::-1].copy()):
        raise Misconception("The result does not follow `u` number by number: cell i must depend "
                            "on `u[i]` alone.", "Do not draw or sort within the function.")
    return ("The quantiles of the histogram: uniform numbers go in, V1's distribution comes out. "
            "The same construction draws orientations and widths.")


@check("ch06.fano")
def fano(answer):
    """answer(counts (repeats, cells)) -> (cells,): variance over mean, across repeats."""
    mean = torch.tensor([0.5, 2.0, 4.0, 9.0, 20.0])
    counts = torch.poisson(mean.expand(40, -1)) + torch.tensor([0.0, 0, 0, 3, 0])
    found = tensor(answer(counts), "The result")
    c = counts.double()
    average = c.mean(0)
    want = c.var(0) / average
    if same(found, c.var(0, unbiased=False) / average):
        found = want  # dividing by n, not n - 1, is a matter of taste here
    compare(found, want, what="The result", wrong=[
        (c.std(0) / average, "You divided the standard deviation by the mean: that is the "
         "coefficient of variation. Of a Poisson process it falls as the mean grows, where "
         "variance over mean stays at 1."),
        (c.std(0, unbiased=False) / average, "You divided the standard deviation by the mean: "
         "that is the coefficient of variation. Square the standard deviation."),
        (average / c.var(0), "You divided the mean by the variance: upside down."),
        (average / c.var(0, unbiased=False), "You divided the mean by the variance: upside down."),
        (c.var(0), "That is the variance alone. Divide by each cell's mean."),
        (c.var(0) / average**2, "You divided by the square of the mean. That measures the noise "
         "relative to the signal, and depends on the mean."),
        (c.square().mean(0) / average, "You took the mean of the squares. The variance is the "
         "mean square of the *deviations* from the mean."),
        (c.var(1) / c.mean(1), "You took mean and variance across cells, one repeat at a time. "
         "That measures how cells differ from each other; the noise is how one cell differs from "
         "itself.", "Reduce over the first axis, the repeats."),
        (c.var(0) / c.mean(), "You divided by the mean of all cells. Each cell has its own."),
        (c.var(0).mean() / c.mean(), "You averaged over the cells first. Return one number for "
         "each cell."),
        ((c.var(0) / average).mean(), "You averaged over the cells. Return one number for each "
         "cell."),
        (c.var() / c.mean(), "You took mean and variance over everything: that mixes the noise "
         "with the differences between cells.", "Reduce over the first axis only."),
    ])
    return ("One number for each cell: 1 for a Poisson process whatever its rate, less for a cell "
            "more regular than that, more for one whose rate itself varies.")


class _Noisy(nn.Module):
    """Two logits, whose difference is a weighted sum of a noisy image; counts its passes."""

    weight = torch.tensor([1.0, -2.0, 0.5, 1.5])

    def __init__(self):
        super().__init__()
        self.noise = Noise("gaussian", scale=1.0)
        self.rows = 0

    def forward(self, images):
        self.rows += len(images)
        z = self.noise(images).flatten(1) @ self.weight  # (b,)
        return torch.stack([torch.zeros_like(z), 3 * z], 1)


@check("ch06.averaged_gradient")
def averaged_gradient(answer):
    """answer(net, images, labels, draws) -> as images: mean over draws of the loss's gradient."""
    images = torch.tensor([[0.5, 0.6, 0.9, 0.4], [0.9, 0.5, 0.3, 0.2], [0.7, 0.2, 0.4, 0.9]])
    images = images.reshape(3, 1, 2, 2)
    labels = torch.tensor([0, 1, 0])
    draws = 1500

    net = _Noisy()
    found = tensor(answer(net, images.clone(), labels, draws), "The gradient")
    if net.rows == 0:
        raise Misconception("Your function never runs the net.")
    if net.rows < 0.9 * draws * len(images):
        raise Misconception(
            f"With {draws} draws asked for, the net ran {net.rows / len(images):.0f} time(s) over "
            "the images: one draw's gradient, or few, is not yet the mean.",
            "Loop over `range(draws)` and run the net in each turn.")

    def gradients(mode, n):
        """Each draw's gradient, by the same net: (n, 3, 1, 2, 2). All draws are one batch."""
        own = _Noisy()
        own.noise.mode = mode
        x = images.repeat(n, 1, 1, 1).requires_grad_()
        loss = nn.functional.cross_entropy(own(x), labels.repeat(n), reduction="sum")
        return torch.autograd.grad(loss, x)[0].double().unflatten(0, (n, len(images)))

    each = gradients("gaussian", draws)
    want, quiet = each.mean(0), gradients(None, 1)[0]

    def near(value):
        """Whether the answer is `value` up to chance, some 3 % of it after 1,500 draws."""
        room = 0.1 * float(value.abs().max())
        return found.shape == value.shape and float((found - value).abs().max()) < room

    if near(quiet):
        raise Misconception("This is the gradient of the net without its noise. That is another "
                            "net, and its slope is not the mean slope of the noisy one.",
                            "Leave the noise on.")
    few = [tensor(answer(_Noisy(), images.clone(), labels, 2), "The gradient") for _ in range(3)]
    if same(few[0], few[1]) and same(few[1], few[2]):
        raise Misconception("Every call gives the same gradient: your draws are all one draw, "
                            "repeated.", "Do not fix the seed inside the loop.")
    if not near(want):
        for value, message, *hint in (
            (want.sign(), "You returned signs. The average of many gradients was asked for; what "
             "the attack makes of it comes later.", "Leave `.sign()` to the attack."),
            (each.sign().mean(0), "You averaged the signs of the gradients. A draw that hardly "
             "matters then weighs as much as one that decides: average first, take signs later."),
            (want * draws, "You added the draws' gradients without dividing by their number."),
            (want / len(images), "Your loss is the mean over the batch, so that each image's "
             "gradient is divided by the number of images. For signs that is no matter, for "
             "anything else it is.", '`reduction="sum"`'),
            (-want, "The sign is wrong: the gradient of the *loss* points to where the net gets "
             "worse."),
        ):
            if near(value):
                raise Misconception(message, *hint)
        compare(found, want, what="The gradient")
    return ("The gradient of the expected loss, up to chance: this is what an attacker of a "
            "stochastic net follows, since the noise of the next answer is unknown.")
