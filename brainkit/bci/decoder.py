"""The brain-computer interface of Sadtler et al. 2014 (Nature 512, 423): spikes to velocity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import linalg

from brainkit.bci._check import finite, permutation
from brainkit.bci._fit import fitted

__all__ = ["Decoder"]


@dataclass(frozen=True, eq=False)
class Decoder:
    r"""Spike counts to factors to cursor velocity.

    .. math:: v_t = M_1 v_{t-1} + K \eta \Sigma_z \beta \eta_q \Sigma_u (u_t - \mu_u) - K d

    with :math:`\beta = L^T (L L^T + \Psi)^{-1}`, which gives the factors' posterior mean, and
    :math:`\Sigma_u`, :math:`\Sigma_z` diagonal, 1 / standard deviation. A **within-manifold**
    perturbation permutes the factors (eta); an **outside-manifold** one permutes the units that
    they are read from (eta_q). The intuitive mapping permutes neither.

    Attributes
    ----------
    L : (units, factors)
        Loadings of the z-scored counts.
    Psi : (units,) > 0
        Private variances.
    mean, sd : (units,)
        Of the counts (spikes a bin).
    factor_sd : (factors,) > 0
        Of the factors' posterior means.
    K : (2, factors), d : (factors,)
        Kalman gain (velocity by scaled factor) and the scaled factors' offset.
    M1 : (2, 2)
        What is kept of the last bin's velocity; 0 for a decoder without memory.
    within : (factors,), outside : (units,) ints, optional
        The permutations: factor i of K is fed `within[i]`, unit i of beta `outside[i]`. Identity
        if not given. Matrices are taken too (the rows of the identity, permuted).

    Raises
    ------
    ValueError, TypeError
        For shapes that do not fit each other, values that are not finite, variances that are not
        positive, and permutations that are none.
    """

    L: np.ndarray
    Psi: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    factor_sd: np.ndarray
    K: np.ndarray
    d: np.ndarray
    M1: np.ndarray
    within: np.ndarray | None = None
    outside: np.ndarray | None = None

    def __post_init__(self):
        units, factors = finite(self.L, "L", (None, None)).shape
        shapes = {"L": (units, factors), "Psi": (units,), "mean": (units,), "sd": (units,),
                  "factor_sd": (factors,), "K": (2, factors), "d": (factors,), "M1": (2, 2)}
        for name, shape in shapes.items():
            self._set(name, finite(getattr(self, name), name, shape))
        for name in ("Psi", "sd", "factor_sd"):
            if (low := np.flatnonzero(getattr(self, name) <= 0)).size:
                raise ValueError(f"{name} must be positive; it is not at {low.tolist()}: "
                                 "leave out units that do not vary")
        for name, length in (("within", factors), ("outside", units)):
            given = getattr(self, name)
            given = np.arange(length) if given is None else given
            self._set(name, permutation(given, name, length))

    def _set(self, name, array):
        array = np.array(array)
        array.flags.writeable = False  # frozen: else a cached M2 could come to disagree with K
        object.__setattr__(self, name, array)

    def __repr__(self):
        kinds = [f"{kind} permuted ({(p != np.arange(len(p))).sum()} of {len(p)} moved)"
                 for kind, p in (("factors", self.within), ("units", self.outside))
                 if (p != np.arange(len(p))).any()]
        return f"Decoder({self.units} units, {self.factors} factors, " \
               f"{' and '.join(kinds) or 'intuitive'})"

    @property
    def units(self) -> int:
        return self.L.shape[0]

    @property
    def factors(self) -> int:
        return self.L.shape[1]

    @cached_property
    def beta(self) -> np.ndarray:
        """(factors, units): z-scored counts to the factors' posterior mean."""
        return np.linalg.solve(self.L @ self.L.T + np.diag(self.Psi), self.L).T

    @cached_property
    def M2(self) -> np.ndarray:
        """(2, units): velocity by spike, all steps in one matrix."""
        return self._scaled / self.sd

    @cached_property
    def _scaled(self) -> np.ndarray:
        """(2, units): velocity by z-scored count."""
        return self._scaled_under(self.within, self.outside)

    def _scaled_under(self, within, outside) -> np.ndarray:
        by_factor = np.empty_like(self.K)
        by_factor[:, within] = self.K  # K eta
        by_unit = (by_factor / self.factor_sd) @ self.beta
        by_z = np.empty_like(by_unit)
        by_z[:, outside] = by_unit  # beta eta_q
        return by_z

    @cached_property
    def m0(self) -> np.ndarray:
        """(2,): the offset, so that a bin's push is M2 u + m0."""
        return -self.M2 @ self.mean - self.K @ self.d

    def pushes(self, spikes: ArrayLike) -> np.ndarray:
        """(..., 2): the velocity that each bin's spikes (..., units) add, M2 u + m0.

        What Golub et al. 2018 analyse and store: without the memory M1 of earlier bins.
        """
        return finite(spikes, "spikes", (..., self.units)) @ self.M2.T + self.m0

    def step(self, velocity: ArrayLike, spikes: ArrayLike) -> np.ndarray:
        """(..., 2): the next velocity, M1 v + M2 u + m0, from v (..., 2) and u (..., units)."""
        return finite(velocity, "velocity", (..., 2)) @ self.M1.T + self.pushes(spikes)

    def velocities(self, spikes: ArrayLike, start: ArrayLike = (0.0, 0.0)) -> np.ndarray:
        """Cursor velocities over time, open loop, M1's memory included.

        Parameters
        ----------
        spikes : (..., bins, units)
            Consecutive bins of a trial; further axes before are trials.
        start : (2,) or (..., 2)
            Velocity before the first bin.

        Returns
        -------
        (..., bins, 2), in the decoder's unit of velocity (mm/s of the recordings)
        """
        pushes = self.pushes(finite(spikes, "spikes", (..., None, self.units)))
        velocity = np.broadcast_to(finite(start, "start", (..., 2)), (*pushes.shape[:-2], 2))
        found = np.empty_like(pushes)
        for t in range(pushes.shape[-2]):
            velocity = velocity @ self.M1.T + pushes[..., t, :]
            found[..., t, :] = velocity
        return found

    def latents(self, spikes: ArrayLike) -> np.ndarray:
        """(..., factors): orthonormal coordinates in the manifold, the strongest first.

        D V' beta Sigma_u (u - mu) with L = U D V': the same for a decoder and its perturbed ones,
        as they are of the recorded activity and not of what the cursor is fed. The sign of an
        axis is that of LAPACK's SVD, so that of the recording's own latents only up to -1.
        """
        _, D, Vt = linalg.svd(self.L, full_matrices=False)
        z = (finite(spikes, "spikes", (..., self.units)) - self.mean) / self.sd
        return z @ self.beta.T @ Vt.T * D

    def perturbed(self, *, within: ArrayLike | None = None,
                  outside: ArrayLike | None = None) -> Decoder:
        """The intuitive decoder with factors (`within`) or units (`outside`) permuted.

        Of a decoder that is permuted already, the one given is replaced, the other is kept.
        """
        if within is None and outside is None:
            raise ValueError("give a permutation: within=(factors,) or outside=(units,)")
        given = {"within": within, "outside": outside}
        made = replace(self, **{k: v for k, v in given.items() if v is not None})
        made.__dict__["beta"] = self.beta  # the same, and slow to solve for many units
        return made

    @cached_property
    def control_space(self) -> np.ndarray:
        """(units, 2) orthonormal: the plane of z-scored activity that moves the cursor."""
        return np.linalg.qr(self._scaled.T)[0]

    @cached_property
    def manifold(self) -> np.ndarray:
        """(units, factors) orthonormal: the span of L, of z-scored activity."""
        return np.linalg.qr(self.L)[0]

    @property
    def share_within(self) -> float:
        """How much of the control space lies in the manifold, 0 to 1: mean squared cosine."""
        return float(np.sum((self.manifold.T @ self.control_space) ** 2) / 2)

    def angles_to(self, other: Decoder) -> np.ndarray:
        """(2,) principal angles between both control spaces, degrees, the larger first."""
        if other.units != self.units:
            raise ValueError(f"the decoders have {self.units} and {other.units} units")
        return np.degrees(linalg.subspace_angles(self.control_space, other.control_space))

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any] | Any) -> Decoder:
        """From the fields that Golub et al. 2018 store of a mapping.

        Parameters
        ----------
        mapping : mapping or object with attributes
            L, Ph, mu_u, Sigma_u, Sigma_z, K, d, M1 and, unless the mapping is intuitive, eta.

        Raises
        ------
        KeyError
            For a field that lacks; the message lists those that do.

        Notes
        -----
        Of the session of 2012-03-05, the recorded velocities come out to 3.1e-8 mm/s.
        """
        names = ["L", "Ph", "mu_u", "Sigma_u", "Sigma_z", "K", "d", "M1"]
        get = (mapping.get if isinstance(mapping, Mapping)
               else lambda name: getattr(mapping, name, None))
        if lacking := [name for name in names if get(name) is None]:
            raise KeyError(f"the mapping lacks {', '.join(lacking)}")
        inverse = [1 / np.diag(finite(get(s), s, (None, None))) for s in ("Sigma_u", "Sigma_z")]
        return cls(get("L"), get("Ph"), get("mu_u"), *inverse, get("K"), get("d"), get("M1"),
                   within=get("eta"))

    @classmethod
    def from_recording(cls, recording: Any) -> Decoder:
        """The intuitive decoder of a recorded session, as `brainkit.data` loads it.

        Parameters
        ----------
        recording : `data.bci_learning()` or `data.bci_session()`
            The first has the Kalman gain, and its perturbation is `perturbed(within=.order)`. Of
            the second only M2 is known, from which K follows once the factors are scaled: by
            their standard deviation in the block under the intuitive mapping.

        Raises
        ------
        TypeError
            For anything else.
        ValueError
            If the recorded mapping does not read the factors alone.
        """
        try:
            factors = recording.factors
            shared = (factors.loadings, factors.private, factors.mean, factors.sd)
            if hasattr(recording, "gain"):
                return cls(*shared, 1 / finite(recording.factor_scale, "factor_scale", (None,)),
                           recording.gain, recording.offset, recording.intuitive.M1)
            block = recording.intuitive
            mapping, counts = block.mapping, finite(block.counts, "counts", (None, None))
        except AttributeError as error:
            raise TypeError(f"a recorded session is wanted, as data.bci_learning() gives one: "
                            f"{error}") from None
        units, q = np.shape(factors.loadings)
        blank = cls(*shared, np.ones(q), np.zeros((2, q)), np.zeros(q), mapping.M1)
        by_z = finite(mapping.M2, "M2", (2, units)) * blank.sd
        by_factor = by_z @ np.linalg.pinv(blank.beta)
        if np.abs(by_factor @ blank.beta - by_z).max() > 1e-4 * np.abs(by_z).max():
            raise ValueError("the recorded mapping reads more than the factors: it is not that "
                             "of an intuitive decoder")
        factor_sd = (((counts - blank.mean) / blank.sd) @ blank.beta.T).std(0)
        K = by_factor * factor_sd
        offset = finite(mapping.m0, "m0", (2,)) + mapping.M2 @ blank.mean
        return cls(*shared, factor_sd, K, -np.linalg.pinv(K) @ offset, mapping.M1)

    @classmethod
    def fit(cls, activity: ArrayLike, velocities: ArrayLike, factors: int = 10, *,
            memory: bool = True, process_noise: ArrayLike | None = None) -> Decoder:
        """An intuitive decoder of one's own recording: factor analysis, then a Kalman filter.

        Parameters
        ----------
        activity : (bins, units) or (trials, bins, units)
            Spike counts, or rates of a net; units that do not vary must be left out.
        velocities : (bins, 2) or (trials, bins, 2)
            Of the hand or cursor, or the intended one; its unit becomes the decoder's.
        factors : int
            Dimensions of the manifold; 10 in Sadtler et al.
        memory : bool
            True: the steady-state Kalman filter, velocity the state and the factors what is seen
            of it. False: least squares, each bin for itself, M1 = 0.
        process_noise : (2, 2), optional
            Covariance of the velocity's change from bin to bin, with A = I as in Sadtler et al.
            (their own session: 2000 mm²/s² on the diagonal). Without, both A and the covariance
            are fitted (Wu et al. 2006, Neural Comput. 18).

        Raises
        ------
        ValueError
            For shapes that do not fit, fewer bins than units + 1, units that do not vary, or
            velocities that do not span the plane.

        Notes
        -----
        Source: Sadtler et al. 2014, methods. Factors are those of `brainkit.manifolds`, by maximum
        likelihood.
        Of the session of 2012-03-05, the gain recorded is this steady state's to 4e-9, with the
        C and R of its file.
        """
        return cls(*fitted(activity, velocities, factors, memory, process_noise))
