"""Rendered objects whose manifold is known: 8 categories x 8 exemplars on natural backgrounds."""

from .backgrounds import KINDS as BACKGROUNDS
from .geometry import LATENTS
from .shapes import CATEGORIES
from .stimuli import CANONICAL, CONTINUOUS, VARIATIONS, ObjectSet, render, sample, tangents

__all__ = ["BACKGROUNDS", "CANONICAL", "CATEGORIES", "CONTINUOUS", "LATENTS", "VARIATIONS",
           "ObjectSet", "render", "sample", "tangents"]
