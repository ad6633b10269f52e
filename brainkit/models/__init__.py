"""The course's nets: historic ones in miniature, those this project has trained, published ones.

`load("resnet_mini-objects", seed=3)` is a trained net, offline; `load("cornet_s")` one that others
published, fetched when first asked for; `miniatures.resnet()` an architecture, untrained;
`load_weights` fills a net from your own checkpoint; `macs`, `parameters` and `depth` are what a net
costs.
"""

from brainkit.models.published import load, load_weights
from brainkit.models.size import depth, macs, parameters
from brainkit.models.zoo import ZooError, available, record

__all__ = [
    "ZooError", "available", "depth", "load", "load_weights", "macs", "parameters", "record",
]
