"""Brain-Score's measures: how well a net predicts neurons, and how alike it and people behave."""

from brainkit.brainscore.behaviour import error_consistency, shape_bias, shape_decisions

__all__ = ["error_consistency", "shape_bias", "shape_decisions"]
