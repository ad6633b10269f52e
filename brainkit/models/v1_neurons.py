"""What neurons of primary visual cortex prefer: published distributions, and banks from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import norm

__all__ = ["FREQUENCIES", "ORIENTATIONS", "WIDTHS", "WIDTH_EDGES", "gabor_parameters"]

# Counts of neurons by property. Orientation, degrees: De Valois, Yund & Hepler 1982 (Vision
# Research 22, 531).
ORIENTATIONS = (-22.5, 22.5, 67.5, 112.5, 157.5), (66, 49, 77, 54)
# Preferred spatial frequency, cycles per degree: De Valois, Albrecht & Thorell 1982 (Vision
# Research 22, 545).
FREQUENCIES = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0), (4, 4, 8, 25, 32, 26, 28, 12)
# Width across the stripes (rows) and along them (columns), in cycles of the grating: Ringach 2002
# (Journal of Neurophysiology 88, 455).
WIDTH_EDGES = 10 ** np.linspace(-1, 0.2, 6)
WIDTHS = np.array(
    [[2, 0, 1, 0, 0], [8, 9, 4, 1, 0], [1, 2, 19, 17, 3], [0, 0, 1, 7, 4], [0, 0, 0, 0, 0]]
)


def _quantile(u: np.ndarray, counts: Sequence[float], edges: np.ndarray) -> np.ndarray:
    """Inverse of the piecewise-linear distribution function of a histogram, at u in [0, 1)."""
    counts = np.asarray(counts, float)
    return np.interp(u, np.concatenate([[0], np.cumsum(counts / counts.sum())]), edges)


def gabor_parameters(
    n: int,
    seed: int = 0,
    sf_corr: float = 0.75,
    sf_max: float = 9,
    sf_min: float = 0,
    uniform: bool = False,
) -> np.ndarray:
    """The original's bank: n Gabors drawn from distributions of V1 neurons.

    Args:
        n: how many filters.
        seed: of numpy's legacy generator; its global state is left alone.
        sf_corr: correlation of the normal scores of spatial frequency and of width across the
            stripes (Schiller, Finlay & Volman 1976: .75).
        sf_max, sf_min: bounds on spatial frequency, cycles per degree; whole bins of the
            histogram are left out (9 and 0: none).
        uniform: every property flat over its range instead (the paper's control).

    Returns:
        (5, n) float64, rows: spatial frequency (cycles per degree), orientation and phase
        (degrees), and the Gaussian window's standard deviations across and along the stripes, in
        cycles of the grating (nx, ny).

    Raises:
        ValueError: n < 1, a correlation outside [-1, 1], or bounds that leave no bin.

    Source: Dapello et al. 2020, and its authors' code for the order of the draws.
    """
    edges, counts = (np.asarray(v, float) for v in FREQUENCIES)
    kept = np.flatnonzero((edges <= sf_max) & (edges >= sf_min))
    if int(n) != n or n < 1:
        raise ValueError(f"n={n}: give the number of filters, 1 or more")
    if not -1 <= sf_corr <= 1:
        raise ValueError(f"sf_corr={sf_corr} is a correlation; give -1 to 1")
    if len(kept) < 2:
        raise ValueError(
            f"sf_min={sf_min} and sf_max={sf_max} leave no spatial frequency; whole bins count, "
            f"whose edges are {', '.join(f'{edge:g}' for edge in edges)} cycles per degree"
        )
    edges, counts = np.log2(edges[kept]), counts[kept[0] : kept[-1]]
    log_widths = np.log10(WIDTH_EDGES)
    # The order of the draws is the original's: with its seeds they give its filters.
    random = np.random.RandomState(seed)
    phase = 360 * random.rand(n)
    turn = random.rand(n)
    if uniform:
        flat = np.ones(len(counts))
        frequency = random.rand(n)
        nx = 10 ** np.interp(random.rand(n), [0, 1], log_widths[[0, -1]])
        ny = 10 ** np.interp(random.rand(n), [0, 1], log_widths[[0, -1]])
        return np.stack([2 ** _quantile(frequency, flat, edges), 180 * turn, phase, nx, ny])
    orientation = _quantile(turn, ORIENTATIONS[1], np.asarray(ORIENTATIONS[0]))
    orientation[orientation < 0] += 180
    scores = norm.cdf(random.multivariate_normal([0, 0], [[1, sf_corr], [sf_corr, 1]], n))
    nx = 10 ** _quantile(scores[:, 0], WIDTHS.sum(1), log_widths)
    frequency = 2 ** _quantile(scores[:, 1], counts, edges)
    along = random.rand(n)
    row = np.searchsorted(WIDTH_EDGES, nx, side="right") - 1
    ny = np.array([10 ** _quantile(u, WIDTHS[r], log_widths)
                   for u, r in zip(along, row, strict=True)])  # fmt: skip
    return np.stack([frequency, orientation, phase, nx, ny])
