"""What the functions of `brainkit.bci` ask of their input."""

from __future__ import annotations

import numpy as np


def finite(values, name: str, shape: tuple[int | None, ...] | None = None) -> np.ndarray:
    """`values` as float64, of `shape` (None: any length; a first ... : any axes before)."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be numbers, not {type(values).__name__}") from None
    if shape is not None and not _fits(array.shape, shape):
        wanted = ", ".join("..." if s is ... else "any" if s is None else str(s) for s in shape)
        raise ValueError(f"{name} is {array.shape}; it must be ({wanted})")
    if array.size == 0:
        raise ValueError(f"{name} is empty: {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has {(~np.isfinite(array)).sum()} values that are not finite")
    return array


def _fits(given, wanted) -> bool:
    if wanted and wanted[0] is ...:
        wanted = wanted[1:]
        if len(given) < len(wanted):
            return False
        given = given[len(given) - len(wanted):]
    return len(given) == len(wanted) and all(
        w in (None, g) for g, w in zip(given, wanted, strict=True))


def permutation(values, name: str, length: int) -> np.ndarray:
    """(length,) int64 that holds each of 0 ... length - 1 once; also from its matrix."""
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[0] == array.shape[1]:  # eta itself: rows of the identity
        if not (np.isin(array, (0, 1)).all() and (array.sum(1) == 1).all()):
            raise ValueError(f"{name} is a matrix, but not one of a permutation: a 1 in each row "
                             "and column, 0 elsewhere")
        array = array.argmax(1)
    if array.shape != (length,) or array.dtype.kind not in "iu":
        raise ValueError(f"{name} must be {length} integers, not {array.shape} {array.dtype}")
    if not np.array_equal(np.sort(array), np.arange(length)):
        raise ValueError(f"{name} is not a permutation: it must hold each of 0 to {length - 1} "
                         "once")
    return array.astype(np.int64)


def unit_directions(directions, shape: tuple[int, ...]) -> np.ndarray:
    """Directions (..., 2) towards the target, scaled to length 1."""
    directions = finite(directions, "directions", (*shape, 2))
    length = np.linalg.norm(directions, axis=-1, keepdims=True)
    if (length == 0).any():
        raise ValueError(f"{(length == 0).sum()} directions have length 0: where the cursor is "
                         "on the target there is no direction to it; leave those bins out")
    return directions / length


def sectors(directions: np.ndarray, targets: int) -> np.ndarray:
    """Of each direction (..., 2) the nearest of the targets, which lie evenly on a circle."""
    angle = np.arctan2(directions[..., 1], directions[..., 0])
    return np.round(angle / (2 * np.pi / targets)).astype(int) % targets


def whole(value, name: str, least: int = 1) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name}={value!r}: give a whole number of at least {least}")
    return int(value)
