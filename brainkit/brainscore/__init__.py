"""Brain-Score's measures: how well a net predicts neurons, and how alike it and people behave.

>>> from brainkit import brainscore
>>> raw = brainscore.neural_predictivity(features, responses, groups=objects)  # doctest: +SKIP
>>> raw.ceiled(brainscore.ceiling(repeats), era="2026").score                  # doctest: +SKIP
"""

from brainkit.brainscore.behaviour import error_consistency, shape_bias, shape_decisions
from brainkit.brainscore.confusions import i2n, i2n_ceiling, read_out
from brainkit.brainscore.predictivity import ceiling, neural_predictivity
from brainkit.brainscore.regression import ALPHAS
from brainkit.brainscore.score import ERAS, Score, average

__all__ = [
    "ALPHAS", "ERAS", "Score", "average", "ceiling", "error_consistency", "i2n", "i2n_ceiling",
    "neural_predictivity", "read_out", "shape_bias", "shape_decisions",
]
