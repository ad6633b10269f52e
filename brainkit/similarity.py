"""How alike two representations of the same images are: CKA here, RSA in `brainkit.rsa`.

Centred kernel alignment of Kornblith et al. 2019 (ICML, arXiv:1905.00414), debiased and by
minibatches as in Nguyen et al. 2021 (ICLR, arXiv:2010.15327). A representation is (n, p): n images
by p neurons. Debiasing corrects for the sampling of images, not for that of neurons: of a
population from which few sites are recorded (the 168 of IT), CKA still depends on how many there
are (Chun et al. 2025, arXiv:2502.15104).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from brainkit._hsic import (
    LEAST_IMAGES,
    Sums,
    centre,
    check_kernel,
    check_varies,
    count,
    feature_terms,
    gram_matrix,
    linear_gram,
    pair,
    ratio,
    tensor,
    varies,
)
from brainkit.features import _check_images, _modules, record
from brainkit.rsa import (
    BootstrapRSA,
    NoiseCeiling,
    bootstrap_rsa,
    compare_rdms,
    noise_ceiling,
    rdm,
)

__all__ = [
    "BootstrapRSA",
    "NoiseCeiling",
    "bootstrap_rsa",
    "cka",
    "cka_map",
    "cka_minibatch",
    "compare_rdms",
    "hsic",
    "noise_ceiling",
    "rdm",
]


def _answer(value: Tensor, *inputs: Any) -> Tensor | np.float64:
    if any(isinstance(given, Tensor) for given in inputs):
        return value
    return np.float64(value.item())


def hsic(
    X: ArrayLike | Tensor,
    Y: ArrayLike | Tensor,
    kernel: str = "linear",
    debiased: bool = True,
    *,
    bandwidth: float = 1.0,
    median: str = "all",
) -> Tensor | np.float64:
    r"""The Hilbert-Schmidt independence criterion of two representations of the same images.

    Unbiased, about 0 for independent ones (Song et al. 2012, JMLR 13, 1393), where
    :math:`\tilde K` is the Gram matrix with its diagonal set to 0:

    .. math:: \frac{1}{n(n-3)} \left[ \mathrm{tr}(\tilde K \tilde L)
       + \frac{1^T \tilde K 1 \; 1^T \tilde L 1}{(n-1)(n-2)}
       - \frac{2}{n-2} 1^T \tilde K \tilde L 1 \right],

    or biased, :math:`\mathrm{tr}(KHLH) / (n-1)^2` (Gretton et al. 2005).

    Parameters
    ----------
    X, Y, kernel, debiased, bandwidth, median
        As in `cka`.

    Returns
    -------
    scalar
        In the units of X squared times those of Y squared, for the linear kernel. As in `cka`.

    Raises
    ------
    ValueError, TypeError
        As in `cka`; but with something that does not vary, the linear HSIC is 0.
    """
    check_kernel(kernel, bandwidth, median)
    x, y = pair(X, Y)
    centred = [centre(gram_matrix(z, kernel, bandwidth, median), debiased) for z in (x, y)]
    return _answer((centred[0] * centred[1]).sum() / count(len(x), debiased), X, Y)


def cka(
    X: ArrayLike | Tensor,
    Y: ArrayLike | Tensor,
    kernel: str = "linear",
    debiased: bool = True,
    *,
    bandwidth: float = 1.0,
    median: str = "all",
) -> Tensor | np.float64:
    r"""Centred kernel alignment of two representations of the same images.

    .. math:: \frac{HSIC(K, L)}{\sqrt{HSIC(K, K) \, HSIC(L, L)}}

    with the Gram matrices K and L of X and Y. 1: the same up to rotation, scale and translation.
    Biased, it is in [0, 1], but with more neurons than images it is near 1 for noise, too (0.95
    for independent Gaussians, 100 images and 2000 neurons). Debiased, it is about 0 there, and
    may be negative.

    Parameters
    ----------
    X : (n, p) tensor or array
        The answers of p neurons to n images, n at least 4. That some neurons do not vary (dead
        units) changes nothing.
    Y : (n, q) tensor or array
        Of the same images in the same order.
    kernel : "linear" or "rbf"
        "rbf": exp(-d^2 / (2 t^2 m)), with the distance d between two images, the median m of all
        d^2, and the bandwidth t, in units of the median distance.
    debiased : bool
        Whether to use the unbiased HSIC, see `hsic`.
    bandwidth : float
        t of the rbf kernel; Kornblith et al. 2019 vary it, 0.2 to 0.8.
    median : "all" or "nonzero"
        Of which d^2 the median is. "all": of all n^2, the zero diagonal too, as in Kornblith's
        code. "nonzero": zeros left out, as in Brain-Score's. The two give different values.

    Returns
    -------
    scalar
        0-d float64 tensor, differentiable, if X or Y is a tensor; else a NumPy float64. NaN where
        CKA is undefined: when an HSIC with itself is 0, as for images all equally far apart. The
        computation is in float64, whatever the input's type.

    Raises
    ------
    ValueError
        For fewer than 4 images, other numbers of images in X than in Y, a shape that is not
        (n, p), NaN or infinity, an X or Y of which no neuron varies by more than rounding, an
        unknown kernel.
    TypeError
        If X or Y does not hold real numbers.
    """
    check_kernel(kernel, bandwidth, median)
    x, y = pair(X, Y)
    check_varies(x, "X")
    check_varies(y, "Y")
    # By neurons where that is the smaller matrix, and the other one large.
    if kernel == "linear" and len(x) > max(1000, x.shape[1], y.shape[1]):
        terms = feature_terms(x, y, debiased)
        if terms is not None:
            return _answer(ratio(*terms, torch.ones_like(terms[0], dtype=torch.bool)), X, Y)
    grams = [gram_matrix(z, kernel, bandwidth, median) for z in (x, y)]
    sums = Sums(debiased)
    sums.add(grams[:1], grams[1:])
    return _answer(sums.ratio()[0, 0], X, Y)


def _joined(batches: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """The batches, one with too few images for an HSIC joined to the one before it."""
    held: tuple[Any, ...] | None = None
    for batch in batches:
        if held is None:
            held = batch
        elif min(len(held[0]), len(batch[0])) < LEAST_IMAGES:
            held = tuple(torch.cat(parts) for parts in zip(held, batch, strict=True))
        else:
            yield held
            held = batch
    if held is not None:
        yield held


def cka_minibatch(
    batches: Iterable[tuple[ArrayLike | Tensor, ArrayLike | Tensor]],
    kernel: str = "linear",
    *,
    bandwidth: float = 1.0,
    median: str = "all",
) -> Tensor:
    """Debiased CKA of more images than fit into memory.

    The unbiased HSIC of each batch is summed, for XY, XX and YY, and then the ratio is taken
    (Nguyen et al. 2021). A mean of the batches' CKA would be another, biased number. There
    is no form with the biased HSIC, whose bias depends on the size of the batches.

    Batches of other sizes, such as a short last one, count by their number of images. One of fewer
    than 4 images, for which there is no HSIC, is joined to the one before it.

    Parameters
    ----------
    batches : iterable of (X, Y)
        Each (n, p) and (n, q), of the same n images; gone through once, each batch forgotten
        after it. Shuffle once, for both: X and Y from two shuffling loaders do not match.
    kernel, bandwidth, median
        As in `cka`; the median is each batch's own.

    Returns
    -------
    0-d float64 tensor
        NaN where undefined, as in `cka`. With one batch, the same as `cka`.

    Raises
    ------
    ValueError
        As in `cka`, and if there is no batch, or the number of neurons changes.
    """
    check_kernel(kernel, bandwidth, median)
    sums, varied = Sums(), [False, False]
    for batch in _joined(_pairs(batches)):
        x, y = pair(*batch)
        varied = [seen or varies(z) for seen, z in zip(varied, (x, y), strict=True)]
        sums.add(*([gram_matrix(z, kernel, bandwidth, median)] for z in (x, y)))
    if not sums.batches:
        raise ValueError("there is no batch; was the generator gone through before?")
    for name, seen in zip("XY", varied, strict=True):
        if not seen:
            raise ValueError(f"{name} is constant: in no batch any neuron of it varies")
    return sums.ratio()[0, 0]


def _pairs(batches: Iterable[Any]) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches (X, Y) as tensors that fit each other, so that two can be joined."""
    widths = None
    for batch in batches:
        if not isinstance(batch, tuple | list) or len(batch) != 2:
            raise TypeError(f"a batch must be a pair (X, Y), not {type(batch).__name__}")
        x, y = tensor(batch[0], "X"), tensor(batch[1], "Y")
        if x.shape[:1] != y.shape[:1]:
            raise ValueError(
                "X and Y must be of the same images; those of a batch are "
                f"{tuple(x.shape)} and {tuple(y.shape)}"
            )
        if widths not in (None, (x.shape[1:], y.shape[1:])):
            raise ValueError(
                f"a batch is {tuple(x.shape)} and {tuple(y.shape)}; those before it had other "
                "numbers of neurons"
            )
        widths = x.shape[1:], y.shape[1:]
        yield x, y


def _image_batches(images: Any, batch_size: int) -> Iterator[tuple[Tensor]]:
    if isinstance(images, Tensor):
        yield from ((part,) for part in images.split(batch_size))
        return
    for batch in images:
        if isinstance(batch, tuple | list):
            batch = batch[0]
        _check_images(batch, None)
        yield (batch,)


def _gram(answer: Tensor) -> Tensor:
    """A layer's Gram matrix (n, n), on the CPU as Apple's GPUs have no float64."""
    answer = answer.cpu() if answer.device.type == "mps" else answer
    answer = answer if answer.is_floating_point() else answer.double()
    return linear_gram(answer.reshape(len(answer), -1) if answer.ndim else answer.view(1, 1))


def _grams(model: nn.Module, layers: list[str], images: Tensor, net: str) -> dict[str, Tensor]:
    grams = record(model, layers, images, reduce=_gram)
    n = len(images)
    for name, gram in grams.items():
        if len(gram) != n:
            raise ValueError(
                f"{net}'s layer {name!r} gives {len(gram)} answers for {n} images; need one "
                "answer an image"
            )
        if not gram.isfinite().all():
            raise ValueError(f"{net}'s layer {name!r} answers NaN or infinity")
    return grams


def cka_map(
    model_a: nn.Module,
    model_b: nn.Module,
    layers_a: str | Iterable[str],
    layers_b: str | Iterable[str],
    images: Tensor | Iterable[Any],
    batch_size: int = 64,
) -> Tensor:
    """Debiased linear CKA of each layer of one net with each layer of another.

    One pass over the images, each net running once on each batch and both on the same one. Of a
    layer's answers only their Gram matrix is kept, and that for one batch: the memory needed does
    not depend on the number of images. Batches are summed as in `cka_minibatch`. Inner products
    are taken in float32 if the net's answers are, and all else in float64. The nets run in eval
    mode without gradients and are left as they were.

    Parameters
    ----------
    model_a, model_b : nn.Module
        May be one and the same, which then runs once.
    layers_a, layers_b : str or iterable of str
        As `features.record` takes them. A layer that runs several times (a recurrent net's) has a
        row or column for each, in the order of `list(features.record(model, layers, images[:4]))`.
    images : (n, c, h, w) tensor, or iterable of batches
        As the nets take them. A `DataLoader` may give (images, labels), and may shuffle.
    batch_size : int
        Images at a time, of a tensor; at least 4. An iterable has its own batches. The more, the
        smaller the error of the estimate.

    Returns
    -------
    (len_a, len_b) float64 tensor
        Row i, column j: the i-th layer of `model_a` with the j-th of `model_b`. On the CPU. NaN
        where undefined, such as for a dead layer, which varies by no more than rounding.

    Raises
    ------
    ValueError
        For an unknown layer or one that does not run, fewer than 4 images, images of a wrong
        shape, a layer that answers NaN, one without an answer for each image, one that runs more
        often for some batches than for others.
    TypeError
        As in `features.record`.
    """
    if isinstance(images, Tensor):
        _check_images(images, batch_size)
        if batch_size < LEAST_IMAGES:
            raise ValueError(f"batch_size must be at least {LEAST_IMAGES}, not {batch_size}")
    # Looked up here, so that a wrong name is found before either net has run.
    layers_a, layers_b = list(_modules(model_a, layers_a)), list(_modules(model_b, layers_b))
    sums, names = Sums(dtype=torch.float32), None
    for (batch,) in _joined(_image_batches(images, batch_size)):
        n = len(batch)
        if n < LEAST_IMAGES:
            raise ValueError(f"there are {n} images; need at least {LEAST_IMAGES}")
        a, b = _both(model_a, model_b, layers_a, layers_b, batch)
        if names not in (None, (list(a), list(b))):
            raise ValueError("a layer ran a different number of times in different batches")
        names = list(a), list(b)
        sums.add(list(a.values()), list(b.values()))
    if names is None:
        raise ValueError("there are no images; was the generator gone through before?")
    return sums.ratio().cpu()


def _both(model_a, model_b, layers_a, layers_b, batch) -> tuple[dict[str, Tensor], ...]:
    """Gram matrices of the layers of both nets; of one net with itself, each only once."""
    if model_a is not model_b:
        return (_grams(model_a, layers_a, batch, "model_a"),
                _grams(model_b, layers_b, batch, "model_b"))  # fmt: skip
    # Each side's own names, since those of its own record may have steps.
    grams = _grams(model_a, [*layers_a, *layers_b], batch, "the net")

    def of(layers: list[str]) -> dict[str, Tensor]:
        found = {}
        for layer in layers:
            own = [layer] if layer in grams else [g for g in grams if _is_step(g, layer)]
            found |= {name: grams[name] for name in own}
        return found

    return of(layers_a), of(layers_b)


def _is_step(name: str, layer: str) -> bool:
    before, dot, step = name.rpartition(".t")
    return before == layer and bool(dot) and step.isdigit()
