"""The geometry of neural manifolds: subspaces, dimension, capacity, and where a point lies.

>>> from brainkit import manifolds
>>> space = manifolds.fit_subspace(clean, size=0.95)            # doctest: +SKIP
>>> space.energy(attacked - clean), space.residual(attacked)    # doctest: +SKIP
>>> manifolds.two_nn(clean)                                     # doctest: +SKIP
"""

from brainkit.manifolds.capacity import ManifoldCapacity, manifold_capacity
from brainkit.manifolds.dimension import (
    Dimension,
    explained_dimension,
    lid,
    local_pca,
    participation_ratio,
    two_nn,
)
from brainkit.manifolds.distances import Mahalanobis, knn_distance, mahalanobis
from brainkit.manifolds.sizes import CrossValidatedSize, cross_validated_size
from brainkit.manifolds.subspaces import Subspace, fit_subspace, principal_angles, random_subspace

__all__ = [
    "CrossValidatedSize", "Dimension", "Mahalanobis", "ManifoldCapacity", "Subspace",
    "cross_validated_size", "explained_dimension", "fit_subspace", "knn_distance", "lid",
    "local_pca", "mahalanobis", "manifold_capacity", "participation_ratio", "principal_angles",
    "random_subspace", "two_nn",
]  # fmt: skip
