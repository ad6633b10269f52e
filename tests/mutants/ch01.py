"""Planted wrong answers to chapter 1's exercises, each with what its check must say."""

_LOOP = """
def convolve(image, kernel, stride=1):
    k, l = kernel.shape
    h, w = (image.shape[0] - k) // stride + 1, (image.shape[1] - l) // stride + 1
    out = torch.zeros(h, w)
    for i in range(h):
        for j in range(w):
            patch = image[i * stride:i * stride + k, j * stride:j * stride + l]
            out[i, j] = (patch * kernel).sum()
    return out
"""


def _but(old, new):
    """The right loop with one thing wrong."""
    assert old in _LOOP
    return _LOOP.replace(old, new)


MUTANTS = {
    "ch01.convolve": [
        (_but("patch * kernel", "patch * kernel.flip(0, 1)"), "flipped the kernel"),
        (_but("patch * kernel", "patch * kernel.T"), "transposed"),
        (_but("(patch * kernel).sum()", "patch.sum() * kernel.sum()"), "multiplied the sums"),
        (_but("(patch * kernel).sum()", "(patch * kernel).mean()"), "took the mean"),
        (_but("(patch * kernel).sum()", "patch.sum()"), "without the kernel's weights"),
        (_but("    k, l =", "    stride = 1\n    k, l ="), "`stride` has no effect"),
        (_but("i * stride:i * stride + k, j * stride:j * stride + l", "i:i + k, j:j + l"),
         "start one pixel apart"),
        (_but("    k, l =", "    image = F.pad(image, (1, 1, 1, 1))\n    k, l ="),
         "as large as the image"),
        (_but("// stride + 1, (image.shape[1] - l) // stride + 1",
              "// stride, (image.shape[1] - l) // stride"), "last row and the last column"),
        (_but("k, l = kernel.shape", "k, l = 3, 3"), "3 x 3 kernel"),
        (_but("return out", "return out.T"), "Rows and columns are exchanged"),
        (_but("// stride + 1, (image.shape[1] - l) // stride + 1",
              "// stride + 1, (image.shape[0] - k) // stride + 1"), "runs along the wrong axis"),
        (_but("    out = torch.zeros(h, w)", "    image -= image.mean()\n    out = "
              "torch.zeros(h, w)"), "changed its input in place"),
        (_but("out[i, j] =", "out[i, j, 0] ="), "raised `IndexError`"),
    ],
}
