"""The nets this project trained itself: `load("lenet_mini-objects", seed=3)`, offline.

Each net is two files in `weights/`: the parameters (safetensors; float16, or eight bits, where
accuracy holds) and a record of the run that made them (JSON): recipe, data, seconds, device,
accuracies with intervals, SHA-256. Loading needs no network and checks the hash.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import nn

from brainkit.models import cornet, miniatures, photographs, small
from brainkit.models.vonenet import Kernels

__all__ = ["ZooError", "available", "build", "load", "record", "save"]

WEIGHTS = Path(__file__).with_name("weights")
FORMATS = ("float32", "float16", "int8")
_SCALE = "|scale"  # of a tensor's name: no module can be called so


def _vone(name: str) -> Callable[..., nn.Module]:
    """A published VOneNet's builder; it needs torchvision, which takes a second to import."""

    def build(**options) -> nn.Module:
        from brainkit.models import vone_backends

        return getattr(vone_backends, name)(**options)

    return build


# Architectures by the name that recipes and records use for them.
BUILDERS: dict[str, Callable[..., nn.Module]] = {
    "neocognitron": miniatures.neocognitron,
    "lenet": miniatures.lenet,
    "alexnet": miniatures.alexnet,
    "vgg": miniatures.vgg,
    "resnet": miniatures.resnet,
    **{f"small_{name}": getattr(small, name) for name in small.__all__},
    **{f"cifar_{name}": getattr(photographs, name) for name in photographs.__all__},
    # As published: nobody ships these with brainkit, but its trainer trains them.
    **{name: getattr(cornet, name) for name in ("cornet_s", "cornet_z", "cornet_rt")},
    **{name: _vone(name) for name in ("vone_resnet50", "vone_cornet_s", "vone_alexnet")},
}


class ZooError(LookupError):
    """A net that is not there, or whose files are not what they should be."""


def build(architecture: str, **options) -> nn.Module:
    """An untrained net of a named architecture; `options` are its builder's."""
    if architecture not in BUILDERS:
        raise ZooError(f"no architecture {architecture!r}; known are {', '.join(sorted(BUILDERS))}")
    return BUILDERS[architecture](**options)


def files(name: str, seed: int, directory: str | os.PathLike | None = None) -> tuple[Path, Path]:
    """Paths of a net's weights and of its record, whether or not they exist."""
    stem = Path(directory or WEIGHTS) / f"{name}-seed{seed}"
    return stem.with_name(stem.name + ".safetensors"), stem.with_name(stem.name + ".json")


def available(directory: str | os.PathLike | None = None) -> dict[str, list[int]]:
    """The nets that can be loaded, each with the seeds there are."""
    nets: dict[str, list[int]] = {}
    for path in Path(directory or WEIGHTS).glob("*.json"):
        match = re.fullmatch(r"(.+)-seed(\d+)", path.stem)
        if match and path.with_suffix(".safetensors").exists():
            nets.setdefault(match[1], []).append(int(match[2]))
    return {name: sorted(seeds) for name, seeds in sorted(nets.items())}


def record(name: str, seed: int = 0, directory: str | os.PathLike | None = None) -> dict:
    """The record of the run that made a net: recipe, data, seconds, accuracy, hash.

    Raises:
        ZooError: no such net or seed; the message lists what there is.
    """
    weights, description = files(name, seed, directory)
    if not (weights.exists() and description.exists()):
        nets = available(directory)
        if name in nets:
            raise ZooError(f"{name!r} has no seed {seed!r}; its seeds are {nets[name]}")
        listed = ", ".join(nets) or "none yet"
        raise ZooError(f"no trained net {name!r}; there are: {listed}")
    return json.loads(description.read_text(encoding="utf-8"))


def load(
    name: str, seed: int | None = None, directory: str | os.PathLike | None = None
) -> nn.Module:
    """A trained net, offline, its file checked against its recorded hash.

    Args:
        name: family and data, "resnet_mini-objects"; `available()` lists them.
        seed: which of the trained nets of this family; the first, 0, if not given.
        directory: where to look, if not among the nets shipped with brainkit.

    Returns:
        The net in eval mode, float32, its parameters not requiring gradients (an image's
        gradient is unaffected; to train on, call `.train().requires_grad_()`). One trained on
        objects takes (b, 1, 64, 64) float images in [0, 1] and returns (b, 8) logits in the order
        of `brainkit.objects.CATEGORIES`; one trained on CIFAR-10 (b, 3, 32, 32), and returns
        (b, 10) logits in the order of `brainkit.data.CIFAR10_CATEGORIES`; one trained on a folder
        of images takes (b, 3, h, w) and returns logits in the order of the class folders' names.

    Raises:
        ZooError: no such net, or a file that does not match its record.
    """
    about = record(name, 0 if seed is None else seed, directory)
    path, _ = files(name, 0 if seed is None else seed, directory)
    content = path.read_bytes()
    got = hashlib.sha256(content).hexdigest()
    if got != about["sha256"]:
        raise ZooError(
            f"{path.name} is damaged or was replaced: sha256 {got}, expected {about['sha256']}. "
            "Install brainkit again, or restore the file from git."
        )
    model = build(about["architecture"], **about["options"])
    try:
        state = _widened(load_tensors(content))
        own = model.state_dict()
        # What training leaves alone (a bank of Gabors) is not stored: `build` has made it anew.
        kept = {key: own[key] for key in _fixed(model)}
        # float16 is for storage only; buffers keep the type the model gives them.
        model.load_state_dict({**kept, **{key: value.to(own[key].dtype)
                                          for key, value in state.items()}})  # fmt: skip
    except (KeyError, RuntimeError, SafetensorError) as error:
        raise ZooError(f"{path.name} does not fit {about['architecture']!r}: {error}") from error
    return model.eval().requires_grad_(False)


def save(
    model: nn.Module,
    about: dict,
    name: str,
    seed: int,
    directory: str | os.PathLike | None = None,
    kept_as: str = "float16",
) -> dict:
    """Write a net's weights and its record, completed with the file's format, size and hash.

    Args:
        model: the trained net.
        about: its record, with at least "architecture" and "options", as `build` takes them.
        kept_as: "float32"; "float16", for parameters, while buffers (running statistics) stay as
            they are; or "int8", for weights of two dimensions and more, as whole numbers from
            -127 to 127 times one number for each output, while other parameters are float16. What
            the architecture fixes (a bank of Gabors) is not stored at all.

    Returns:
        The record as written.

    Raises:
        ValueError: an unknown format, or weights that are not finite in it.
    """
    if kept_as not in FORMATS:
        raise ValueError(f"kept_as={kept_as!r}: give one of {', '.join(FORMATS)}")
    parameter_names = {key for key, _ in model.named_parameters()}
    fixed = _fixed(model)
    state = {}
    for key, value in model.state_dict().items():
        if key in fixed:
            continue
        value = value.detach().cpu().contiguous()
        if kept_as != "float32" and key in parameter_names:
            if kept_as == "int8" and value.ndim > 1:
                value, state[key + _SCALE] = _narrowed(value)
            else:
                value = value.half()
        state[key] = value
    for key, value in state.items():
        if not torch.isfinite(value).all():
            raise ValueError(f"{key} has values that are not finite; not saved")
    content = save_tensors(state)
    about = {
        **about,
        "name": name,
        "seed": seed,
        "format": kept_as,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    path, description = files(name, seed, directory)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The record goes last, and only a net with a record is listed: no half net is ever seen.
    description.unlink(missing_ok=True)
    _write(path, content)
    _write(description, (json.dumps(about, indent=1) + "\n").encode())
    return about


def _narrowed(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Eight bits a weight (out, ...), and by what to multiply each output's."""
    scale = weight.flatten(1).abs().amax(1) / 127
    shaped = torch.where(scale > 0, scale, 1).view(-1, *[1] * (weight.ndim - 1))
    return (weight / shaped).round().to(torch.int8), scale


def _widened(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A stored state, its weights of eight bits multiplied out again."""
    scales = {key.removesuffix(_SCALE): state.pop(key) for key in list(state)
              if key.endswith(_SCALE)}  # fmt: skip
    for key, scale in scales.items():
        state[key] = state[key].float() * scale.view(-1, *[1] * (state[key].ndim - 1))
    return state


def _fixed(model: nn.Module) -> set[str]:
    """Names of a VOneBlock's kernels, which its settings decide and nothing trains."""
    return {f"{name}.weight" for name, module in model.named_modules()
            if isinstance(module, Kernels)}  # fmt: skip


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.write_bytes(content)
    part.replace(path)
