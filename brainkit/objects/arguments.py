"""Reading arguments: what a caller gave, as what it means, or an error that names it."""

from collections.abc import Iterable

import numpy as np
import torch

SEED_MAX = 2**64 - 1  # the generator's keys are 64-bit


def integer(name, value, low, high, what):
    """``value`` as an int in low .. high (no upper end when None); a whole 64.0 counts as 64."""
    try:
        number = int(value)
        fits = bool(number == value) and low <= number and (high is None or number <= high)
    except (TypeError, ValueError, OverflowError, RuntimeError):  # None, tuples, arrays, NaN
        fits = False
    if not fits:
        raise ValueError(f"{name}={value!r}: give {what}")
    return number


def known(name, names, what):
    """The place of a name among those known."""
    names = list(names)
    if name not in names:
        raise ValueError(f"unknown {what} {name!r}; known: {', '.join(map(str, names))}")
    return names.index(name)


def code(value, names, what):
    """An index from a name or an index."""
    return known(value, names if isinstance(value, str) else range(len(names)), what)


def many(values):
    """A list, of one or of several values."""
    if torch.is_tensor(values) or isinstance(values, np.ndarray):
        values = values.tolist()
    single = isinstance(values, str) or not isinstance(values, Iterable)
    return [values] if single else list(values)


def span(name, value, limits):
    """(low, high) of a latent from a number or a pair of them, within the latent's limits."""
    floor, ceiling = limits
    try:
        ends = [float(v) for v in many(value)]
    except (TypeError, ValueError):
        ends = []
    # The comparisons fail for NaN, too.
    if len(ends) not in (1, 2) or not floor <= ends[0] <= ends[-1] <= ceiling:
        raise ValueError(f"{name}={value!r}: give a number or (low, high) within "
                         f"[{floor}, {ceiling}]")
    return ends[0], ends[-1]
