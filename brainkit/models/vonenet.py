"""VOneNet: a fixed model of primary visual cortex, with V1's noise, in front of a trained net.

Dapello, Marques et al. 2020, Advances in Neural Information Processing Systems 33. The bank of
Gabors is drawn from published distributions of V1 neurons; nothing in it is trained. Built from
the published description and checked against the original's numbers; parameters carry the
original's names, so its weights load as they are. Differences, all in the default bank alone: the
two filters of a quadrature pair read the same colour, and `seed` alone decides which.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brainkit.models._noise import (
    Noise,
    draws,
    fixed_noise,
    kept_noise,
    noise,
    silent_part_once,
)
from brainkit.models.gabors import gabor
from brainkit.models.v1_neurons import gabor_parameters

__all__ = ["Noise", "VOneBlock", "VOneNet", "draws", "fixed_noise", "gabor_parameters",
           "kept_noise", "noise", "silent_part_once"]  # fmt: skip

# --- The block -----------------------------------------------------------------------------------

CACHE = 2_000_000  # bytes; answers beyond it went to memory and back between operations


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
        k_exc: gain of all cells, before noise.
        sf_corr, sf_max, sf_min, seed: of the bank, as for `gabor_parameters`.
        noise, noise_scale, noise_level: mode, scale and level of its `Noise`.
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
        self.noise = Noise(noise, noise_scale, noise_level)
        self.output = nn.Identity()
        self._pack()
        self.register_load_state_dict_post_hook(_pack_again)

    def _pack(self) -> None:
        """Lay the filters out by the channel they read: a quarter of the dense work.

        The second filter of a pair is needed for complex cells only. Filters over several
        channels make a group of their own. Gains are multiplied into the kernels.
        """
        simple, k = self.simple_channels, self.simple_conv_q0.weight.shape[-1]
        gain = torch.full((simple + self.complex_channels, 1, 1, 1), float(self.k_exc))
        gain[simple:] /= math.sqrt(2)
        banks = [bank.weight.detach() * gain.to(bank.weight)
                 for bank in (self.simple_conv_q0, self.simple_conv_q1)]  # fmt: skip
        reads = [_channel_read(bank) for bank in banks]
        self._groups, kernels, several, outputs, seconds = [], [], banks[0][:0], [], []
        for channel in range(-1, self.in_channels):  # -1: those that read several
            first, second = (torch.where(read == channel)[0] for read in reads)
            second = second[second >= simple]
            if not len(first) + len(second):
                continue
            found = torch.cat([banks[0][first], banks[1][second]])
            if channel < 0:
                several = found
            else:
                kernels.append(found[:, channel, None])
            n_simple = int((first < simple).sum())
            self._groups.append((channel, n_simple, len(first) - n_simple, len(second)))
            outputs.append(first)
            seconds.append(second)
        packed = torch.cat(kernels) if kernels else banks[0].new_zeros(0, 1, k, k)
        first, second = torch.cat(outputs), torch.cat(seconds)
        first = torch.cat([first[first < simple], first[first >= simple]])
        # Mostly the two of a pair read one channel, and so meet in one group already.
        self._paired = all(torch.equal(a[a >= simple], b)
                           for a, b in zip(outputs, seconds, strict=True))  # fmt: skip
        meets = torch.argsort(second)[first[simple:] - simple]
        for name, value in (("packed", packed), ("several", several), ("meets", meets),
                            ("order", torch.argsort(first))):  # fmt: skip
            self.register_buffer(f"_{name}", value, persistent=False)

    @property
    def macs_per_place(self) -> int:
        """Multiply-accumulates for one place of the output."""
        return self._packed.numel() + self._several.numel()

    def _convolve(self, x: Tensor) -> list[tuple[Tensor, ...]]:
        """Of each group: simple cells, first and second of its complex cells', times the gain."""
        padding = self._packed.shape[-1] // 2
        sizes = [sum(group[1:]) for group in self._groups if group[0] >= 0]
        kernels, found = iter(self._packed.split(sizes)), []
        for channel, *parts in self._groups:
            one = channel >= 0
            maps = F.conv2d(x[:, channel, None] if one else x,
                            next(kernels) if one else self._several,
                            None, self.stride, padding)  # fmt: skip
            found.append(maps.split(parts, 1))
        return found

    def linear(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What the filters answer, before rectification and gain.

        x: (b, in, h, w). Returns all first filters' answers (b, simple + complex, h/4, w/4) and
        those of the complex cells' second filters (b, complex, h/4, w/4).
        """
        simple, first, second = (
            torch.cat(part, 1) for part in zip(*self._convolve(x), strict=True)
        )
        n, root = self.simple_channels, math.sqrt(2)
        first = torch.cat([simple, root * first], 1).index_select(1, self._order)
        second = root * second.index_select(1, self._meets[self._order[n:] - n])
        return first / self.k_exc, second / self.k_exc

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ValueError(
                f"a VOneBlock takes (b, {self.in_channels}, h, w), not {tuple(x.shape)}"
            )
        return self.output(self.noise(self.silent(x)))

    def silent(self, x: Tensor) -> Tensor:
        """Rates (b, simple + complex, h/4, w/4) before noise."""
        rates = [self._rates(part) for part in x.split(self._together(x))]
        return self.rates(rates[0] if len(rates) == 1 else torch.cat(rates))

    def _rates(self, x: Tensor) -> Tensor:
        simple, first, second = zip(*self._convolve(x), strict=True)
        if not self._paired:
            first = [torch.cat(first, 1)]
            second = [torch.cat(second, 1).index_select(1, self._meets)]
        cells = [part.relu() for part in simple]
        # Without the small number the root has no gradient where an image is blank.
        small = x.new_tensor(1e-12 * self.k_exc**2)
        cells += [torch.addcmul(small, a, a).addcmul(b, b).sqrt()
                  for a, b in zip(first, second, strict=True)]  # fmt: skip
        return torch.cat(cells, 1).index_select(1, self._order)

    def _together(self, x: Tensor) -> int:
        """Images convolved at a time: one, where its answers alone fill a CPU's cache."""
        places = x.shape[2] * x.shape[3] // self.stride**2
        answers = places * (self.simple_channels + 2 * self.complex_channels)
        large = x.device.type == "cpu" and answers * x.element_size() > CACHE
        return 1 if large and not torch.compiler.is_compiling() else max(1, len(x))

    def extra_repr(self) -> str:
        return (f"simple={self.simple_channels}, complex={self.complex_channels}, "
                f"stride={self.stride}")  # fmt: skip


def _channel_read(bank: Tensor) -> Tensor:
    """The one channel each filter of (n, in, k, k) reads: (n,); -1 where it is not one."""
    reads = bank.abs().amax((2, 3)) > 0
    return torch.where(reads.sum(1) == 1, reads.int().argmax(1), -1)


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
