"""Checks of the course's exercises, and its predictions.

>>> from brainkit import checks
>>> checks.ch01.convolve(my_function)      # doctest: +SKIP
>>> checks.predict("01-edges")             # doctest: +SKIP

Each chapter's checks are a module here (`checks.ch01`), imported when first used. A check calls
what the learner wrote and answers with a `Result`, which is true when it passed and otherwise
names the misconception behind the answer.
"""

from importlib import import_module

from .machinery import EXERCISES, Misconception, NotYet, Result, check, compare, same, tensor
from .quiz import Prediction, predict, predictions

__all__ = ["EXERCISES", "Misconception", "NotYet", "Prediction", "Result", "check", "compare",
           "predict", "predictions", "same", "tensor"]


def __getattr__(name):
    if name.startswith("ch") and name[2:].isdigit():
        try:
            return import_module(f"{__name__}.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"{__name__}.{name}":
                raise
    raise AttributeError(f"brainkit.checks has no {name!r}; a chapter's checks are called ch01, "
                         "ch02 and so on.")
