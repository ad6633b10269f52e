"""Adversarial attacks, and how to measure robustness without fooling yourself.

`pgd` and `fgsm` under the threat models `Linf`, `L2` and `L1`; `Averaged` for stochastic nets;
`robust_accuracy` for a whole curve, `sanity_checks` for whether to trust it, `torchattack` and
`autoattack` for a second opinion. Images are in [0, 1] and stay there; epsilon is in the same
unit, so 1/255 is one grey level.
"""

from brainkit.attacks.borrowed import Attacked, AutoAttackResult, autoattack, torchattack
from brainkit.attacks.checklist import Check, SanityReport, sanity_checks
from brainkit.attacks.gradient import Averaged, fgsm, is_stochastic, margin, pgd
from brainkit.attacks.sweep import RobustAccuracy, robust_accuracy
from brainkit.attacks.threats import L1, L2, THREATS, Linf, Threat

__all__ = [
    "L1", "L2", "THREATS", "Attacked", "AutoAttackResult", "Averaged", "Check", "Linf",
    "RobustAccuracy", "SanityReport", "Threat", "autoattack", "fgsm", "is_stochastic", "margin",
    "pgd", "robust_accuracy", "sanity_checks", "torchattack",
]  # fmt: skip
