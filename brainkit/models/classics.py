"""Published ImageNet nets, with their own weights, as modules that take images in [0, 1]."""

from __future__ import annotations

import difflib
from collections import OrderedDict

import torch
import torchvision
from torch import nn

from brainkit.data import AssetError, fetch, load_arrays
from brainkit.models.normalise import imagenet

__all__ = ["PUBLISHED", "VGG16_BLOCKS", "published"]

# VGG16's layers are often called by block; these are the first of each, convolution and ReLU.
VGG16_BLOCKS = {
    "block1_conv1": "features.1",
    "block2_conv1": "features.6",
    "block3_conv1": "features.11",
    "block4_conv1": "features.18",
    "block5_conv1": "features.25",
}


def _conv_stack(asset: str, key: str, architecture, smallest: int) -> nn.Sequential:
    # On the meta device the whole net costs neither memory nor random numbers; the classifier,
    # most of its weights, is dropped.
    with torch.device("meta"):
        features = architecture(weights=None).features
    convolutions = [(name, m) for name, m in features.named_modules() if isinstance(m, nn.Conv2d)]
    arrays = load_arrays(fetch(asset))[key]
    state = {}
    for number, (name, module) in enumerate(convolutions):
        kernel = torch.from_numpy(arrays[f"Conv_{number}"]["kernel"])  # (kh, kw, in, out)
        kernel = kernel.permute(3, 2, 0, 1).contiguous()  # (out, in, kh, kw)
        if kernel.shape != module.weight.shape:
            raise AssetError(
                f"{asset}: Conv_{number} is {tuple(kernel.shape)}, but {name} takes "
                f"{tuple(module.weight.shape)}"
            )
        state[f"{name}.weight"] = kernel
        state[f"{name}.bias"] = torch.from_numpy(arrays[f"Conv_{number}"]["bias"])
    features.load_state_dict(state, assign=True)
    return nn.Sequential(OrderedDict(normalise=imagenet(smallest), features=features))


def _mobilenet_v2() -> nn.Sequential:
    with torch.device("meta"):
        net = torchvision.models.mobilenet_v2(weights=None)
    state = torch.load(fetch("mobilenet_v2"), map_location="cpu", weights_only=True)
    net.load_state_dict(state, assign=True)
    # The same steps as torchvision's forward, laid out in order so that each has a name.
    return nn.Sequential(OrderedDict(
        normalise=imagenet(32),
        features=net.features,  # (b, 1280, h / 32, w / 32)
        pool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),  # (b, 1280)
        classifier=net.classifier,  # (b, 1000) logits
    ))


PUBLISHED = {
    "alexnet-conv": lambda: _conv_stack(
        "alexnet-conv", "AlexNet_0", torchvision.models.alexnet, smallest=63
    ),
    "vgg16-conv": lambda: _conv_stack(
        "vgg16-conv", "VGG16_0", torchvision.models.vgg16, smallest=32
    ),
    "mobilenet_v2": _mobilenet_v2,
}


def published(name: str) -> nn.Sequential:
    """A net trained on ImageNet by others, with its published weights.

    Parameters
    ----------
    name : str
        "mobilenet_v2": the whole net (Sandler et al. 2018), 1,000 logits in the order of
        `brainkit.data.imagenet_categories()`.
        "alexnet-conv", "vgg16-conv": the convolutional part only (Krizhevsky 2014; Simonyan and
        Zisserman 2015), whose layers are named as torchvision names them, "features.0" ...

    Returns
    -------
    nn.Sequential
        In eval mode, its weights without gradients. It takes (b, 3, h, w) images in [0, 1]; its
        first module, `normalise`, applies ImageNet's mean and standard deviation. Gradients with
        respect to the images flow.

    Raises
    ------
    brainkit.data.AssetError
        For an unknown name, or if no source of the weights is within reach.
    """
    if name not in PUBLISHED:
        near = difflib.get_close_matches(str(name), PUBLISHED, n=1, cutoff=0.4)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise AssetError(f"There is no published net {name!r}.{hint} "
                         f"Those there are: {', '.join(PUBLISHED)}.")
    return PUBLISHED[name]().eval().requires_grad_(False)
