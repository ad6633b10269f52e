"""The decoder of Golub et al. 2018 (monkey J, 2012-03-05), with made activity, and the original.

The fixture holds the interface's parameters and what follows from them, no recorded activity:
tests of recorded velocities need the file itself, and skip where it cannot be had.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from brainkit import data

GOLUB = dict(np.load(Path(__file__).parent / "fixtures/science/golub_decoder.npz"))
MAPPING = {**GOLUB, "Sigma_u": np.diag(1 / GOLUB["sd_u"]), "Sigma_z": np.diag(1 / GOLUB["sd_z"])}
WITHIN, OUTSIDE = GOLUB["within"], GOLUB["outside"]


def original(asset):
    """The path of a published file; skips the test where it cannot be had."""
    try:
        return data.fetch(asset)
    except data.AssetError as error:
        pytest.skip(f"no source of {asset} is within reach: {error.tried[-2:]}")


def made_activity(bins=69, seed=0):
    """Counts (8, bins, 86) of the decoder's factor model that move the cursor to 8 targets.

    The factors hold what the gain turns into 100 mm/s towards the target, and noise of the prior;
    each unit has its private noise. Real numbers, not whole: nothing here needs spikes.
    """
    rng = np.random.default_rng(seed)
    angle = (np.arange(8) * np.pi / 4)[:, None] + rng.uniform(-0.35, 0.35, (8, bins))
    directions = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    gain = GOLUB["K"] / GOLUB["sd_z"]
    wanted = 100 * directions + GOLUB["K"] @ GOLUB["d"]
    z = wanted @ np.linalg.pinv(gain).T + 0.5 * rng.standard_normal((8, bins, 10))
    x = z @ GOLUB["L"].T + np.sqrt(GOLUB["Ph"]) * rng.standard_normal((8, bins, 86))
    return GOLUB["mu_u"] + GOLUB["sd_u"] * x, directions


@cache
def recorded():
    return data.bci_learning()


SPIKES, DIRECTIONS = made_activity()
