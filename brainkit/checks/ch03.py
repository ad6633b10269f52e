"""Checks of chapter 3, from cortex to convnets."""

import math

import torch

from .machinery import Misconception, check, compare, same, tensor


@check("ch03.complex_cell")
def complex_cell(answer):
    """answer(images (n,k,k), even (k,k), odd (k,k)) -> (n,): root of the summed squares."""
    images = torch.randn(6, 9, 9)
    even, odd = torch.randn(9, 9), torch.randn(9, 9)
    e, o = (images * even).sum((1, 2)), (images * odd).sum((1, 2))
    found = tensor(answer(images, even, odd), "The response")
    want = (e**2 + o**2).sqrt()
    if found.shape != want.shape:
        raise Misconception(
            f"The result is {tuple(found.shape)}; for {len(images)} images it should be "
            f"({len(images)},), one response for each image.",
            "Sum over the two last axes only: `.sum((1, 2))`.")
    compare(found, want, what="The response", wrong=[
        (e**2 + o**2, "You returned the sum of the squares, the energy itself. Take its root, "
         "so that twice the contrast gives twice the response.", "`torch.sqrt`, or `** 0.5`."),
        (e + o, "You added the two simple cells' signed responses. Where one is negative they "
         "cancel, and the sum is itself a simple cell, of a phase between the two.",
         "Square each response before you add."),
        (e.abs() + o.abs(), "You added absolute values. That no longer cancels, but the sum still "
         "rises and falls four times a cycle; the sum of the *squares* is flat, since "
         "sin² + cos² = 1."),
        (e.relu() + o.relu(), "You rectified and added. A pair of rectified cells is silent for "
         "a quarter of the cycle; square the responses, so that both signs count."),
        ((e.relu()**2 + o.relu()**2).sqrt(), "You rectified before you squared, which throws the "
         "negative half of each response away: squaring needs both signs."),
        ((e + o).abs(), "You added first and squared afterwards. The order matters: squares are "
         "taken of each response, then added."),
        (e.abs(), "Only the even cell has any effect on your result."),
        (o.abs(), "Only the odd cell has any effect on your result."),
        (torch.maximum(e.abs(), o.abs()), "You took the larger of the two. That is a fair guess "
         "at pooling, and half as flat as it could be: add the squares of both."),
    ])
    return ("One response that is the same for every phase: the two simple cells trade places as "
            "the grating moves, and the sum of their squares stays.")


@check("ch03.modulation_ratio")
def modulation_ratio(answer):
    """answer(responses (n,)) -> number: amplitude of the first harmonic over the mean."""
    phase = torch.arange(32) * (2 * math.pi / 32)
    cases = [1 + 0.5 * torch.cos(phase - 0.7), torch.cos(phase + 2.0).relu() * 3,
             2 + 0.3 * torch.cos(phase - 1.9) + 0.8 * torch.cos(2 * phase)]
    found = torch.stack([tensor(answer(r), "F1/F0").reshape(-1).double()[:1] for r in cases])[:, 0]
    spectra = [torch.fft.rfft(r.double()) / len(r) for r in cases]
    f0 = torch.stack([s[0].real for s in spectra])
    f1 = torch.stack([2 * s[1].abs() for s in spectra])
    want = f1 / f0

    def each(function):
        return torch.stack([function(r.double()) for r in cases])

    compare(found.float(), want.float(), what="F1/F0", wrong=[
        (want.float() / 2, "Your F1 is half of what it should be. The first harmonic appears "
         "twice in a Fourier series, at plus and minus one cycle; its amplitude is the sum of "
         "both.", "Multiply by 2."),
        ((f0 / f1).float(), "You divided the mean by the modulation: the ratio is upside down."),
        (f1.float(), "You returned F1 alone. Divide by F0, the mean, so that a cell that merely "
         "fires more does not count as more modulated."),
        (each(lambda r: r.max() - r.min()).div(f0).float(), "You took the range, largest minus "
         "smallest, which is twice the amplitude, and takes in every harmonic, not the first."),
        (each(lambda r: (r.max() - r.min()) / 2).div(f0).float(), "You took half the range. For "
         "a pure sine that is the amplitude; for a rectified one the higher harmonics are in it "
         "as well.", "Weigh the responses with a cosine and a sine of one cycle."),
        (each(lambda r: r.std(unbiased=False)).div(f0).float(), "You divided the standard "
         "deviation by the mean: that takes in every harmonic, not the first."),
        (torch.stack([2 * s[2].abs() for s in spectra]).div(f0).float(), "You took the second "
         "harmonic, two cycles a cycle. Index 0 is the mean, index 1 the first harmonic."),
        (each(lambda r: 2 * (r * torch.cos(phase)).mean().abs()).div(f0).float(), "You weighed "
         "with a cosine only. A response that peaks elsewhere in the cycle needs the sine as "
         "well: F1 is the length of both together."),
        (each(lambda r: 2 * (r * torch.sin(phase)).mean().abs()).div(f0).float(), "You weighed "
         "with a sine only. A response that peaks elsewhere in the cycle needs the cosine as "
         "well: F1 is the length of both together."),
        ((each(lambda r: (r * torch.exp(1j * phase)).sum().abs()) * 2 / f0).float(), "F0 is the "
         "*mean*, and your F1 is a sum: it grows with the number of phases you measured.",
         "Divide by the number of phases."),
    ])
    if not same(tensor(answer(cases[1][::2].clone()), "F1/F0").reshape(-1)[:1].double(),
                _ratio(cases[1][::2]), ):
        raise Misconception("With 16 phases instead of 32 the result is wrong: the number of "
                            "phases is written into your code.", "Take it from `len(responses)`.")
    return ("About 1.57 for a half-rectified sine, 0 for a flat response: the number by which "
            "cells have been called simple (above 1) or complex (below 1) since the 1970s.")


def _ratio(responses):
    spectrum = torch.fft.rfft(responses.double())
    return (2 * spectrum[1].abs() / spectrum[0].real).reshape(1)


@check("ch03.stack")
def stack(answer):
    """answer(layers, kernel, channels) -> (side of the receptive field, number of weights)."""
    cases = [(1, 5, 3), (2, 3, 4), (3, 3, 16), (4, 5, 2)]
    found = []
    for case in cases:
        out = answer(*case)
        if not isinstance(out, tuple | list) or len(out) != 2:
            raise Misconception("Return two numbers: the receptive field's side and the number "
                                "of weights.", "`return side, weights`")
        found.append([float(x) for x in out])
    found = torch.tensor(found).T  # (2, cases)
    n, k, c = torch.tensor(cases, dtype=torch.float32).T
    compare(found[0], 1 + n * (k - 1), what="The receptive field's side", wrong=[
        (n * k, "You added the kernels' sides. Neighbouring kernels overlap: each further layer "
         "adds k - 1, not k.", "Two 3 x 3 layers see 5 pixels, not 6."),
        (n * (k - 1), "You forgot the pixel in the middle: without any layer the field is 1 "
         "pixel, and each layer adds k - 1."),
        (k**n, "You multiplied. A field grows by the same k - 1 with each layer, as long as no "
         "layer strides."),
        (k, "The side does not grow with the number of layers yet."),
        ((1 + n * (k - 1))**2, "That is the field's area; its side was asked for."),
    ])
    compare(found[1], n * k**2 * c**2, what="The number of weights", wrong=[
        (n * k**2 * c, "You counted one k x k filter for each output channel. Each output channel "
         "has one for *every input channel* too: channels twice.", "k * k * channels * channels"),
        (n * k**2, "You counted one k x k filter for each layer, as if there were one channel."),
        (k**2 * c**2, "You counted the weights of one layer only."),
        ((1 + n * (k - 1))**2 * c**2, "That is what *one* layer with this receptive field would "
         "need: the price which the stack avoids."),
        (n * k * c**2, "A kernel has k * k weights, not k."),
        (n * (k**2 * c**2 + c), "You counted biases too; only the weights were asked for."),
    ])
    return ("The stack sees as far as one large filter, for fewer weights, and has a "
            "non-linearity after each of its layers.")
