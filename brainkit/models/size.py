"""What a net costs: parameters, multiply-accumulates, depth.

These are the columns of every table in the course that sets nets beside each other. They are
counted on the net itself, by running it, so that a net whose layers are used several times
(a recurrent one) is charged for each use.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

_WEIGHT_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


def parameters(model: nn.Module, trainable: bool = False) -> int:
    """Number of parameters of `model`; with `trainable`, only those that learn.

    Fixed weights kept as buffers (a Gabor bank, say) are not parameters and are not counted.
    """
    return sum(p.numel() for p in model.parameters() if p.requires_grad or not trainable)


def macs(model: nn.Module, input_shape: Sequence[int]) -> int:
    """Multiply-accumulate operations of one forward pass on one image.

    Counts convolutions and linear layers, each time they run, which is what the field's tables
    count; normalisation, activation and pooling are left out. A layer that convolves by other
    means (a VOneBlock) says with `macs_per_place` what one place of its output takes.

    Args:
        model: any module that takes an image batch.
        input_shape: (C, H, W) of one image, without the batch dimension.

    Returns:
        The number of MACs. Divide by 1e6 for MMAC; a MAC is two floating-point operations.
    """
    if len(input_shape) != 3:
        raise ValueError(
            f"input_shape is {tuple(input_shape)}; give (channels, height, width) of one image, "
            "without the batch dimension"
        )
    total = 0

    def count(layer: nn.Module, _inputs, output: torch.Tensor) -> None:
        nonlocal total
        if (per_place := getattr(layer, "macs_per_place", None)) is not None:
            total += output[0, 0].numel() * per_place
        else:  # each output value is one dot product with one filter, or one row of the matrix
            total += output[0].numel() * layer.weight[0].numel()

    reference = next(model.parameters(), torch.zeros(1))
    image = torch.zeros(1, *input_shape, device=reference.device, dtype=reference.dtype)
    training = model.training
    hooks = [
        layer.register_forward_hook(count)
        for layer in model.modules()
        if isinstance(layer, _WEIGHT_LAYERS) or hasattr(layer, "macs_per_place")
    ]
    try:
        model.eval()  # one image is not a batch: BatchNorm could not train on it
        with torch.no_grad():
            model(image)
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()
    return total


def depth(model: nn.Module, skip_projections: bool = False) -> int:
    """Number of layers with weights (convolutions and linear layers).

    This is the number in a name such as VGG-16, and the 15 of CORnet-S, whose shared layers count
    once however often they run. By the same custom the 1 x 1 projections that lie beside a longer
    path are left out; they are recognised by their module's name, `projection` in a ResNet and
    `skip` in CORnet-S, and counted only with `skip_projections`.
    """
    beside = {"projection", "skip"}
    return sum(
        isinstance(layer, _WEIGHT_LAYERS)
        and (skip_projections or not beside.intersection(name.split(".")))
        for name, layer in model.named_modules()
    )
