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
from brainkit.manifolds.engineering import Insensitivity, sensitivity
from brainkit.manifolds.measures import (
    auroc,
    cause,
    index,
    natural_steps,
    smallest_flip,
    span,
    tangent_energy,
)
from brainkit.manifolds.sizes import CrossValidatedSize, cross_validated_size
from brainkit.manifolds.subspaces import Subspace, fit_subspace, principal_angles, random_subspace
from brainkit.manifolds.tails import Tail, displacement, main_layers, responses

__all__ = [
    "CrossValidatedSize", "Dimension", "Insensitivity", "Mahalanobis", "ManifoldCapacity",
    "Subspace", "Tail", "auroc", "cause", "cross_validated_size", "displacement",
    "explained_dimension", "fit_subspace", "index", "knn_distance", "lid", "local_pca",
    "mahalanobis", "main_layers", "manifold_capacity", "natural_steps", "participation_ratio",
    "principal_angles", "random_subspace", "responses", "sensitivity", "smallest_flip", "span",
    "tangent_energy", "two_nn",
]  # fmt: skip
