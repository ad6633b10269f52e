"""How many dimensions a subspace should have, by how well it predicts held-out points."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from brainkit.manifolds._points import count, float64, principal
from brainkit.manifolds.subspaces import check_method, factor_analysis, refuse_constant, squares

__all__ = ["CrossValidatedSize", "cross_validated_size"]


@dataclass(frozen=True, eq=False)
class CrossValidatedSize:
    """How well subspaces of each size predict points they were not fitted on.

    sizes : (s,)
    per_fold : (folds, s)
        Log-likelihood of a held-out point, mean over points, in nats.
    method, n, folds, seed
        Of what, on how many points, and the seed of the folds.
    """

    sizes: np.ndarray
    per_fold: np.ndarray
    method: str
    n: int
    folds: int
    seed: int

    @property
    def log_likelihood(self) -> np.ndarray:
        """(s,) mean over folds."""
        return self.per_fold.mean(0)

    @property
    def error(self) -> np.ndarray:
        """(s,) standard error of the mean over folds."""
        return self.per_fold.std(0, ddof=1) / np.sqrt(self.folds)

    @property
    def best(self) -> int:
        """The size of the highest log-likelihood."""
        return int(self.sizes[self.log_likelihood.argmax()])

    @property
    def within_one_error(self) -> int:
        """The smallest size within one standard error of the best."""
        top = self.log_likelihood.argmax()
        enough = self.log_likelihood >= self.log_likelihood[top] - self.error[top]
        return int(self.sizes[enough].min())

    def __repr__(self) -> str:
        return (f"{self.method} sizes {self.sizes[0]} to {self.sizes[-1]}: best {self.best}, "
                f"within one error {self.within_one_error} (n = {self.n}, {self.folds} folds, "
                f"seed {self.seed})")  # fmt: skip


def cross_validated_size(X: ArrayLike | Tensor, sizes: Iterable[int], method: str = "fa",
                         folds: int = 4, seed: int = 0) -> CrossValidatedSize:  # fmt: skip
    """The size of a subspace that predicts held-out points best.

    By the Gaussian log-likelihood of factor analysis, or of probabilistic PCA (Tipping and Bishop
    1999), which has one noise variance for all units and so needs more factors, where units differ
    in theirs.

    Parameters
    ----------
    X : (points, units) tensor or array
        As `fit_subspace` takes them.
    sizes : iterable of int
        Rising; each below the number of units, and of points in a fold's training part.
    method : "fa" or "pca"
    folds : int
        4 in Sadtler et al. 2014; at least 2.
    seed : int
        Of the folds.

    Returns
    -------
    CrossValidatedSize

    Raises
    ------
    ValueError
        For wrong shapes, NaN or infinity, sizes that are too large or do not rise, and for factor
        analysis a unit that does not vary within the training part of some fold.
    """
    from sklearn.model_selection import KFold

    check_method(method)
    x = float64(X, "X", 4, "a cross-validation")
    n, units = x.shape
    count(folds, "folds", n // 2, "half of the points", least=2)
    sizes = list(sizes)
    smallest_part = n - -(-n // folds)
    for size in sizes:
        count(size, "a size", min(units, smallest_part) - 1,
              f"below the {units} units and the {smallest_part} points of a training part")
    if not sizes or sorted(set(sizes)) != sizes:
        raise ValueError(f"sizes must be rising whole numbers; got {sizes}")
    per_fold = []
    for train, test in KFold(folds, shuffle=True, random_state=seed).split(x):
        if method == "fa":
            refuse_constant(x[train], "the training part of a fold")
            per_fold.append([factor_analysis(x[train], size).score(x[test]) for size in sizes])
        else:
            per_fold.append(_ppca_scores(x[train], x[test], sizes))
    return CrossValidatedSize(np.array(sizes), np.array(per_fold), method, n, folds, seed)


def _ppca_scores(train: np.ndarray, test: np.ndarray, sizes: list[int]) -> list[float]:
    """Log-likelihood of each size from one decomposition, without a matrix of units by units."""
    mean, units = train.mean(0), train.shape[1]
    basis, variances = principal(train - mean)
    if sizes[-1] >= len(variances):
        raise ValueError(f"the points of a fold vary in {len(variances)} directions; give sizes "
                         "below that")  # fmt: skip
    inside = ((test - mean) @ basis) ** 2
    length = squares(test - mean)
    scores = []
    for k in sizes:
        noise = variances[k:].sum() / (units - k)
        distance = (inside[:, :k] / variances[:k]).sum(1)
        distance += (length - inside[:, :k].sum(1)) / noise
        volume = np.log(variances[:k]).sum() + (units - k) * np.log(noise)
        scores.append(float(-(units * np.log(2 * np.pi) + volume + distance.mean()) / 2))
    return scores
