"""Linear subspaces that activity lies in, by PCA or factor analysis, and what lies inside them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import subspace_angles
from torch import Tensor, as_tensor, float32, promote_types

from brainkit.manifolds._points import centred, count, float64, is_share, numbers_of, principal

__all__ = ["Subspace", "fit_subspace", "principal_angles", "random_subspace"]

METHODS = ("pca", "fa")
EXACT_FA = 200  # units or points up to which scikit-learn's exact decomposition is quick


@dataclass(frozen=True, eq=False)
class Subspace:
    """An affine subspace of activity: a mean and k orthonormal directions.

    mean : (units,)
    basis : (units, k)
        Orthonormal, in the order of the variance along them.
    method : str
        "pca", "fa", "random", or what you made it of.
    n : int
        Points that it was fitted on.
    shares : (k,) or None
        Of the variance, along each direction: for PCA of all variance, for factor analysis of the
        variance that is shared.
    loadings : (units, k) or None
        Of factor analysis, turned such that they are `basis` times a falling diagonal.
    noise : (units,) or None
        Of factor analysis: each unit's own variance.

    The methods take arrays, and give float64 arrays, or tensors, and give tensors on the same
    device, differentiable. They raise ValueError for a shape other than (n, units), NaN or
    infinity.
    """

    mean: np.ndarray
    basis: np.ndarray
    method: str
    n: int
    shares: np.ndarray | None = None
    loadings: np.ndarray | None = None
    noise: np.ndarray | None = None

    def __post_init__(self) -> None:
        shape = np.shape(self.basis)
        if len(shape) != 2 or not 0 < shape[1] <= shape[0] or np.shape(self.mean) != shape[:1]:
            raise ValueError(f"mean {np.shape(self.mean)} and basis {shape} do not fit; need "
                             "(units,) and (units, k) with k from 1 to units")  # fmt: skip
        # Orthonormal directions leave lengths as they are; two of them show any that are not.
        trial = np.random.default_rng(0).standard_normal((shape[1], 2))
        lengths = np.linalg.norm(self.basis @ trial, axis=0) / np.linalg.norm(trial, axis=0)
        if not np.allclose(lengths, 1, atol=1e-5):
            raise ValueError("the basis is not orthonormal; use np.linalg.qr(basis)[0]")

    @property
    def size(self) -> int:
        """k, the number of directions."""
        return self.basis.shape[1]

    @property
    def units(self) -> int:
        """Of the space that it lies in."""
        return self.basis.shape[0]

    def __repr__(self) -> str:
        return f"Subspace({self.size} of {self.units} dimensions, {self.method}, n = {self.n})"

    def keep(self, k: int | float) -> Subspace:
        """The first k directions; or, for a float, the fewest that hold that share of `shares`.

        ValueError for more directions than there are, or a share they do not hold.
        """
        if is_share(k, "k"):
            if self.shares is None:
                raise ValueError(f"a {self.method} subspace has no shares; give a whole number")
            held = np.cumsum(self.shares)
            if held[-1] < k * (1 - 1e-9):
                raise ValueError(f"all {self.size} directions hold {held[-1]:.3f} of the "
                                 f"variance, not {k}; fit with a larger size")  # fmt: skip
            k = min(int((held < k * (1 - 1e-9)).sum()) + 1, self.size)
        k = count(k, "k", self.size, "the directions there are")
        first = {name: None if (values := getattr(self, name)) is None else values[..., :k]
                 for name in ("basis", "shares", "loadings")}  # fmt: skip
        return replace(self, **first)

    def coordinates(self, changes: ArrayLike | Tensor) -> np.ndarray | Tensor:
        """(n, k) lengths of changes (n, units) along each direction.

        The energy inside of the first 1, 2, … k directions is the cumulative sum of their squares,
        over the squared length of the change.
        """
        changes, _, basis = self._of_a_kind(changes, "changes")
        return changes @ basis

    def within(self, changes: ArrayLike | Tensor) -> np.ndarray | Tensor:
        """(n, units) the part of changes (n, units) that lies in the subspace."""
        changes, _, basis = self._of_a_kind(changes, "changes")
        return (changes @ basis) @ basis.T

    def outside(self, changes: ArrayLike | Tensor) -> np.ndarray | Tensor:
        """(n, units) the part of changes (n, units) that is orthogonal to the subspace."""
        changes, _, basis = self._of_a_kind(changes, "changes")
        return changes - (changes @ basis) @ basis.T

    def energy(self, changes: ArrayLike | Tensor) -> np.ndarray | Tensor:
        """(n,) share of the squared length of changes (n, units) that lies in the subspace.

        k / units for a change in a random direction, on average. NaN for a change of length 0, of
        an attack that failed, say: leave those out and say how many.
        """
        changes, _, basis = self._of_a_kind(changes, "changes")
        return _ratio(squares(changes @ basis), squares(changes))

    def residual(self, points: ArrayLike | Tensor) -> np.ndarray | Tensor:
        """(n,) distance of points (n, units) to the subspace, over that to its mean; in [0, 1].

        Larger for new points than for those it was fitted on: compare with held-out ones. NaN at
        the mean.
        """
        points, mean, basis = self._of_a_kind(points, "points")
        points = points - mean
        rest = points - (points @ basis) @ basis.T
        return _ratio(squares(rest), squares(points)) ** 0.5

    def _of_a_kind(self, values: Any, name: str) -> tuple[Any, Any, Any]:
        """Values, mean and basis as arrays, or as tensors of one type on one device."""
        shape = tuple(getattr(values, "shape", np.shape(values)))
        if len(shape) == 2 and shape[1] != self.units:
            raise ValueError(f"{name} have {shape[1]} units; the subspace is of {self.units}")
        if not isinstance(values, Tensor):
            return float64(values, name), self.mean, self.basis
        if len(shape) != 2:
            raise ValueError(f"{name} must be (points, units), not {shape}; use {name}.flatten(1)")
        if not values.isfinite().all():  # where they are: a GPU's are not brought here for it
            raise ValueError(f"{name} are NaN or infinite; look for what made them")
        values = values.to(promote_types(values.dtype, float32))
        return values, *(as_tensor(part, dtype=values.dtype, device=values.device)
                         for part in (self.mean, self.basis))  # fmt: skip


def fit_subspace(X: ArrayLike | Tensor, size: int | float | None = None, method: str = "pca"
                 ) -> Subspace:  # fmt: skip
    r"""The subspace that points lie near.

    "pca": directions of most variance, whoever's it is. "fa": of most *shared* variance; factor
    analysis models the covariance as :math:`L L^T + \Psi` with each unit's own variance on the
    diagonal of :math:`\Psi`, and the directions are U of :math:`L = U D V^T`, as in the
    brain-computer interface of Sadtler et al. Units that vary much and alone are PCA's first
    directions, and none of factor analysis'.

    Parameters
    ----------
    X : (points, units) tensor or array
        PCA takes more units than points (500 points of 16,384 units in a second). Factor analysis
        needs more points than factors, and repeated decompositions of all of X: for up to a
        thousand units or so; project or sample the units of larger layers first.
    size : int, float or None
        Directions; or, for PCA, the share of the variance they are to hold; or None, for PCA, all
        in which the points vary. For factor analysis a whole number, see `cross_validated_size`.
    method : "pca" or "fa"

    Returns
    -------
    Subspace

    Raises
    ------
    ValueError
        For a wrong shape, NaN or infinity, fewer than 2 points, a size that the points do not
        span, points that are all the same, and for factor analysis a unit that never varies.

    Source: Sadtler et al. 2014, Nature 512, 423; Yu et al. 2009, J. Neurophysiol. 102, 614;
    factor analysis by scikit-learn.
    """
    check_method(method)
    x = float64(X, "X", 2, "a subspace")
    if method == "fa":
        return _fit_fa(x, size)
    share = size if is_share(size, "size") else None
    basis, variances = principal(centred(x, "X"), share)
    shares = (variances / variances.sum())[: basis.shape[1]]
    found = Subspace(x.mean(0), basis, "pca", len(x), shares)
    if size is None or share is not None:
        return found
    count(size, "size", found.size, f"the directions in which these {len(x)} points vary")
    return found.keep(size)


def _fit_fa(x: np.ndarray, size: Any) -> Subspace:
    if size is None or is_share(size, "size"):
        raise ValueError(f"factor analysis needs a whole number for size, not {size!r}; take that "
                         "of cross_validated_size, or fit more factors than needed and use "
                         ".keep(0.95) for a share of the shared variance")  # fmt: skip
    n, units = x.shape
    size = count(size, "size", min(n, units) - 1, f"fewer than the {n} points and {units} units")
    refuse_constant(x, "X")
    model = factor_analysis(x, size)
    basis, stretch, _ = np.linalg.svd(model.components_.T, full_matrices=False)
    if stretch[-1] <= 1e-10 * stretch[0]:
        raise ValueError(f"the units share {int((stretch > 1e-10 * stretch[0]).sum())} factors, "
                         f"not {size}; give a smaller size")  # fmt: skip
    basis = basis * np.sign(basis[np.abs(basis).argmax(0), np.arange(size)])
    return Subspace(x.mean(0), basis, "fa", n, stretch**2 / (stretch**2).sum(), basis * stretch,
                    model.noise_variance_)  # fmt: skip


def factor_analysis(x: np.ndarray, size: int, tol: float = 1e-2, max_iter: int = 1000) -> Any:
    """scikit-learn's model of x (points, units), in a time that hardly depends on the points."""
    from sklearn.decomposition import FactorAnalysis

    n, units = x.shape
    variances, start = x.var(0), x
    if n > 2 * units:
        # Mean and covariance are all it looks at, and these 2 x units points have the same. Its
        # likelihood is a sum over points, and so is what it may still gain.
        R = np.linalg.qr(x - x.mean(0), mode="r") * np.sqrt(units / n)
        start, tol = x.mean(0) + np.vstack([R, -R]), tol * 2 * units / n
    solver = "lapack" if min(x.shape) <= EXACT_FA else "randomized"
    # From each unit's variance, as Yu et al. start. scikit-learn starts from 1 whatever the units
    # are, and of units that vary more may stop far from the maximum, a factor on a single unit.
    return FactorAnalysis(size, noise_variance_init=variances, svd_method=solver, tol=tol,
                          max_iter=max_iter, random_state=0).fit(start)  # fmt: skip


def random_subspace(units: int, k: int, seed: int = 0) -> Subspace:
    """k directions drawn at random, all subspaces being equally likely; its mean is 0.

    The control: a change in any direction has k / units of its energy inside, on average.
    ValueError for a k that is not 1 to units.
    """
    count(units, "units")
    count(k, "k", units, "the units there are")
    drawn = np.random.default_rng(seed).standard_normal((units, k))
    basis, corner = np.linalg.qr(drawn)
    return Subspace(np.zeros(units), basis * np.sign(np.diag(corner)), "random", 0)


def principal_angles(A: Subspace | ArrayLike, B: Subspace | ArrayLike) -> np.ndarray:
    """Angles between two subspaces, in degrees, rising.

    Parameters
    ----------
    A, B : Subspace, or (units, k) array or tensor whose columns span one
        Their means do not matter.

    Returns
    -------
    (smaller k,) array
        In [0, 90]: 0 for each direction they have in common, 90 for each orthogonal one.

    Raises
    ------
    ValueError
        For other numbers of units, or a wrong shape.

    Source: Björck and Golub 1973, Math. Comput. 27, 579.
    """
    a, b = (given.basis if isinstance(given, Subspace)
            else numbers_of(given, name, ("units", "directions")).astype(float)
            for name, given in (("A", A), ("B", B)))  # fmt: skip
    if len(a) != len(b):
        raise ValueError(f"A is of {len(a)} units and B of {len(b)}; take both from one layer")
    return np.degrees(subspace_angles(a, b))[::-1]


def check_method(method: str) -> None:
    if method not in METHODS:
        raise ValueError(f"method must be 'pca' or 'fa', not {method!r}")


def refuse_constant(x: np.ndarray, what: str) -> None:
    if constant := int((np.ptp(x, axis=0) == 0).sum()):
        raise ValueError(f"{constant} of {x.shape[1]} units never vary in {what}, and factor "
                         "analysis divides by their variance; leave them out, e.g. "
                         "X[:, X.std(0) > 0], and those that hardly ever answer")  # fmt: skip


def squares(values: Any) -> Any:
    return (values * values).sum(-1)


def _ratio(part: Any, whole: Any) -> Any:
    if isinstance(part, Tensor):
        return part / whole
    with np.errstate(invalid="ignore"):
        return part / whole
