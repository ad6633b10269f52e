"""Record what named layers of a net answer to images."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

__all__ = ["layer_names", "record"]

# Forward hooks, and not torchvision's `create_feature_extractor`: that one rewrites the net from
# a trace of its forward pass, which fails wherever the pass depends on the values (the noise of a
# VOneNet), drops what the output does not need (the check of the images that come in), and gives
# back tensors that a later in-place ReLU has overwritten.


def layer_names(model: nn.Module) -> list[str]:
    """The names of a net's modules, in the order in which they were registered.

    These are the names that `record` takes. The net itself has the name "", which `record` takes
    too: its record is the net's output.
    """
    return [name for name, _ in model.named_modules() if name]


def _modules(model: nn.Module, layers: str | Iterable[str]) -> dict[str, nn.Module]:
    # A module that is registered twice has two names: both must find it.
    known = dict(model.named_modules(remove_duplicate=False))
    # A module is refused as such: nn.Sequential is iterable, but holds no names.
    single = isinstance(layers, str | nn.Module) or not isinstance(layers, Iterable)
    wanted = [layers] if single else list(layers)
    if not wanted:
        raise ValueError("name at least one layer; brainkit.features.layer_names lists them")
    for layer in wanted:
        if not isinstance(layer, str):
            own = [repr(name) for name, module in known.items() if module is layer]
            hint = f"; the net calls this one {own[0]}" if own else ""
            raise TypeError(
                f"layers are given by name, not as {type(layer).__name__}{hint}. "
                "brainkit.features.layer_names(model) lists all"
            )
    for name in wanted:
        if name not in known:
            names = [other for other in known if other]
            near = difflib.get_close_matches(name, names, n=4, cutoff=0.4)
            if not near:
                near = names[:4]
            raise ValueError(
                f"the net has no layer {name!r}; near it: {', '.join(map(repr, near))}. "
                "brainkit.features.layer_names(model) lists all"
            )
    return {name: known[name] for name in wanted}


@contextmanager
def _eval_mode(model: nn.Module) -> Iterator[None]:
    # Module by module, for a net may be frozen in part: `model.train()` would undo that.
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def _recorder(
    modules: dict[str, nn.Module], grad: bool, reduce: Callable[[Tensor], Tensor] | None = None
) -> Iterator[dict[str, list[Tensor]]]:
    """Hooks on `modules` that append each answer to the yielded lists; always removed."""
    calls: dict[str, list[Tensor]] = defaultdict(list)

    def hook_for(name: str):
        def hook(module, inputs, output):
            if not isinstance(output, Tensor):
                raise TypeError(
                    f"layer {name!r} gives a {type(output).__name__}, not a tensor; "
                    "record a layer inside it"
                )
            # A later in-place operation (ReLU(inplace=True), the noise of a VOneBlock) must not
            # reach what is recorded. With gradients, the record itself has to stay in the graph,
            # so the rest of the net goes on with the copy.
            if not grad:
                answer = output.detach()
                calls[name].append(reduce(answer) if reduce else answer.clone())
                return None
            calls[name].append(reduce(output) if reduce else output)
            return output.clone()

        return hook

    handles = []
    try:
        for name, module in modules.items():
            handles.append(module.register_forward_hook(hook_for(name)))
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def _named(modules: dict[str, nn.Module], calls: dict[str, list[Tensor]]) -> dict[str, Tensor]:
    records = {}
    for name in modules:
        answers = calls.get(name, [])
        if not answers:
            raise ValueError(f"layer {name!r} took no part in the forward pass")
        if len(answers) == 1:
            records[name] = answers[0]
        else:
            records |= {f"{name}.t{step}": answer for step, answer in enumerate(answers)}
    return records


def _check_images(images: Tensor, batch_size: int | None) -> None:
    if not isinstance(images, Tensor):
        raise TypeError(f"images must be a tensor (b, c, h, w), not {type(images).__name__}")
    if images.ndim == 3:  # its channels would pass for a batch
        raise ValueError(
            f"images must be a batch (b, c, h, w), not {tuple(images.shape)}; "
            "for one image: images[None]"
        )
    if images.ndim < 2 or not len(images):
        raise ValueError(f"images must be a batch (b, c, h, w), not {tuple(images.shape)}")
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, not {batch_size}")


def record(
    model: nn.Module,
    layers: str | Iterable[str],
    images: Tensor,
    grad: bool = False,
    batch_size: int | None = None,
    *,
    keep_mode: bool = False,
    reduce: Callable[[Tensor], Tensor] | None = None,
) -> dict[str, Tensor]:
    """The answers of named layers to images.

    The net is left as it was: hooks are removed and the train/eval mode of every module is
    restored, after an error too.

    Parameters
    ----------
    model : nn.Module
    layers : str or iterable of str
        Names from `layer_names(model)`; "" is the net's own output.
    images : (b, c, h, w) tensor
        As the net takes them, or (b, d) for a net of vectors; moved to the net's device.
    grad : bool
        False: run without gradients and return detached copies. True: return tensors that are
        part of the graph, so that an output's gradient can be taken by a layer's answer, or by
        the images if they have `requires_grad`.
    batch_size : int, optional
        Run so many images at a time; by default all at once.
    keep_mode : bool
        False: run in eval mode. True: in the mode that the net is in, as a loss on its layers
        during training needs.
    reduce : callable, optional
        What to record of an answer (b, ...) in its place: called as soon as the layer has
        answered, so that answers too large to be kept need not be. Must return a new tensor, of
        the same b for `batch_size`.

    Returns
    -------
    dict
        Layer name to (b, ...) tensor, in the order asked for. A layer that runs several times in
        one pass (a recurrent net's) appears once for each: "name.t0", "name.t1" ...

    Raises
    ------
    ValueError
        For an unknown layer (the nearest names are listed), one that did not run, an empty
        batch, a single image (c, h, w); with `grad=True`, if neither images nor weights ask for
        gradients.
    TypeError
        If images is no tensor, a layer is given as something other than its name, or a layer's
        answer is no tensor.
    """
    _check_images(images, batch_size)
    modules = _modules(model, layers)
    tensors = [*model.parameters(), *model.buffers()]
    if tensors:
        images = images.to(tensors[0].device)
    if grad and not (images.requires_grad or any(t.requires_grad for t in model.parameters())):
        raise ValueError(
            "grad=True, but there is nothing to differentiate by: call images.requires_grad_() "
            "before recording"
        )
    chunks: dict[str, list[Tensor]] = {}
    with torch.set_grad_enabled(grad), _mode(model, keep_mode):
        for batch in images.split(batch_size or len(images)):
            with _recorder(modules, grad, reduce) as calls:
                model(batch)
            records = _named(modules, calls)
            if chunks and records.keys() != chunks.keys():
                raise ValueError(
                    "a layer ran a different number of times in different batches; "
                    "record without batch_size"
                )
            for name, answer in records.items():
                if batch_size is not None and answer.shape[:1] != batch.shape[:1]:
                    raise ValueError(
                        f"layer {name!r} gives {tuple(answer.shape)} for {len(batch)} images, so "
                        "its batches cannot be joined; record without batch_size"
                    )
                chunks.setdefault(name, []).append(answer)
    return {name: parts[0] if len(parts) == 1 else torch.cat(parts)
            for name, parts in chunks.items()}


@contextmanager
def _mode(model: nn.Module, keep: bool) -> Iterator[None]:
    if keep:
        yield
    else:
        with _eval_mode(model):
            yield
