"""Nets trained against their sensitivity within the manifold, or outside of it, as recorded."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

__all__ = ["ENGINEERING", "engineering"]

RECORD = Path(__file__).parents[1] / "records" / "engineering.csv"

# How the record was made: change a number here, and the record has to be made again. The weights
# come from pilots on seed 50, tested on images of seed 2000 (notebooks/protocols/13_protocol.md).
ENGINEERING = {
    # The zoo's recipe for resnet-objects, with half of its images and half of its epochs.
    "train": {"n": 8192, "variation": "medium", "seed": 1000},
    "training": {"epochs": 4, "batch_size": 32, "optimiser": "adamw", "lr": 0.01,
                 "weight_decay": 0.01, "flip": True},
    "term": {"batch_size": 8, "fit": 512, "share": 0.95, "every": 64},
    "conditions": {
        "none": None,
        "pixels within": {"layer": "normalise", "inside": True, "weight": 0.035},
        "pixels outside": {"layer": "normalise", "inside": False, "weight": 0.035},
        "front end within": {"layer": "stem", "inside": True, "weight": 0.025},
        "front end outside": {"layer": "stem", "inside": False, "weight": 0.04},
        # Controls that were added when the results of the others were known.
        "pixels random within": {"layer": "normalise", "inside": True, "weight": 0.035,
                                 "control": True},
        "pixels random outside": {"layer": "normalise", "inside": False, "weight": 0.035,
                                  "control": True},
    },
    "seeds": (0, 1, 2, 3, 4),
    "zoo": ("resnet-objects", "vone_resnet-objects", "noise_resnet-objects",
            "adversarial_resnet-objects"),
    "zoo_seeds": (0, 1, 2, 3, 4),
    "test_seed": 9000,  # of objects.sample(n, "medium"): not one of any training or choice
    "n": {"clean": 1024, "Linf": 256, "corruptions": 256, "sensitivity": 192},
    "epsilons": tuple(k / 255 for k in (0, 0.5, 1, 2, 4)),
    "steps": 20,
    "fit_seed": 4100, "fit": 1024,  # images that subspaces and linear read-outs are fitted on
    "draws": 4,  # of a stochastic net
}  # fmt: skip


def engineering() -> pd.DataFrame:
    """What nets trained against their own sensitivity are like, beside nets of the zoo.

    Returns
    -------
    DataFrame
        One row a number: net, seed, measure, at, value, n. `net` is a condition of
        `ENGINEERING["conditions"]` (which part of the sensitivity was penalised in training, at
        which layer), or a name for `models.load`, of which the sensitivities alone were measured.
        Measures:

        - "clean", "Linf" (at a radius), "noise", "blur", "contrast", "pixelate" (at a severity, 1
          to 5): accuracy;
        - "within", "outside": sensitivity of the decision to changes inside of the subspace of
          95 % of a layer's variance, and to the others, as `manifolds.sensitivity` has it, median
          over images; "distance within", "distance outside": the margin over the root of it, how
          far the border is to first order, in typical deviations, of images named right; "random":
          the sensitivity to as many random directions, in expectation; "size" of the subspace.
          `at` is the layer's place in `manifolds.main_layers`, 0 the pixels;
        - "x", "y", "size of the object", "yaw", "pitch", "roll": R² of a linear read-out from the
          pooled features, on images it was not fitted on;
        - "confidence": mean probability of the answer; "calibration": that less accuracy.

    Notes
    -----
    Comes with brainkit, offline; tools/record_engineering.py makes it again.
    """
    return pd.read_csv(RECORD, comment="#")
