"""Checks of chapter 1, filters and feature maps."""

import torch
from torch.nn import functional as F

from .machinery import Misconception, NotYet, check, compare, same, tensor


@check("ch01.convolve")
def convolve(answer):
    """answer(image (h,w), kernel (k,k), stride) -> (h',w'): valid cross-correlation."""
    image = torch.randn(7, 10)  # neither square nor odd: rows and columns must not be mixed up
    kernel = torch.randn(3, 3)  # no symmetry: a flipped or transposed kernel shows

    def right(x, k, stride=1, **options):
        return F.conv2d(x[None, None], k[None, None], stride=stride, **options)[0, 0]

    once = tensor(answer(image, kernel, 1), "The feature map")
    want = right(image, kernel)
    if once.shape == image.shape:
        raise Misconception(
            "Your feature map is as large as the image, so you padded its border. The exercise "
            "asks for the *valid* positions only, where the kernel lies wholly inside the image.",
            "An image of height h and a kernel of height k have h - k + 1 of them.")
    if once.shape == (want.shape[0] - 1, want.shape[1] - 1):
        raise Misconception(
            "The last row and the last column of positions are missing: between 0 and h - k "
            "there are h - k + 1 positions, both ends counted.",
            "`range(n)` stops at n - 1.")
    if once.shape == (want.shape[1], want.shape[0]):
        raise Misconception("Rows and columns are exchanged: `image.shape` is (height, width), "
                            "and the feature map is (height, width) again.")
    if once.shape in [(n, n) for n in want.shape]:
        raise Misconception("The feature map of this image, which is wider than high, came out "
                            "square: one of your two loops runs along the wrong axis.",
                            "Rows follow `image.shape[0]`, columns `image.shape[1]`.")
    compare(once, want, what="The feature map", wrong=[
        (right(image, kernel.flip(0, 1)),
         "You flipped the kernel. That is the convolution of mathematics and signal processing; "
         "what deep learning calls convolution lays the kernel on the image as it is "
         "(*cross-correlation*).", "Multiply the patch with `kernel` itself."),
        (right(image, kernel.T.contiguous()),
         "The kernel lies on the image transposed: its rows meet the patch's columns.",
         "Index patch and kernel in the same order, [row, column]."),
        (right(image, torch.ones_like(kernel)) * kernel.sum(),
         "You summed patch and kernel apart and multiplied the sums. Multiply element by element "
         "first, then sum."),
        (right(image, kernel) / kernel.numel(),
         "You took the mean of the products. A convolution takes their sum."),
        (right(image, torch.ones_like(kernel)),
         "You summed the patches without the kernel's weights."),
    ])
    small = kernel[:2, :2]
    try:
        works = same(answer(image, small, 1), right(image, small))
    except Misconception:
        works = False
    if not works:
        raise Misconception("It works for a 3 x 3 kernel and fails for a 2 x 2 one: the kernel's "
                            "size is written into your code.", "Take k from `kernel.shape`.")
    twice = tensor(answer(image, kernel, 2), "The feature map for stride 2")
    halved = right(image, kernel, 2)
    if same(twice, want):
        raise Misconception("With stride 2 you still visit every position: `stride` has no effect "
                            "yet.", "The output at [i, j] looks at the patch which starts at "
                            "[i * stride, j * stride].")
    if same(twice, want[:halved.shape[0], :halved.shape[1]]):
        raise Misconception(
            "With stride 2 the output has the right size, but its patches still start one pixel "
            "apart.", "The output at [i, j] looks at the patch which starts at "
            "[i * stride, j * stride].")
    if twice.shape != halved.shape:
        raise Misconception(
            f"With stride 2 your feature map is {tuple(twice.shape)}; it should be "
            f"{tuple(halved.shape)}: for a height h that is (h - k) // stride + 1.",
            "Count the first position, then how often a step of `stride` still fits.")
    compare(twice, halved, what="The feature map for stride 2")
    return ("Your function and `torch.nn.functional.conv2d` give the same feature map, for any "
            "kernel size and for stride 2 as well. Deep learning's convolution is this loop.")


@check("ch01.max_pool")
def max_pool(answer):
    """answer(maps (c,h,w), size, stride) -> (c,h',w'): the largest value of each window."""
    # All negative: whoever starts from zero, or pads with zeros, is found out. Neither square nor
    # a multiple of the stride.
    maps = -1 - torch.rand(2, 8, 11)

    def right(size, stride, x=maps, **options):
        return F.max_pool2d(x[None], size, stride, **options)[0]

    got = tensor(answer(maps, 3, 2), "The pooled map")
    want = right(3, 2)
    if got.shape == want.shape[1:]:
        raise Misconception("The channels are gone: you took the largest value over all maps. Each "
                            "map is pooled on its own.", "Take the maximum over the last two axes "
                            "only.")
    if got.shape == right(3, 3).shape != want.shape:
        raise Misconception("Your windows do not overlap: they start `size` apart. They should "
                            "start every `stride` places.", "With size 3 and stride 2 the last "
                            "row of one window is the first row of the next.")
    if got.shape == right(3, 1).shape:
        raise Misconception("Your windows start at every place: `stride` has no effect yet.")
    if same(got, right(2, 2)):
        raise Misconception("You took windows as wide as the stride. Their width is `size`; only "
                            "their starts are `stride` apart.")
    if got.shape == right(3, 2, ceil_mode=True).shape:
        raise Misconception("Your last windows hang over the edge. Keep only those that lie wholly "
                            "inside the map.", "There are (h - size) // stride + 1 of them.")
    transposed = want.transpose(1, 2)
    if got.shape == transposed.shape:
        raise Misconception("Rows and columns are exchanged: maps are (channel, height, width).")
    compare(got, want, what="The pooled map", wrong=[
        (torch.zeros_like(want),
         "Every value is 0, though all of these maps are negative: your maximum starts at zero.",
         "Start from minus infinity, or let `amax` look at the window itself."),
        (F.avg_pool2d(maps[None], 3, 2)[0],
         "That is the mean of each window. Max pooling keeps its largest value."),
        (-F.max_pool2d(-maps[None], 3, 2)[0],
         "That is the smallest value of each window, where the largest was asked for."),
        (right(2, 2)[:, :want.shape[1], :want.shape[2]],
         "You took windows as wide as the stride. Their width is `size`; only their starts are "
         "`stride` apart."),
        (maps[:, ::2, ::2][:, :want.shape[1], :want.shape[2]],
         "That is one corner of each window: you step over the map, but do not look at the rest of "
         "the window.", "Take `maps[:, a:a + size, b:b + size]` and its maximum."),
        (right(3, 1)[:, :want.shape[1], :want.shape[2]],
         "The output has the right size, but its windows start one place apart.",
         "The output at [i, j] looks at the window which starts at [i * stride, j * stride]."),
    ])
    compare(answer(maps, 2, 2), right(2, 2), what="The pooled map for size 2 and stride 2",
            hint="Are `size` and `stride` both taken from the arguments?")
    compare(answer(maps, 2, 3), right(2, 3), what="The pooled map for size 2 and stride 3",
            hint="Are `size` and `stride` both taken from the arguments?")
    return ("Your function and `torch.nn.functional.max_pool2d` agree: with overlap, without it, "
            "and with gaps between the windows.")


@check("ch01.receptive_field")
def receptive_field(answer):
    """answer(layers [(kernel, stride), ...]) -> widths seen after each layer."""

    def walk(layers, grow, hop):
        width, step, widths = 1, 1, []
        for kernel, stride in layers:
            width, step = grow(width, step, kernel, stride), hop(step, stride)
            widths.append(width)
        return widths

    def add(width, step, kernel, stride):
        return width + (kernel - 1) * step

    def times(step, stride):
        return step * stride

    # Strides 2 and 3 in turn: only their product is right, neither their sum nor the last one.
    layers = [(3, 1), (5, 2), (3, 3), (2, 2), (3, 1)]
    got = answer(list(layers))
    if isinstance(got, int | float):
        raise Misconception("You returned one width; asked for is a list, the width after each "
                            "layer.")
    got = tensor(got, "The list of widths")
    if got.shape == (len(layers),) and (got == 1).all():
        raise NotYet("Every width is still 1: put your two lines in place of the dots, run that "
                     "cell, then this one.")
    if got.shape == (1,):
        raise Misconception("Your list ends after the first layer.", "Return after the loop, not "
                            "inside it.")
    compare(got, torch.tensor(walk(layers, add, times)).double(), tolerance=0, wrong=[
        (walk(layers, add, lambda step, stride: 1),
         "You ignore the strides: after a layer of stride 2, two neighbours are two pixels apart, "
         "and the next kernel reaches twice as far.", "Let `step` grow as well."),
        (walk(layers, lambda w, step, k, s: w + (k - 1) * step * s, times),
         "You updated the step before you used it: a layer's kernel spans steps of the layer "
         "*below* it; its own stride counts only for the next layer.",
         "First the width, then the step."),
        (walk(layers, add, lambda step, stride: stride),
         "You replaced the step by the last stride. Steps multiply: stride 3 upon stride 2 makes "
         "neighbours six pixels apart.", "`step = step * stride`."),
        (walk(layers, add, lambda step, stride: step + stride - 1),
         "You added up the strides. Steps multiply: stride 3 upon stride 2 makes neighbours six "
         "pixels apart."),
        (walk(layers, lambda w, step, k, s: w + k * step, times),
         "You added a whole kernel. Its first unit was counted before: k units span k - 1 steps.",
         "`(kernel - 1) * step`."),
        (walk(layers, lambda w, step, k, s: (w - 1) * s + k, times),
         "That is the rule for walking *down* from a unit to the pixels, used while walking up.",
         "Going up, the width grows by `(kernel - 1) * step`."),
        (walk(layers, lambda w, step, k, s: w * k, times),
         "You multiplied widths. A kernel reaches over neighbours whose fields overlap, so the "
         "width grows by the steps between them.", "Add `(kernel - 1) * step`."),
    ], what="The list of widths")
    return ("Your walk up and the walk down agree at every layer. The recurrence holds for any net "
            "that is a chain of convolutions and poolings.")
