"""The rest of a net from one of its layers on, and how images move in that layer."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from brainkit import features
from brainkit.models.vonenet import fixed_noise, silent_part_once

__all__ = ["Tail", "displacement", "main_layers", "responses"]

# A net's layers between which nothing is passed around: whatever the rest of the net knows of an
# image, it knows from any single one of them. (Names in order; those that a net has are taken.)
CUTS = (
    ("normalise",), ("stem", "bottleneck", "V1"),
    ("stages.0", "V2"), ("stages.1", "V4"), ("stages.2", "IT"),
    ("pool", "decoder.avgpool"),
)  # fmt: skip


def main_layers(model: nn.Module) -> list[str]:
    """The layers through which all of a zoo net's knowledge of an image passes, in order.

    The pixels, normalised, then the end of the front end, of each of three stages (of CORnet-S:
    V2, V4, IT), and the spatial mean that the decoder reads.

    Raises ValueError for a net that is built otherwise: name its layers yourself.
    """
    names = set(features.layer_names(model))
    found = []
    for choices in CUTS:
        named = [prefix + name for name in choices for prefix in ("", "model.")
                 if prefix + name in names]  # fmt: skip
        found += named[:1]
    if len(found) <= 2:
        raise ValueError(f"{type(model).__name__} is not built like the zoo's nets: name its "
                         "layers (brainkit.features.layer_names lists them)")  # fmt: skip
    return found


def responses(
    model: nn.Module, layers: Iterable[str], images: Tensor, draws: int = 1, seed: int = 0,
    batch_size: int = 256,
) -> dict[str, Tensor]:
    """Answers (n, units) of each layer, a stochastic net's averaged over `draws` of its noise.

    Draw k is `fixed_noise`'s of a seed made from `seed` and k, and of each batch's place, so that
    the same image at the same place of two sets meets the same noise.
    """
    layers = list(layers)
    means: list[dict[str, Tensor]] = []
    for batch in images.split(batch_size):
        total: dict[str, Tensor] = {}
        with silent_part_once(model):
            for k in range(draws):
                with fixed_noise(1_000_003 * seed + k):
                    found = features.record(model, layers, batch)
                for name, answer in found.items():
                    total[name] = total.get(name, 0) + answer.flatten(1) / draws
        means.append(total)
    return {name: torch.cat([mean[name] for mean in means]) for name in means[0]}


def displacement(
    model: nn.Module, layers: Iterable[str], images: Tensor, changed: Tensor, draws: int = 1,
    seed: int = 0, before: dict[str, Tensor] | None = None,
) -> dict[str, Tensor]:
    """How far and where a change of the images moves each layer's answers: (n, units).

    Of a stochastic net the mean over draws, each taken with the same noise before and after: the
    noise itself is no displacement. `before`: the `responses` to `images`, if they are at hand;
    of the same draws and seed.
    """
    layers = list(layers)
    if before is None:
        before = responses(model, layers, images, draws, seed)
    after = responses(model, layers, changed, draws, seed)
    return {name: after[name] - before[name] for name in layers}


class Tail(nn.Module):
    """A net from one layer's answers on: (b, units) to logits (b, classes).

    What comes before the layer is not run again: its modules are switched off for the pass.

    Args:
        model: the net, in the mode it is to be run in.
        layer: a name of `main_layers(model)`; any layer will do through which all passes.
        images: (b, c, h, w), one batch that the net takes, for the shapes.
    """

    def __init__(self, model: nn.Module, layer: str, images: Tensor):
        super().__init__()
        self.model, self.layer, self.like = model, layer, images[:1]
        self._trace()

    @torch.no_grad()
    def _trace(self) -> None:
        """Finds which modules end before the layer begins, and the shape of its answer."""
        target = dict(self.model.named_modules()).get(self.layer)
        if target is None:
            raise ValueError(f"the net has no layer {self.layer!r}; "
                             "brainkit.features.layer_names(model) lists all")  # fmt: skip
        ended, calls = [], []

        def ends(module, _, answer):
            if module is target:
                calls.append(tuple(answer.shape[1:]))
            elif not calls and isinstance(answer, Tensor):
                ended.append((module, tuple(answer.shape[1:])))

        handles = [m.register_forward_hook(ends) for m in self.model.modules()
                   if m is not self.model]  # fmt: skip
        try:
            self.model(self.like)
        finally:
            for handle in handles:
                handle.remove()
        if len(calls) != 1:
            raise ValueError(f"layer {self.layer!r} runs {len(calls)} times in one pass; a tail "
                             "begins at a layer that runs once")  # fmt: skip
        inside = set(target.modules())
        self.shape = calls[0]
        parts = [(m, shape) for m, shape in ended if m not in inside]
        covered = {child for m, _ in parts for child in m.modules() if child is not m}
        self._before = [(m, shape) for m, shape in parts if m not in covered]
        self._target = target

    @contextlib.contextmanager
    def _replaced(self, answers: Tensor) -> Iterator[None]:
        n = len(answers)
        stand_ins = [(m, answers.new_zeros(1).expand(n, *shape)) for m, shape in self._before]
        stand_ins.append((self._target, answers if answers.shape[1:] == self.shape
                          else answers.reshape(n, *self.shape)))
        try:
            for module, answer in stand_ins:
                module.forward = lambda *_, answer=answer, **__: answer
            yield
        finally:
            for module, _ in stand_ins:
                del module.forward  # the class's own is there again

    def forward(self, answers: Tensor) -> Tensor:  # (b, units) or as the layer's -> (b, classes)
        with self._replaced(answers):
            return self.model(self.like.expand(len(answers), *self.like.shape[1:]))
