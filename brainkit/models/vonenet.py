"""VOneNet: a fixed model of primary visual cortex, with V1's noise, in front of a trained net.

Dapello, Marques et al. 2020, Advances in Neural Information Processing Systems 33. The bank of
Gabors is drawn from published distributions of V1 neurons; nothing in it is trained. Built from
the published description and checked against the original's numbers; parameters carry the
original's names, so its weights load as they are. Differences, all in the default bank alone: the
two filters of a quadrature pair read the same colour, and `seed` alone decides which.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from scipy.stats import norm
from torch import Tensor, nn
from torch.nn import functional as F

from brainkit.models.gabors import gabor

__all__ = ["VOneBlock", "VOneNet", "draws", "fixed_noise", "gabor_parameters", "noise"]

# Counts of neurons by property. Orientation, degrees: De Valois, Yund & Hepler 1982 (Vision
# Research 22, 531).
ORIENTATIONS = (-22.5, 22.5, 67.5, 112.5, 157.5), (66, 49, 77, 54)
# Preferred spatial frequency, cycles per degree: De Valois, Albrecht & Thorell 1982 (Vision
# Research 22, 545).
FREQUENCIES = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0), (4, 4, 8, 25, 32, 26, 28, 12)
# Width across the stripes (rows) and along them (columns), in cycles of the grating: Ringach 2002
# (Journal of Neurophysiology 88, 455).
WIDTH_EDGES = 10 ** np.linspace(-1, 0.2, 6)
WIDTHS = np.array(
    [[2, 0, 1, 0, 0], [8, 9, 4, 1, 0], [1, 2, 19, 17, 3], [0, 0, 1, 7, 4], [0, 0, 0, 0, 0]]
)


# --- The bank ------------------------------------------------------------------------------------


def _quantile(u: np.ndarray, counts: Sequence[float], edges: np.ndarray) -> np.ndarray:
    """Inverse of the piecewise-linear distribution function of a histogram, at u in [0, 1)."""
    counts = np.asarray(counts, float)
    return np.interp(u, np.concatenate([[0], np.cumsum(counts / counts.sum())]), edges)


def gabor_parameters(
    n: int,
    seed: int = 0,
    sf_corr: float = 0.75,
    sf_max: float = 9,
    sf_min: float = 0,
    uniform: bool = False,
) -> np.ndarray:
    """The original's bank: n Gabors drawn from distributions of V1 neurons.

    Args:
        n: how many filters.
        seed: of numpy's legacy generator; its global state is left alone.
        sf_corr: correlation of the normal scores of spatial frequency and of width across the
            stripes (Schiller, Finlay & Volman 1976: .75).
        sf_max, sf_min: bounds on spatial frequency, cycles per degree; whole bins of the
            histogram are left out (9 and 0: none).
        uniform: every property flat over its range instead (the paper's control).

    Returns:
        (5, n) float64, rows: spatial frequency (cycles per degree), orientation and phase
        (degrees), and the Gaussian window's standard deviations across and along the stripes, in
        cycles of the grating (nx, ny).

    Raises:
        ValueError: n < 1, a correlation outside [-1, 1], or bounds that leave no bin.

    Source: Dapello et al. 2020, section 3 and supplement B.
    """
    edges, counts = (np.asarray(v, float) for v in FREQUENCIES)
    kept = np.flatnonzero((edges <= sf_max) & (edges >= sf_min))
    if int(n) != n or n < 1:
        raise ValueError(f"n={n}: give the number of filters, 1 or more")
    if not -1 <= sf_corr <= 1:
        raise ValueError(f"sf_corr={sf_corr} is a correlation; give -1 to 1")
    if len(kept) < 2:
        raise ValueError(
            f"sf_min={sf_min} and sf_max={sf_max} leave no spatial frequency; whole bins count, "
            f"whose edges are {', '.join(f'{edge:g}' for edge in edges)} cycles per degree"
        )
    edges, counts = np.log2(edges[kept]), counts[kept[0] : kept[-1]]
    log_widths = np.log10(WIDTH_EDGES)
    # The order of the draws is the original's: with its seeds they give its filters.
    random = np.random.RandomState(seed)
    phase = 360 * random.rand(n)
    turn = random.rand(n)
    if uniform:
        flat = np.ones(len(counts))
        across = random.rand(n)
        frequency = random.rand(n)
        nx = 10 ** np.interp(across, [0, 1], log_widths[[0, -1]])
        ny = 10 ** np.interp(random.rand(n), [0, 1], log_widths[[0, -1]])
        return np.stack([2 ** _quantile(frequency, flat, edges), 180 * turn, phase, nx, ny])
    orientation = _quantile(turn, ORIENTATIONS[1], np.asarray(ORIENTATIONS[0]))
    orientation[orientation < 0] += 180
    scores = norm.cdf(random.multivariate_normal([0, 0], [[1, sf_corr], [sf_corr, 1]], n))
    nx = 10 ** _quantile(scores[:, 0], WIDTHS.sum(1), log_widths)
    frequency = 2 ** _quantile(scores[:, 1], counts, edges)
    along = random.rand(n)
    row = np.searchsorted(WIDTH_EDGES, nx, side="right") - 1
    ny = np.array([10 ** _quantile(u, WIDTHS[r], log_widths)
                   for u, r in zip(along, row, strict=True)])  # fmt: skip
    return np.stack([frequency, orientation, phase, nx, ny])


# --- Noise ---------------------------------------------------------------------------------------

_fixed: list[int] = []  # seeds of the `fixed_noise` blocks that are open, the innermost last


@contextlib.contextmanager
def fixed_noise(seed: int = 0) -> Iterator[None]:
    """Within it every VOneBlock adds the same noise in each pass over a batch of one shape.

    So a stochastic net is a function, and the gradient of one draw is exact. Nests.
    """
    _fixed.append(int(seed))
    try:
        yield
    finally:
        _fixed.pop()


@contextlib.contextmanager
def noise(model: nn.Module, mode: str | None) -> Iterator[None]:
    """Within it every VOneBlock of `model` has this noise: "neuronal", "gaussian" or None.

    Raises ValueError for a model without a VOneBlock, or an unknown mode.
    """
    blocks = [module for module in model.modules() if isinstance(module, VOneBlock)]
    if not blocks:
        raise ValueError(f"{type(model).__name__} has no VOneBlock, so no noise to switch")
    before = [block.noise for block in blocks]
    try:
        for block in blocks:
            block.noise = _known(mode)
        yield
    finally:
        for block, mode_before in zip(blocks, before, strict=True):
            block.noise = mode_before


@torch.no_grad()
def draws(model: nn.Module, images: Tensor, n: int, seed: int = 0) -> Tensor:
    """A stochastic net's answers to the same images under n draws of noise: (n, b, classes).

    Their mean is what is judged of such a net: one draw's accuracy is itself noise. Draw k is
    that of `fixed_noise` with a seed made from `seed` and k.
    """
    if n < 1:
        raise ValueError(f"n={n}: give 1 draw or more")
    answers = []
    for k in range(n):
        with fixed_noise(seed * 1_000_003 + k):
            answers.append(model(images))
    return torch.stack(answers)


def _known(mode: str | None) -> str | None:
    if mode not in ("neuronal", "gaussian", None):
        raise ValueError(f'noise={mode!r}: choose "neuronal", "gaussian" or None')
    return mode


# --- The block -----------------------------------------------------------------------------------


class Kernels(nn.Module):
    """Holds one dense filter bank (n, in_channels, k, k), under the original's name, untrained."""

    def __init__(self, weight: Tensor):
        super().__init__()
        self.weight = nn.Parameter(weight, requires_grad=False)


class VOneBlock(nn.Module):
    """V1 as a linear-nonlinear-Poisson model: (b, in, h, w) -> (b, simple + complex, h/4, w/4).

    The first channels are simple cells, a rectified Gabor; the others complex cells, the energy
    of a quadrature pair. Each filter reads one channel of the input. Inputs as the original has
    them: (image - .5) / .5.

    Args:
        image_size: pixels a side for which the bank is laid out; with `visual_degrees` this says
            how many pixels a degree has. Images of another size are taken, at the same pixels per
            degree.
        visual_degrees: what `image_size` pixels stand for, in degrees of visual angle.
        simple_channels, complex_channels: how many cells.
        kernel_size: side of the filters' window in pixels, odd.
        stride: in pixels.
        k_exc: gain of all cells, so that with noise the rates are spikes in the counting window.
        sf_corr, sf_max, sf_min, seed: of the bank, as for `gabor_parameters`.
        noise: "neuronal" (variance equal to the mean), "gaussian" (the same for all) or None. On
            in training and in eval mode, as in the paper; see also `noise` and `fixed_noise`.
        noise_scale, noise_level: of the neuronal noise, the rate of one unit of response and the
            spontaneous rate; of the gaussian, its standard deviation.
        colours: (n,) the channel each filter reads, for both of a pair; by default drawn from
            `seed`.
        in_channels: of the input.

    Attributes:
        parameters_of_bank: (5, n) as `gabor_parameters` returns them; of no meaning once other
            kernels were loaded.
        simple_conv_q0, simple_conv_q1: hold the dense kernels, a quarter cycle apart.

    `brainkit.features.record` finds the rates before noise under "rates", those after under
    "output".

    Raises:
        ValueError: settings that fit no bank; a batch of other channels.
    """

    def __init__(
        self,
        image_size: int = 224,
        visual_degrees: float = 8,
        simple_channels: int = 256,
        complex_channels: int = 256,
        kernel_size: int = 25,
        stride: int = 4,
        k_exc: float = 25,
        sf_corr: float = 0.75,
        sf_max: float = 9,
        sf_min: float = 0,
        seed: int = 0,
        noise: str | None = "neuronal",
        noise_scale: float = 0.35,
        noise_level: float = 0.07,
        colours: Sequence[int] | Tensor | None = None,
        in_channels: int = 3,
    ):
        super().__init__()
        n = simple_channels + complex_channels
        if min(simple_channels, complex_channels) < 0 or image_size <= 0 or visual_degrees <= 0:
            raise ValueError("numbers of channels, image_size and visual_degrees are positive")
        self.simple_channels, self.complex_channels = simple_channels, complex_channels
        self.in_channels, self.stride, self.k_exc = in_channels, stride, k_exc
        self.noise, self.noise_scale, self.noise_level = _known(noise), noise_scale, noise_level

        bank = gabor_parameters(n, seed, sf_corr, sf_max, sf_min)
        self.parameters_of_bank = bank
        colours = _colours(colours, n, in_channels, seed)
        for name, quarter in (("simple_conv_q0", 0.0), ("simple_conv_q1", math.pi / 2)):
            dense = torch.zeros(n, in_channels, kernel_size, kernel_size)
            dense[torch.arange(n), colours] = _filters(
                bank, kernel_size, image_size / visual_degrees, quarter
            )
            self.add_module(name, Kernels(dense))
        self.rates = nn.Identity()
        self.output = nn.Identity()
        self._pack()
        self.register_load_state_dict_post_hook(_pack_again)

    def _pack(self) -> None:
        """Lay the filters out by the channel they read: a third of the dense work, or less.

        The second of a pair is needed for complex cells only. Kernels that read several channels
        are kept dense.
        """
        first, second = self.simple_conv_q0.weight, self.simple_conv_q1.weight
        # (n + complex, in, k, k), and which channels each reads: (n + complex, in)
        dense = torch.cat([first, second[self.simple_channels :]]).detach()
        reads = dense.abs().amax((2, 3)) > 0
        order, packed, self._groups = [], [], []
        for channel in range(self.in_channels):
            of_it = torch.where(reads[:, channel] & (reads.sum(1) == 1))[0]
            if len(of_it):
                packed.append(dense[of_it, channel])
                order.append(of_it)
                self._groups.append((channel, len(of_it)))
        rest = torch.where(reads.sum(1) != 1)[0]
        if len(rest):
            order.append(rest)
        k = dense.shape[-1]
        packed = torch.cat(packed)[:, None] if packed else dense.new_zeros(0, 1, k, k)
        self.register_buffer("_packed", packed, persistent=False)
        self.register_buffer("_dense", dense[rest], persistent=False)
        self.register_buffer("_order", torch.argsort(torch.cat(order)), persistent=False)

    def linear(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Responses of the linear filters: all first ones (b, n, h, w), and the complex cells'
        second ones (b, complex, h, w)."""
        padding = self._packed.shape[-1] // 2
        kernels, found = self._packed.split([n for _, n in self._groups]), []
        for (channel, _), kernel in zip(self._groups, kernels, strict=True):
            found.append(F.conv2d(x[:, channel, None], kernel, None, self.stride, padding))
        if len(self._dense):
            found.append(F.conv2d(x, self._dense, None, self.stride, padding))
        both = torch.cat(found, 1).index_select(1, self._order)
        n = self.simple_channels + self.complex_channels
        return both[:, :n], both[:, n:]

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ValueError(
                f"a VOneBlock takes (b, {self.in_channels}, h, w), not {tuple(x.shape)}"
            )
        first, second = self.linear(x)
        simple = first[:, : self.simple_channels].relu()
        # Without the 1e-12 the root has no gradient where an image is blank.
        energy = first[:, self.simple_channels :].square() + second.square()
        cells = torch.cat([simple, torch.sqrt(energy / 2 + 1e-12)], 1)
        return self.output(self._noisy(self.rates(self.k_exc * cells)))

    def _noisy(self, rates: Tensor) -> Tensor:
        if self.noise is None:
            return rates
        field = self._field(rates)
        if self.noise == "gaussian":
            return (rates + self.noise_scale * field).relu()
        mean = self.noise_scale * rates + self.noise_level
        spikes = mean + field * torch.sqrt(mean.relu() + 1e-4)
        return ((spikes - self.noise_level) / self.noise_scale).relu()

    def _field(self, like: Tensor) -> Tensor:
        if not _fixed:
            return torch.randn_like(like)
        generator = torch.Generator(like.device).manual_seed(_fixed[-1])
        return torch.randn(like.shape, generator=generator, device=like.device, dtype=like.dtype)

    def extra_repr(self) -> str:
        return (f"simple={self.simple_channels}, complex={self.complex_channels}, "
                f"stride={self.stride}, noise={self.noise!r}")  # fmt: skip


def _pack_again(block: VOneBlock, _) -> None:
    block._pack()


def _filters(bank: np.ndarray, size: int, pixels_per_degree: float, quarter: float) -> Tensor:
    """Kernels (n, size, size) of a bank (5, n), their phase moved on by `quarter` (radians)."""
    frequency, orientation, phase, nx, ny = torch.from_numpy(bank)
    frequency = frequency / pixels_per_degree  # cycles per pixel
    kernels = gabor(size, frequency, orientation.deg2rad(), phase.deg2rad() + quarter,
                    nx / frequency, ny / frequency)  # fmt: skip
    return kernels.float()


def _colours(given, n: int, in_channels: int, seed: int) -> Tensor:
    if given is None:
        return torch.from_numpy(np.random.default_rng([seed, 1]).integers(in_channels, size=n))
    colours = torch.as_tensor(given).reshape(-1).long()
    if len(colours) != n or not 0 <= int(colours.min()) <= int(colours.max()) < in_channels:
        raise ValueError(
            f"colours: give {n} numbers from 0 to {in_channels - 1}, one for each filter"
        )
    return colours


class VOneNet(nn.Module):
    """A VOneBlock, a 1 x 1 bottleneck and the rest of a net: images in [0, 1] to logits.

    Args:
        block: the `VOneBlock`.
        model: takes the bottleneck's (b, channels, h/4, w/4).
        channels: that the bottleneck leaves.
        normalise: the module that comes first; none if not given.
    """

    def __init__(
        self,
        block: VOneBlock,
        model: nn.Module,
        channels: int = 64,
        normalise: nn.Module | None = None,
    ):
        super().__init__()
        self.normalise = nn.Identity() if normalise is None else normalise
        self.vone_block = block
        cells = block.simple_channels + block.complex_channels
        self.bottleneck = nn.Conv2d(cells, channels, 1, bias=False)
        nn.init.kaiming_normal_(self.bottleneck.weight, mode="fan_out", nonlinearity="relu")
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return self.model(self.bottleneck(self.vone_block(self.normalise(images))))
