"""One trainer for every net of the course.

`fit` trains a model and can be interrupted anywhere: what an epoch does depends on the seed and
the epoch's number alone, so a resumed run ends with the weights of an uninterrupted one.
`evaluate` measures accuracy with its interval. `python -m brainkit.training RECIPE` makes the
nets that brainkit ships (see `brainkit.models.zoo`) again from their recipe.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn
from tqdm import tqdm

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
        weight_decay: as the optimiser defines it; biases and normalisations are spared.
        schedule: "cosine" (linear warm-up, then down to 0) or "constant".
        warmup: fraction of all steps spent warming up.
        label_smoothing: of the cross-entropy.
        flip: mirror each training image left to right with probability one half.
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
        if self.epochs < 1 or self.batch_size < 1 or self.lr <= 0:
            raise ValueError("epochs, batch_size and lr must be positive")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup={self.warmup} is a fraction of the run; give 0 <= x < 1")

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
    model: nn.Module, images: torch.Tensor, labels: torch.Tensor, batch_size: int = 256
) -> Accuracy:
    """Share of images that `model` names right, with a 95 % interval.

    Args:
        model: images (n, c, h, w) in [0, 1] to logits (n, classes); run in eval mode, then put
            back into the mode it was in.
        images, labels: (n, c, h, w) and (n,).

    Returns:
        `Accuracy(value, low, high, n)`, the interval over images (Wilson), not over seeds.
    """
    device = next(model.parameters(), labels).device
    training = model.training
    correct = 0
    try:
        model.eval()
        with torch.no_grad():
            for x, y in zip(images.split(batch_size), labels.split(batch_size), strict=True):
                logits = model(x.to(device))  # (b, classes)
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

    Args:
        model: images (n, c, h, w) in [0, 1] to logits (n, classes).
        data: an `ObjectSet`, or a pair (images, labels).
        recipe: a `Recipe`; single settings may be given by name instead: `epochs=5, lr=1e-3`.
        seed: of shuffling, augmentation and dropout. (The weights' own start is the caller's.)
        validate: like `data`; its accuracy is measured after each epoch.
        objective: (model, images, labels) -> (loss, logits). Cross-entropy if not given.
        checkpoint: file to keep the state in after each epoch. If it exists the run goes on from
            there; it is refused if it belongs to another recipe, seed or data set.
        device: where to train; by default where the model is.
        progress: show a bar.
        settings: fields of `Recipe`.

    Returns:
        One dict per epoch: epoch, loss, accuracy (on the training batches as they were seen),
        lr, seconds, cpu_seconds and, with `validate`, validation.
    """
    recipe = (recipe or Recipe()).with_settings(**settings)
    images, labels = _pair(data)
    device = torch.device(device) if device else next(model.parameters()).device
    # Channels-last is the layout in which a CPU's and a GPU's convolutions are quickest.
    model.to(device, memory_format=torch.channels_last)
    objective = objective or _cross_entropy(recipe.label_smoothing)
    optimiser = _optimiser(model, recipe)
    identity = _identity(recipe, seed, images, labels)
    path = Path(checkpoint) if checkpoint else None
    history = _resume(path, identity, model, optimiser, device) if path else []

    epochs = range(len(history), recipe.epochs)
    bar = tqdm(epochs, initial=len(history), total=recipe.epochs, unit="epoch",
               disable=not progress, leave=False)  # fmt: skip
    with _deterministic(device):
        for epoch in bar:
            row = _epoch(model, images, labels, recipe, optimiser, objective, epoch, seed, device)
            if validate is not None:
                row["validation"] = evaluate(model, *_pair(validate)).value
            history.append(row)
            bar.set_postfix(loss=f"{row['loss']:.3f}", accuracy=f"{row['accuracy']:.3f}")
            if path:
                _save_checkpoint(path, identity, model, optimiser, history)
    model.eval()
    return history


def _epoch(model, images, labels, recipe, optimiser, objective, epoch, seed, device) -> dict:
    """One pass. All chance in it comes from (seed, epoch), which is what makes resuming exact."""
    model.train()
    start, cpu_start = time.perf_counter(), time.process_time()
    steps = math.ceil(len(labels) / recipe.batch_size)
    total = torch.zeros(2, dtype=torch.float64, device=device)
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.manual_seed(1_000_003 * seed + epoch)
        order = torch.randperm(len(labels))
        for step, batch in enumerate(order.split(recipe.batch_size)):
            lr = recipe.learning_rate((epoch + step / steps) / recipe.epochs)
            for group in optimiser.param_groups:
                group["lr"] = lr
            x, y = images[batch], labels[batch]  # (b, c, h, w), (b,)
            if recipe.flip:
                mirrored = torch.rand(len(x)) < 0.5
                x = torch.where(mirrored[:, None, None, None], x.flip(-1), x)
            x = x.to(device, memory_format=torch.channels_last)
            y = y.to(device)
            optimiser.zero_grad(set_to_none=True)
            loss, logits = objective(model, x, y)
            loss.backward()
            optimiser.step()
            correct = (logits.detach().argmax(1) == y).sum()
            total += torch.stack([loss.detach().double() * len(y), correct.double()])
    loss, accuracy = (total / len(labels)).tolist()
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


def _pair(data: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (n, c, h, w) and labels (n,) of an ObjectSet or a pair, checked."""
    if hasattr(data, "images") and hasattr(data, "labels"):
        images, labels = data.images, data.labels
    elif isinstance(data, tuple | list) and len(data) == 2:
        images, labels = data
    else:
        raise TypeError(f"data is a {type(data).__name__}; give an ObjectSet or (images, labels)")
    if images.ndim != 4 or labels.shape != images.shape[:1]:
        raise ValueError(
            f"images {tuple(images.shape)} and labels {tuple(labels.shape)} do not fit; "
            "need (n, c, h, w) and (n,)"
        )
    return images, labels


def _cross_entropy(smoothing: float) -> Objective:
    def objective(model, images, labels):
        logits = model(images)
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
    if not groups:
        raise ValueError("no parameter of this model requires a gradient: nothing to train")
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


# --- Checkpoints ---------------------------------------------------------------------------------


def _identity(recipe: Recipe, seed: int, images: torch.Tensor, labels: torch.Tensor) -> dict:
    """What must agree for a checkpoint to belong to this run."""
    return {
        "recipe": asdict(recipe),
        "seed": seed,
        "images": list(images.shape),
        # Two sums tell apart data sets of one shape; a hash of all pixels would say no more here.
        "data": [float(images.double().sum()), int(labels.sum())],
    }


def _save_checkpoint(path, identity, model, optimiser, history) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {
        "identity": identity,
        "model": model.state_dict(),
        "optimiser": optimiser.state_dict(),
        "history": history,
    }
    part = path.with_name(f"{path.name}.{os.getpid()}")
    torch.save(state, part)
    part.replace(path)  # a run killed while writing leaves the last whole checkpoint


def _resume(path, identity, model, optimiser, device) -> list[dict]:
    if not path.exists():
        return []
    state = torch.load(path, map_location=device, weights_only=True)
    if state["identity"] != identity:
        differing = [key for key in identity if state["identity"].get(key) != identity[key]]
        raise ValueError(
            f"checkpoint {path} belongs to another run (its {', '.join(differing)} differ); "
            "delete it, or give another checkpoint file"
        )
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    return state["history"]


if __name__ == "__main__":
    # The command line lives beside the zoo's recipes, which this file knows nothing of.
    from brainkit.recipes import main

    raise SystemExit(main())
