"""The geometry of the zoo's nets, as recorded."""

from __future__ import annotations

from importlib import resources

import pandas as pd

__all__ = ["survey"]


def survey() -> pd.DataFrame:
    """The geometry of each net's manifolds, layer by layer.

    Returns
    -------
    DataFrame
        One row a measurement: net (a name for `models.load`), seed, layer, of, measure, value, n.
        `brainkit.manifolds.survey.survey` says what they are. A net's layers stand in their order.

    Notes
    -----
    Comes with brainkit, offline; tools/record_manifolds.py survey makes it again.
    """
    return _record("survey.csv.gz")


def _record(name: str) -> pd.DataFrame:
    """A released table; what is empty in `value` is nan, and all else is as it is written."""
    with resources.files("brainkit").joinpath("records", name).open("rb") as stream:
        return pd.read_csv(stream, compression="gzip", keep_default_na=False,
                           na_values={"value": ["", "nan"]})  # fmt: skip
