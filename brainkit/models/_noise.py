"""V1's noise: the layer that adds it, and how it is fixed, kept, switched and averaged over."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from brainkit.models._silent import once_before

# Of the `fixed_noise` blocks that are open, the innermost last: seed, places and of how many.
_fixed: list[tuple[int, Tensor | None, int]] = []
_kept: list[dict[tuple, Tensor]] = []  # fields of the `kept_noise` blocks that are open


class Noise(nn.Module):
    """V1's noise on rates (b, ...) of 0 or more; on in training and in eval mode.

    Args:
        mode: "neuronal": variance equal to the mean, in spikes of a counting window, then
            rectified; "gaussian": the same standard deviation for all, rectified; None: nothing.
        scale: neuronal: spikes for one unit of rate; gaussian: the standard deviation.
        level: neuronal: spikes where the rate is 0.

    Source: Dapello et al. 2020; scale and level are its authors' defaults.
    """

    def __init__(self, mode: str | None = "neuronal", scale: float = 0.35, level: float = 0.07):
        super().__init__()
        self.mode, self.scale, self.level = _known(mode), scale, level

    def forward(self, rates: Tensor) -> Tensor:
        if self.mode is None:
            return rates
        field = self._field(rates)
        if self.mode == "gaussian":
            return (rates + self.scale * field).relu()
        mean = self.scale * rates + self.level
        if torch.is_grad_enabled() and rates.requires_grad:
            spikes = mean + field * torch.sqrt(mean.relu() + 1e-4)
            return ((spikes - self.level) / self.scale).relu()
        # The same, where no graph needs what is written over.
        spikes = mean.relu().add_(1e-4).sqrt_().mul_(field).add_(mean)
        return spikes.sub_(self.level).div_(self.scale).relu_()

    def _field(self, like: Tensor) -> Tensor:
        if not _fixed:
            return torch.randn_like(like)
        seed, places, of = _fixed[-1]
        shape = like.shape if places is None else (of, *like.shape[1:])
        key = (seed, tuple(shape), like.device, like.dtype)
        field = _kept[-1].get(key) if _kept else None
        if field is None:
            generator = torch.Generator(like.device).manual_seed(seed)
            field = torch.randn(shape, generator=generator, device=like.device, dtype=like.dtype)
            if _kept:
                _kept[-1][key] = field
        return field if places is None else field[places]

    def extra_repr(self) -> str:
        return f"mode={self.mode!r}, scale={self.scale}, level={self.level}"


@contextlib.contextmanager
def fixed_noise(seed: int = 0, places: Tensor | None = None, of: int = 0) -> Iterator[None]:
    """Within it every `Noise` adds the same noise in each pass over a batch of one shape.

    So a stochastic net is a function, and the gradient of one draw is exact. Nests. With `places`
    (b,) the batch is these rows of one of `of` images, and each meets the noise that it would
    meet there.
    """
    _fixed.append((int(seed), places, of))
    try:
        yield
    finally:
        _fixed.pop()


@contextlib.contextmanager
def kept_noise() -> Iterator[None]:
    """Within it what `fixed_noise` draws is kept, for where the same draws are asked many times.

    It takes the memory of one batch of rates a seed and shape of batch.
    """
    _kept.append({})
    try:
        yield
    finally:
        _kept.pop()


@contextlib.contextmanager
def noise(model: nn.Module, mode: str | None) -> Iterator[None]:
    """Within it every `Noise` of `model` is of this mode: "neuronal", "gaussian" or None.

    Raises ValueError for a model without noise to switch, or an unknown mode.
    """
    layers = [module for module in model.modules() if isinstance(module, Noise)]
    if not layers:
        raise ValueError(f"{type(model).__name__} has no Noise layer, so nothing to switch")
    before = [layer.mode for layer in layers]
    try:
        for layer in layers:
            layer.mode = _known(mode)
        yield
    finally:
        for layer, mode_before in zip(layers, before, strict=True):
            layer.mode = mode_before


@torch.no_grad()
def draws(model: nn.Module, images: Tensor, n: int, seed: int = 0) -> Tensor:
    """A stochastic net's answers to the same images under n draws of noise: (n, b, classes).

    Their mean is what is judged of such a net: one draw's accuracy is itself noise. Draw k is
    that of `fixed_noise` with a seed made from `seed` and k.
    """
    if n < 1:
        raise ValueError(f"n={n}: give 1 draw or more")
    answers = []
    with silent_part_once(model):
        for k in range(n):
            with fixed_noise(seed * 1_000_003 + k):
                answers.append(model(images))
    return torch.stack(answers)


def silent_part_once(model: nn.Module) -> contextlib.AbstractContextManager[None]:
    """Within it, what comes before the noise is computed once for several draws of the same images.

    In eval mode, and for the same tensor given again: n draws of a small VOneNet take half the
    time of n passes. Do not change the weights within.
    """
    return once_before(model, Noise)


def _known(mode: str | None) -> str | None:
    if mode not in ("neuronal", "gaussian", None):
        raise ValueError(f'noise={mode!r}: choose "neuronal", "gaussian" or None')
    return mode
