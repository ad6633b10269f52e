"""Published scores of nets on the brain benchmarks."""

from __future__ import annotations

from importlib import resources

import pandas as pd

__all__ = ["brainscore_2019"]

# Columns of the authors' table by the names used here. tools/record_brainscore.py makes the record.
COLUMNS = {
    "Model": "model", "ImageNet": "imagenet", "V4": "v4", "IT": "it", "Behavior": "behaviour",
    "OST": "ost", "Brain-Score": "brain_score", "Depth": "depth",
}  # fmt: skip


def brainscore_2019() -> pd.DataFrame:
    """Scores of 61 ImageNet nets as published with CORnet-S; comes with brainkit, offline.

    Returns
    -------
    DataFrame
        One row a net, best Brain-Score first: model; imagenet (top-1 accuracy, 0 to 1); v4 and it
        (neural predictivity, from Pearson's r); behaviour (i2n consistency); ost
        (object solution times, 0 for every feed-forward net); brain_score (mean of those four);
        depth (layers; NaN where not given).

    Notes
    -----
    Source: Kubilius et al. 2019 (Advances in Neural Information Processing Systems 32), data.csv
    of github.com/dicarlolab/neurips2019, asset "brainscore-2019". Scores of the 2019 kind: not to
    be compared with those on today's website, which square r. Whether a ceiling has been divided
    out the file does not say: AlexNet's IT, .589, is near the .584 that Brain-Score's own tests
    expect of it before any ceiling. Left out: nets without a score, and
    the 181 rows of the authors' own search of architectures ("BaseNet").
    """
    with resources.files("brainkit").joinpath("records/brainscore_2019.csv").open() as stream:
        return pd.read_csv(stream, comment="#")


def selected(table: pd.DataFrame) -> pd.DataFrame:
    """The rows and columns of the authors' table that the record keeps."""
    named = table[~table["Model"].str.startswith("BaseNet") & table["Brain-Score"].notna()]
    named = named[list(COLUMNS)].rename(columns=COLUMNS)
    return named.sort_values("brain_score", ascending=False, kind="stable").reset_index(drop=True)
