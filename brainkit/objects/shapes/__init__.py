"""The 64 objects: 8 categories x 8 exemplars, each a recipe of ellipsoids, cylinders and boxes.

A category is a function that builds an exemplar from a few measures, so that its members share a
plan (four legs and a head) and differ in proportion, parts and tone, as real categories do.
"""

import functools

from ..solids import normalised
from .furniture import chairs, tables
from .living import animals, faces, fruits
from .vehicles import boats, cars, planes

CATEGORIES = ("animals", "boats", "cars", "chairs", "faces", "fruits", "planes", "tables")


@functools.cache
def recipes():
    """All 64 objects: a list (category) of lists (exemplar) of lists of `Solid`, unit radius."""
    makers = (animals, boats, cars, chairs, faces, fruits, planes, tables)
    return [[normalised(exemplar) for exemplar in make()] for make in makers]
