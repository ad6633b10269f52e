"""Brain-Score's measures: how well a net predicts neurons, and how alike it and people behave.

>>> from brainkit import brainscore
>>> raw = brainscore.neural_predictivity(features, responses, groups=objects)  # doctest: +SKIP
>>> raw.ceiled(brainscore.ceiling(repeats), era="2024").score                  # doctest: +SKIP
"""

from brainkit.brainscore.behaviour import error_consistency, shape_bias, shape_decisions
from brainkit.brainscore.predictivity import ceiling, neural_predictivity
from brainkit.brainscore.regression import ALPHAS
from brainkit.brainscore.score import ERAS, Score, average

__all__ = [
    "ALPHAS", "ERAS", "Score", "average", "ceiling", "error_consistency",
    "neural_predictivity", "shape_bias", "shape_decisions",
]
