"""What people answered in Geirhos' experiments, summarised: from the trials, else from a record."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources

import numpy as np
import pandas as pd

from brainkit.data.catalogue import ASSETS, AssetError, check_name
from brainkit.data.loaders import EXPERIMENTS, human_trials

DECISIONS = ("shape", "texture", "other")


@dataclass(frozen=True)
class HumanSummary:
    """One experiment's results, by subject. Rows and columns of arrays follow `subjects`.

    `source` says whether the numbers were "computed from the trials" or are "recorded on <date>
    from the trials"; `why` then holds the reason that the trials could not be had.
    """

    experiment: str
    subjects: list[str]
    trials: np.ndarray  # (s,) int: trials of each subject
    correct: np.ndarray  # (s,) int: right answers; in cue-conflict, answers by the shape
    kappa: np.ndarray  # (s, s) float: error consistency of each pair
    shape: np.ndarray | None  # (s,) int, cue-conflict only: decisions for the shape
    texture: np.ndarray | None  # (s,) int, likewise for the texture
    other: np.ndarray | None  # (s,) int, likewise for neither (images without conflict left out)
    by_category: dict[str, tuple[int, int]] | None  # shape's category: (shape, texture) decisions
    source: str
    licence: str
    why: str = ""

    @property
    def accuracy(self) -> np.ndarray:
        """(s,) fraction of trials answered right."""
        return self.correct / self.trials

    @property
    def shape_bias(self) -> np.ndarray | None:
        """(s,) shape decisions among those for shape or texture; None but for cue-conflict."""
        return None if self.shape is None else self.shape / (self.shape + self.texture)

    @property
    def pairs(self) -> np.ndarray:
        """(s (s - 1) / 2,) error consistency of each pair of different subjects."""
        return self.kappa[np.triu_indices(len(self.subjects), k=1)]


def summarise(experiment: str, trials: pd.DataFrame) -> dict:
    """The counts and kappas of an experiment, in plain lists, as the record keeps them.

    Parameters
    ----------
    trials : DataFrame
        As `human_trials` returns it; every subject must have seen the same images once.
    """
    # The measures belong to a later layer, which imports this one; hence here and not above.
    from brainkit.brainscore import error_consistency, shape_decisions

    right = (
        trials.assign(right=trials["response"] == trials["category"])
        .pivot(index="image", columns="subject", values="right")
        .sort_index(axis=1)
    )
    if right.isna().any(axis=None):
        raise ValueError(f"{experiment}: the subjects did not all see the same images")
    subjects = list(right.columns)
    answers = right.to_numpy(dtype=bool).T  # (subjects, images)
    summary = {
        "subjects": subjects,
        "trials": [answers.shape[1]] * len(subjects),
        "correct": answers.sum(1).tolist(),
        "kappa": [[error_consistency(a, b) for b in answers] for a in answers],
    }
    if experiment == "cue-conflict":
        decisions = trials.assign(
            decision=shape_decisions(trials["response"], trials["category"], trials["texture"])
        )
        counts = pd.crosstab(decisions["subject"], decisions["decision"])
        summary |= {kind: counts.loc[subjects, kind].tolist() for kind in DECISIONS}
        counts = pd.crosstab(decisions["category"], decisions["decision"])
        pairs = counts[["shape", "texture"]].to_numpy().tolist()
        summary["by_category"] = dict(zip(counts.index, pairs, strict=True))
    return summary


def _record() -> dict:
    path = resources.files("brainkit").joinpath("records/humans.json")
    return json.loads(path.read_text(encoding="utf-8"))


def human_summary(experiment: str) -> HumanSummary:
    """Accuracy, error consistency and shape bias of the people in one of Geirhos' experiments.

    Computed from the trials where they can be had; otherwise taken from the record that this
    project keeps of the same computation (`tools/record_humans.py`), and `source` says so.

    Parameters
    ----------
    experiment : "cue-conflict", "edge", "silhouette", "sketch" or "stylized"
        No record is kept of the last two, whose licences do not clearly allow it.

    Raises
    ------
    AssetError
        For an unknown experiment, or if there are neither trials nor a record.
    """
    check_name("experiment", experiment, EXPERIMENTS)
    record, why = _record(), ""
    try:
        summary = summarise(experiment, human_trials(experiment))
        source = "computed from the trials"
    except AssetError as error:
        if experiment not in record["experiments"]:
            raise
        summary, why = record["experiments"][experiment], str(error)
        source = f"recorded on {record['recorded']} from the trials"

    def counts(name: str) -> np.ndarray | None:
        return np.array(summary[name]) if name in summary else None

    by_category = summary.get("by_category")
    return HumanSummary(
        experiment, list(summary["subjects"]), counts("trials"), counts("correct"),
        np.array(summary["kappa"], dtype=float),
        *(counts(kind) for kind in DECISIONS),
        by_category and {name: tuple(pair) for name, pair in by_category.items()},
        source, ASSETS[f"humans-{experiment}"].licence, why,
    )
