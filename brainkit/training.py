"""One trainer for every net of the course.

`fit` trains a model and can be interrupted anywhere: what an epoch does depends on the seed and
the epoch's number alone, so a resumed run ends with the weights of an uninterrupted one.
`evaluate` measures accuracy with its interval. `python -m brainkit.training RECIPE` makes the
nets that brainkit ships (see `brainkit.models.zoo`) again from their recipe.
"""

from __future__ import annotations

import contextlib
import math
import numbers
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn
from tqdm import tqdm

from brainkit import _checkpoint, _processes
from brainkit._inputs import check_logits, pair

__all__ = ["Accuracy", "Recipe", "evaluate", "fit", "wilson"]

Objective = Callable[[nn.Module, torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


# --- What a run is -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recipe:
    """The settings of one training run: together with data and seed they fix its result.

    Attributes:
        epochs: passes through the training set.
        batch_size: images in one step.
        optimiser: "adamw" or "sgd" (Nesterov momentum 0.9).
        lr: largest learning rate.
        weight_decay: as the optimiser defines it, 0 or more; biases and normalisations are spared.
        schedule: "cosine" (linear warm-up, then down to 0) or "constant".
        warmup: fraction of all steps spent warming up, 0 <= x < 1.
        label_smoothing: of the cross-entropy, 0 <= x < 1.
        flip: mirror each training image left to right with probability one half.

    Raises:
        ValueError: for a setting that is none of these, by its name.
    """

    epochs: int = 12
    batch_size: int = 64
    optimiser: str = "adamw"
    lr: float = 3e-3
    weight_decay: float = 0.01
    schedule: str = "cosine"
    warmup: float = 0.15
    label_smoothing: float = 0.0
    flip: bool = False

    def __post_init__(self):
        for name, known in (("optimiser", ("adamw", "sgd")), ("schedule", ("cosine", "constant"))):
            if getattr(self, name) not in known:
                raise ValueError(f"{name}={getattr(self, name)!r}; choose one of {known}")
        for name in ("epochs", "batch_size"):
            value = getattr(self, name)
            if not isinstance(value, numbers.Integral) or value < 1:
                raise ValueError(f"{name}={value!r}: give a positive integer")
        for name in ("lr", "weight_decay", "warmup", "label_smoothing"):
            value = getattr(self, name)
            # A string, which YAML makes of 3e-3 without a point, is a number to nobody else.
            if not isinstance(value, numbers.Real) or not math.isfinite(value):
                raise ValueError(f"{name}={value!r}: give a finite number")
        if self.lr <= 0:
            raise ValueError(f"lr={self.lr!r}: give a positive number")
        if self.weight_decay < 0:
            raise ValueError(f"weight_decay={self.weight_decay!r}: give 0 or more")
        for name in ("warmup", "label_smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} is a fraction; give 0 <= x < 1")

    def with_settings(self, **settings) -> Recipe:
        """This recipe with some settings changed; an unknown one is named, with those known."""
        known = [field.name for field in fields(self)]
        unknown = sorted(set(settings) - set(known))
        if unknown:
            raise TypeError(f"unknown training setting {unknown}; known are {known}")
        return replace(self, **settings)

    def learning_rate(self, progress: float) -> float:
        """Learning rate at `progress`, the fraction of all steps already done, in [0, 1)."""
        if self.schedule == "constant":
            return self.lr
        if progress < self.warmup:
            return self.lr * (progress / self.warmup * 0.96 + 0.04)
        after = (progress - self.warmup) / (1 - self.warmup)
        return self.lr * 0.5 * (1 + math.cos(math.pi * after))


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
    model: nn.Module, images: Any, labels: torch.Tensor | None = None, batch_size: int = 256
) -> Accuracy:
    """Share of images that `model` names right, with a 95 % interval.

    Args:
        model: images (n, c, h, w) in [0, 1] to logits (n, classes); run in eval mode, then put
            back into the mode it was in.
        images, labels: (n, c, h, w) in [0, 1] and (n,), class indices; or, without labels, an
            `ObjectSet` or a pair of both.
        batch_size: images run at a time.

    Returns:
        `Accuracy(value, low, high, n)`, the interval over images (Wilson), not over seeds.

    Raises:
        TypeError: images or labels are no tensors.
        ValueError: they do not fit together, hold no image, images leave [0, 1], or a label has
            no logit.
        FloatingPointError: a logit is not finite.
    """
    images, labels = pair(images if labels is None else (images, labels))
    device = next(model.parameters(), labels).device
    training = model.training
    correct, highest = 0, int(labels.max())
    try:
        model.eval()
        with torch.no_grad():
            for x, y in zip(images.split(batch_size), labels.split(batch_size), strict=True):
                logits = model(x.to(device))  # (b, classes)
                check_logits(logits, len(x), highest)
                if not logits.isfinite().all():
                    raise FloatingPointError(
                        "some logits are not finite, so the net names no class; look for weights "
                        "that are not finite (did its training diverge?)"
                    )
                correct += int((logits.argmax(1) == y.to(device)).sum())
    finally:
        model.train(training)
    return wilson(correct, len(labels))


# --- Training ------------------------------------------------------------------------------------


def fit(
    model: nn.Module,
    data: Any,
    recipe: Recipe | None = None,
    *,
    seed: int = 0,
    validate: Any = None,
    objective: Objective | None = None,
    checkpoint: str | os.PathLike | None = None,
    device: str | torch.device | None = None,
    progress: bool = True,
    **settings,
) -> list[dict]:
    """Train `model` in place and return its history.

    The net is left in eval mode, on `device`, its weights in channels-last layout.

    Under torchrun the processes share each batch, so that more of them give the same steps in
    less time; normalisations see each process' part, and dropout and noise differ between them,
    so the weights are those of one process only in kind. All keep the same weights; the first
    writes the checkpoint and shows the bar.

    Args:
        model: images (n, c, h, w) in [0, 1] to logits (n, classes).
        data: an `ObjectSet`, or a pair (images, labels): (n, c, h, w) in [0, 1] and (n,), class
            indices.
        recipe: a `Recipe`; single settings may be given by name instead: `epochs=5, lr=1e-3`.
        seed: of shuffling, augmentation and dropout. (The weights' own start is the caller's.)
        validate: like `data`; its accuracy is measured after each epoch.
        objective: (model, images, labels) -> (loss, logits). Cross-entropy if not given.
        checkpoint: file to keep the state in after each epoch. If it exists the run goes on from
            there; it is refused if it belongs to another recipe, seed, data or validation set,
            objective, or to a net with other layers or another start, so give the net as freshly
            made as the first time. An objective is known by its qualified name (and a partial's
            plain settings): what a lambda or a function of the same name does is not looked into.
        device: where to train; by default where the model is.
        progress: show a bar.
        settings: fields of `Recipe`.

    Returns:
        One dict per epoch: epoch, loss, accuracy (on the training batches as they were seen),
        lr, seconds, cpu_seconds and, with `validate`, validation.

    Raises:
        TypeError: an unknown setting; data that is no set of images and labels, or no tensors.
        ValueError: a senseless setting; no images, images outside [0, 1] or not finite, labels
            that do not fit them or have no logit; a net with nothing to train; a checkpoint of
            another run.
        FloatingPointError: the loss is no longer finite.
    """
    recipe = (recipe or Recipe()).with_settings(**settings)
    images, labels = pair(data)
    held_out = None if validate is None else pair(validate, "validate")
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError(
            "no parameter of this model requires a gradient: nothing to train; a net from "
            "`models.load` is frozen: call `model.requires_grad_()` first"
        )
    device = torch.device(device) if device else next(model.parameters()).device
    processes, device = _processes.join(device)
    path = Path(checkpoint) if checkpoint else None
    identity = path and _checkpoint.identify(
        recipe, seed, model, (images, labels), held_out, objective
    )
    if identity and processes.size > 1:
        identity["processes"] = processes.size
    # Channels-last is the layout in which a CPU's and a GPU's convolutions are quickest.
    model.to(device, memory_format=torch.channels_last)
    objective = objective or _cross_entropy(recipe.label_smoothing, int(labels.max()))
    optimiser = _optimiser(model, recipe)
    history = _checkpoint.resume(path, identity, model, optimiser, device) if path else []
    processes.wait()  # nobody writes what another has yet to read
    trained = processes.wrap(model)

    epochs = range(len(history), recipe.epochs)
    bar = tqdm(epochs, initial=len(history), total=recipe.epochs, unit="epoch",
               disable=not progress or processes.rank > 0, leave=False)  # fmt: skip
    with _deterministic(device):
        for epoch in bar:
            row = _epoch(trained, images, labels, recipe, optimiser, objective, epoch, seed,
                         device, processes)  # fmt: skip
            processes.agree(model)
            if held_out is not None:
                row["validation"] = evaluate(model, held_out).value
            history.append(row)
            bar.set_postfix(loss=f"{row['loss']:.3f}", accuracy=f"{row['accuracy']:.3f}")
            if path and processes.rank == 0:
                _checkpoint.save(path, identity, model, optimiser, history)
            processes.wait()
    model.eval()
    return history


def _epoch(
    model, images, labels, recipe, optimiser, objective, epoch, seed, device, processes
) -> dict:
    """One pass. All chance in it comes from (seed, epoch), which is what makes resuming exact.

    Among several processes also from the rank, but not the order and the mirroring of the images.
    """
    model.train()
    start, cpu_start = time.perf_counter(), time.process_time()
    steps = math.ceil(len(labels) / recipe.batch_size)
    total = torch.zeros(2, dtype=torch.float64, device=device)
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.manual_seed(1_000_003 * seed + epoch)
        order = torch.randperm(len(labels))
        common = None  # torch's own generator
        if processes.size > 1:
            common = torch.Generator().manual_seed(1_000_003 * seed + epoch)
            torch.manual_seed(1_000_003 * (1_000_003 * seed + epoch) + processes.rank)
        for step, batch in enumerate(order.split(recipe.batch_size)):
            lr = recipe.learning_rate((epoch + step / steps) / recipe.epochs)
            for group in optimiser.param_groups:
                group["lr"] = lr
            if len(batch) < processes.size:  # at the end, fewer images than processes
                continue
            mirrored = torch.rand(len(batch), generator=common) < 0.5 if recipe.flip else None
            part = processes.share(torch.arange(len(batch)))
            x, y = images[batch[part]], labels[batch[part]]  # (b, c, h, w), (b,)
            if recipe.flip:
                x = torch.where(mirrored[part, None, None, None], x.flip(-1), x)
            x = x.to(device, memory_format=torch.channels_last)
            y = y.to(device)
            optimiser.zero_grad(set_to_none=True)
            loss, logits = objective(model, x, y)
            (loss * processes.weight(part, batch)).backward()
            optimiser.step()
            correct = (logits.detach().argmax(1) == y).sum()
            total += torch.stack([loss.detach().double() * len(y), correct.double()])
    loss, accuracy = (processes.total(total) / len(labels)).tolist()
    if not math.isfinite(loss):
        raise FloatingPointError(
            f"the loss became {loss} in epoch {epoch}: "
            f"lower lr (now {recipe.lr}) or lengthen warmup"
        )
    return {
        "epoch": epoch,
        "loss": loss,
        "accuracy": accuracy,
        "lr": lr,
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu_start,
    }


def _cross_entropy(smoothing: float, highest: int) -> Objective:
    """Cross-entropy for labels up to `highest`, which are looked up once and not in each step."""

    def objective(model, images, labels):
        logits = model(images)
        check_logits(logits, len(images), highest)
        return nn.functional.cross_entropy(logits, labels, label_smoothing=smoothing), logits

    return objective


def _optimiser(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    weights = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    spared = [p for p in model.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [
        {"params": weights, "weight_decay": recipe.weight_decay},
        {"params": spared, "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=recipe.lr, momentum=0.9, nesterov=True)
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
