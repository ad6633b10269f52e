"""CORnet: nets with one module for each area of the ventral stream, V1, V2, V4 and IT.

CORnet-S (Kubilius et al. 2019, Advances in Neural Information Processing Systems 32) unrolls each
area's recurrence in time; CORnet-Z has no recurrence, CORnet-RT (Kubilius et al. 2018, bioRxiv
10.1101/408385) lets an image take one step from area to area per time step. Built from the
published description and checked against the original nets' outputs; names of parameters are the
originals', so their weights load as they are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from brainkit.models.normalise import imagenet

__all__ = ["CORnetRT", "CORnetS", "CORnetZ", "cornet_rt", "cornet_s", "cornet_z"]

AREAS = ("V1", "V2", "V4", "IT")


class Conv2d(nn.Conv2d):
    """A convolution that can be told its stride, since CORnet-S's differs from step to step."""

    def forward(self, x: Tensor, stride: int = 1) -> Tensor:
        return nn.functional.conv2d(x, self.weight, self.bias, stride, self.padding)


class Stem(nn.Module):
    """CORnet-S's V1: two convolutions, a quarter of the image's side.

    (b, in, s, s) -> (b, out, s / 4, s / 4)
    """

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 7, stride=2, padding=3, bias=False)
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.nonlin1 = nn.ReLU()
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.nonlin2 = nn.ReLU()
        self.output = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.nonlin1(self.norm1(self.conv1(x))))
        return self.output(self.nonlin2(self.norm2(self.conv2(x))))


class CORblock(nn.Module):
    """One recurrent area of CORnet-S: a bottleneck block applied `times` times to its own output.

    (b, in, s, s) -> (b, out, s / 2, s / 2)

    The convolutions are the same in each step, the batch normalisations are not. Only the first
    step strides. `output` answers once a step, so `brainkit.features.record` finds "output.t0",
    "output.t1" ...

    Args:
        in_channels, out_channels: of the area below and of this one.
        times: steps, 1 or more.
        scale: how many times wider the block is inside.
        tied: False gives each step convolutions of its own, conv1_0, conv1_1 ...: no recurrence
            any more, but a feed-forward area as deep.
    """

    def __init__(
        self, in_channels: int, out_channels: int, times: int, scale: int = 4, tied: bool = True
    ):
        super().__init__()
        if times < 1:
            raise ValueError(f"times={times}: an area runs at least once")
        self.times, self.tied = times, tied
        inside = out_channels * scale
        self.conv_input = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.skip = nn.Conv2d(out_channels, out_channels, 1, stride=2, bias=False)
        self.norm_skip = nn.BatchNorm2d(out_channels)
        for end in [""] if tied else [f"_{t}" for t in range(times)]:
            self.add_module(f"conv1{end}", nn.Conv2d(out_channels, inside, 1, bias=False))
            self.add_module(f"conv2{end}", Conv2d(inside, inside, 3, padding=1, bias=False))
            self.add_module(f"conv3{end}", nn.Conv2d(inside, out_channels, 1, bias=False))
        self.nonlin1, self.nonlin2, self.nonlin3 = nn.ReLU(), nn.ReLU(), nn.ReLU()
        self.output = nn.Identity()
        for t in range(times):
            self.add_module(f"norm1_{t}", nn.BatchNorm2d(inside))
            self.add_module(f"norm2_{t}", nn.BatchNorm2d(inside))
            self.add_module(f"norm3_{t}", nn.BatchNorm2d(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_input(x)
        for t in range(self.times):
            first = t == 0
            skip = self.norm_skip(self.skip(x)) if first else x
            x = self.nonlin1(self._at("norm1", t)(self._conv("conv1", t)(x)))
            x = self._conv("conv2", t)(x, stride=2 if first else 1)
            x = self.nonlin2(self._at("norm2", t)(x))
            x = self._at("norm3", t)(self._conv("conv3", t)(x))
            x = self.output(self.nonlin3(x + skip))
        return x

    def _at(self, name: str, t: int) -> nn.Module:
        return getattr(self, f"{name}_{t}")

    def _conv(self, name: str, t: int) -> nn.Module:
        return getattr(self, name) if self.tied else self._at(name, t)


class ConvArea(nn.Module):
    """An area of CORnet-Z: convolution, ReLU, max pooling of 3 with stride 2."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int = 3, stride: int = 1):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2)
        self.nonlin = nn.ReLU()
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.output = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.pool(self.nonlin(self.conv(x))))


class RecurrentArea(nn.Module):
    """An area of CORnet-RT: it adds what comes in to its own last output.

    Args:
        kernel, stride: of the convolution on what comes from below.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int = 3, stride: int = 2):
        super().__init__()
        self.out_channels, self.stride = out_channels, stride
        groups = math.gcd(32, out_channels)
        self.conv_input = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2)
        self.norm_input = nn.GroupNorm(groups, out_channels)
        self.nonlin_input = nn.ReLU()
        self.conv1 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.norm1 = nn.GroupNorm(groups, out_channels)
        self.nonlin1 = nn.ReLU()
        self.output = nn.Identity()

    def size_after(self, size: int) -> int:
        """Side of its maps for a side of `size` below (its kernels are odd and padded by half)."""
        return (size - 1) // self.stride + 1

    def forward(self, below: Tensor | None, state: Tensor) -> Tensor:
        """below: (b, in, s, s), or None where nothing has arrived yet; state: (b, out, s', s')."""
        x = state
        if below is not None:
            x = x + self.nonlin_input(self.norm_input(self.conv_input(below)))
        return self.output(self.nonlin1(self.norm1(self.conv1(x))))


class Decoder(nn.Module):
    """Global average and a linear layer: (b, c, s, s) -> (b, n_classes) logits."""

    def __init__(self, in_channels: int, n_classes: int):
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(in_channels, n_classes)
        self.output = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.linear(self.flatten(self.avgpool(x))))


class _Areas(nn.Module):
    """What the three have in common: normalisation in front, areas, a decoder."""

    def __init__(self, areas: Sequence[nn.Module], widths: Sequence[int], n_classes: int,
                 normalise: nn.Module | None):  # fmt: skip
        super().__init__()
        self.normalise = nn.Identity() if normalise is None else normalise
        self.areas = AREAS[-len(areas):]  # a net whose V1 is another's has the last three
        for name, area in zip(self.areas, areas, strict=True):
            self.add_module(name, area)
        self.decoder = Decoder(widths[-1], n_classes)

    def forward(self, images: Tensor) -> Tensor:
        x = self.normalise(images)
        for name in self.areas:
            x = getattr(self, name)(x)
        return self.decoder(x)


class CORnetS(_Areas):
    """CORnet-S: images (b, in_channels, s, s) to logits (b, n_classes).

    Args:
        widths: channels of V1, V2, V4 and IT.
        times: steps of V2, V4 and IT.
        in_channels, n_classes: of images and labels.
        scale: how many times wider a block is inside.
        normalise: the module that comes first; none if not given.
        v1: False leaves V1 out: what comes in is then its answer, (b, widths[0], s / 4, s / 4).
        tied: False gives each time step weights of its own: the same depth without recurrence.

    Source: Kubilius et al. 2019; initialised as its authors do.
    """

    def __init__(
        self,
        widths: Sequence[int] = (64, 128, 256, 512),
        times: Sequence[int] = (2, 4, 2),
        in_channels: int = 3,
        n_classes: int = 1000,
        scale: int = 4,
        normalise: nn.Module | None = None,
        v1: bool = True,
        tied: bool = True,
    ):
        if len(widths) != 4 or len(times) != 3:
            raise ValueError(f"widths {tuple(widths)} and times {tuple(times)}: give four widths "
                             "(V1, V2, V4, IT) and three times (V2, V4, IT)")  # fmt: skip
        blocks = [CORblock(*ends, t, scale, tied)
                  for ends, t in zip(pairwise(widths), times, strict=True)]  # fmt: skip
        stem = [Stem(in_channels, widths[0])] if v1 else []
        super().__init__([*stem, *blocks], widths, n_classes, normalise)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                fan_out = module.out_channels * math.prod(module.kernel_size)
                nn.init.normal_(module.weight, 0, math.sqrt(2 / fan_out))


class CORnetZ(_Areas):
    """CORnet-Z, one convolution an area: images (b, in_channels, s, s) to logits (b, n_classes).

    Args:
        widths: channels of V1, V2, V4 and IT.
        in_channels, n_classes: of images and labels.
        normalise: the module that comes first; none if not given.

    Source: Kubilius et al. 2018, bioRxiv 10.1101/408385.
    """

    def __init__(
        self,
        widths: Sequence[int] = (64, 128, 256, 512),
        in_channels: int = 3,
        n_classes: int = 1000,
        normalise: nn.Module | None = None,
    ):
        areas = [ConvArea(in_channels, widths[0], 7, 2)]
        areas += [ConvArea(below, above) for below, above in pairwise(widths)]
        super().__init__(areas, widths, n_classes, normalise)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)


class CORnetRT(_Areas):
    """CORnet-RT: each area sees the one below as it was one time step ago.

    Args:
        widths: channels of V1, V2, V4 and IT, multiples of 32 in the original.
        times: time steps; IT has seen the image from the fourth on.
        in_channels, n_classes: of images and labels.
        normalise: the module that comes first; none if not given.

    Takes images of any size (the original: 224 only). In its first step V1 alone has an input;
    an area without one starts from zeros. Source: Kubilius et al. 2018, bioRxiv 10.1101/408385
    (there called CORnet-R).
    """

    def __init__(
        self,
        widths: Sequence[int] = (64, 128, 256, 512),
        times: int = 5,
        in_channels: int = 3,
        n_classes: int = 1000,
        normalise: nn.Module | None = None,
    ):
        if times < 1:
            raise ValueError(f"times={times}: give 1 step or more")
        areas = [RecurrentArea(in_channels, widths[0], 7, 4)]
        areas += [RecurrentArea(below, above) for below, above in pairwise(widths)]
        super().__init__(areas, widths, n_classes, normalise)
        self.times = times

    def forward(self, images: Tensor) -> Tensor:
        x = self.normalise(images)
        areas = [getattr(self, name) for name in self.areas]
        states, (height, width) = [], x.shape[2:]
        for area in areas:
            height, width = area.size_after(height), area.size_after(width)
            states.append(x.new_zeros(len(x), area.out_channels, height, width))
        for t in range(self.times):
            inputs = [x, *(states[:-1] if t else [None] * 3)]
            states = [area(*given) for area, *given in zip(areas, inputs, states, strict=True)]
        return self.decoder(states[-1])


def cornet_s(**options) -> CORnetS:
    """CORnet-S as published, untrained: 53.4 million parameters, images (b, 3, h, w) in [0, 1].

    ImageNet's normalisation is inside. `options` are `CORnetS`'s. For the published weights use
    `brainkit.models.load("cornet_s")`.
    """
    return CORnetS(**{"normalise": imagenet(32), **options})


def cornet_z(**options) -> CORnetZ:
    """CORnet-Z as published, untrained: 2.1 million parameters, images (b, 3, h, w) in [0, 1].

    ImageNet's normalisation is inside. `options` are `CORnetZ`'s. For the published weights use
    `brainkit.models.load("cornet_z")`.
    """
    return CORnetZ(**{"normalise": imagenet(32), **options})


def cornet_rt(**options) -> CORnetRT:
    """CORnet-RT as published, untrained: 5.2 million parameters, images (b, 3, h, w) in [0, 1].

    ImageNet's normalisation is inside. `options` are `CORnetRT`'s. For the published weights use
    `brainkit.models.load("cornet_rt")`.
    """
    return CORnetRT(**{"normalise": imagenet(32), **options})
