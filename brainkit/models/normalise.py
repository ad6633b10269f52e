"""The first module of every net here: a check of the images, then their normalisation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from brainkit._inputs import check_images

__all__ = ["Normalise", "imagenet"]


class Normalise(nn.Module):
    """(image - mean) / sd by channel, of images in [0, 1]; anything else is refused.

    Inside of the net, so that whoever uses, attacks or compares nets hands the same pixels to all.

    Args:
        mean, sd: one number a channel, or one for all channels.
        channels: of the images; as many as means if not given.
        side: height and width of the images in pixels; any if not given.
        smallest: least height and width, where `side` is not given.

    Raises:
        ValueError: on the forward pass, for anything but a batch (b, channels, h, w) with values
            in [0, 1], of the net's own floating type.
    """

    def __init__(
        self,
        mean: float | Sequence[float],
        sd: float | Sequence[float],
        channels: int | None = None,
        side: int | None = None,
        smallest: int = 1,
    ):
        super().__init__()
        means, sds = (torch.tensor(v, dtype=torch.float32).reshape(1, -1, 1, 1) for v in (mean, sd))
        self.channels = means.shape[1] if channels is None else channels
        if not {means.shape[1], sds.shape[1]} <= {1, self.channels}:
            raise ValueError(
                f"{means.shape[1]} means and {sds.shape[1]} sds for {self.channels} channels"
            )
        self.side, self.smallest = side, smallest
        # Not persistent: published weights come without them.
        self.register_buffer("mean", means, persistent=False)
        self.register_buffer("sd", sds, persistent=False)

    def forward(self, images: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c, h, w)
        if not torch.jit.is_scripting():
            check_images(
                images, self.channels, self.side, smallest=self.smallest, dtype=self.mean.dtype
            )
        return (images - self.mean) / self.sd

    def extra_repr(self) -> str:
        size = f"side={self.side}" if self.side else f"smallest={self.smallest}"
        return f"mean={self.mean.flatten().tolist()}, sd={self.sd.flatten().tolist()}, {size}"


def imagenet(smallest: int = 1) -> Normalise:
    """The normalisation that torchvision's and CORnet's ImageNet nets were trained with."""
    return Normalise((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), smallest=smallest)
