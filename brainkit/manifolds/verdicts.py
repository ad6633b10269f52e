"""From one number a seed to a verdict: borne out, contradicted, or open.

The rules were written down before the results (notebooks/protocols/14_hypotheses.md): the seed is
the unit, intervals are Student's, p values are corrected over layers by Benjamini and Hochberg.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

__all__ = ["LEVEL", "agreed", "all_of", "benjamini_hochberg", "judge", "summary"]

LEVEL = 0.05


def benjamini_hochberg(p: ArrayLike) -> np.ndarray:
    """P values (k,) -> adjusted ones (k,): those below a level are found at that false discovery
    rate. NaN stays NaN and is not counted as a test.

    Source: Benjamini and Hochberg 1995, J. R. Stat. Soc. B 57, 289.
    """
    p = np.asarray(p, float)
    adjusted = np.full(p.shape, np.nan)
    tested = np.flatnonzero(np.isfinite(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    ranks = np.arange(1, len(order) + 1)
    # From the largest down: no p value may end above that of a larger one.
    adjusted[order] = np.minimum.accumulate((p[order] * len(order) / ranks)[::-1])[::-1].clip(max=1)
    return adjusted


def summary(values: ArrayLike, value: float = 0.0) -> dict[str, float]:
    """Of numbers (n,), one a seed: mean, low, high (95 % by Student's t), n, and p of `value`.

    What is not finite is left out. With fewer than two numbers there is a mean and no interval.
    Numbers without spread have an interval without width.
    """
    x = np.asarray(values, float)
    x = x[np.isfinite(x)]
    n, mean = len(x), float(x.mean()) if len(x) else np.nan
    if n < 2:
        return {"mean": mean, "low": np.nan, "high": np.nan, "n": n, "p": np.nan}
    error = x.std(ddof=1) / n**0.5 if np.ptp(x) else 0.0
    half = stats.t.ppf(1 - LEVEL / 2, n - 1) * error
    if error:
        p = float(2 * stats.t.sf(abs(mean - value) / error, n - 1))
    else:
        p = float(np.isclose(mean, value))
    return {"mean": mean, "low": mean - half, "high": mean + half, "n": n, "p": p}


def judge(samples: Iterable[ArrayLike], side: str, value: float) -> pd.DataFrame:
    """A row for each sample: mean, low, high, n, p, q, verdict.

    Args:
        samples: one for each layer of one comparison, numbers (n,), one a seed.
        side: "<" or ">", what is claimed of the mean; or "within", that it is nearer to 0 than
            `value`.
        value: the value named.

    For "<" and ">" the corrected p value q decides together with the side that the mean lies on;
    for a single layer that is the same as an interval that excludes the value. For "within" the
    interval alone decides: within (-value, value), or wholly beyond one of the two.
    """
    if side not in ("<", ">", "within"):
        raise ValueError(f"side must be '<', '>' or 'within', not {side!r}")
    band = side == "within"
    rows = pd.DataFrame([summary(x, 0.0 if band else value) for x in samples])
    rows["q"] = benjamini_hochberg(rows.p)
    if band:
        right = (rows.low > -value) & (rows.high < value)
        wrong = (rows.low > value) | (rows.high < -value)
    else:
        sure, above = rows.q < LEVEL, rows["mean"] > value
        right, wrong = (sure & above, sure & ~above) if side == ">" else (sure & ~above,
                                                                          sure & above)  # fmt: skip
    rows["verdict"] = np.select([right, wrong], ["borne out", "contradicted"], "open")
    return rows


def all_of(verdicts: Iterable[str]) -> str:
    """Of a claim about several layers, measures or families: borne out if all of them are,
    contradicted if any of them is, else open."""
    verdicts = set(verdicts)
    if "contradicted" in verdicts:
        return "contradicted"
    return "borne out" if verdicts == {"borne out"} else "open"


def agreed(verdicts: Iterable[str]) -> str:
    """Of one claim read in several ways: their verdict where they agree, else open."""
    verdicts = set(verdicts)
    return verdicts.pop() if len(verdicts) == 1 else "open"
