"""Is an accuracy under attack to be trusted? The questions a reviewer would ask, asked first.

A net that hides its gradient looks robust and is not. Each check is a statement that holds of any
net that is attacked properly, measured, with what to do where it does not hold. Passing proves
nothing: an attack made for the net may still do better.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brainkit._inputs import check_logits, pair
from brainkit.attacks.borrowed import _device, _seeded, torchattack
from brainkit.attacks.gradient import Averaged, evaluating, is_stochastic
from brainkit.attacks.sweep import DRAWS, LOOKS, robust_accuracy
from brainkit.attacks.threats import Threat, threat_of

__all__ = ["Check", "SanityReport", "sanity_checks"]

TOLERANCE = 0.02
MORE_STEPS, MORE_RESTARTS, MORE_DRAWS = 5, 5, 8  # times as many, in the checks of saturation
QUERIES = 200


@dataclass(frozen=True)
class Check:
    """One line of the list.

    Attributes:
        name: what was checked.
        expected, measured: in words.
        passed: None where it does not apply, or could not be measured.
        remedy: what to do where it failed.
    """

    name: str
    expected: str
    measured: str
    passed: bool | None
    remedy: str


@dataclass(frozen=True)
class SanityReport:
    """What `sanity_checks` found; print it, or show `rows` with `brainkit.figures.table`."""

    checks: tuple[Check, ...]
    title: str

    @property
    def passed(self) -> bool:
        """Whether no check failed; those that do not apply do not count."""
        return not self.failed

    @property
    def failed(self) -> list[str]:
        """Names of the checks that failed."""
        return [check.name for check in self.checks if check.passed is False]

    @property
    def rows(self) -> list[dict]:
        """A dictionary for each check: check, expected, measured, passed, if it fails."""
        return [{"check": c.name, "expected": c.expected, "measured": c.measured,
                 "passed": c.passed, "if it fails": c.remedy} for c in self.checks]  # fmt: skip

    def __getitem__(self, name: str) -> Check:
        return next(check for check in self.checks if check.name == name)

    def __str__(self) -> str:
        words = {True: "ok", False: "FAILED", None: "-"}
        cells = [(words[c.passed], c.name, c.expected, c.measured) for c in self.checks]
        cells = [("", "check", "expected", "measured"), *cells]
        wide = [max(len(row[k]) for row in cells) for k in range(4)]
        lines = [self.title]
        for row, check in zip(cells, [None, *self.checks], strict=True):
            lines.append("  ".join(c.ljust(w) for c, w in zip(row, wide, strict=True)).rstrip())
            if check and check.passed is False:
                lines.append(" " * (wide[0] + 2) + f"-> {check.remedy}")
        return "\n".join(lines)


def sanity_checks(
    model: nn.Module,
    images,
    labels: Tensor | None = None,
    threat: str | Threat = "Linf",
    epsilon: float = 1 / 255,
    *,
    steps: int = 20,
    restarts: int = 1,
    draws: int | None = None,
    looks: int | None = None,
    surrogate: nn.Module | None = None,
    queries: int = QUERIES,
    only: Sequence[str] | None = None,
    seed: int = 0,
) -> SanityReport:
    """Ask of a net, and of the settings it is attacked with, what tells a masked gradient.

    Accuracies under attack are `robust_accuracy`'s. Where two are compared it is on the same
    images, and a difference of up to 2 points plus two of its standard errors passes: of 64
    images some 7 must change sides. Where epsilon leaves no image right, most comparisons hold
    of themselves; choose one that leaves a part.

    Args:
        model: images (b, c, h, w) in [0, 1] to logits (b, classes); run in eval mode, then put
            back. Give a stochastic net as it is: it is averaged.
        images, labels: (n, c, h, w) in [0, 1] and (n,); or an `ObjectSet` or a pair of both. 64
            or more, so that a difference can show.
        threat: "Linf", "L2", "L1", or a `Threat`.
        epsilon: radius that is being reported, above 0.
        steps, restarts, draws, looks: those that are being reported, as for `robust_accuracy`.
        surrogate: another net for the same images, to attack this one through: another seed, or
            this one without what it is defended by.
        queries: of the Square attack (torchattacks; Linf and L2 only).
        only: names of checks, to run no others; `CHECKS` lists them.
        seed: of everything random.

    Returns:
        `SanityReport`: `.passed`, `.failed`, `.rows`, and a table when printed.

    Raises:
        TypeError, ValueError: images outside [0, 1], labels that do not fit, or a senseless
            setting.

    Source: Carlini et al. 2019, arXiv 1902.06705; Athalye et al. 2018, arXiv 1802.00420;
    Zimmermann et al. 2022, arXiv 2206.13991.
    """
    threat = threat_of(threat)
    images, labels = pair(images if labels is None else (images, labels))
    if not 0 < epsilon < math.inf:
        raise ValueError(f"epsilon={epsilon}: give a radius above 0")
    if only is not None and (strange := set(only) - set(CHECKS)):
        raise ValueError(f"only={sorted(strange)}: the checks are {', '.join(CHECKS)}")
    device = _device(model)
    with evaluating(model), _seeded(seed, device):
        noisy = is_stochastic(model, images[:1].to(device))
    found = _Checks(model, images, labels, threat, epsilon, seed, noisy, dict(
        steps=steps, restarts=restarts, draws=(draws or DRAWS) if noisy else 1,
        looks=(looks or LOOKS) if noisy else 1))  # fmt: skip
    found.surrogate, found.queries = surrogate, queries
    checks = tuple(CHECKS[name](found, name) for name in CHECKS if only is None or name in only)
    title = (f"{len(images)} images, {threat.name} {epsilon:.4g}, {steps} steps: accuracy "
             f"{_share(found.usual)} under attack, {_share(found.clean)} clean")  # fmt: skip
    return SanityReport(checks, title)


class _Checks:
    """The checks, and the attacks they share; n images, right or wrong as (n,) bool."""

    def __init__(self, model, images, labels, threat, epsilon, seed, noisy, settings):
        self.model, self.images, self.labels = model, images, labels
        self.threat, self.epsilon, self.seed, self.noisy = threat, epsilon, seed, noisy
        self.settings, self.device = settings, _device(model)
        self.surrogate, self.queries = None, QUERIES
        self.clean = self._judge(images)
        self.loss, self.gradient = self._loss(images, gradient=True)
        bad = ~self.gradient.flatten(1).isfinite().all(1)
        zero = ~bad & (self.gradient == 0).flatten(1).all(1)
        self.bad, self.zero = bad[self.clean], zero[self.clean]
        self.gradient = self.gradient.nan_to_num()
        self.stopped = ""  # what ended the reported attack, if anything did
        self.usual = self.clean
        try:
            self.usual = self._attack(epsilon)
        except (FloatingPointError, RuntimeError) as error:
            # For a net that passes no gradient on torch has no class of error of its own.
            if isinstance(error, RuntimeError) and "does not require grad" not in str(error):
                raise
            self.stopped = "not run: there is no finite gradient"

    def _attack(self, epsilon: float, **settings) -> Tensor:
        """Who is still right after an attack of its own within this one epsilon."""
        run = robust_accuracy(self.model, self.images, self.labels, self.threat, [epsilon],
                              seed=self.seed, **{**self.settings, **settings})  # fmt: skip
        return run.right[0]

    def _net(self, draws: str = "draws") -> nn.Module:
        return Averaged(self.model, self.settings[draws]) if self.noisy else self.model

    @torch.no_grad()
    def _judge(self, images: Tensor) -> Tensor:
        """Who is right, by the mean of `looks` answers of a stochastic net."""
        with evaluating(self.model), _seeded(self.seed, self.device):
            answers = [self._net("looks")(part.to(self.device)).cpu() for part in images.split(128)]
        logits = torch.cat(answers)
        check_logits(logits, len(images), int(self.labels.max()))
        return logits.argmax(1) == self.labels

    def _loss(self, images: Tensor, gradient: bool = False) -> tuple[Tensor, Tensor | None]:
        """Cross-entropy (n,) and its gradient (n, c, h, w), with the same noise at each call."""
        losses, gradients = [], []
        with evaluating(self.model), _seeded(self.seed, self.device):
            for part, labels in zip(images.split(128), self.labels.split(128), strict=True):
                part = part.detach().to(self.device).requires_grad_(gradient)
                with torch.set_grad_enabled(gradient):
                    loss = F.cross_entropy(self._net()(part), labels.to(self.device),
                                           reduction="none")  # fmt: skip
                losses.append(loss.detach().cpu())
                if gradient:
                    gradients.append(_gradient(loss.sum(), part).cpu())
        return torch.cat(losses), torch.cat(gradients) if gradient else None

    # --- Checks: those of the gradient look at the images that are named right ------------------

    def there(self, name: str) -> Check:
        return Check(
            name, f"zero or not finite, at most {TOLERANCE:.0%} of images",
            f"zero {_share(self.zero)}, not finite {_share(self.bad)}",
            not self.stopped and int((self.zero | self.bad).sum()) <= TOLERANCE * len(self.bad),
            "something in the net passes no gradient on (rounding, a saturated softmax, a root "
            "at 0): attack a smooth stand-in (BPDA), or the margin of the logits",
        )  # fmt: skip

    def direction(self, name: str) -> Check:
        # A short step, for a gradient promises nothing about a long one.
        step = self.epsilon / 4
        along = self._loss(self._moved(self.gradient, step))[0]
        # Not the net's own seed, or its noise and these directions would be the same numbers.
        generator = torch.Generator().manual_seed(self.seed + 1)
        noise = [torch.randn(self.images.shape, generator=generator) for _ in range(2)]
        other = torch.stack([self._loss(self._moved(z, step))[0] for z in noise]).amax(0)
        better = (along > other)[self.clean]
        return Check(
            name, f"a step along it beats two at random, {_allowed(0.9, len(better))} of images",
            _share(better), _enough(better, 0.9),
            "the gradient is noise, or points the wrong way: replace the part of the net that "
            "shatters it by a smooth stand-in, or average over more draws",
        )  # fmt: skip

    def rise(self, name: str) -> Check:
        attacked, steps = self.images, self.settings["steps"]
        for _ in range(steps):
            gradient = self._loss(attacked, gradient=True)[1].nan_to_num()
            length = 2.5 * self.epsilon / steps
            moved = attacked + self.threat.step(gradient, length, attacked)
            attacked = self.threat.project(self.images, moved, self.epsilon)
        before, after = self.loss[self.clean], self._loss(attacked)[0][self.clean]
        rose = after > before
        return Check(
            name, f"from start to end of an attack, {_allowed(0.95, len(rose))} of images",
            f"{_share(rose)}; mean {before.mean():.2g} to {after.mean():.2g}", _enough(rose, 0.95),
            "shorten the step; if that changes nothing, the gradient is masked",
        )  # fmt: skip

    def infinite(self, name: str) -> Check:
        n = self.images[0].numel()
        whole = {"Linf": 1.0, "L2": math.sqrt(n), "L1": float(n)}.get(self.threat.name)
        if whole is None:
            return _none(name, "the whole range is unknown for this threat")
        return self._measured(
            name, "no image right where any change is allowed",
            lambda: self._attack(whole, steps=max(self.settings["steps"], 50)),
            lambda right: (_share(right), _within(right, torch.zeros_like(right))),
            "an attacker who may do anything must win: the gradient leads nowhere, or the net "
            "undoes or refuses what it is given",
        )  # fmt: skip

    def monotone(self, name: str) -> Check:
        def verdict(found: list[Tensor]) -> tuple[str, bool]:
            fine = all(_within(later, earlier) for k, earlier in enumerate(found)
                       for later in found[k + 1:])  # fmt: skip
            return ", ".join(map(_share, found)), fine

        return self._measured(
            name, "accuracy never rises, at 1/2, 1, 2 and 4 epsilon",
            lambda: [self.usual if factor == 1 else self._attack(factor * self.epsilon)
                     for factor in (0.5, 1, 2, 4)], verdict,
            "a larger ball holds the smaller: take more steps, and begin where a smaller "
            "epsilon's attack ended",
        )  # fmt: skip

    def iterative(self, name: str) -> Check:
        def one_step() -> Tensor:
            moved = self._moved(self.gradient, self.epsilon)
            return self._judge(self.threat.project(self.images, moved, self.epsilon))

        return self._compared(name, "one step (FGSM)", one_step, "many steps get stuck where one "
                              "does not: begin at the image itself, change the step")  # fmt: skip

    def iterations(self, name: str) -> Check:
        more = MORE_STEPS * self.settings["steps"]
        return self._compared(name, f"{more} steps", lambda: self._attack(
            self.epsilon, steps=more), "the attack has not ended: report the larger number of "
            "steps, and multiply it again")  # fmt: skip

    def restarts(self, name: str) -> Check:
        more = MORE_RESTARTS * self.settings["restarts"]
        return self._compared(name, f"{more} starts", lambda: self._attack(
            self.epsilon, restarts=more), "success depends on the start: report the larger "
            "number of restarts, and look for what blocks the others")  # fmt: skip

    def draws(self, name: str) -> Check:
        if not self.noisy:
            return _none(name, "the net is not stochastic")
        more = MORE_DRAWS * self.settings["draws"]
        return self._compared(name, f"{more} draws", lambda: self._attack(
            self.epsilon, draws=more), "the gradient drowns in the noise: report the larger "
            "number of draws, and multiply it again")  # fmt: skip

    def transfer(self, name: str) -> Check:
        if self.surrogate is None:
            return _none(name, "no surrogate given")
        return self._compared(name, "one through the surrogate", lambda: self._attack(
            self.epsilon, attacked_model=self.surrogate), "the net's own gradient is worse than "
            "another's: it is masked; report the transfer attack")  # fmt: skip

    def square(self, name: str) -> Check:
        if self.threat.name not in ("Linf", "L2"):
            return _none(name, "Square knows Linf and L2 only")

        def black_box() -> Tensor:
            with evaluating(self.model):
                found = torchattack("Square", self._net(), self.images, self.labels,
                                    seed=self.seed, norm=self.threat.name, eps=self.epsilon,
                                    n_queries=self.queries)  # fmt: skip
            return self._judge(found.images)

        try:
            return self._compared(name, f"Square, {self.queries} queries", black_box,
                                  "an attack that sees no gradient does better: it is masked; "
                                  "report Square with 5000 queries")  # fmt: skip
        except ImportError:
            return _none(name, "needs pip install --no-deps torchattacks")

    def _moved(self, gradient: Tensor, step: float) -> Tensor:
        return (self.images + self.threat.step(gradient, step, self.images)).clamp(0, 1)

    def _compared(self, name: str, what: str, attack: Callable[[], Tensor], remedy: str) -> Check:
        """The reported attack must leave no more images right than the other one."""
        return self._measured(
            name, f"no weaker than {what}", attack,
            lambda right: (f"{_share(self.usual)} left right, by the other {_share(right)}",
                           _within(self.usual, right)), remedy,
        )  # fmt: skip

    def _measured(self, name, expected, attack, verdict, remedy) -> Check:
        if self.stopped:
            return _none(name, self.stopped)
        try:
            return Check(name, expected, *verdict(attack()), remedy)
        except FloatingPointError as error:
            return Check(name, expected, f"stopped: {error}", False, remedy)


CHECKS: dict[str, Callable[[_Checks, str], Check]] = {
    "gradient there": _Checks.there,
    "gradient better than noise": _Checks.direction,
    "loss rises": _Checks.rise,
    "epsilon to infinity": _Checks.infinite,
    "falls with epsilon": _Checks.monotone,
    "many steps beat one": _Checks.iterative,
    "more steps": _Checks.iterations,
    "more restarts": _Checks.restarts,
    "more draws": _Checks.draws,
    "white box beats transfer": _Checks.transfer,
    "white box beats black box": _Checks.square,
}


def _none(name: str, why: str) -> Check:
    return Check(name, "", why, None, "")


def _gradient(total: Tensor, images: Tensor) -> Tensor:
    if not total.requires_grad:
        return torch.zeros_like(images)
    return torch.autograd.grad(total, images, allow_unused=True, materialize_grads=True)[0]


def _within(found: Tensor, other: Tensor) -> bool:
    """Whether `found` leaves no more images right than `other`, both (n,), but for chance."""
    lost, gained = int((found & ~other).sum()), int((other & ~found).sum())
    n = len(found)
    error = math.sqrt(max(lost + gained - (lost - gained) ** 2 / n, 0)) / n
    return (lost - gained) / n <= TOLERANCE + 2 * error


def _enough(holds: Tensor, share: float) -> bool:
    return len(holds) > 0 and bool(holds.double().mean() >= _least(share, len(holds)))


def _least(share: float, n: int) -> float:
    """The share itself, less two standard errors of a share of n."""
    return share - 2 * math.sqrt(share * (1 - share) / max(n, 1))


def _allowed(share: float, n: int) -> str:
    return f"at least {_least(share, n):.0%}"


def _share(right: Tensor) -> str:
    return f"{right.double().mean():.0%}" if len(right) else "none"
