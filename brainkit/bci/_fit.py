"""Fitting a decoder to one's own recording: factor analysis, then a filter for the velocity."""

from __future__ import annotations

import warnings

import numpy as np
from scipy import linalg
from sklearn.exceptions import ConvergenceWarning

from brainkit.bci._check import finite, whole
from brainkit.manifolds.subspaces import factor_analysis


def fitted(activity, velocities, factors, memory, process_noise):
    """The fields of `Decoder`, by the parameters of `Decoder.fit`."""
    activity = finite(activity, "activity", (..., None, None))
    velocities = finite(velocities, "velocities", (*activity.shape[:-1], 2))
    u, v = activity.reshape(-1, activity.shape[-1]), velocities.reshape(-1, 2)
    (bins, units), factors = u.shape, whole(factors, "factors", 2)
    if factors > units:
        raise ValueError(f"factors={factors}, but there are {units} units")
    if bins <= units:
        raise ValueError(f"{bins} bins of {units} units: need more bins than units")
    mean, sd = u.mean(0), u.std(0)
    if (still := np.flatnonzero(sd <= 1e-12 * np.abs(u).max())).size:
        raise ValueError(f"units {still.tolist()} do not vary: leave them out")
    if np.linalg.matrix_rank(v - v.mean(0)) < 2:
        raise ValueError("the velocities do not span the plane: need movements to several targets")
    L, Psi = _factor_analysis((u - mean) / sd, factors)
    x = ((u - mean) / sd) @ np.linalg.solve(L @ L.T + np.diag(Psi), L)
    factor_sd = x.std(0)
    if memory:
        K, d, M1 = _kalman(x / factor_sd, v, velocities, process_noise)
    else:
        K, d, M1 = _least_squares(x / factor_sd, v)
    return L, Psi, mean, sd, factor_sd, K, d, M1


def _factor_analysis(z, factors):
    """L and Psi of z-scored activity (bins, units)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # what is left to gain is nothing here
        analysis = factor_analysis(z, factors, tol=1e-3, max_iter=2000)
    return analysis.components_.T, analysis.noise_variance_


def _least_squares(z, v):
    ones = np.ones((len(z), 1))
    weights = np.linalg.lstsq(np.hstack([z, ones]), v, rcond=None)[0]
    K, offset = weights[:-1].T, weights[-1]
    return K, -np.linalg.pinv(K) @ offset, np.zeros((2, 2))


def _kalman(z, v, trials, process_noise):
    """K, d, M1 of the steady state; the transitions are those inside the trials."""
    if process_noise is None:
        if trials.shape[-2] < 2:
            raise ValueError("trials of one bin show no transition: give memory=False, or "
                             "process_noise")
        last, new = trials[..., :-1, :].reshape(-1, 2), trials[..., 1:, :].reshape(-1, 2)
        A = np.linalg.lstsq(last, new, rcond=None)[0].T
        W = np.cov((new - last @ A.T).T, bias=True)
    else:
        A, W = np.eye(2), finite(process_noise, "process_noise", (2, 2))
    if not np.allclose(W, W.T) or np.linalg.eigvalsh(W).min() <= 1e-12 * v.var():
        raise ValueError("the process noise must be symmetric and positive definite; velocities "
                         "that do not change within a trial leave none: give process_noise or "
                         "memory=False")
    weights = np.linalg.lstsq(np.hstack([v, np.ones((len(v), 1))]), z, rcond=None)[0]
    C, d = weights[:2].T, weights[2]
    K, M1 = steady_state(A, W, C, np.cov((z - v @ C.T - d).T, bias=True))
    return K, d, M1


def steady_state(A, W, C, R):
    """K and M1 = (I - K C) A that a Kalman filter settles to, of v' = A v + w and z = C v + r."""
    P = linalg.solve_discrete_are(A.T, C.T, W, R)
    K = linalg.solve(C @ P @ C.T + R, C @ P, assume_a="pos").T
    return K, (np.eye(2) - K @ C) @ A
