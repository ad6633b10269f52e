"""The published VOneNets: a VOneBlock in the place of a net's first layers.

Dapello, Marques et al. 2020, Advances in Neural Information Processing Systems 33. Names of
parameters are the original's, so its weights load as they are.
"""

from __future__ import annotations

import torchvision
from torch import Tensor, nn

from brainkit.models.cornet import CORnetS
from brainkit.models.normalise import Normalise
from brainkit.models.vonenet import VOneBlock, VOneNet

__all__ = ["vone_alexnet", "vone_cornet_s", "vone_resnet50"]


class ResNet50Back(nn.Module):
    """ResNet-50 without its stem: (b, 64, s, s) to logits (b, n_classes)."""

    def __init__(self, n_classes: int = 1000):
        super().__init__()
        whole = torchvision.models.resnet50(weights=None, num_classes=n_classes)
        self.layer1, self.layer2 = whole.layer1, whole.layer2
        self.layer3, self.layer4 = whole.layer3, whole.layer4
        self.avgpool, self.flatten, self.fc = whole.avgpool, nn.Flatten(), whole.fc

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.flatten(self.avgpool(x)))


class AlexNetBack(nn.Module):
    """AlexNet without its first layer: (b, 64, s, s) to logits (b, n_classes).

    The maps are pooled to 7 x 7 before the classifier, 6 x 6 in AlexNet itself.
    """

    def __init__(self, n_classes: int = 1000):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(64, 192, 5, stride=2, padding=2), nn.ReLU(), nn.MaxPool2d(3, stride=2),
            nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, stride=2),
        )  # fmt: skip
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        self.flatten = nn.Flatten()
        self.classifier = nn.Sequential(
            nn.Dropout(), nn.Linear(256 * 7 * 7, 4096), nn.ReLU(),
            nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, n_classes),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.flatten(self.avgpool(self.features(x))))


def _net(back: nn.Module, block: dict) -> VOneNet:
    return VOneNet(VOneBlock(**block), back, 64, Normalise([0.5] * 3, [0.5] * 3, smallest=32))


def vone_resnet50(n_classes: int = 1000, **block) -> VOneNet:
    """VOneResNet-50, untrained behind its V1: images (b, 3, h, w) in [0, 1] to logits.

    `block` are `VOneBlock`'s settings. The normalisation, (image - .5) / .5, is inside. For the
    published weights use `brainkit.models.load("vone_resnet50")`.
    """
    return _net(ResNet50Back(n_classes), block)


def vone_cornet_s(n_classes: int = 1000, **block) -> VOneNet:
    """VOneCORnet-S, untrained behind its V1: images (b, 3, h, w) in [0, 1] to logits.

    `block` are `VOneBlock`'s settings. The normalisation, (image - .5) / .5, is inside. For the
    published weights use `brainkit.models.load("vone_cornet_s")`.
    """
    return _net(CORnetS(n_classes=n_classes, v1=False), block)


def vone_alexnet(n_classes: int = 1000, **block) -> VOneNet:
    """VOneAlexNet, untrained behind its V1: images (b, 3, h, w) in [0, 1] to logits.

    `block` are `VOneBlock`'s settings. The normalisation, (image - .5) / .5, is inside. For the
    published weights use `brainkit.models.load("vone_alexnet")`.
    """
    return _net(AlexNetBack(n_classes), block)
