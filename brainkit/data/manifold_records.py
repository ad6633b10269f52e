"""The zoo's manifolds and how attacks lie to them, as recorded: chapters 12 and 14."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

__all__ = ["investigation", "survey"]

RECORDS = Path(__file__).parents[1] / "records"


def survey() -> pd.DataFrame:
    """The geometry of each net's manifolds, layer by layer.

    Returns
    -------
    DataFrame
        One row a measurement: net (a name for `models.load`), seed, layer, of, measure, value, n.
        `brainkit.manifolds.survey.survey` says what they are. A net's layers stand in their order.

    Notes
    -----
    All nets of the zoo that the course compares: 19 families with five seeds for objects, 6 with
    three for CIFAR-10. tools/record_manifolds.py made it, and makes it again.
    """
    return _record("survey")


def investigation() -> pd.DataFrame:
    """Every net of the zoo under the investigation of chapter 14: all questions, layers and nulls.

    Returns
    -------
    DataFrame
        One row a number: net (a name for `models.load`), seed, layer, question, subspace, size,
        measure, change, value, n, as `manifolds.investigation.investigate` returns them and
        explains them. A value is NaN where it is not defined (an index without a scale).

    Notes
    -----
    19 families of the zoo for objects with five seeds each, 6 with three for CIFAR-10.
    `make investigation` made it.
    """
    return _record("investigation")


def _record(study: str) -> pd.DataFrame:
    path = RECORDS / f"{study}.csv.gz"
    if not path.exists():
        raise FileNotFoundError(
            f"{path.name} is not among brainkit's records. Make it with `make investigation` in "
            f"the repository (hours; it goes on where it was interrupted); what is done so far is "
            f"gathered by `python tools/record_manifolds.py {study} --gather`.")  # fmt: skip
    # "" is a subspace and a change, that of numbers which have none; only a value may lack.
    return pd.read_csv(path, keep_default_na=False, na_values={"value": ["", "nan"]})
