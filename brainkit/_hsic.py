"""Gram matrices, their centring and sums of HSIC: what `brainkit.similarity` is made of."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = [
    "LEAST_IMAGES",
    "Sums",
    "centre",
    "check_kernel",
    "check_varies",
    "count",
    "feature_terms",
    "gram_matrix",
    "linear_gram",
    "pair",
    "ratio",
    "tensor",
    "varies",
]

LEAST_IMAGES = 4  # the unbiased HSIC divides by n - 3

# Of a representation whose images are all equally far apart (and of some others) the centred Gram
# matrix is zero, and CKA undefined; rounding leaves this fraction of the matrix at most:
_ROUNDING = 50  # times the type's epsilon


# ---- what comes in


def tensor(values: Any, name: str) -> Tensor:
    """A tensor as it is; anything else by way of NumPy."""
    if isinstance(values, Tensor):
        return values
    try:
        # torch takes no array that is backwards, and warns of one that is read-only.
        return torch.as_tensor(np.require(np.asarray(values), requirements=["C", "W"]))
    except TypeError:
        raise TypeError(f"{name} must be a tensor or an array (n, p) of numbers") from None


def _matrix(values: Any, name: str) -> Tensor:
    """(n, p) in float64; exactly constant if it varies by no more than rounding."""
    matrix = tensor(values, name)
    if matrix.ndim != 2:
        hint = f"; use {name}.reshape(len({name}), -1)" if matrix.ndim > 2 else ""
        raise ValueError(f"{name} must be (n images, p neurons), not {tuple(matrix.shape)}{hint}")
    if matrix.is_complex():
        raise TypeError(f"{name} must be real, not {matrix.dtype}")
    if len(matrix) < LEAST_IMAGES:
        raise ValueError(f"{name} has {len(matrix)} images; need at least {LEAST_IMAGES}")
    if not matrix.shape[1]:
        raise ValueError(f"{name} has no neurons")
    if not (finite := torch.isfinite(matrix)).all():
        wrong = int((~finite).any(1).sum())
        raise ValueError(f"{name} is NaN or infinite for {wrong} of its {len(matrix)} images")
    matrix = matrix if matrix.is_floating_point() else matrix.double()
    if not varies(matrix):  # decided in the type in which it was computed
        matrix = matrix[:1].expand_as(matrix)
    # In float64, whatever it was: what debiasing leaves is a small difference. Not on Apple's
    # GPUs, which have no such type.
    return (matrix.cpu() if matrix.device.type == "mps" else matrix).double()


def pair(X: Any, Y: Any) -> tuple[Tensor, Tensor]:
    x, y = _matrix(X, "X"), _matrix(Y, "Y")
    if len(x) != len(y):
        raise ValueError(f"X and Y must be of the same images: {len(x)} and {len(y)}")
    if x.device != y.device:
        raise ValueError(f"X is on {x.device}, Y on {y.device}; bring them together")
    return x, y


def _columns(x: Tensor) -> Iterator[Tensor]:
    """Some neurons at a time, in float32 at least, as differences from the first image.

    A constant neuron is exactly 0, and a large common mean is off before anything is rounded. A
    large map is never copied whole, and what is computed of it stays in the processor's cache.
    """
    width = max(1, (2**18 if x.device.type == "cpu" else 2**24) // len(x))
    for columns in x.split(width, dim=1):
        columns = columns.to(torch.promote_types(x.dtype, torch.float32))
        yield columns - columns[:1]


def varies(x: Tensor) -> bool:
    """Whether the answers (n, p) vary over the images by more than rounding.

    What follows a dead layer is constant but for the last bits, by which a matrix product differs
    from row to row; CKA would make a number of them.
    """
    x = x.detach()
    wide = torch.promote_types(x.dtype, torch.float32)
    least = (8 * torch.finfo(wide).eps * torch.linalg.vector_norm(x, dtype=wide)) ** 2
    spread = torch.zeros_like(least)
    for columns in _columns(x):
        spread += columns.square().sum()
        if not (spread <= least and least.isfinite()):  # NaN does vary: it is found elsewhere
            return True
    return False


def check_varies(x: Tensor, name: str) -> None:
    if not varies(x):
        raise ValueError(f"{name} is constant: no neuron of it varies over the {len(x)} images")


def check_kernel(kernel: str, bandwidth: float, median: str) -> None:
    if kernel not in ("linear", "rbf"):
        raise ValueError(f"kernel must be 'linear' or 'rbf', not {kernel!r}")
    if median not in ("all", "nonzero"):
        raise ValueError(f"median must be 'all' or 'nonzero', not {median!r}")
    if not 0 < bandwidth < math.inf:
        raise ValueError(f"bandwidth must be above 0, not {bandwidth}")


# ---- Gram matrices, their centring, HSIC


def linear_gram(x: Tensor) -> Tensor:
    """Inner products of the images (n, p), each neuron's mean taken off; float64.

    The products are summed in x's own type, but not in less than float32, over some neurons at a
    time. 0 if x varies by no more than rounding.
    """
    gram = torch.zeros(len(x), len(x), dtype=torch.float64, device=x.device)
    if not varies(x):
        return gram
    with torch.autocast(x.device.type, enabled=False):  # it would round to half precision
        for columns in _columns(x):
            columns = columns - columns.mean(0)
            gram = gram + (columns @ columns.T).double()
    return gram


def gram_matrix(x: Tensor, kernel: str, bandwidth: float, median: str) -> Tensor:
    gram = linear_gram(x)
    if kernel == "linear":
        return gram
    squares = gram.diagonal()
    # Clamped: rounding takes the distance of twin images below 0.
    distance = (squares[:, None] + squares - 2 * gram).clamp(min=0)
    distance = distance - torch.diag(distance.diagonal())
    # By numpy's rule, the mean of the middle two: torch's median is the lower of them. A constant
    # for the gradient, as a bandwidth that was given would be.
    sample = distance.detach().flatten()
    if median == "nonzero":
        sample = sample[sample > 1e-12 * squares.detach().max()]
    middle = float(np.median(sample.cpu().numpy())) if len(sample) else 0.0
    if middle == 0:
        raise ValueError(
            "the rbf kernel has no bandwidth: the median distance between images is 0, most of "
            "them are twins; median='nonzero' leaves zeros out"
        )
    return torch.exp(-distance / (2 * bandwidth**2 * middle))


def centre(gram: Tensor, debiased: bool) -> Tensor:
    """The centred Gram matrix C, such that HSIC is the sum of C_x C_y over `count`.

    HKH for the biased HSIC. For the unbiased one, U-centring of the matrix without its diagonal
    (Székely and Rizzo 2014, Ann. Statist. 42, 2382), which gives HSIC_1 of Song et al. 2012 (JMLR
    13, 1393) as one product: a matrix is centred once, for all that it is compared with.
    """
    n = len(gram)
    if not debiased:
        rows = gram.mean(0)
        return gram - rows - rows[:, None] + rows.mean()
    gram = gram - torch.diag(gram.diagonal())
    rows = gram.sum(0) / (n - 2)
    centred = gram - rows - rows[:, None] + rows.sum() / (n - 1)
    return centred - torch.diag(centred.diagonal())


def count(n: int, debiased: bool) -> int:
    return n * (n - 3) if debiased else (n - 1) ** 2


def ratio(xy: Tensor, xx: Tensor, yy: Tensor, defined: Tensor) -> Tensor:
    # `xx` is set to 1 where undefined: sqrt(0) would give NaN gradients to all others.
    one = torch.ones_like(xx)
    ratio = xy / torch.where(defined, xx, one).sqrt() / torch.where(defined, yy, one).sqrt()
    return torch.where(defined, ratio, torch.nan)


def feature_terms(x: Tensor, y: Tensor, debiased: bool) -> tuple[Tensor, ...] | None:
    """HSIC of xy, xx and yy, not divided by `count`, from neuron-by-neuron products.

    For many images and few neurons: no n x n matrix. The debiased form is that of Kornblith's
    code. None where it is a difference of much larger numbers: Gram matrices are then exact.
    """
    n = len(x)
    x, y = x - x.mean(0), y - y.mean(0)
    squares = {"x": x.square().sum(1), "y": y.square().sum(1)}
    terms = []
    for a, b, left, right in (("x", "y", x, y), ("x", "x", x, x), ("y", "y", y, y)):
        term = whole = (left.T @ right).square().sum()
        if debiased:
            term = (term - n / (n - 2) * (squares[a] * squares[b]).sum()
                    + squares[a].sum() * squares[b].sum() / ((n - 1) * (n - 2)))  # fmt: skip
        if a == b and term < 1e-6 * whole:
            return None
        terms.append(term)
    return tuple(terms)


# ---- sums over batches


class Sums:
    """HSIC of each of some Gram matrices with each of others, summed over batches of images."""

    def __init__(self, debiased: bool = True, dtype: torch.dtype = torch.float64):
        self.debiased = debiased
        self.least = (_ROUNDING * torch.finfo(dtype).eps) ** 2
        self.batches = 0
        self.xy: Any = 0  # (a, b)
        self.xx: Any = 0  # (a,)
        self.yy: Any = 0
        self.scale: list[Any] = [0, 0]  # what xx and yy would be without centring

    def add(self, left: list[Tensor], right: list[Tensor]) -> None:
        """Add a batch: Gram matrices (n, n), of the same images."""
        self.batches += 1
        n = len(left[0])
        # Weighted by the images: a batch of few would else count as much as a full one.
        weight = n / count(n, self.debiased)
        rows = []
        for side, grams in enumerate((left, right)):
            grams = [gram.to(left[0].device) for gram in grams]
            norms = torch.stack([gram.detach().square().sum() for gram in grams])
            self.scale[side] = self.scale[side] + weight * norms
            rows.append(torch.stack([centre(gram, self.debiased).flatten() for gram in grams]))
        x, y = rows
        self.xy = self.xy + weight * (x @ y.T)
        self.xx = self.xx + weight * x.square().sum(1)
        self.yy = self.yy + weight * y.square().sum(1)

    def ratio(self) -> Tensor:
        x, y = (own > self.least * scale
                for own, scale in zip((self.xx, self.yy), self.scale, strict=True))  # fmt: skip
        return ratio(self.xy, self.xx[:, None], self.yy, x[:, None] & y)
