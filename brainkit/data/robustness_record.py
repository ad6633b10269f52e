"""The zoo's accuracy under attack and corruption and its brain-likeness, as recorded."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pandas as pd

__all__ = ["PROTOCOL", "autoattack", "robustness"]

RECORD = Path(__file__).parents[1] / "records" / "robustness.csv"

# How the record was made: change a number here, and the record has to be made again.
PROTOCOL = {
    "objects_seed": 9000,  # of objects.sample(n, "medium"): not one of any training or choice
    "epsilons": {
        "Linf": tuple(k / 255 for k in (0, 0.25, 0.5, 1, 2, 4, 8)),
        "L2": (0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6),
        "L1": (0, 0.5, 1, 2, 4, 8, 16),
    },
    "n": {"Linf": 192, "L2": 96, "L1": 96, "corruptions": 256, "clean": 1024},
    "steps": 20,
    "restarts": 1,
    "draws": 4,  # in each step against a stochastic net
    "looks": 16,  # to judge it
}


def robustness() -> pd.DataFrame:
    """How each net of the zoo does under attack, under corruption, and against (simulated) brains.

    Returns
    -------
    DataFrame
        One row a measurement: net (a name for `models.load`), seed, measure, at, value, n.
        measure "clean": accuracy on n images. "Linf", "L2", "L1": accuracy under
        `attacks.robust_accuracy` with the settings of `PROTOCOL`, at the radius `at`. "noise",
        "blur", "contrast", "pixelate": accuracy at severity `at`, 1 to 5, of
        `corruptions.SEVERITIES`. And for nets on objects: "cka" and "predictivity" (r²/c, PLS)
        of the last stage with a simulated IT, "i2n" with simulated animals (chapter 7),
        "rsa_monkey" and "rsa_human" with real IT on 92 photographs (chapter 4).

    Notes
    -----
    Comes with brainkit, offline; tools/record_robustness.py makes it again.
    """
    return _record("robustness.csv")


def autoattack() -> pd.DataFrame:
    """How AutoAttack and `attacks.robust_accuracy` judge the first seed of each family on objects.

    Returns
    -------
    DataFrame
        One row a net: net (a name for `models.load`), seed, threat, epsilon, n images, and the
        shares of them named right: clean, ours (`robust_accuracy`, 40 steps, 2 restarts) and
        autoattack; version ("standard", or "rand" for a stochastic net), seconds (of AutoAttack,
        one core).

    Notes
    -----
    Croce & Hein 2020, in the authors' code and settings. Comes with brainkit, offline;
    tools/record_autoattack.py makes it again.
    """
    return _record("autoattack.csv")


def _record(name: str) -> pd.DataFrame:
    with resources.files("brainkit").joinpath("records", name).open() as stream:
        return pd.read_csv(stream, comment="#")
