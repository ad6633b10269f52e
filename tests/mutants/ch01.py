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


_POOL = """
def max_pool(maps, size, stride):
    c, h, w = maps.shape
    h, w = (h - size) // stride + 1, (w - size) // stride + 1
    out = torch.zeros(c, h, w)
    for i in range(h):
        for j in range(w):
            a, b = i * stride, j * stride
            out[:, i, j] = maps[:, a:a + size, b:b + size].amax((1, 2))
    return out
"""

_WALK = """
def receptive_field(layers):
    width, step = 1, 1
    widths = []
    for kernel, stride in layers:
        width = width + (kernel - 1) * step
        step = step * stride
        widths.append(width)
    return widths
"""


def _but(old, new, source=_LOOP):
    """The right answer with one thing wrong."""
    assert old in source
    return source.replace(old, new)


def _pool(old, new):
    return _but(old, new, _POOL)


def _walk(old, new):
    return _but(old, new, _WALK)


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
    "ch01.max_pool": [
        (_pool(".amax((1, 2))", ".mean((1, 2))"), "That is the mean"),
        (_pool(".amax((1, 2))", ".amin((1, 2))"), "smallest value"),
        (_pool(".amax((1, 2))", ".amax((1, 2)).clamp(min=0)"), "maximum starts at zero"),
        (_pool(".amax((1, 2))", ".amax()").replace("torch.zeros(c, h, w)", "torch.zeros(h, w)")
         .replace("out[:, i, j]", "out[i, j]"), "channels are gone"),
        (_pool("    c, h, w", "    stride = size\n    c, h, w"), "do not overlap"),
        (_pool("    c, h, w", "    stride = 1\n    c, h, w"), "`stride` has no effect"),
        (_pool("    c, h, w", "    size = stride\n    c, h, w"), "as wide as the stride"),
        (_pool("a:a + size, b:b + size", "a:a + stride, b:b + stride"), "as wide as the stride"),
        (_pool("a:a + size, b:b + size", "a:a + 1, b:b + 1"), "one corner"),
        (_pool("i * stride, j * stride", "i, j"), "start one place apart"),
        (_pool("(h - size) // stride + 1, (w - size) // stride + 1",
               "-((size - h) // stride) + 1, -((size - w) // stride) + 1"), "hang over the edge"),
        (_pool("return out", "return out.transpose(1, 2)"), "Rows and columns are exchanged"),
        (_pool("    c, h, w", "    size = 3\n    c, h, w"), "size 2 and stride 2"),
        (_pool("    c, h, w", "    maps += 1\n    c, h, w"), "changed its input in place"),
    ],
    "ch01.receptive_field": [
        (_walk("        step = step * stride\n", ""), "ignore the strides"),
        (_walk("        width = width + (kernel - 1) * step\n        step = step * stride\n",
               "        step = step * stride\n        width = width + (kernel - 1) * step\n"),
         "updated the step before"),
        (_walk("step = step * stride", "step = stride"), "replaced the step"),
        (_walk("step = step * stride", "step = step + stride - 1"), "added up the strides"),
        (_walk("(kernel - 1) * step", "kernel * step"), "added a whole kernel"),
        (_walk("width + (kernel - 1) * step", "(width - 1) * stride + kernel"), "walking *down*"),
        (_walk("width + (kernel - 1) * step", "width * kernel"), "multiplied widths"),
        (_walk("    return widths", "    return width"), "returned one width"),
        (_walk("    return widths", "        return widths"), "ends after the first layer"),
    ],
}
