"""One trainer for every net of the course.

`fit` trains a model, on images in memory or on a dataset that no memory holds, and can be
interrupted anywhere: what an epoch does depends on the seed and the epoch's number alone, so a
resumed run ends with the weights of an uninterrupted one. `evaluate` measures accuracy with its
interval. `python -m brainkit.training RECIPE` makes the nets that brainkit ships (see
`brainkit.models.zoo`) again from their recipe, or the published ones from a folder of images.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from torch import nn
from tqdm import tqdm

from brainkit import _checkpoint, _layout, _processes
from brainkit._inputs import check_logits
from brainkit._recipe import Recipe
from brainkit._stream import Batches, InMemory, Stream, read

__all__ = ["Accuracy", "Recipe", "Term", "evaluate", "fit", "wilson"]

Objective = Callable[[nn.Module, torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


class Term(Protocol):
    """A loss beside the objective, on data of its own: (model) -> scalar.

    What it draws comes from torch's global generator, so that a resumed run goes on exactly.
    """

    name: str  # in the history
    weight: float
    identity: str  # by which a checkpoint knows it, its data included

    def __call__(self, model: nn.Module) -> torch.Tensor: ...


# --- Measuring --------------------------------------------------------------------------------


class Accuracy(NamedTuple):
    """A proportion of correct answers with its 95 % interval: value, low, high, n."""

    value: float
    low: float
    high: float
    n: int


def wilson(correct: int, n: int, z: float = 1.959964) -> Accuracy:
    """Proportion with Wilson's score interval, which behaves near 0 and 1 and for small n.

    Args:
        correct: number of successes among `n` independent trials.
        z: standard normal quantile; the default gives 95 %.

    Source: Wilson 1927, J. Am. Stat. Assoc. 22, 209.
    """
    if n < 1 or not 0 <= correct <= n:
        raise ValueError(f"{correct} correct of {n}: need n >= 1 and 0 <= correct <= n")
    p = correct / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return Accuracy(p, max(0.0, centre - half), min(1.0, centre + half), n)


def evaluate(
    model: nn.Module,
    images: Any,
    labels: torch.Tensor | None = None,
    batch_size: int = 256,
    workers: int = 0,
) -> Accuracy:
    """Share of images that `model` names right, with a 95 % interval.

    Args:
        model: images (n, c, h, w) in [0, 1] to logits (n, classes); run in eval mode, then put
            back into the mode it was in.
        images, labels: (n, c, h, w) in [0, 1] and (n,), class indices; or, without labels, an
            `ObjectSet`, a pair of both, or a dataset as `fit` takes it.
        batch_size: images run at a time.
        workers: processes that load a dataset's items beside this one.

    Returns:
        `Accuracy(value, low, high, n)`, the interval over images (Wilson), not over seeds.

    Raises:
        TypeError: images or labels are no tensors.
        ValueError: they do not fit together, hold no image, images leave [0, 1], or a label has
            no logit.
        FloatingPointError: a logit is not finite.
    """
    source = read(images if labels is None else (images, labels), workers=workers)
    return wilson(_correct(model, source.in_order(batch_size), source.highest), len(source))


def _correct(model: nn.Module, batches: Batches, highest: int | None) -> int:
    """How many images `model` names right; `highest` is that of all labels, if it is known."""
    device = next(model.parameters(), torch.empty(0)).device
    training, correct = model.training, 0
    try:
        model.eval()
        with torch.no_grad():
            for x, y in batches:
                if not len(y):
                    continue
                logits = model(x.to(device))  # (b, classes)
                check_logits(logits, len(x), int(y.max()) if highest is None else highest)
                if not logits.isfinite().all():
                    raise FloatingPointError(
                        "some logits are not finite, so the net names no class; look for weights "
                        "that are not finite (did its training diverge?)"
                    )
                correct += int((logits.argmax(1) == y.to(device)).sum())
    finally:
        model.train(training)
    return correct


# --- Training ------------------------------------------------------------------------------------


def fit(
    model: nn.Module,
    data: Any,
    recipe: Recipe | None = None,
    *,
    seed: int = 0,
    validate: Any = None,
    objective: Objective | None = None,
    terms: Sequence[Term] = (),
    checkpoint: str | os.PathLike | None = None,
    checkpoint_every: int | None = None,
    workers: int = 0,
    device: str | torch.device | None = None,
    progress: bool = True,
    **settings,
) -> list[dict]:
    """Train `model` in place and return its history.

    The net is left in eval mode, on `device`, its weights in channels-last layout.

    Under torchrun the processes share each batch, so that more of them give the same steps in
    less time, and load no more than their share; normalisations see each process' part, and
    dropout and noise differ between them, so the weights are those of one process only in kind.
    All keep the same weights; the first writes the checkpoint and shows the bar.

    Args:
        model: images (n, c, h, w) in [0, 1] to logits (n, classes).
        data: an `ObjectSet`, or a pair (images, labels): (n, c, h, w) in [0, 1] and (n,), class
            indices. Or, where they fit into no memory, a map-style `torch.utils.data.Dataset` of
            (image (c, h, w) in [0, 1], class index), for instance torchvision's `ImageFolder`;
            what its transform draws from torch, NumPy or `random` depends on seed, epoch and
            index alone.
        recipe: a `Recipe`; single settings may be given by name instead: `epochs=5, lr=1e-3`.
        seed: of shuffling, augmentation and dropout. (The weights' own start is the caller's.)
        validate: like `data`; its accuracy is measured after each epoch.
        objective: (model, images, labels) -> (loss, logits). Cross-entropy if not given.
        terms: more losses, added in each step, each times its weight: `NeuralAlignment` and
            `Harmonisation` of `brainkit.alignment`, or any `Term`.
        checkpoint: file to keep the state in after each epoch. If it exists the run goes on from
            there; it is refused if it belongs to another recipe, seed, data or validation set,
            objective or terms, or to a net with other layers or another start, so give the net as
            freshly made as the first time. An objective is known by its qualified name (and a
            partial's plain settings): what a lambda or a function of the same name does is not
            looked into.
            A dataset is known by its length, transform, labels (`targets`), file names
            (`samples`) and eight of its items: a change in another image is not seen.
        checkpoint_every: keep the state after so many steps within an epoch as well.
        workers: processes that load a dataset's items, beside each that trains.
        device: where to train; by default where the model is.
        progress: show a bar.
        settings: fields of `Recipe`.

    Returns:
        One dict per epoch: epoch, loss (the objective's), accuracy (on the training batches as
        they were seen), lr, seconds, cpu_seconds; with `validate`, validation; with terms,
        `terms`, the mean of each over the steps by its name, without its weight.

    Raises:
        TypeError: an unknown setting; data that is no set of images and labels, or no tensors.
        ValueError: a senseless setting; no images, images outside [0, 1] or not finite, of
            several sizes, or fewer in a batch than processes; labels that do not fit them or
            have no logit; a net with nothing to train; a checkpoint of another run. Items of a
            dataset are looked at when they are loaded. Terms with one name.
        FloatingPointError: the loss is no longer finite.
    """
    terms = tuple(terms)
    if len({term.name for term in terms}) < len(terms):
        raise ValueError(f"terms need names of their own, not {[term.name for term in terms]}")
    recipe = (recipe or Recipe()).with_settings(**settings)
    source = read(data, workers=workers)
    held_out = None if validate is None else read(validate, "validate", workers)
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError(
            "no parameter of this model requires a gradient: nothing to train; a net from "
            "`models.load` is frozen: call `model.requires_grad_()` first"
        )
    if checkpoint_every is not None and (checkpoint_every < 1 or not checkpoint):
        raise ValueError(f"checkpoint_every={checkpoint_every!r}: give 1 or more steps, and the "
                         "file to keep them in as checkpoint")  # fmt: skip
    device = torch.device(device) if device else next(model.parameters()).device
    processes, device = _processes.join(device)
    if min(recipe.batch_size, len(source)) < processes.size:
        raise ValueError(f"{processes.size} processes cannot share batches of {recipe.batch_size} "
                         f"of {len(source)} images; start fewer")  # fmt: skip
    path = Path(checkpoint) if checkpoint else None
    identity = path and _checkpoint.identify(recipe, seed, model, source, held_out, objective)
    if identity:
        identity["terms"] = [f"{term.weight!r} {term.identity}" for term in terms]
    if identity and processes.size > 1:
        identity["processes"] = processes.size
    model.to(device, memory_format=_layout.quickest(model, device))
    objective = objective or _cross_entropy(recipe.label_smoothing, source.highest)
    optimiser = _optimiser(model, recipe)
    history, begun = [], None
    if path:
        history, begun = _checkpoint.resume(path, identity, model, optimiser, device)
    processes.wait()  # nobody writes what another has yet to read
    trained = processes.wrap(model)

    def keep(begun: dict | None = None) -> None:
        if path and processes.rank == 0:
            _checkpoint.save(path, identity, model, optimiser, history, begun)

    epochs = range(len(history), recipe.epochs)
    bar = tqdm(epochs, initial=len(history), total=recipe.epochs, unit="epoch",
               disable=not progress or processes.rank > 0, leave=False)  # fmt: skip
    with _deterministic(device):
        for epoch in bar:
            row = _epoch(trained, source, recipe, optimiser, objective, epoch, seed, device,
                         processes, terms, begun, keep, checkpoint_every)  # fmt: skip
            begun = None
            processes.agree(model)
            if held_out is not None:
                own = held_out.in_order(256, processes.rank, processes.size)
                correct = torch.tensor(_correct(model, own, held_out.highest), device=device)
                row["validation"] = int(processes.total(correct)) / len(held_out)
            history.append(row)
            bar.set_postfix(loss=f"{row['loss']:.3f}", accuracy=f"{row['accuracy']:.3f}")
            keep()
            processes.wait()
    model.eval()
    return history


def _epoch(
    model, source: InMemory | Stream, recipe, optimiser, objective, epoch, seed, device,
    processes, terms=(), begun=None, keep=None, every=None,
) -> dict:  # fmt: skip
    """One pass. All chance in it comes from (seed, epoch), which is what makes resuming exact.

    Among several processes also from the rank, but not the order and the mirroring of the images.
    With `every`, what is needed to go on from there goes to `keep` after so many steps; `begun`
    is that of an interrupted pass.
    """
    model.train()
    start, cpu_start = time.perf_counter(), time.process_time()
    total = torch.zeros(2 + len(terms), dtype=torch.float64, device=device)
    whole = getattr(model, "module", model)  # terms may differentiate twice: not through a wrapper
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.manual_seed(1_000_003 * seed + epoch)
        order = torch.randperm(len(source))
        common = None  # torch's own generator
        if processes.size > 1:
            common = torch.Generator().manual_seed(1_000_003 * seed + epoch)
            torch.manual_seed(1_000_003 * (1_000_003 * seed + epoch) + processes.rank)
        generators = _generators(common, device)
        batches = order.split(recipe.batch_size)
        steps, done = len(batches), 0
        if len(batches[-1]) < processes.size:  # at the end, fewer images than processes
            batches = batches[:-1]
        last = len(batches)
        if begun is not None:
            done, own = begun["done"], begun["processes"][processes.rank]
            start, cpu_start = start - begun["seconds"], cpu_start - begun["cpu_seconds"]
            total += own["total"].to(device)
            for generator, state in zip(generators, own["generators"], strict=True):
                generator.set_state(state.cpu())
        batches = batches[done:]
        own_images = source.batches((processes.share(batch) for batch in batches), seed, epoch)
        for batch, (x, y) in zip(batches, own_images, strict=True):
            lr = recipe.learning_rate((epoch + done / steps) / recipe.epochs)
            for group in optimiser.param_groups:
                group["lr"] = lr
            if recipe.flip:
                mirrored = processes.share(torch.rand(len(batch), generator=common) < 0.5)
                x = torch.where(mirrored[:, None, None, None], x.flip(-1), x)
            x = x.to(device, memory_format=_layout.quickest(model, device))
            y = y.to(device)
            optimiser.zero_grad(set_to_none=True)
            with _precision(recipe, device):
                loss, logits = objective(model, x, y)
                more = [term(whole) for term in terms]
            weighted = [term.weight * value for term, value in zip(terms, more, strict=True)]
            (loss * processes.weight(y, batch) + sum(weighted)).backward()
            optimiser.step()
            correct = (logits.detach().argmax(1) == y).sum()
            means = [value.detach().double() * len(y) for value in (loss, *more)]
            total += torch.stack([means[0], correct.double(), *means[1:]])
            done += 1
            if every and done % every == 0 and done < last:
                own = {"total": total.cpu(), "generators": [g.get_state() for g in generators]}
                everybody = processes.gather(own)
                _check_finite(sum(one["total"].sum() for one in everybody), epoch, recipe)
                keep({"done": done, "processes": everybody,
                      "seconds": time.perf_counter() - start,
                      "cpu_seconds": time.process_time() - cpu_start})  # fmt: skip
    loss, accuracy, *values = (processes.total(total) / len(source)).tolist()
    _check_finite(sum([loss, *values]), epoch, recipe)
    row = {
        "epoch": epoch,
        "loss": loss,
        "accuracy": accuracy,
        "lr": lr,
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu_start,
    }
    if terms:
        row["terms"] = dict(zip((term.name for term in terms), values, strict=True))
    return row


def _check_finite(loss: float | torch.Tensor, epoch: int, recipe: Recipe) -> None:
    if not math.isfinite(loss):
        raise FloatingPointError(
            f"the loss became {float(loss)} in epoch {epoch}: "
            f"lower lr (now {recipe.lr}) or lengthen warmup"
        )


def _generators(common: torch.Generator | None, device: torch.device) -> list[torch.Generator]:
    """Those from which an epoch draws."""
    generators = [torch.default_generator] + ([common] if common else [])
    if device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index
        generators.append(torch.cuda.default_generators[index])
    return generators


def _precision(recipe: Recipe, device: torch.device) -> contextlib.AbstractContextManager:
    if recipe.precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, getattr(torch, recipe.precision))


def _cross_entropy(smoothing: float, highest: int | None) -> Objective:
    """Cross-entropy for labels up to `highest`; if it is not known, it is looked up in each step.
    """

    def objective(model, images, labels):
        logits = model(images)
        check_logits(logits, len(images), int(labels.max()) if highest is None else highest)
        return nn.functional.cross_entropy(logits, labels, label_smoothing=smoothing), logits

    return objective


def _optimiser(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    trained = [p for p in model.parameters() if p.requires_grad]
    spared = [p for p in trained if p.ndim <= 1 and recipe.decay == "weights"]
    decayed = [p for p in trained if p.ndim > 1 or recipe.decay == "all"]
    groups = [
        {"params": decayed, "weight_decay": recipe.weight_decay},
        {"params": spared, "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=recipe.lr, momentum=0.9, nesterov=recipe.nesterov)
    return torch.optim.AdamW(groups, lr=recipe.lr)


@contextlib.contextmanager
def _deterministic(device: torch.device) -> Iterator[None]:
    """On a GPU, choose kernels that give the same sums each time; on a CPU they do already."""
    before = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    if device.type == "cuda":
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
    try:
        yield
    finally:
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = before


if __name__ == "__main__":
    # The command line lives beside the zoo's recipes, which this file knows nothing of.
    from brainkit.recipes import main

    raise SystemExit(main())
