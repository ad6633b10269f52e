"""Published nets where they can be had, and openly marked stand-ins where they cannot."""

from collections import OrderedDict

import torch
import torchvision
from torch import nn

from brainkit.data import AssetError
from brainkit.models.classics import PUBLISHED, published
from brainkit.models.normalise import imagenet

__all__ = ["published_or_standin", "untrained"]

_ARCHITECTURES = {
    "alexnet-conv": torchvision.models.alexnet,
    "vgg16-conv": torchvision.models.vgg16,
    "mobilenet_v2": torchvision.models.mobilenet_v2,
}


def published_or_standin(name: str, seed: int = 0) -> nn.Sequential:
    """`classics.published(name)`, or the same architecture untrained if no source is in reach.

    A page built without its assets must not go blank, nor show noise as if it were a trained net.
    The net therefore has an attribute `origin`, words for a caption ("published ImageNet
    weights", or "random weights, a stand-in"), `trained` (bool), and a stand-in prints one line
    that says so.

    Parameters
    ----------
    name : str
        As for `classics.published`.
    seed : int
        Of the stand-in's random weights; torch's own random state is left alone.

    Raises
    ------
    brainkit.data.AssetError
        For an unknown name only.
    """
    if name not in PUBLISHED:
        return published(name)  # raises, and names those there are
    try:
        net, trained = published(name), True
    except AssetError:
        net, trained = untrained(name, seed), False
        print(f"{name}: no source of the published weights can be reached, so what follows shows "
              f"an untrained net of the same architecture. `python -m brainkit.data fetch {name}` "
              "says why, and how to put the file in place by hand.")
    net.trained = trained
    net.origin = "published ImageNet weights" if trained else "random weights, a stand-in"
    return net


def untrained(name: str, seed: int = 0) -> nn.Sequential:
    """The architecture of `published(name)` with random weights: a control for what training adds.

    torchvision's own initialisation, from `seed`; torch's own random state is left alone.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = _ARCHITECTURES[name](weights=None)
    parts = OrderedDict(normalise=imagenet(), features=net.features)
    if name == "mobilenet_v2":
        parts |= dict(pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(),
                      classifier=net.classifier)
    return nn.Sequential(parts).eval().requires_grad_(False)
