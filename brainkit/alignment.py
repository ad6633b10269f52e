"""Losses that align a net with a brain: with its neurons (CKA), or with what people look for.

Dapello, Kar, Schrimpf et al. 2023 (ICLR, "Aligning model and macaque inferior temporal cortex
representations improves model-to-human behavioral alignment and adversarial robustness") pull a
layer towards recorded neurons by CKA: `cka_loss`. Fel, Rodriguez, Linsley & Serre 2022 (Advances
in Neural Information Processing Systems 35), the neural harmoniser, train a net so that the image
regions its answer depends on are those that people find important: `harmonisation_loss` is
theirs, term by term; names are the paper's where it has them. `brainkit.training.fit` adds either
to its loss: give it a `NeuralAlignment` or a `Harmonisation` among its `terms`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brainkit._checkpoint import digest
from brainkit.features import _eval_mode, record
from brainkit.similarity import cka

__all__ = [
    "Harmonisation", "NeuralAlignment", "cka_loss", "harmonisation_loss", "importance_maps",
    "pyramid", "saliency",
]  # fmt: skip

LEAST_LEFT = 1e-6  # of 1 - CKA in its logarithm, which has no lower end
LEVELS = 5  # of the pyramid: 224, 112, 56, 28 and 14 pixels for the original's images
_BINOMIAL = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16


# --- Neurons ------------------------------------------------------------------------------------


def cka_loss(features: Tensor, responses: Tensor, form: str = "debiased") -> Tensor:
    """How unlike a layer's answers are to those of neurons, to the same images.

    Args:
        features: (b, ...) of a layer, flattened here.
        responses: (b, sites) of neurons; or of anything that the layer is to be like.
        form: "debiased", 1 - CKA with the unbiased HSIC, from 0 to above 1; or "log",
            ln(1 - CKA) with the biased one, as published. With fewer images than features the
            biased CKA of unrelated answers is near 1 (`brainkit.similarity.cka`), so that
            "log" is low from the start and says little of the likeness. Its logarithm ends at
            1 - CKA = 1e-6, where the gradient vanishes: without an end a perfect match is -inf.

    Returns:
        A scalar that can be differentiated by the features. NaN where CKA is undefined (see
        `cka`).

    Raises:
        ValueError: an unknown form; fewer than 4 images, different images, values not finite,
            or a layer or population that answers all of them alike.

    Source: Dapello et al. 2023 and its authors' code, the form "log".
    """
    if form not in ("debiased", "log"):
        raise ValueError(f"form must be 'debiased' or 'log', not {form!r}")
    if form == "debiased":
        return 1 - cka(features.flatten(1), responses)
    left = 1 - cka(features.flatten(1), responses, debiased=False)
    return torch.where(left < LEAST_LEFT, left.detach().clamp(min=LEAST_LEFT), left).log()


class NeuralAlignment:
    """A term for `fit`: the CKA loss of a layer to neurons, on some of the recorded images.

    Args:
        layer: name of the layer to align (`brainkit.features.layer_names` lists them).
        images: (n, c, h, w) in [0, 1], those that the neurons were shown.
        responses: (n, sites), for instance mean counts over repeats.
        weight: of this loss beside the net's own.
        batch_size: images of each step, drawn anew without regard to the net's own batch.
        form: of `cka_loss`.

    The layer is read in the mode the net is in, so in training its normalisations see these
    images, too, as in the original.

    Raises:
        ValueError: images and responses that do not fit, fewer than 4 images a step or more than
            there are, a weight below 0, an unknown form; responses that are not finite or do not
            vary.
    """

    name = "neurons"

    def __init__(
        self,
        layer: str,
        images: Tensor,
        responses: Tensor,
        weight: float = 1.0,
        batch_size: int = 32,
        form: str = "debiased",
    ):
        _check_term(images, batch_size, weight, least=4)
        if responses.ndim != 2 or len(responses) != len(images):
            raise ValueError(f"responses {tuple(responses.shape)} must be (n, sites), of the "
                             f"{len(images)} images")  # fmt: skip
        if not responses.isfinite().all():
            raise ValueError("responses has values that are not finite")
        if bool((responses == responses[:1]).all()):
            raise ValueError("responses is constant: no neuron tells one image from another")
        cka_loss(responses[:4], responses[:4], form)  # an unknown form is said at once
        self.layer, self.images, self.responses = layer, images, responses.float()
        self.weight, self.batch_size, self.form = float(weight), batch_size, form

    @property
    def identity(self) -> str:
        data = digest([self.images, self.responses])
        return f"NeuralAlignment {self.layer} {self.form} {self.batch_size} {data}"

    def __call__(self, model: nn.Module) -> Tensor:
        here = _draw(len(self.images), self.batch_size)
        images = self.images[here]
        calls = record(model, self.layer, images, grad=True, keep_mode=True)
        features = list(calls.values())[-1]  # of an area that runs more than once, the last time
        return cka_loss(features, self.responses[here].to(features.device), self.form)


# --- Importance maps -----------------------------------------------------------------------------


def saliency(model: nn.Module, images: Tensor, labels: Tensor, create_graph: bool = True) -> Tensor:
    """How much each pixel moves the true class' logit: its gradient, signed, mean over channels.

    Args:
        model: images (b, c, h, w) in [0, 1] to logits (b, classes); run in the mode it is in.
        images, labels: (b, c, h, w) and (b,).
        create_graph: keep the graph, so that a loss on the map can be differentiated by the
            weights (a second backward pass through the net).

    Returns:
        (b, 1, h, w).

    Raises:
        ValueError: labels that do not fit the images or have no logit.

    Source: Fel et al. 2022.
    """
    if labels.shape != images.shape[:1]:
        raise ValueError(
            f"labels {tuple(labels.shape)} do not fit images {tuple(images.shape)}; need (b,)"
        )
    # A leaf of its own: the caller's images need no gradient, and keep none.
    x = images.detach().requires_grad_()
    with torch.enable_grad():
        logits = model(x)
        if int(labels.max()) >= logits.shape[1] or int(labels.min()) < 0:
            raise ValueError(f"labels run to {int(labels.max())}, the logits are "
                             f"{tuple(logits.shape)}")  # fmt: skip
        answer = logits.gather(1, labels[:, None]).sum()
        (gradient,) = torch.autograd.grad(answer, x, create_graph=create_graph)
    return gradient.mean(1, keepdim=True)


def pyramid(maps: Tensor, levels: int = LEVELS) -> list[Tensor]:
    """A Gaussian pyramid: maps (b, 1, h, w), each level half as large as the one before.

    Blurred by a 5 x 5 binomial kernel and sampled at every second pixel; at the border there are
    zeros, as TensorFlow's padding "SAME" sets them (of an even side one before and two behind).

    Raises:
        ValueError: fewer than 1 level, or maps too small for so many.
    """
    if levels < 1 or min(maps.shape[2:]) < 2 ** (levels - 1):
        raise ValueError(
            f"levels={levels} of maps {tuple(maps.shape)}: give 1 or more, and maps of at least "
            f"{2 ** max(0, levels - 1)} pixels a side"
        )
    kernel = torch.outer(_BINOMIAL, _BINOMIAL).to(maps)[None, None]
    found = [maps]
    for _ in range(levels - 1):
        height, width = found[-1].shape[2:]
        (top, bottom), (left, right) = _same(height), _same(width)
        padded = F.pad(found[-1], (left, right, top, bottom))
        found.append(F.conv2d(padded, kernel, stride=2))
    return found


def _same(side: int) -> tuple[int, int]:
    """Zeros before and behind a side, for a kernel of 5 and a stride of 2."""
    needed = max(0, (-(-side // 2) - 1) * 2 + 5 - side)
    return needed // 2, needed - needed // 2


def harmonisation_loss(
    saliency: Tensor, maps: Tensor, has_map: Tensor | None = None, levels: int = LEVELS
) -> Tensor:
    """How far a net's saliency is from people's maps, over a pyramid of resolutions.

    Both maps are cut: standardised over the image, negative values set to 0. People's is scaled
    to the same highest value as the net's (which is taken as given there, so that the net gains
    nothing by making its own map faint), and the squared difference averaged over pixels, images
    and levels.

    Args:
        saliency: (b, 1, h, w) the net's, as `saliency` returns it.
        maps: (b, 1, h, w) people's, or a stand-in for them; any scale.
        has_map: (b,) bool or 0 and 1; images without a map count as 0. All have one if not given.
            The mean runs over the whole batch, those without a map included, as the authors' code
            has it: fewer maps in a batch weigh less.
        levels: of the pyramid.

    Returns:
        A scalar, not negative: the paper's term alone, without its weight.

    Raises:
        ValueError: shapes that do not fit, values that are not finite, or a map that is constant
            where `has_map` says that there is one.

    Source: Fel et al. 2022, and its authors' code for what the paper leaves open.
    """
    _check(saliency, maps, has_map)
    token = torch.ones(len(maps)) if has_map is None else has_map
    token = token.to(saliency).view(-1, 1, 1, 1)
    net, people = _cut(saliency), _cut(maps.to(saliency))
    peak = net.detach().amax((2, 3), keepdim=True)
    people = people / (people.amax((2, 3), keepdim=True) + 1e-6) * (peak + 1e-6)
    levels_of = zip(pyramid(net, levels), pyramid(people, levels), strict=True)
    return torch.stack([(token * (a - b).square()).mean() for a, b in levels_of]).mean()


def importance_maps(masks: Tensor, sigma: float = 3.0) -> Tensor:
    """Where an object is, as a stand-in for where people look: masks, smoothed.

    People's maps of the original are of bubbles that they uncovered to recognise an object (Linsley
    et al. 2019), blurred. The course's objects come with their true place, which no person was
    asked about: call these maps masks wherever they are shown.

    Args:
        masks: (n, 1, h, w) in [0, 1], as `brainkit.objects` gives them.
        sigma: of the Gaussian, pixels.

    Returns:
        (n, 1, h, w), not scaled.

    Raises:
        ValueError: no masks (n, 1, h, w), or a sigma that is not positive.
    """
    if masks.ndim != 4 or masks.shape[1] != 1 or not sigma > 0:
        raise ValueError(f"need masks (n, 1, h, w) and a positive sigma, not "
                         f"{tuple(masks.shape)} and {sigma}")  # fmt: skip
    reach = math.ceil(3 * sigma)
    at = torch.arange(-reach, reach + 1).to(masks)
    kernel = (-(at**2) / (2 * sigma**2)).exp()
    kernel = kernel / kernel.sum()
    rows = F.conv2d(masks, kernel.view(1, 1, -1, 1), padding=(reach, 0))
    return F.conv2d(rows, kernel.view(1, 1, 1, -1), padding=(0, reach))


class Harmonisation:
    """A term for `fit`: the harmonisation loss, on some of the images that have maps.

    Args:
        images, labels, maps: (n, c, h, w) in [0, 1], (n,) and (n, 1, h, w).
        weight: of this loss beside the net's own.
        batch_size: images of each step, drawn anew: it is these that cost a second backward pass.
        levels: of the pyramid.

    The saliency is that of the net as it will be used, its normalisations at their running
    statistics, so that an image's map does not depend on its company.

    Raises:
        ValueError: images, labels and maps that do not fit, batches that are none or more than
            there are, a weight below 0, a map that is constant or not finite.
    """

    name = "maps"

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        maps: Tensor,
        weight: float = 1.0,
        batch_size: int = 8,
        levels: int = LEVELS,
    ):
        _check_term(images, batch_size, weight, least=1)
        if labels.shape != images.shape[:1] or len(maps) != len(images):
            raise ValueError(
                f"labels {tuple(labels.shape)} and maps {tuple(maps.shape)} must be (n,) and "
                f"(n, 1, h, w), of the {len(images)} images"
            )
        _check(images.mean(1, keepdim=True), maps, None)
        self.images, self.labels, self.maps = images, labels, maps
        self.weight, self.batch_size, self.levels = float(weight), batch_size, levels

    @property
    def identity(self) -> str:
        data = digest([self.images, self.labels, self.maps])
        return f"Harmonisation {self.levels} {self.batch_size} {data}"

    def __call__(self, model: nn.Module) -> Tensor:
        here, device = _draw(len(self.images), self.batch_size), _device(model)
        with _eval_mode(model):
            found = saliency(model, self.images[here].to(device), self.labels[here].to(device))
        return harmonisation_loss(found, self.maps[here].to(device), levels=self.levels)


def _draw(n: int, batch_size: int) -> Tensor:
    """Which images are taken; all chance is torch's global generator's (see `Term`)."""
    return torch.randperm(n)[:batch_size]


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


def _check_term(images: Tensor, batch_size: int, weight: float, least: int) -> None:
    if images.ndim != 4 or not least <= batch_size <= len(images):
        raise ValueError(
            f"images {tuple(images.shape)}, batch_size={batch_size}: give (n, c, h, w) and "
            f"{least} images or more a step, at most as many as there are"
        )
    if not 0 <= weight < math.inf:
        raise ValueError(f"weight={weight}: give 0 or more")


def _cut(maps: Tensor) -> Tensor:
    """Standardised over each image, negative values set to 0."""
    mean = maps.mean((2, 3), keepdim=True)
    # Written out, because the gradient of a root is not finite where a map is constant.
    variance = (maps - mean).square().mean((2, 3), keepdim=True)
    spread = torch.where(variance > 0, variance, 1).sqrt() * (variance > 0)
    return ((maps - mean) / (spread + 1e-5)).relu()


def _check(saliency: Tensor, maps: Tensor, has_map: Tensor | None) -> None:
    if saliency.ndim != 4 or saliency.shape[1] != 1 or maps.shape != saliency.shape:
        raise ValueError(
            f"saliency {tuple(saliency.shape)} and maps {tuple(maps.shape)}: both must be "
            "(b, 1, h, w) of one size; average colours with .mean(1, keepdim=True), and resize "
            "with torch.nn.functional.interpolate"
        )
    if has_map is not None and has_map.shape != saliency.shape[:1]:
        raise ValueError(f"has_map is {tuple(has_map.shape)}; need ({len(saliency)},)")
    for name, values in (("saliency", saliency), ("maps", maps)):
        if not bool(values.isfinite().all()):
            raise ValueError(f"{name} has values that are not finite")
    flat = maps.flatten(1)
    constant = flat.amax(1) == flat.amin(1)
    if has_map is not None:
        constant = constant & has_map.to(constant.device).bool()
    if bool(constant.any()):
        which = constant.nonzero()[:4, 0].tolist()
        raise ValueError(
            f"the maps of images {which} are constant, so they say nothing of what is important; "
            "leave such images out by has_map"
        )
