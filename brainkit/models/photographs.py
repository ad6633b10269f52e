"""The nets of `small` for photographs: images (b, 3, 32, 32) in [0, 1] to logits (b, 10).

CIFAR-10's pictures have half the side of the course's objects, so the first layer leaves as many
places (16 x 16), and everything behind it is what it is in `small`: nets to be compared differ in
the same one thing.
"""

from __future__ import annotations

import math

from torch import nn

from brainkit.models.cornet import CORnetS
from brainkit.models.miniatures import ResNet
from brainkit.models.normalise import Normalise
from brainkit.models.small import AREAS, CELLS, TIMES, WIDTHS, Gain
from brainkit.models.vonenet import Noise, VOneBlock, VOneNet

__all__ = ["cornet_s", "noise_resnet", "resnet", "vone_resnet"]

# 32 pixels are 2 degrees, so a degree has as many pixels as in the nets for objects.
V1 = dict(image_size=32, visual_degrees=2, sf_max=6, kernel_size=21, stride=2, in_channels=3)


def _normalise(sd: float = 0.25) -> Normalise:
    return Normalise(0.5, sd, channels=3, side=32)


def _first_convolution() -> nn.Conv2d:
    return nn.Conv2d(3, WIDTHS[0], 5, stride=2, padding=2, bias=False)


def resnet(n_classes: int = 10) -> ResNet:
    """`small.resnet`, its stem without pooling."""
    net = ResNet(n_classes, 3, WIDTHS)
    net.normalise = _normalise()
    _, norm, relu, _ = net.stem
    conv = _first_convolution()
    nn.init.kaiming_normal_(conv.weight, mode="fan_in", nonlinearity="relu")
    net.stem = nn.Sequential(conv, norm, relu)  # (b, 16, 16, 16)
    return net


class _AfterStem(nn.Module):
    """The ResNet from its first stage on: (b, 16, 16, 16) to logits."""

    def __init__(self, n_classes: int):
        super().__init__()
        whole = resnet(n_classes)
        self.stages, self.pool, self.output = whole.stages, whole.pool, whole.output

    def forward(self, x):
        return self.output(self.pool(self.stages(x)).flatten(1))


def vone_resnet(n_classes: int = 10, noise: str | None = "neuronal", seed: int = 0) -> VOneNet:
    """`resnet` with a VOneBlock in the place of its stem; `noise` and `seed` are the block's."""
    block = VOneBlock(**V1, simple_channels=CELLS, complex_channels=CELLS, noise=noise, seed=seed)
    return VOneNet(block, _AfterStem(n_classes), WIDTHS[0], _normalise(0.5))


def noise_resnet(n_classes: int = 10, mean_rate: float = 0.87) -> ResNet:
    """`resnet` with a VOneBlock's noise behind its learned stem, and no Gabors.

    Args:
        n_classes: of the labels.
        mean_rate: of the stem's units before noise; by default that of a VOneBlock's cells to
            CIFAR-10. Their normalisation has no gain of its own, so the stem cannot outgrow the
            noise.
    """
    net = resnet(n_classes)
    conv, norm, relu = net.stem
    norm = nn.BatchNorm2d(norm.num_features, affine=False)
    # A rectified standard normal has mean (2 pi)^-1/2.
    net.stem = nn.Sequential(conv, norm, relu, Gain(mean_rate * (2 * math.pi) ** 0.5), Noise())
    return net


def cornet_s(n_classes: int = 10, times: tuple[int, int, int] = TIMES) -> CORnetS:
    """`small.cornet_s`, its V1 without pooling; `times` are the steps of V2, V4 and IT."""
    net = CORnetS(AREAS, times, 3, n_classes, scale=2, normalise=_normalise())
    conv = _first_convolution()
    nn.init.normal_(conv.weight, 0, (2 / (conv.out_channels * 25)) ** 0.5)
    net.V1.conv1, net.V1.pool = conv, nn.Identity()
    return net
