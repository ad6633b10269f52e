"""`load` a trained net by name, this project's own or a published one, its weights checked.

The published nets have the names of their assets (`brainkit.data.ASSETS`): their weights are
fetched, checked and loaded strictly, into the architecture they were trained in. `load_weights`
does the same with a checkpoint of your own.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import importlib
import os
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from brainkit.models import zoo
from brainkit.models.zoo import ZooError

__all__ = ["NETS", "load", "load_weights"]

# Name: module and function that build it, and the settings that its name implies. They are
# imported when asked for: torchvision takes longer to import than our own nets to load.
# The last three have formats of their own, which `classics.published` reads, and this calls.
NETS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "cornet_s": ("cornet", "cornet_s", {}),
    "cornet_z": ("cornet", "cornet_z", {}),
    "cornet_rt": ("cornet", "cornet_rt", {}),
    "vone_resnet50": ("vone_backends", "vone_resnet50", {}),
    "vone_resnet50-no_noise": ("vone_backends", "vone_resnet50", {"noise": None}),
    "vone_resnet50-adversarial": ("vone_backends", "vone_resnet50", {}),
    "vone_cornet_s": ("vone_backends", "vone_cornet_s", {}),
    "vone_alexnet": ("vone_backends", "vone_alexnet", {}),
    "mobilenet_v2": ("classics", "published", {}),
    "alexnet-conv": ("classics", "published", {}),
    "vgg16-conv": ("classics", "published", {}),
}
LISTED = 4  # keys of one kind that an error names before it counts

# A VOneNet's checkpoint says in `flags` how its block was set; these are VOneBlock's names too.
_FLAGS = ("stride", "simple_channels", "complex_channels", "k_exc", "noise_scale", "noise_level")
_BACKS = {"resnet50": "vone_resnet50", "cornets": "vone_cornet_s", "alexnet": "vone_alexnet"}
# Left in the adversarially trained VOneResNet-50 by its training; no part of the net.
_NOT_OF_THE_NET = {"vone_block.div_u.weight", "vone_block.div_t.weight"}
# A key that only this architecture has, to say whose weights a file holds.
_TELLTALES = {
    "V1.conv2.weight": "CORnet-S",
    "V1.conv.weight": "CORnet-Z",
    "V1.norm_input.weight": "CORnet-R or CORnet-RT",
    "model.layer1.0.conv1.weight": "VOneResNet-50",
    "model.V2.conv_input.weight": "VOneCORnet-S",
    "model.features.0.weight": "VOneAlexNet",
}


def load(
    name: str, seed: int | None = None, directory: str | os.PathLike | None = None
) -> nn.Module:
    """A trained net, its file checked before it is used.

    Args:
        name: one of this project's nets, "resnet_mini-objects" (`available()` lists them; they
            come with brainkit, offline), or one published by others, "cornet_s" (`NETS` lists
            them; fetched when first asked for, see `brainkit.data.fetch`).
        seed: of this project's nets: which of the trained nets of this family; the first, 0, if
            not given. Published nets have none.
        directory: where to look for a net of your own, if not among those shipped with brainkit.

    Returns:
        The net in eval mode, float32, its parameters not requiring gradients (an image's
        gradient is unaffected; to train on, call `.train().requires_grad_()`). Images are in
        [0, 1]: each net normalises them itself. This project's take (b, 1, 64, 64) and return
        (b, 8) logits in the order of `brainkit.objects.CATEGORIES`; published ones take
        (b, 3, h, w), at 224 as trained, and return (b, 1000) logits in the order of
        `brainkit.data.imagenet_categories()`, those in "-conv" the last convolution's maps.

    Raises:
        ZooError: no such net or seed, or a file that is not what it should be.
        brainkit.data.AssetError: published weights that no source within reach has.
    """
    if directory is None:
        if name in NETS:
            if seed is not None:
                raise ZooError(f"{name!r} was published as one net, without seeds; leave out "
                               f"seed={seed!r}")  # fmt: skip
            return _published(name)
        own = zoo.available()
        if name not in own:
            near = sorted([*own, *NETS], key=lambda known: _likeness(name, known), reverse=True)
            raise ZooError(f"no trained net {name!r}; there are, nearest first: {', '.join(near)}")
    return zoo.load(name, seed, directory)


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, str(one).lower(), other).ratio()


def load_weights(model: nn.Module, source: str | os.PathLike | Mapping[str, Any]) -> nn.Module:
    """Load a checkpoint into a net, strictly; nothing in the file is run.

    Args:
        model: the net, of the checkpoint's architecture; `normalise`, which published weights
            come without, has none to load.
        source: a file that `torch.save` wrote, or what it holds: a state dict, or a dict that has
            one under "state_dict". The prefix "module.", which DataParallel leaves, is taken off.

    Returns:
        `model` itself, changed in place; its mode and what requires gradients are left as they
        are. After an error it is unchanged.

    Raises:
        ZooError: keys missing or too many, shapes that differ, or a file that is no checkpoint.
        OSError: a file that is not there or cannot be read.
    """
    if isinstance(source, Mapping):
        content, what = source, "the state dict"
    else:
        content, what = _read(Path(source)), Path(source).name
    return _fill(model, _state(content, what), what)


def _published(name: str) -> nn.Module:
    module, function, settings = NETS[name]
    make = getattr(importlib.import_module(f"brainkit.models.{module}"), function)
    if module == "classics":
        return make(name)
    from brainkit.data import fetch

    path = fetch(name)
    try:
        content = _read(path)
        state = _state(content, path.name)
        if module == "vone_backends":
            settings = {**_settings(content.get("flags") or {}, function, path.name), **settings}
        with torch.random.fork_rng(devices=[]):  # its initial weights are not kept
            net = _made(make, settings, path.name)
        _fill(net, state, path.name)
    except ZooError as error:
        raise ZooError(f"{name!r}: {error} If it is not the file that its source publishes, "
                       f"delete {path} and {path.name}.sha256, and load again.") from error
    return net.eval().requires_grad_(False)


def _made(make, settings: dict[str, Any], what: str) -> nn.Module:
    try:
        return make(**settings)
    except (TypeError, ValueError) as error:
        raise ZooError(f"{what} has flags of which no net can be built: {error}.") from error


def _settings(flags: Any, architecture: str, what: str) -> dict[str, Any]:
    """VOneBlock's settings from a checkpoint's flags; what they do not say keeps its default."""
    flags = vars(flags) if isinstance(flags, argparse.Namespace) else flags
    if not isinstance(flags, Mapping):
        raise ZooError(f"{what} has flags that are a {type(flags).__name__}, not a dict.")
    back = str(flags.get("arch")).replace("_", "").lower()
    if _BACKS.get(back, architecture) != architecture:
        raise ZooError(f"{what} holds {_BACKS[back]} (its flags say arch={flags['arch']!r}).")
    found = {key: flags[key] for key in _FLAGS if flags.get(key) is not None}
    if "noise_mode" in flags:
        mode = flags["noise_mode"]
        found["noise"] = None if mode in ("None", "none", "") else mode
    return found


def _read(path: Path) -> Mapping[str, Any]:
    """What a checkpoint file holds, on the CPU: tensors, numbers and text, in containers."""
    try:
        with _harmless():
            content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # what is no pickle fails in whatever way its bytes happen to
        asked = re.search(r"Unsupported (?:global: GLOBAL|class) ([\w.]+)", str(error))
        if isinstance(error, pickle.UnpicklingError) and asked:
            raise ZooError(
                f"{path.name} holds more than weights: it asks for {asked[1]}, and to load that "
                "could run any code. Save the net's `state_dict()` instead of the net."
            ) from error
        raise ZooError(
            f"{path.name} is no checkpoint that torch.save wrote, or is damaged."
        ) from error
    if not isinstance(content, Mapping):
        raise ZooError(f"{path.name} holds a {type(content).__name__}, no state dict. Save the "
                       "net's `state_dict()`.")
    return content


def _harmless():
    """Allows what training scripts leave beside the weights and runs no code: settings, scores."""
    if tuple(map(int, torch.__version__.split(".")[:2])) < (2, 6):
        return contextlib.nullcontext()
    scalar = np.float64(0).__reduce__()[0]  # rebuilds a NumPy number
    kinds = {type(np.dtype(kind)) for kind in "?bhilqBHILQefd"}
    old_name = (scalar, "numpy.core.multiarray.scalar")  # as NumPy 1 wrote it
    allowed = [argparse.Namespace, np.dtype, scalar, old_name, *kinds]
    return torch.serialization.safe_globals(allowed)


def _state(content: Mapping[str, Any], what: str) -> dict[str, Tensor]:
    """The state dict in a checkpoint, without DataParallel's prefix."""
    state = content.get("state_dict", content)
    if not isinstance(state, Mapping) or not state:
        raise ZooError(f"{what} has no weights under 'state_dict', but {_kind(state)}.")
    if odd := [key for key, value in state.items() if not isinstance(value, Tensor)]:
        raise ZooError(
            f"{what} is no state dict: {_some(odd)} {'are' if len(odd) > 1 else 'is'} no tensor. "
            "Give the state dict itself, or a dict that has it under 'state_dict'."
        )
    state = {str(key): value for key, value in state.items()}
    while all(key.startswith("module.") for key in state):
        state = {key.removeprefix("module."): value for key, value in state.items()}
    return state


def _kind(value: Any) -> str:
    return "nothing" if isinstance(value, Mapping) else f"a {type(value).__name__}"


def _fill(net: nn.Module, state: dict[str, Tensor], what: str) -> nn.Module:
    """Load a state dict whose every key and shape is the net's."""
    own = net.state_dict()
    if own and all(key.startswith("module.") for key in own):  # a DataParallel, or its like
        state = {f"module.{key}": value for key, value in state.items()}
    state = {key: value for key, value in state.items()
             if key in own or key not in _NOT_OF_THE_NET}  # fmt: skip
    # Nets saved before PyTorch 0.4.1 lack this counter, which no answer depends on.
    state = {key: value for key, value in own.items()
             if key.endswith("num_batches_tracked")} | state  # fmt: skip
    missing = [key for key in own if key not in state]
    extra = [key for key in state if key not in own]
    shapes = [f"{key} is {tuple(state[key].shape)} and should be {tuple(value.shape)}"
              for key, value in own.items() if key in state and state[key].shape != value.shape]
    wrong = [f"{len(found)} {kind} ({_some(found)})" for found, kind in (
        (missing, "missing from it"), (extra, "not the net's"), (shapes, "of other shape"))
        if found]  # fmt: skip
    if not wrong:
        net.load_state_dict(state)
        return net
    whose = next((arch for key, arch in _TELLTALES.items() if key in state and key not in own), "")
    advice = (f"It holds weights of {whose}: load them into that." if whose else
              "Build the net with the settings that it was trained with.")  # fmt: skip
    raise ZooError(f"{what} does not fit {type(net).__name__}: {'; '.join(wrong)}. {advice}")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
