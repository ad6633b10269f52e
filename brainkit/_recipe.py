"""The settings of a training run."""

from __future__ import annotations

import math
import numbers
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

__all__ = ["Recipe", "filled"]

_CHOICES = {
    "optimiser": ("adamw", "sgd"),
    "schedule": ("cosine", "constant", "step"),
    "decay": ("weights", "all"),
    "precision": ("float32", "bfloat16"),
}


@dataclass(frozen=True)
class Recipe:
    """The settings of one training run: together with data and seed they fix its result.

    Attributes:
        epochs: passes through the training set.
        batch_size: images in one step.
        optimiser: "adamw" or "sgd" (momentum 0.9).
        lr: largest learning rate.
        weight_decay: as the optimiser defines it, 0 or more.
        schedule: "cosine" (linear warm-up, then down to 0), "constant", or "step" (divided by 10
            every `drop_every` epochs).
        warmup: fraction of all steps spent warming up, 0 <= x < 1; of "cosine" alone.
        label_smoothing: of the cross-entropy, 0 <= x < 1.
        flip: mirror each training image left to right with probability one half.
        drop_every: epochs between two drops of the learning rate; of "step" alone.
        nesterov: whether the momentum is Nesterov's or the plain one; of "sgd" alone.
        decay: what the weight decay acts on: "weights" (biases and normalisations are spared) or
            "all".
        precision: "float32", or "bfloat16": what autocast runs so of the objective runs so.
            Weights, their updates and the measured accuracy stay float32.

    Raises:
        ValueError: for a setting that is none of these, by its name.
    """

    epochs: int = 12
    batch_size: int = 64
    optimiser: str = "adamw"
    lr: float = 3e-3
    weight_decay: float = 0.01
    schedule: str = "cosine"
    warmup: float = 0.15
    label_smoothing: float = 0.0
    flip: bool = False
    # Records and checkpoints may be older than these: a default here is what was done without.
    drop_every: int = 30
    nesterov: bool = True
    decay: str = "weights"
    precision: str = "float32"

    def __post_init__(self):
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise ValueError(f"{name}={getattr(self, name)!r}; choose one of {known}")
        for name in ("epochs", "batch_size", "drop_every"):
            value = getattr(self, name)
            if not isinstance(value, numbers.Integral) or value < 1:
                raise ValueError(f"{name}={value!r}: give a positive integer")
        if not isinstance(self.nesterov, bool):
            raise ValueError(f"nesterov={self.nesterov!r}: give True or False")
        for name in ("lr", "weight_decay", "warmup", "label_smoothing"):
            value = getattr(self, name)
            # A string, which YAML makes of 3e-3 without a point, is a number to nobody else.
            if not isinstance(value, numbers.Real) or not math.isfinite(value):
                raise ValueError(f"{name}={value!r}: give a finite number")
        if self.lr <= 0:
            raise ValueError(f"lr={self.lr!r}: give a positive number")
        if self.weight_decay < 0:
            raise ValueError(f"weight_decay={self.weight_decay!r}: give 0 or more")
        for name in ("warmup", "label_smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} is a fraction; give 0 <= x < 1")

    def with_settings(self, **settings) -> Recipe:
        """This recipe with some settings changed; an unknown one is named, with those known."""
        known = [field.name for field in fields(self)]
        unknown = sorted(set(settings) - set(known))
        if unknown:
            raise TypeError(f"unknown training setting {unknown}; known are {known}")
        return replace(self, **settings)

    def learning_rate(self, progress: float) -> float:
        """Learning rate at `progress`, the fraction of all steps already done, in [0, 1)."""
        if self.schedule == "constant":
            return self.lr
        if self.schedule == "step":
            # The first step of an epoch must not fall into the one before by a rounding error.
            epoch = math.floor(progress * self.epochs + 1e-9)
            return self.lr * 0.1 ** (epoch // self.drop_every)
        if progress < self.warmup:
            return self.lr * (progress / self.warmup * 0.96 + 0.04)
        after = (progress - self.warmup) / (1 - self.warmup)
        return self.lr * 0.5 * (1 + math.cos(math.pi * after))


def filled(settings: dict[str, Any]) -> dict[str, Any]:
    """A recipe's settings as a record holds them, with those that came later at their defaults."""
    return {**asdict(Recipe()), **settings}
