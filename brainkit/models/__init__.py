"""The course's nets: historic ones in miniature, and those this project has trained.

`load("resnet_mini-objects", seed=3)` is a trained net, offline; `miniatures.resnet()` the same
architecture, untrained; `macs`, `parameters` and `depth` are what a net costs.
"""

from brainkit.models.size import depth, macs, parameters
from brainkit.models.zoo import ZooError, available, load, record

__all__ = ["ZooError", "available", "depth", "load", "macs", "parameters", "record"]
