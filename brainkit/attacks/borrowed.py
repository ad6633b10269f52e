"""Attacks of other libraries, with what they do not check checked: torchattacks and AutoAttack.

They are the second opinion on an accuracy under attack. Both libraries are optional.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from brainkit._inputs import check_logits, pair
from brainkit.attacks.gradient import Averaged, evaluating, is_stochastic
from brainkit.attacks.sweep import LOOKS, _Run
from brainkit.training import Accuracy, wilson

__all__ = ["Attacked", "AutoAttackResult", "autoattack", "torchattack"]


class Attacked(NamedTuple):
    """What `torchattack` gives back.

    Attributes:
        images: (n, c, h, w) in [0, 1], on the CPU if the images were.
        failed: (n,) bool, whether the net still names the image right.
        unchanged: (n,) bool, whether the image is the clean one to the last bit, as several
            attacks return it where they failed. Leave these out of any statistic of
            perturbations: they are no perturbations.
    """

    images: Tensor
    failed: Tensor
    unchanged: Tensor


def torchattack(
    name: str, model: nn.Module, images, labels: Tensor | None = None, *, seed: int = 0, **settings
) -> Attacked:
    """An attack of torchattacks by the name of its class.

    APGD, APGDT, FAB, Square and CW return the clean image where they fail; PGD and its kin the
    last iterate. `failed` and `unchanged` tell which images those are. torchattacks itself
    accepts a normalised batch and clips it silently, guesses a normalisation from a net's
    attributes `mean` and `std`, counts 10 classes unless told, and turns every part of the net to
    training mode if the whole was; none of that happens here.

    Args:
        name: "FGSM", "PGD", "PGDL2", "CW", "Square", "APGD", "FAB", "DeepFool", "MIFGSM", ...
        model: images (b, c, h, w) in [0, 1] to logits (b, classes), run in eval mode and then put
            back. Wrap a stochastic one in `Averaged`.
        images, labels: (n, c, h, w) in [0, 1] and (n,); or an `ObjectSet` or a pair of both. All
            are attacked at once.
        seed: of torch's generator, and of the attack where it has its own.
        settings: as the class takes them: eps=8/255, steps=10, ...

    Returns:
        `Attacked`: images, failed, unchanged.

    Raises:
        ImportError: torchattacks is missing.
        TypeError: a setting that the attack does not have.
        ValueError: no attack of this name; images outside [0, 1], or labels that do not fit.

    Source: Kim 2020, arXiv 2010.01950; the attacks' own papers in the classes' docstrings.
    """
    attack_of = _class_of(name)
    images, labels = pair(images if labels is None else (images, labels))
    device = _device(model)
    there, answers = images.detach().to(device), labels.to(device)
    with evaluating(model), _seeded(seed, device):
        classes = _classes(model, there, answers)
        known = inspect.signature(attack_of).parameters
        given = {"n_classes": classes, "seed": seed}
        given = {key: value for key, value in given.items() if key in known} | settings
        if unknown := [key for key in settings if key not in known]:
            raise TypeError(f"{name} has no setting {', '.join(unknown)}; it has "
                            f"{', '.join(key for key in known if key != 'model')}")  # fmt: skip
        # In eval mode itself: torchattacks puts what it was given back into its mode, and would
        # leave the net in training mode, where its normalisations learn from attacked images.
        attack = attack_of(_Hidden(model).eval(), **given)
        attack.device = device
        attacked = attack(there, answers)
        attacked = attacked[0] if isinstance(attacked, tuple) else attacked
        attacked = attacked.detach()
        with torch.no_grad():
            failed = model(attacked).argmax(1) == answers
    unchanged = (attacked == there).flatten(1).all(1)
    return Attacked(*(part.to(images.device) for part in (attacked, failed, unchanged)))


class _Hidden(nn.Module):
    """The net without its attributes, for torchattacks takes `mean` and `std` for its own."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return self.model(images)


def _class_of(name: str) -> type:
    try:
        import torchattacks
    except ImportError:
        raise ImportError(
            "torchattacks is missing: pip install --no-deps torchattacks (without --no-deps it "
            "pins requests to a version of 2020)"
        ) from None
    found = {key: value for key, value in vars(torchattacks).items()
             if isinstance(value, type) and "model" in inspect.signature(value).parameters
             and key not in ("Attack", "AutoAttack")}  # fmt: skip
    if name == "AutoAttack":
        raise ValueError("torchattacks' AutoAttack takes 10 steps where the official one takes "
                         "100: use brainkit.attacks.autoattack")  # fmt: skip
    if name not in found:
        raise ValueError(f"torchattacks has no attack {name!r}; it has {', '.join(sorted(found))}")
    return found[name]


@dataclass(frozen=True)
class AutoAttackResult:
    """What `autoattack` found.

    Attributes:
        accuracy: share of images named right, clean and after each stage, in order. A stage
            attacks only what withstood those before it.
        right: (n,) bool, after the last stage.
        adversarials: (n, c, h, w), the image that fooled the net; the clean one where none did,
            or where it was wrong already.
        threat, epsilon, version, seed: how it was measured.
    """

    accuracy: dict[str, float]
    right: Tensor
    adversarials: Tensor
    threat: str
    epsilon: float
    version: str
    seed: int

    @property
    def interval(self) -> Accuracy:
        """Accuracy after the last stage, with its 95 % interval over images (Wilson)."""
        return wilson(int(self.right.sum()), len(self.right))

    def __str__(self) -> str:
        rows = [f"AutoAttack ({self.version}), {self.threat} {self.epsilon:.4g}, "
                f"{len(self.right)} images"]  # fmt: skip
        return "\n".join(rows + [f"{stage:>9}  {a:6.1%}" for stage, a in self.accuracy.items()])


def autoattack(
    model: nn.Module,
    images,
    labels: Tensor | None = None,
    epsilon: float = 1 / 255,
    threat: str = "Linf",
    *,
    version: str | None = None,
    stages: Sequence[str] | None = None,
    looks: int = LOOKS,
    batch_size: int = 64,
    seed: int = 0,
    checkpoint: str | os.PathLike | None = None,
) -> AutoAttackResult:
    """AutoAttack, the field's common yardstick, by its authors' code (package pyautoattack).

    "standard" is APGD on cross-entropy, APGD and FAB towards each other class, of 100 steps each,
    and Square with 5000 queries. "rand", for stochastic nets, is APGD on two losses with the
    gradient averaged over 20 draws; there an image counts as fooled only if the mean of `looks`
    answers is wrong, where the package would let one draw decide. If Square, which sees no
    gradient, lowers the accuracy of the stages before it, the net masks its gradient.

    Args:
        model: images (b, c, h, w) in [0, 1] to logits (b, classes); run in eval mode, then put
            back. Give a stochastic net as it is, not in `Averaged`.
        images, labels: (n, c, h, w) in [0, 1] and (n,); or an `ObjectSet` or a pair of both.
        epsilon: radius, above 0.
        threat: "Linf", "L2" or "L1".
        version: "standard", "plus" or "rand"; if not given "rand" for a stochastic net, else
            "standard".
        stages: of the version only these: "apgd-ce", "apgd-dlr", "apgd-t", "fab", "fab-t",
            "square".
        looks: of a stochastic net's noise, to decide.
        batch_size: images attacked at a time.
        seed: of all stages.
        checkpoint: file to keep the state in after each batch, as for `robust_accuracy`.

    Returns:
        `AutoAttackResult`: accuracy after each stage, right (n,), adversarials. With fewer than
        10 classes the targeted stages take all there are; with fewer than 4 those whose loss
        needs more are left out (apgd-t 4, apgd-dlr 3).

    Raises:
        ImportError: pyautoattack is missing.
        ValueError: images outside [0, 1], labels that do not fit, a senseless setting, or
            another run's checkpoint.

    Source: Croce and Hein 2020, arXiv 2003.01690; for L1 2021, arXiv 2103.01208.
    """
    try:
        from pyautoattack import AutoAttack
    except ImportError:
        raise ImportError("AutoAttack is missing: pip install pyautoattack (42 MB)") from None
    images, labels = pair(images if labels is None else (images, labels))
    _check(epsilon, threat, version, looks, batch_size)
    device = _device(model)
    with evaluating(model):
        noisy = is_stochastic(model, images[:1].to(device))
        version = version or ("rand" if noisy else "standard")
        classes = _classes(model, images[:1].to(device), labels)
        asked = _Judged(model, looks) if noisy else model
        official = AutoAttack(asked, device=device, eps=epsilon, norm=threat, seed=seed,
                              version=version)  # fmt: skip
        for attack in (official.apgd_targeted, official.fab):
            attack.n_target_classes = min(attack.n_target_classes, classes - 1)
        chosen = _stages(official.attacks_to_run, stages, classes)
        settings = ["autoattack", threat, epsilon, version, chosen, looks, batch_size, seed]
        run = _Run(checkpoint, settings, (model,), (images, labels))
        for start in range(len(run.right) * batch_size, len(images), batch_size):
            part = slice(start, start + batch_size)
            with _seeded(seed, device):
                right, attacked = _batch(official, chosen, asked, images[part].to(device),
                                         labels[part].to(device))  # fmt: skip
            run.right.append(right.cpu())
            run.last.append(attacked.cpu())
            run.save()
    right = torch.cat(run.right, 1)  # (1 + stages, n)
    accuracy = right.double().mean(1).tolist()
    return AutoAttackResult(dict(zip(["clean", *chosen], accuracy, strict=True)), right[-1],
                            torch.cat(run.last), threat, float(epsilon), version, seed)  # fmt: skip


def _batch(official, stages, model, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """One batch: who is right, clean and after each stage (1 + stages, b), and the images."""
    with torch.no_grad():
        right = [model(images).argmax(1) == labels]
    attacked = images.clone()
    for stage in stages:
        left = right[-1].nonzero()[:, 0]
        now = right[-1].clone()
        if len(left):
            # One stage a call, for the package reports the accuracy of none.
            official.attacks_to_run = [stage]
            tracer = sys.gettrace()  # it ends a debugger's or a coverage tool's trace
            found, answers = official.run_standard_evaluation(images[left], labels[left],
                                                              batch_size=len(left))  # fmt: skip
            sys.settrace(tracer)
            fooled = answers != labels[left]
            attacked[left[fooled]] = found[fooled]
            now[left[fooled]] = False
        right.append(now)
    return torch.stack(right), attacked


class _Judged(nn.Module):
    """A stochastic net: one draw where a gradient is wanted, else the mean of many."""

    def __init__(self, model: nn.Module, looks: int):
        super().__init__()
        self.model, self.mean = model, Averaged(model, looks)

    def forward(self, images: Tensor) -> Tensor:
        return self.model(images) if torch.is_grad_enabled() else self.mean(images)


def _stages(official: Sequence[str], wanted: Sequence[str] | None, classes: int) -> list[str]:
    if wanted is not None and (strange := set(wanted) - set(official)):
        raise ValueError(f"stages={sorted(strange)}: this version has {', '.join(official)}")
    needs = {"apgd-t": 4, "apgd-dlr": 3}
    return [stage for stage in official
            if (wanted is None or stage in wanted) and classes >= needs.get(stage, 2)]  # fmt: skip


def _check(epsilon, threat, version, looks, batch_size) -> None:
    if not 0 < epsilon < float("inf"):  # NaN fails as well
        raise ValueError(f"epsilon={epsilon}: give a radius above 0")
    if threat not in ("Linf", "L2", "L1"):
        raise ValueError(f"threat={threat!r}: AutoAttack knows Linf, L2 and L1, by name")
    if version not in (None, "standard", "plus", "rand"):
        raise ValueError(f'version={version!r}: choose "standard", "plus" or "rand"')
    if looks < 1 or batch_size < 1:
        raise ValueError(f"looks={looks}, batch_size={batch_size}: give 1 or more")


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters(), torch.empty(0)).device


@torch.no_grad()
def _classes(model: nn.Module, images: Tensor, labels: Tensor) -> int:
    """How many the net tells apart; refuses labels beyond them."""
    logits = model(images[:1])
    check_logits(logits, 1, int(labels.max()))
    return logits.shape[1]


@contextlib.contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Within it torch's generators start from `seed`; afterwards they are as they were."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
