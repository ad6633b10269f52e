"""Comparing a net's behaviour with people's: error consistency and shape bias."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["error_consistency", "shape_bias", "shape_decisions"]


def _right_or_wrong(values: ArrayLike, name: str) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"{name} must have one entry an image, shape (n,); it is {array.shape}")
    if array.dtype != bool:
        if not np.isin(array, (0, 1)).all():
            raise ValueError(
                f"{name} must say right or wrong (True/False or 1/0) for each image; "
                "for class labels pass `predicted == true`"
            )
        array = array.astype(bool)
    return array


def error_consistency(correct_a: ArrayLike, correct_b: ArrayLike) -> float:
    r"""Whether two observers err on the same images, beyond what their accuracies imply.

    Cohen's kappa of the two right/wrong sequences (Geirhos, Meding and Wichmann 2020, eq. 1-3):

    .. math:: \kappa = \frac{c_{obs} - c_{exp}}{1 - c_{exp}},
       \qquad c_{exp} = p_a p_b + (1 - p_a)(1 - p_b),

    where :math:`c_{obs}` is the fraction of images on which both are right or both are wrong and
    :math:`p_a, p_b` are the two accuracies. 1: the same errors; 0: as for independent observers
    of these accuracies; below 0: they avoid one another's errors.

    Parameters
    ----------
    correct_a, correct_b : (n,) bool or 0/1
        Whether each answered right, for the same images in the same order.

    Returns
    -------
    float
        NaN where kappa is undefined: c_exp = 1, both always right or both always wrong.

    Raises
    ------
    ValueError
        If the two differ in length, are empty, or hold anything but right and wrong.
    """
    a = _right_or_wrong(correct_a, "correct_a")
    b = _right_or_wrong(correct_b, "correct_b")
    if len(a) != len(b):
        raise ValueError(f"the observers must have seen the same images: {len(a)} and {len(b)}")
    if not len(a):
        raise ValueError("error consistency needs at least one image")
    # In counts, so that "both always right" is found exactly and not within a rounding error.
    n, right_a, right_b = len(a), int(a.sum()), int(b.sum())
    expected = right_a * right_b + (n - right_a) * (n - right_b)  # c_exp n^2
    observed = int((a == b).sum()) * n  # c_obs n^2
    return float("nan") if expected == n * n else (observed - expected) / (n * n - expected)


def _given(column: np.ndarray) -> list:
    """The entries of a column that are not missing (None, NaN)."""
    return [value for value in column.tolist() if value is not None and value == value]


def _kinds(column: np.ndarray) -> set[str]:
    return {"names" if isinstance(value, str) else "bytes" if isinstance(value, bytes)
            else "numbers" for value in _given(column)}  # fmt: skip


def _check_spelling(response: np.ndarray, shape: np.ndarray, texture: np.ndarray) -> None:
    kinds = [_kinds(column) for column in (response, shape, texture)]
    if len(set().union(*kinds)) > 1:
        found = ", ".join(f"{name} {' and '.join(sorted(kind)) or 'nothing'}" for name, kind
                          in zip(("response", "shape", "texture"), kinds, strict=True))
        raise ValueError(
            f"the three cannot be compared: {found}. Give names in all or indices in all, such as "
            "[names[i] for i in response]"
        )
    answers, categories = set(_given(response)), {*_given(shape), *_given(texture)}
    if answers and not answers & categories:
        some = [", ".join(sorted(map(repr, values))[:3]) for values in (answers, categories)]
        raise ValueError(
            "no answer is among the categories of shape and texture; are they spelled alike? "
            f"Answers: {some[0]}; categories: {some[1]}"
        )


def shape_decisions(response: ArrayLike, shape: ArrayLike, texture: ArrayLike) -> np.ndarray:
    """Sort answers to cue-conflict images: for the shape, for the texture, or for neither.

    Parameters
    ----------
    response, shape, texture : (n,) of category names or indices
        The answer, the category that the outline has, and the one that the surface has.

    Returns
    -------
    (n,) array of "shape", "texture", "other" or "same"
        "same" where shape and texture are of one category, so that there is no conflict.

    Raises
    ------
    ValueError
        If the three differ in length, if names are set against indices, or if no answer at all is
        among the categories that shape and texture take on over all images: then they are
        probably spelled in two ways. Pass all images at once, for a few may lack a category.

    Source: Geirhos et al. 2019, ICLR (arXiv:1811.12231), the experiment on cue conflict.
    """
    columns = [np.asarray(values) for values in (response, shape, texture)]
    if any(column.ndim != 1 for column in columns) or len({len(c) for c in columns}) != 1:
        raise ValueError(
            "response, shape and texture must have one entry an image; their shapes are "
            + ", ".join(str(column.shape) for column in columns)
        )
    _check_spelling(*columns)
    response, shape, texture = columns
    return np.select(
        [shape == texture, response == shape, response == texture],
        ["same", "shape", "texture"], default="other",
    )


def shape_bias(response: ArrayLike, shape: ArrayLike, texture: ArrayLike) -> float:
    """Of the answers that name the shape's or the texture's category, the fraction for the shape.

    shape / (shape + texture), over images whose two cues conflict; answers for neither do not
    count.

    Parameters
    ----------
    response, shape, texture : (n,) of category names or indices
        As in `shape_decisions`.

    Returns
    -------
    float
        In [0, 1]; NaN if no answer named either cue of its own image.

    Raises
    ------
    ValueError
        As in `shape_decisions`: lengths that differ, names against indices, no answer that is a
        category of any image's shape or texture.

    Source: Geirhos et al. 2019, ICLR (arXiv:1811.12231), the experiment on cue conflict.
    """
    decisions = shape_decisions(response, shape, texture)
    by_shape, by_texture = (decisions == "shape").sum(), (decisions == "texture").sum()
    named = by_shape + by_texture
    return float(by_shape / named) if named else float("nan")
