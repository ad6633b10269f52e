"""Backgrounds with the statistics of natural scenes, unrelated to the object in front.

Three kinds, each drawn from an integer seed alone:

- ``pink``: Gaussian noise with amplitude 1/f, the mean spectrum of photographs (Field 1987);
- ``leaves``: dead leaves, discs of power-law sizes occluding each other, which adds the edges and
  the scale invariance that noise lacks (Lee, Mumford and Huang 2001);
- ``photo``: crops of photographs packaged with scikit-image and scikit-learn, at several scales.

``mixed`` takes one of the three by the seed, ``gray`` is uniform mid-gray.
"""

import functools
import importlib.util
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from .exact import bits, uniform

KINDS = ("mixed", "photo", "leaves", "pink", "gray")
SEEDS = 2**24  # float32 holds every integer below this, so a latent column can carry the seed
_NATURAL = ("photo", "leaves", "pink")
_SIDE = 512    # pixels of the stored textures' sides
# Values are rounded to this step: a last-bit difference in a Fourier transform between two
# machines' libraries then disappears.
_STEP = 2.0**-16
# Textures and scenes without animals, people or vehicles.
_PACKAGED = (
    ("skimage", "data", ("brick.png", "coffee.png", "coins.png", "grass.png", "gravel.png",
                         "moon.png")),
    ("sklearn", "datasets/images", ("china.jpg", "flower.jpg")),
)


def _rounded(values):
    return np.round(np.clip(values, 0.0, 1.0) / _STEP) * _STEP


def _photographs():
    """The packaged photographs, (h,w) or (h,w,3) float64 in [0,1]."""
    for package, folder, names in _PACKAGED:
        # The files themselves: importing scikit-learn to read two of them takes seconds.
        spec = importlib.util.find_spec(package)
        for name in names:
            with Image.open(Path(spec.origin).parent / folder / name) as file:
                yield np.asarray(file, dtype=np.float64) / 255


def _square(image):
    """Gray, and mirrored at its edges where it is smaller than a texture's side."""
    if image.ndim == 3:
        image = 0.299 * image[..., 0] + 0.587 * image[..., 1] + 0.114 * image[..., 2]
    grow = [(0, max(0, _SIDE - n)) for n in image.shape]
    return np.pad(image, grow, mode="symmetric")


def _dead_leaves(seed, side=_SIDE, leaves=4000, smallest=3.0, largest=150.0):
    """One dead-leaves texture (side, side): later discs cover earlier ones."""
    u = uniform(seed, np.arange(leaves)[:, None], np.arange(4)[None])
    # Density of radii r**-3 between the two ends: the scale-invariant exponent.
    radius = smallest / np.sqrt(1 - u[:, 0] * (1 - (smallest / largest) ** 2))
    gray, (cy, cx) = 0.08 + 0.84 * u[:, 1], (u[:, 2:] * (side + 2 * largest) - largest).T
    image = np.full((side, side), 0.5)
    for r, g, y, x in zip(radius, gray, cy, cx, strict=True):
        top, left = max(0, int(y - r)), max(0, int(x - r))
        bottom, right = min(side, int(y + r) + 2), min(side, int(x + r) + 2)
        if top >= bottom or left >= right:
            continue
        dy, dx = np.arange(top, bottom)[:, None] - y, np.arange(left, right)[None] - x
        cover = np.clip(r + 0.5 - np.sqrt(dy * dy + dx * dx), 0.0, 1.0)
        patch = image[top:bottom, left:right]
        patch += cover * (g - patch)
    return image


def _halved(image):
    h, w = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
    image = image[:h, :w]
    return 0.25 * (image[0::2, 0::2] + image[1::2, 0::2] + image[0::2, 1::2] + image[1::2, 1::2])


@functools.cache
def _textures(kind):
    """Every texture of a kind as a pyramid: a list of [full, half, quarter] float32 arrays."""
    images = map(_square, _photographs()) if kind == "photo" else map(_dead_leaves, range(3))
    pyramids = []
    for image in images:
        levels = [image]
        for _ in range(2):
            levels.append(_halved(levels[-1]))
        pyramids.append([_rounded(level).astype(np.float32) for level in levels])
    return pyramids


def _crop(kind, seed, size):
    """A window of 64 << level texture pixels, mirrored half the time, at ``size`` pixels."""
    pyramids = _textures(kind)
    which, level, mirror, down, across = (int(v) for v in bits(seed, np.arange(5)) >> np.uint64(16))
    pyramid, level = pyramids[which % len(pyramids)], level % 3
    image = pyramid[level]
    top, left = down % (image.shape[0] - 63), across % (image.shape[1] - 63)
    window = image[top:top + 64, left:left + 64]
    if size != 64:
        scale = 1 << level  # the same window, from the finest level there is
        window = pyramid[0][scale * top:scale * (top + 64), scale * left:scale * (left + 64)]
        window = torch.from_numpy(window.astype(np.float64))[None, None]
        window = _rounded(F.interpolate(window, (size, size), mode="bilinear", antialias=True,
                                        align_corners=False)[0, 0].numpy())
    return window[:, ::-1] if mirror % 2 else window


def _pink(seed, size):
    """1/f noise: independent random coefficients at every frequency, keyed by the frequency.

    Frequencies are counted in cycles per image, so one seed gives one scene at every size.
    """
    fy = np.concatenate([np.arange(0, (size + 1) // 2), np.arange(-(size // 2), 0)])
    fx = np.arange(size // 2 + 1)
    word = bits(seed, (fy % 4096)[:, None] * 4096 + fx[None])
    # Each coefficient's parts are sums of two uniforms; their sum over frequencies is Gaussian.
    part = [((word >> np.uint64(16 * k)) & np.uint64(0xFFFF)).astype(np.float64) for k in range(4)]
    spectrum = (part[0] - part[1]) + 1j * (part[2] - part[3])
    spectrum *= _inverse_frequency(size)
    mean, contrast = uniform(seed, 1 << 30), uniform(seed, (1 << 30) + 1)
    noise = np.fft.irfft2(spectrum, s=(size, size)) * (size * size)
    return 0.35 + 0.3 * mean + (0.08 + 0.1 * contrast) * noise


@functools.cache
def _inverse_frequency(size):
    """1/f on the half plane of irfft2, scaled so that 64-pixel noise has unit variance."""
    def weights(n):
        fy = np.concatenate([np.arange(0, (n + 1) // 2), np.arange(-(n // 2), 0)])[:, None]
        fx = np.arange(n // 2 + 1)[None]
        square = (fy * fy + fx * fx).astype(float)
        square[0, 0] = np.inf
        return 1 / np.sqrt(square)
    # Each of a coefficient's two parts, a difference of two uniform 16-bit numbers, has variance
    # 2 * 65536**2 / 12, and every coefficient inside the half plane stands for two.
    twice = np.full(33, 2.0)
    twice[[0, -1]] = 1.0
    variance = (twice * weights(64) ** 2).sum() * 65536.0**2 / 3
    return weights(size) / np.sqrt(variance)


def draw(seeds, kind="mixed", size=64):
    """Backgrounds for integer seeds (n,): float32 tensor (n,1,size,size) in [0,1], on the CPU."""
    out = torch.empty(len(seeds), 1, size, size)
    for i, seed in enumerate(seeds):
        one = _NATURAL[int(bits(seed, 99) >> np.uint64(32)) % 3] if kind == "mixed" else kind
        if one == "gray":
            out[i] = 0.5
            continue
        image = _rounded(_pink(seed, size)) if one == "pink" else _crop(one, seed, size)
        out[i, 0] = torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))
    return out
