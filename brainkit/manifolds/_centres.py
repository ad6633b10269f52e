"""The few directions that make manifolds' centres correlated, found and counted."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

__all__ = ["correlation", "shared_directions"]

STARTS = 4  # the objective has many minima; more starts find slightly lower ones
PATIENCE = 3  # how many sizes in a row may bring nothing before the search ends


def correlation(centres: np.ndarray) -> float:
    """Mean absolute cosine of each two of the centres (manifolds, units)."""
    units = centres / np.linalg.norm(centres, axis=1, keepdims=True)
    return float(np.abs((units @ units.T)[np.triu_indices(len(units), 1)]).mean())


def shared_directions(centres: np.ndarray, size: int | None, seed: int) -> np.ndarray:
    """(units, k) orthonormal directions, without which the centres correlate least.

    For each k those that minimise the sum of the centres' squared cosines; without a `size`, the
    k from 0 on after which their mean absolute cosine is smallest.
    """
    # All happens in the span of the centres, of which there are fewer than of units.
    _, scales, span = np.linalg.svd(centres, full_matrices=False)
    span = span[scales > 1e-10 * scales[0]].T
    small = centres @ span  # (manifolds, rank)
    most = small.shape[1] - 1
    if size is not None:
        if size > most:
            raise ValueError(f"centre_subspace={size} would leave nothing of the centres of "
                             f"{len(centres)} manifolds; give at most {most}")  # fmt: skip
        return span @ _directions(small, size, seed)
    best, lowest, since = np.zeros((len(span), 0)), correlation(small), 0
    # With one dimension left, all cosines are 1.
    for k in range(1, most):
        found = _directions(small, k, seed)
        left = correlation(small - small @ found @ found.T)
        since += 1
        if left < lowest:
            best, lowest, since = span @ found, left, 0
        if since == PATIENCE:
            break
    return best


def _directions(centres: np.ndarray, k: int, seed: int) -> np.ndarray:
    """The k directions of the lowest minimum from several starts, (rank, k)."""
    rank = centres.shape[1]
    if not k:
        return np.zeros((rank, 0))
    rng = np.random.default_rng((seed, k))
    unit = centres / np.linalg.norm(centres, axis=1, keepdims=True)
    leading = np.linalg.svd(unit, full_matrices=False)[2][:k].T
    starts = [leading, *(rng.standard_normal((rank, k)) for _ in range(STARTS - 1))]
    ends = [minimize(_overlap, start.ravel(), (centres, k), "L-BFGS-B", jac=True,
                     options={"maxiter": 300})
            for start in starts]  # fmt: skip
    return np.linalg.qr(min(ends, key=lambda end: end.fun).x.reshape(rank, k))[0]


def _overlap(flat: np.ndarray, centres: np.ndarray, k: int) -> tuple[float, np.ndarray]:
    """Sum of squared cosines of what the directions leave of the centres, and its gradient.

    Only the span of the directions matters, so they are free to be any; the gradient is that of
    the orthonormal ones, brought back through their QR decomposition.
    """
    basis, corner = np.linalg.qr(flat.reshape(-1, k))
    left = centres - centres @ basis @ basis.T
    length = np.linalg.norm(left, axis=1, keepdims=True)
    unit = left / length
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, 0)
    by_unit = 2 * cosines @ unit
    by_left = (by_unit - (by_unit * unit).sum(1, keepdims=True) * unit) / length
    by_basis = -(centres.T @ (by_left @ basis) + by_left.T @ (centres @ basis))
    across = by_basis - basis @ (basis.T @ by_basis)
    return float((cosines**2).sum() / 2), np.linalg.solve(corner, across.T).T.ravel()
