"""A training run's state on disk, and how a run knows its own checkpoint from another's."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from brainkit._recipe import filled

__all__ = ["digest", "identify", "resume", "save"]

# What a difference in each entry of an identity is called.
_CALLED = {
    "layers": "the net's layers",
    "start": "the net's starting weights",
    "images": "the training images",
    "labels": "the training labels",
    "validation": "the validation set",
    "terms": "the terms beside the loss, their weights or their data",
}

_OLDER = {"terms": []}  # what the files of an older brainkit lack


def identify(recipe, seed: int, model: nn.Module, data, validation, objective) -> dict:
    """What must agree for a checkpoint to belong to a run.

    Args:
        recipe: a `Recipe`.
        seed: the run's.
        model: the net before its first step.
        data, validation: sources as `brainkit._stream.read` gives them; validation may be None.
        objective: as given to `fit`, or None.

    Returns:
        Plain values, hashed where they are long: data in memory by all bytes in order, a dataset
        by what `Stream.contents` says, the net by the names and classes of its layers and by the
        names, shapes and values of its state. An objective is known by its name alone, a
        partial's plain settings included.
    """
    state = model.state_dict()
    layers = [f"{name} {type(layer).__qualname__}" for name, layer in model.named_modules()]
    images, labels = data.contents()
    shapes = [f"{key} {getattr(value, 'shape', '')}" for key, value in state.items()]
    return {
        "recipe": asdict(recipe),
        "seed": int(seed),
        "objective": _name(objective),
        "layers": hashlib.sha256("\n".join(layers + shapes).encode()).hexdigest(),
        "start": digest(state.values()),
        "images": digest(images),
        "labels": digest(labels),
        "validation": None if validation is None else digest(chain(*validation.contents())),
    }


def digest(values: Iterable[Any]) -> str:
    """SHA-256 over the types, shapes and bytes of tensors, and over plain values, in order."""
    digest = hashlib.sha256()
    for value in values:
        if not isinstance(value, Tensor):  # what is known of a dataset, a module's extra state
            digest.update(repr(value).encode())
            continue
        digest.update(f"{value.dtype} {tuple(value.shape)}".encode())
        # As bytes, because NumPy knows no bfloat16.
        flat = value.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy())
    return digest.hexdigest()


def _name(objective: Callable | None) -> str:
    if objective is None:
        return "cross-entropy"
    if isinstance(objective, functools.partial):
        settings = [*enumerate(objective.args), *sorted(objective.keywords.items())]
        plain = [f"{key}={value!r}" for key, value in settings
                 if isinstance(value, bool | int | float | str | None)]  # fmt: skip
        return f"partial({', '.join([_name(objective.func), *plain])})"
    return getattr(objective, "__qualname__", type(objective).__qualname__)


def save(
    path: Path, identity: dict, model, optimiser, history: list[dict], begun: dict | None = None
) -> None:
    """Write a run's state; whoever reads the file finds this state or the one before, whole.

    `begun` says how far an epoch has come that is not in the history yet.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {
        "identity": identity,
        "model": model.state_dict(),
        "optimiser": optimiser.state_dict(),
        "history": history,
        "begun": begun,
    }
    part = path.with_name(f"{path.name}.{os.getpid()}")
    torch.save(state, part)
    part.replace(path)  # a run killed while writing leaves the last whole checkpoint


def resume(
    path: Path, identity: dict, model, optimiser, device
) -> tuple[list[dict], dict | None]:
    """Put model and optimiser into the state of a checkpoint, if there is one.

    Returns:
        The history so far, one dict an epoch; and how far the next epoch has come, or None.

    Raises:
        ValueError: the checkpoint is another run's; the message says what differs.
    """
    if not path.exists():
        return [], None
    state = torch.load(path, map_location=device, weights_only=True)
    if differing := _differing(state["identity"], identity):
        raise ValueError(
            f"checkpoint {path} belongs to another run: {', '.join(differing)} differ. To train "
            "anew, delete it or give another checkpoint file; to go on with it, call fit as that "
            "run did, with a net built afresh from the same seed"
        )
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    return state["history"], state.get("begun")


def _differing(there: dict, here: dict) -> list[str]:
    """What differs between two identities, in words, with both values where they are short."""
    differing = []
    for key, value in here.items():
        other = there.get(key, _OLDER.get(key))
        if key == "recipe" and isinstance(other, dict):
            other = filled(other)
        if other == value:
            continue
        if key == "recipe" and isinstance(other, dict):
            differing += [f"{name} ({other.get(name)} there, {value[name]} here)"
                          for name in value if other.get(name) != value[name]]  # fmt: skip
        else:
            differing.append(_CALLED.get(key) or f"{key} ({other} there, {value} here)")
    return differing
