"""The brain-like nets and their controls at the size of the course's objects.

Images (b, 1, 64, 64) in [0, 1] to logits (b, 8), at most 30 million multiply-accumulates an image.
Nets to be compared differ in one thing:

- `cornet_s` and `feedforward_s`: recurrence, at the same parameters, cost and depth;
- `resnet` and `vone_resnet`, `cornet_s` and `vone_cornet_s`: the front end;
- `vone_resnet` with `noise=None`: its noise; with `complex_channels=0`: its complex cells;
- `resnet` and `noise_resnet`: the noise alone, behind a learned stem.

`live_cnn` is compared with none: it is small enough to run in a reader's browser.
"""

from __future__ import annotations

from torch import Tensor, nn

from brainkit.models.cornet import CORnetS
from brainkit.models.miniatures import ResNet
from brainkit.models.normalise import Normalise
from brainkit.models.vonenet import Noise, VOneBlock, VOneNet

__all__ = [
    "cornet_s", "feedforward_s", "live_cnn", "noise_resnet", "resnet", "vone_cornet_s",
    "vone_resnet",
]  # fmt: skip

WIDTHS = (16, 32, 64)  # of the ResNets' stages
AREAS = (16, 24, 48, 96)  # channels of V1, V2, V4 and IT
# The feed-forward control has weights of its own for each of CORnet-S's steps. So that it has as
# many in all, and costs as much, they are spent otherwise: more in V2, fewer in V4 and IT.
AREAS_FEEDFORWARD = (16, 38, 38, 44)
TIMES = (2, 4, 2)

# 64 pixels are 4 degrees: the finest of the bank's filters is then .35 cycles per pixel.
V1 = dict(image_size=64, visual_degrees=4, sf_max=6, kernel_size=21, in_channels=1)
CELLS = 48  # simple ones, and as many complex ones


def _normalise() -> Normalise:
    return Normalise(0.5, 0.25, channels=1, side=64)


def resnet(n_classes: int = 8) -> ResNet:
    """A ResNet of 14 layers."""
    return ResNet(n_classes, widths=WIDTHS)


class _AfterStem(nn.Module):
    """A ResNet from its first stage on: (b, 16, 16, 16) to logits."""

    def __init__(self, n_classes: int):
        super().__init__()
        whole = resnet(n_classes)
        self.stages, self.pool, self.output = whole.stages, whole.pool, whole.output

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.pool(self.stages(x)).flatten(1))


def cornet_s(n_classes: int = 8, times: tuple[int, int, int] = TIMES) -> CORnetS:
    """CORnet-S, narrower: `times` are the steps of V2, V4 and IT."""
    return CORnetS(AREAS, times, 1, n_classes, scale=2, normalise=_normalise())


def feedforward_s(n_classes: int = 8) -> CORnetS:
    """CORnet-S unrolled, each step with weights of its own; its parameters, cost and depth."""
    return CORnetS(AREAS_FEEDFORWARD, TIMES, 1, n_classes, scale=2, normalise=_normalise(),
                   tied=False)  # fmt: skip


def _vone(
    model: nn.Module, noise: str | None, seed: int, simple: int = CELLS, complex_: int = CELLS
) -> VOneNet:
    block = VOneBlock(**V1, simple_channels=simple, complex_channels=complex_, noise=noise,
                      seed=seed)  # fmt: skip
    return VOneNet(block, model, AREAS[0], Normalise(0.5, 0.5, channels=1, side=64))


def vone_resnet(
    n_classes: int = 8,
    noise: str | None = "neuronal",
    seed: int = 0,
    simple_channels: int = CELLS,
    complex_channels: int = CELLS,
) -> VOneNet:
    """`resnet` with a VOneBlock in the place of its stem.

    `noise`, `seed` (of the bank) and the numbers of cells are the `VOneBlock`'s.
    """
    return _vone(_AfterStem(n_classes), noise, seed, simple_channels, complex_channels)


def vone_cornet_s(n_classes: int = 8, noise: str | None = "neuronal", seed: int = 0) -> VOneNet:
    """`cornet_s` with a VOneBlock in the place of V1; `seed` of the bank, `noise` as there."""
    return _vone(CORnetS(AREAS, TIMES, 1, n_classes, scale=2, v1=False), noise, seed)


class Gain(nn.Module):
    """Times a fixed number."""

    def __init__(self, factor: float):
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x

    def extra_repr(self) -> str:
        return f"{self.factor:g}"


def noise_resnet(n_classes: int = 8, mean_rate: float = 0.69) -> ResNet:
    """`resnet` with a VOneBlock's noise behind its learned stem, and no Gabors.

    Args:
        n_classes: of the labels.
        mean_rate: of the stem's units before noise; by default that of a VOneBlock's cells to
            the course's objects. Their normalisation has no gain of its own, so the stem cannot
            outgrow the noise.
    """
    net = resnet(n_classes)
    conv, norm, relu, pool = net.stem
    norm = nn.BatchNorm2d(norm.num_features, affine=False)
    # Normalised, rectified and pooled, an untrained stem's answers to the objects have mean 1.
    net.stem = nn.Sequential(conv, norm, relu, pool, Gain(mean_rate), Noise())
    return net


def live_cnn(n_classes: int = 8, widths: tuple[int, int, int] = (12, 20, 32)) -> nn.Sequential:
    """A plain chain of layers for `brainkit.live`: its gradient takes a browser milliseconds.

    Args:
        n_classes: of the labels.
        widths: channels of the three convolutions, each batch-normalised, rectified and pooled.
    """
    layers: list[nn.Module] = [_normalise()]  # (b, 1, 64, 64)
    channels = 1
    # Maps of 32, 16 and 8 pixels before pooling; means, because their gradient needs no memory of
    # where a maximum was.
    for width, size, stride in zip(widths, (7, 3, 3), (2, 1, 1), strict=True):
        layers += [nn.Conv2d(channels, width, size, stride, size // 2, bias=False),
                   nn.BatchNorm2d(width), nn.ReLU(), nn.AvgPool2d(2)]  # fmt: skip
        channels = width
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * 16, n_classes))
