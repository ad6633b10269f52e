"""Historic convolutional nets in miniature, for grayscale 64 x 64 images of 8 categories.

Each keeps what made the original itself and gives up only size:

| net     | original                                   | what it brought                          |
|---------|--------------------------------------------|------------------------------------------|
| LeNet   | LeCun et al. 1989, Proc. IEEE 1998         | filters learned by backpropagation       |
| AlexNet | Krizhevsky, Sutskever & Hinton 2012        | ReLU, dropout, overlapping max pooling   |
| VGG     | Simonyan & Zisserman 2015                  | depth, from stacks of 3 x 3 filters      |
| ResNet  | He, Zhang, Ren & Sun 2016                  | more depth, from skip connections        |

The Neocognitron (Fukushima 1980), which learns without labels, has its own file,
`brainkit.models.neocognitron`.
All take images (b, 1, 64, 64) in [0, 1] and refuse others with a word on what to do; the
normalisation is inside. All return logits.
"""

from __future__ import annotations

import torch
from torch import nn

from brainkit.models.neocognitron import neocognitron
from brainkit.models.normalise import Normalise

__all__ = ["alexnet", "lenet", "neocognitron", "resnet", "vgg"]


def _normalise(channels: int) -> Normalise:
    """Roughly zero mean and unit spread, for 64-pixel images."""
    return Normalise(0.5, 0.25, channels, side=64)


# --- LeNet ---------------------------------------------------------------------------------------


class SubSample(nn.Module):
    """LeNet's sub-sampling layer: 2 x 2 mean, times a learned gain, plus a learned bias, tanh."""

    def __init__(self, channels: int):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (n, c, h, w) -> (n, c, h/2, w/2)
        return torch.tanh(nn.functional.avg_pool2d(x, 2) * self.gain + self.bias)


class LeNet(nn.Module):
    """LeNet-5 in its own proportions: 5 x 5 filters, tanh, mean pooling, a fully connected head.

    One convolution-and-sub-sampling stage more than the original, because 64 px is twice its 32.
    """

    def __init__(self, n_classes: int = 8, in_channels: int = 1):
        super().__init__()
        self.normalise = _normalise(in_channels)
        self.c1 = nn.Conv2d(in_channels, 6, 5)  # (n, 6, 60, 60)
        self.s2 = SubSample(6)  # (n, 6, 30, 30)
        self.c3 = nn.Conv2d(6, 16, 5)  # (n, 16, 26, 26)
        self.s4 = SubSample(16)  # (n, 16, 13, 13)
        self.c5 = nn.Conv2d(16, 32, 5)  # (n, 32, 9, 9)
        self.s6 = SubSample(32)  # (n, 32, 4, 4)
        self.f7 = nn.Linear(32 * 4 * 4, 84)
        self.output = nn.Linear(84, n_classes)
        _lecun_initialise(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (n, 1, 64, 64) -> (n, 8)
        x = self.normalise(x)
        x = self.s2(torch.tanh(self.c1(x)))
        x = self.s4(torch.tanh(self.c3(x)))
        x = self.s6(torch.tanh(self.c5(x)))
        return self.output(torch.tanh(self.f7(x.flatten(1))))


# --- AlexNet -------------------------------------------------------------------------------------


class AlexNet(nn.Module):
    """AlexNet: a large strided first filter, ReLU, overlapping max pooling, dropout, big head.

    Convolutions 2, 4 and 5 keep the two groups that the original split over two GPUs. The
    original's local response normalisation is there with `local_response=True`; its authors
    measured 1 to 2 points for it, VGG's found none, and on a CPU it is the slowest layer here.
    """

    def __init__(
        self,
        n_classes: int = 8,
        in_channels: int = 1,
        dropout: float = 0.5,
        local_response: bool = False,
    ):
        super().__init__()

        def normalised() -> nn.Module:
            return nn.LocalResponseNorm(5, 1e-4, 0.75, 2.0) if local_response else nn.Identity()

        self.normalise = _normalise(in_channels)
        self.features = nn.Sequential(  # (n, 1, 64, 64)
            nn.Conv2d(in_channels, 16, 9, stride=2, padding=4),  # (n, 16, 32, 32)
            nn.ReLU(),
            normalised(),
            nn.MaxPool2d(3, 2),  # (n, 16, 15, 15)
            nn.Conv2d(16, 32, 5, padding=2, groups=2),  # (n, 32, 15, 15)
            nn.ReLU(),
            normalised(),
            nn.MaxPool2d(3, 2),  # (n, 32, 7, 7)
            nn.Conv2d(32, 48, 3, padding=1),  # (n, 48, 7, 7)
            nn.ReLU(),
            nn.Conv2d(48, 48, 3, padding=1, groups=2),  # (n, 48, 7, 7)
            nn.ReLU(),
            nn.Conv2d(48, 32, 3, padding=1, groups=2),  # (n, 32, 7, 7)
            nn.ReLU(),
            nn.MaxPool2d(3, 2),  # (n, 32, 3, 3)
        )
        self.classifier = nn.Sequential(  # (n, 288)
            nn.Dropout(dropout),
            nn.Linear(32 * 3 * 3, 256),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(256, 256),
            nn.ReLU(),
            nn.Linear(256, n_classes),
        )
        _he_initialise(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (n, 1, 64, 64) -> (n, 8)
        return self.classifier(self.features(self.normalise(x)).flatten(1))


# --- VGG -----------------------------------------------------------------------------------------


class VGG(nn.Module):
    """VGG: nothing but 3 x 3 convolutions in stacks, halved by max pooling, then a dense head."""

    def __init__(
        self,
        n_classes: int = 8,
        in_channels: int = 1,
        stacks: tuple[tuple[int, ...], ...] = ((8,), (16, 16), (24, 24), (32, 32)),
        dense: int = 96,
        dropout: float = 0.5,
    ):
        super().__init__()
        self.normalise = _normalise(in_channels)
        layers: list[nn.Module] = []
        channels = in_channels
        for stack in stacks:
            for width in stack:
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                channels = width
            layers.append(nn.MaxPool2d(2))
        # 64 px -> 32 -> 16 -> 8 -> 4
        self.features = nn.Sequential(*layers)
        side = 64 // 2 ** len(stacks)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(channels * side * side, dense),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(dense, n_classes),
        )
        _he_initialise(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (n, 1, 64, 64) -> (n, 8)
        return self.classifier(self.features(self.normalise(x)).flatten(1))


# --- ResNet --------------------------------------------------------------------------------------


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions, whose sum with the block's own input is passed on."""

    def __init__(self, channels_in: int, channels: int, stride: int = 1, skip: bool = True):
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.skip = skip
        # Where the shape changes, the skip path needs a 1 x 1 convolution to follow it.
        self.projection = None
        if skip and (stride != 1 or channels_in != channels):
            self.projection = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride, bias=False),
                nn.BatchNorm2d(channels),
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (n, c_in, h, w) -> (n, c, h/s, w/s)
        y = torch.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        if self.skip:
            y = y + (x if self.projection is None else self.projection(x))
        return torch.relu(y)


class ResNet(nn.Module):
    """ResNet: batch normalisation, skip connections, global average pooling, one linear layer.

    `blocks` says how many basic blocks each stage has; with `skip=False` the same net without
    its skip connections, the "plain net" of the original's Figure 1.
    """

    def __init__(
        self,
        n_classes: int = 8,
        in_channels: int = 1,
        widths: tuple[int, ...] = (12, 24, 48),
        blocks: tuple[int, ...] = (2, 2, 2),
        skip: bool = True,
    ):
        super().__init__()
        if len(widths) != len(blocks):
            raise ValueError(f"{len(widths)} widths for {len(blocks)} stages; give one each")
        self.normalise = _normalise(in_channels)
        self.stem = nn.Sequential(  # (n, 1, 64, 64)
            nn.Conv2d(in_channels, widths[0], 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(),  # (n, 12, 32, 32)
            nn.MaxPool2d(3, 2, padding=1),  # (n, 12, 16, 16)
        )
        stages = []
        channels = widths[0]
        for stage, (width, number) in enumerate(zip(widths, blocks, strict=True)):
            layers = []
            for block in range(number):
                stride = 2 if stage > 0 and block == 0 else 1
                layers.append(BasicBlock(channels, width, stride, skip))
                channels = width
            stages.append(nn.Sequential(*layers))
        self.stages = nn.Sequential(*stages)  # (n, 12, 16, 16), (n, 24, 8, 8), (n, 48, 4, 4)
        self.pool = nn.AdaptiveAvgPool2d(1)  # (n, 48, 1, 1)
        self.output = nn.Linear(channels, n_classes)
        _he_initialise(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (n, 1, 64, 64) -> (n, 8)
        x = self.stages(self.stem(self.normalise(x)))
        return self.output(self.pool(x).flatten(1))


# -------------------------------------------------------------------------------------------------


def _lecun_initialise(model: nn.Module) -> None:
    """LeCun et al. 1998, "Efficient BackProp": keeps the signal's variance where tanh is linear."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.normal_(module.weight, std=module.weight[0].numel() ** -0.5)
            nn.init.zeros_(module.bias)


def _he_initialise(model: nn.Module) -> None:
    """He et al. 2015: keeps the signal's variance through ReLU layers."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def lenet(n_classes: int = 8, **options) -> LeNet:
    """LeNet in miniature, untrained. Options as `LeNet`'s."""
    return LeNet(n_classes, **options)


def alexnet(n_classes: int = 8, **options) -> AlexNet:
    """AlexNet in miniature, untrained. Options as `AlexNet`'s."""
    return AlexNet(n_classes, **options)


def vgg(n_classes: int = 8, **options) -> VGG:
    """VGG in miniature, untrained. Options as `VGG`'s."""
    return VGG(n_classes, **options)


def resnet(n_classes: int = 8, **options) -> ResNet:
    """ResNet in miniature, untrained. Options as `ResNet`'s."""
    return ResNet(n_classes, **options)
