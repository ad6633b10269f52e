"""Checks of chapter 1, filters and feature maps."""

import torch
from torch.nn import functional as F

from .machinery import Misconception, check, compare, same, tensor


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
