"""Accuracy under attack over a whole range of epsilons, in one call.

A curve costs little more than one of its points. An image that is fooled within some epsilon is
fooled within every larger one, and one that withstands a ball withstands those inside it; so each
image's threshold is found by halving, with each attack begun where the last one on that image
ended, and an image is left alone as soon as an iterate fools the net. What decides is tested
directly: the attack failed within the largest epsilon that an image is said to withstand, and
fooled the net within the next.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from brainkit._checkpoint import digest
from brainkit._inputs import check_logits, pair
from brainkit.attacks.gradient import Averaged, evaluating, gradient_of, is_stochastic, margin
from brainkit.attacks.threats import Threat, threat_of
from brainkit.training import Accuracy, wilson

__all__ = ["RobustAccuracy", "robust_accuracy"]

DRAWS, LOOKS = 8, 32  # for a stochastic net, where the caller gives none


@dataclass(frozen=True)
class RobustAccuracy:
    """What `robust_accuracy` found, for each epsilon and image.

    Attributes:
        epsilons: (e,), rising.
        right: (e, n) bool, whether the net still names the image right; False once it was
            fooled within a smaller epsilon.
        threat, steps, restarts, draws, looks, seed: how it was measured; draws and looks are 1
            for a net that always answers alike.
        adversarials: (n, c, h, w), the image that fooled the net at the smallest of the epsilons,
            the last iterate where none did, the clean one where it was wrong already; None
            unless asked for.
    """

    epsilons: tuple[float, ...]
    right: Tensor
    threat: str
    steps: int
    restarts: int
    draws: int
    looks: int
    seed: int
    adversarials: Tensor | None = None

    @property
    def n(self) -> int:
        """Images."""
        return self.right.shape[1]

    @property
    def accuracy(self) -> Tensor:
        """(e,) share of the images named right."""
        return self.right.double().mean(1)

    @property
    def intervals(self) -> list[Accuracy]:
        """For each epsilon accuracy with its 95 % interval over images (Wilson)."""
        return [wilson(int(right.sum()), self.n) for right in self.right]

    @property
    def smallest(self) -> Tensor:
        """(n,) the smallest of the epsilons that fooled the net; infinite where none did."""
        epsilons = torch.tensor([*self.epsilons, torch.inf], dtype=torch.float64)
        return epsilons[self.right.sum(0)]

    def __str__(self) -> str:
        noise = f", {self.draws} draws, {self.looks} looks" if self.looks > 1 else ""
        rows = [f"{self.threat}, {self.n} images, {self.steps} steps, {self.restarts} start"
                f"{'s' * (self.restarts > 1)}{noise}"]  # fmt: skip
        for epsilon, found in zip(self.epsilons, self.intervals, strict=True):
            rows.append(f"{epsilon:>9.4g}  {found.value:6.1%}  [{found.low:.1%}, {found.high:.1%}]")
        return "\n".join(rows)


def robust_accuracy(
    model: nn.Module,
    images,
    labels: Tensor | None = None,
    threat: str | Threat = "Linf",
    epsilons: Sequence[float] = (1 / 1020, 1 / 510, 1 / 255, 2 / 255, 4 / 255),
    *,
    steps: int = 20,
    restarts: int = 1,
    draws: int | None = None,
    looks: int | None = None,
    attacked_model: nn.Module | None = None,
    batch_size: int = 128,
    seed: int = 0,
    checkpoint: str | os.PathLike | None = None,
    keep: bool = False,
    progress: bool = False,
) -> RobustAccuracy:
    """Share of images still named right under attack, for each epsilon.

    Of a net that answers alike each time, every iterate of every attack counts, and an image is
    done with once one fools it. Of a stochastic net, single answers prove nothing: the attack
    follows the mean of `draws` answers to its end, and the mean of `looks` further ones decides.

    Args:
        model: images (b, c, h, w) in [0, 1] to logits (b, classes); run in eval mode, then put
            back.
        images, labels: (n, c, h, w) in [0, 1] and (n,); or an `ObjectSet` or a pair of both.
        threat: "Linf", "L2", "L1", or a `Threat`.
        epsilons: radii, 0 or more; 0 is the clean accuracy.
        steps: of PGD at each epsilon and start; their length falls linearly, from 10 epsilon /
            steps (at most epsilon).
        restarts: starts at each epsilon: the first where the last attack on that image ended,
            the others, and the very first, at a random point.
        draws, looks: of a stochastic net's noise: in each step, and to decide. 8 and 32 if not
            given.
        attacked_model: whose gradient is followed, if not the model's own: the net with its
            noise off, or another one altogether (a transfer attack).
        batch_size: images attacked at a time.
        seed: of random starts and noise; each batch has its own.
        checkpoint: file to keep the state in after each batch; if it exists the run goes on from
            there. It is refused if it belongs to another net, images or settings.
        keep: keep the attacked images.
        progress: show a bar.

    Returns:
        `RobustAccuracy`: `.accuracy` (e,), `.right` (e, n), `.smallest` (n,), `.intervals`. An
        accuracy under attack is an upper bound: a stronger attack may find more.

    Raises:
        TypeError, ValueError: images outside [0, 1] (a normalised batch), labels that do not fit,
            a senseless setting, or another run's checkpoint.
        FloatingPointError: a gradient or logit that is not finite.
    """
    threat = threat_of(threat)
    images, labels = pair(images if labels is None else (images, labels))
    epsilons = _rising(epsilons)
    for name, value in (("steps", steps), ("restarts", restarts), ("draws", draws or 1),
                        ("looks", looks or 1), ("batch_size", batch_size)):  # fmt: skip
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name}={value!r}: give a positive integer")
    source = model if attacked_model is None else attacked_model
    device = next(model.parameters(), torch.empty(0)).device
    with evaluating(model), evaluating(source):
        first = images[:1].to(device)
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            noisy = is_stochastic(model, first)
            averaged = noisy and is_stochastic(source, first)
        looks, draws = (looks or LOOKS) if noisy else 1, (draws or DRAWS) if averaged else 1
        attack = _Attack(Averaged(source, draws) if draws > 1 else source,
                         Averaged(model, looks) if noisy else model,
                         threat, epsilons, steps, restarts,
                         own=not noisy and source is model)  # fmt: skip
        settings = [threat, epsilons, steps, restarts, draws, looks, batch_size, seed, keep]
        run = _Run(checkpoint, settings, (model, source), (images, labels))
        right, last = run.right, run.last
        starts = range(0, len(images), batch_size)
        bar = tqdm(starts, unit="batch", disable=not progress, leave=False)
        for number, start in enumerate(bar):
            if number < len(right):
                continue
            part = slice(start, start + batch_size)
            with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
                torch.manual_seed(1_000_003 * seed + number)
                found, attacked = attack(images[part].to(device), labels[part].to(device))
            right.append(found.cpu())
            if keep:
                last.append(attacked.cpu())
            run.save()
            so_far = torch.cat(right, 1).double().mean(1)
            bar.set_postfix_str(" ".join(f"{a:.0%}" for a in so_far))
    return RobustAccuracy(epsilons, torch.cat(right, 1), threat.name, steps, restarts, draws,
                          looks, seed, torch.cat(last) if keep else None)  # fmt: skip


def _rising(epsilons: Sequence[float]) -> tuple[float, ...]:
    values = tuple(float(e) for e in torch.as_tensor(epsilons, dtype=torch.float64).reshape(-1))
    if not values or not all(0 <= e < float("inf") for e in values):
        raise ValueError(f"epsilons={values}: give one radius or more, finite and 0 or more")
    if list(values) != sorted(set(values)):
        raise ValueError(f"epsilons={values}: give each once, from small to large")
    return values


class _Attack:
    """One batch at all epsilons: images (b, c, h, w), labels (b,) -> right (e, b), attacked."""

    def __init__(self, source, judge, threat, epsilons, steps, restarts, own):
        self.source, self.judge, self.threat = source, judge, threat
        self.epsilons, self.steps, self.restarts, self.own = epsilons, steps, restarts, own

    def __call__(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        levels = len(self.epsilons)
        radius = torch.tensor(self.epsilons, dtype=images.dtype, device=images.device)
        here, fooling = images.clone(), images.clone()
        zero = int(self.epsilons[0] == 0)
        clean = self._right(images, labels)  # (b,)
        # Of each image: at how many levels it is known to stand, and to fall at the next one up.
        stands = torch.where(clean, zero, 0)
        falls = torch.where(clean, levels, 0)
        while len(index := (stands < falls).nonzero()[:, 0]):
            level = (stands[index] + falls[index]) // 2
            ended, fooled = self._attempts(images[index], labels[index], here[index], radius[level])
            here[index] = ended
            fooling[index[fooled]] = ended[fooled]
            falls[index[fooled]] = level[fooled]
            stands[index[~fooled]] = level[~fooled] + 1
        right = torch.arange(levels)[:, None] < stands.cpu()  # (e, b)
        never = clean & (stands == levels)
        fooling[never] = here[never]
        return right, fooling

    def _attempts(self, images, labels, before, epsilon) -> tuple[Tensor, Tensor]:
        """Up to `restarts` attacks within epsilon (b,), the first from where the last one ended."""
        ended, fooled = before.clone(), torch.zeros_like(labels, dtype=torch.bool)
        untouched = (before == images).flatten(1).all(1)
        for restart in range(self.restarts):
            index = (~fooled).nonzero()[:, 0]
            if not len(index):
                break
            clean, radius = images[index], epsilon[index]
            start = self.threat.random(clean, radius)
            if restart == 0:
                warm = self.threat.project(clean, before[index], radius)
                shape = (-1, *[1] * (images.ndim - 1))
                start = torch.where(untouched[index].view(shape), start, warm)
            ended[index], fooled[index] = self._ascend(clean, labels[index], start, radius)
        return ended, fooled

    def _ascend(self, images, labels, attacked, epsilon) -> tuple[Tensor, Tensor]:
        """PGD from `attacked`: the last or first fooling iterates, and which fool the net."""
        ended, fooled = attacked.clone(), torch.zeros_like(labels, dtype=torch.bool)
        active = torch.arange(len(images), device=images.device)
        for k in range(self.steps):
            logits, gradient = gradient_of(self.source, attacked, labels)
            if self.own:  # the logits of this iterate cost nothing more
                now = margin(logits, labels) > 0
                ended[active[now]], fooled[active[now]] = attacked[now], True
                left = ~now
                active, images, labels = active[left], images[left], labels[left]
                attacked, gradient, epsilon = attacked[left], gradient[left], epsilon[left]
                if not len(active):
                    return ended, fooled
            # Long steps first, to leave where the last attack got stuck; 5 epsilon in all.
            length = epsilon * min(1.0, 10 / self.steps * (1 - k / self.steps))
            attacked = attacked + self.threat.step(gradient, length, attacked)
            attacked = self.threat.project(images, attacked, epsilon)
        ended[active] = attacked
        fooled[active] = ~self._right(attacked, labels)
        return ended, fooled

    @torch.no_grad()
    def _right(self, images: Tensor, labels: Tensor) -> Tensor:
        logits = self.judge(images)
        check_logits(logits, len(images), int(labels.max()))
        if not logits.isfinite().all():
            raise FloatingPointError("some logits are not finite, so the net names no class")
        return logits.argmax(1) == labels


class _Run:
    """The results so far, batch by batch, in a file if one was given."""

    def __init__(self, path, settings, models, data):
        self.path = Path(path) if path else None
        self.right: list[Tensor] = []
        self.last: list[Tensor] = []
        if self.path is None:
            return
        # What a net prints holds what its weights do not: the mode of a noise, a wrapper's draws.
        states = [part for model in models for part in (repr(model), *model.state_dict().values())]
        self.identity = {"settings": repr(settings), "net": digest(states), "images": digest(data)}
        if not self.path.exists():
            return
        state = torch.load(self.path, weights_only=True)
        differing = [key for key, value in self.identity.items()
                     if state["identity"].get(key) != value]  # fmt: skip
        if differing:
            raise ValueError(
                f"checkpoint {self.path} belongs to another run: its {', '.join(differing)} "
                "differ; delete it or name another file"
            )
        self.right, self.last = state["right"], state["last"]

    def save(self) -> None:
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        torch.save({"identity": self.identity, "right": self.right, "last": self.last}, part)
        part.replace(self.path)
