"""The hypotheses of chapter 14 as code, applied to the table of `data.investigation`.

Their words are those of notebooks/protocols/14_hypotheses.md, written before the results. Where the
words leave a choice (which attack, which natural step, whose length), every choice is a *reading*,
and a hypothesis has a verdict other than open only if all readings give it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from brainkit.manifolds.tails import CUTS
from brainkit.manifolds.verdicts import agreed, all_of, judge

__all__ = ["HYPOTHESES", "PILOT", "PLACES", "Hypothesis", "Numbers", "Part", "comparisons",
           "verdicts"]  # fmt: skip

PLACES = ("pixels", "front end", "stage 1", "stage 2", "stage 3", "spatial mean")
PLACE = {layer: place for place, names in zip(PLACES, CUTS, strict=True) for layer in names}
PILOT = ("resnet-objects", 0)
KINDS = ("objects", "cifar10")


class Numbers:
    """The table, as one number a net, place and seed: `numbers("A", "energy", change, "95%")`."""

    def __init__(self, table: pd.DataFrame, without: tuple[str, int] | None = None):
        places = {name: PLACE.get(name.removeprefix("model.")) for name in table.layer.unique()}
        table = table.assign(place=table.layer.map(places))
        if without:
            table = table[(table.net != without[0]) | (table.seed != without[1])]
        self._groups = dict(list(table.groupby(["question", "measure", "change", "subspace"])))
        self.nets = list(table.net.unique())

    def __call__(self, question: str, measure: str, change: str, subspace: str) -> pd.DataFrame:
        """(net, place) x seed. Raises KeyError for what was not measured."""
        key = (question, measure, change, subspace)
        if key not in self._groups:
            raise KeyError(f"the table has no {key}")
        return self._groups[key].pivot(index=["net", "place"], columns="seed", values="value")

    def of(self, number: pd.DataFrame, who: str | tuple[str, str], place: str) -> np.ndarray:
        """(seeds,) of a family, or of the difference of two, seed by seed; empty where missing."""
        if isinstance(who, tuple):
            if not all((name, place) in number.index for name in who):
                return np.empty(0)
            difference = number.loc[(who[0], place)] - number.loc[(who[1], place)]
            return difference.dropna().to_numpy()
        if (who, place) not in number.index:
            return np.empty(0)
        return number.loc[(who, place)].dropna().to_numpy()


@dataclass(frozen=True)
class Part:
    """One comparison: a number, the places whose p values are corrected together, and a value."""

    number: Callable[..., pd.DataFrame]  # (Numbers, *reading) -> (net, place) x seed
    places: tuple[str, ...]
    side: str
    value: float


@dataclass(frozen=True)
class Hypothesis:
    """All of its parts, of all of its families, must hold.

    families: "plain", "trained" (every family but the untrained), or pairs to subtract.
    """

    id: str
    text: str
    families: str | tuple[tuple[str, str], ...]
    parts: tuple[Part, ...]
    readings: tuple[tuple[str, ...], ...] = ((),)


ATTACKS = ("fixed", "matched")
STEPS = tuple(product(ATTACKS, ("same class", "other class")))
LENGTHS = tuple(product(ATTACKS, ("own length", "full length")))
EACH = tuple((attack,) for attack in ATTACKS)
BEHIND = PLACES[1:]  # the pixels
STAGES = PLACES[2:]  # from the first on


def _index(of: Numbers, attack: str, natural: str) -> pd.DataFrame:
    return of("A", f"index, {natural}", f"attack, {attack}", "95%")


def _lead(measure: str) -> Callable[..., pd.DataFrame]:
    """AUROC of the attack less that of random signs."""
    def number(of: Numbers, attack: str = "fixed") -> pd.DataFrame:
        found = (of("B", f"AUROC, {measure}", f"{change}, {attack}", "95%")
                 for change in ("attack", "random signs"))  # fmt: skip
        return next(found) - next(found)

    return number


def _flips(part: str, subspace: str = "95%") -> Callable[..., pd.DataFrame]:
    def number(of: Numbers, attack: str, length: str = "full length") -> pd.DataFrame:
        longer = "" if length == "own length" else f", {length}"
        return of("C", f"flipped by {part}{longer}", f"attack, {attack}", subspace)

    return number


def _less(one: Callable, other: Callable) -> Callable[..., pd.DataFrame]:
    return lambda *given: one(*given) - other(*given)


def _times(of: Numbers, one: tuple[str, str], other: tuple[str, str]) -> pd.DataFrame:
    """log10 of the ratio of two smallest flips; one that was not found counts as 100 times."""
    lengths = [of("D", "smallest flip", where, space) for where, space in (one, other)]
    with np.errstate(divide="ignore"):
        return np.log10(lengths[0] / lengths[1]).clip(-2, 2)


def _tangent(change: str) -> Callable[..., pd.DataFrame]:
    return lambda of, attack: of("E", "energy", f"{change}, {attack}", "tangents")


INSIDE, OUTSIDE, RANDOM = ("within", "95%"), ("outside", "95%"), ("within", "random")
NOISY = tuple((f"{one}-objects", f"{other}-objects") for one, other in (
    ("vone_resnet", "resnet"), ("vone_resnet_simple", "resnet"), ("noise_resnet", "resnet"),
    ("vone_cornet_s", "cornet_s"), ("adversarial_resnet", "resnet")))  # fmt: skip
LIKE = tuple((f"{one}-objects", f"{other}-objects") for one, other in (
    ("cornet_s", "feedforward_s"), ("it_resnet", "it_shuffled_resnet"),
    ("harmonised_resnet", "wrong_map_resnet")))  # fmt: skip

HYPOTHESES = (
    Hypothesis("A1", "at the pixels the index is below .5", "trained",
               (Part(_index, ("pixels",), "<", 0.5),), STEPS),
    Hypothesis("A2", "at the last stage the index is above 1", "plain",
               (Part(_index, ("stage 3",), ">", 1),), STEPS),
    Hypothesis("A3", "noise, and training on attacks, raise the index at the pixels", NOISY,
               (Part(_index, ("pixels",), ">", 0),), STEPS),
    Hypothesis("A4", "recurrence, alignment and harmonisation change the index at the last stage "
               "by less than .2", LIKE, (Part(_index, ("stage 3",), "within", 0.2),), STEPS),
    Hypothesis("B1", "at the pixels no score tells attacks better than random signs by .05",
               "trained", tuple(Part(_lead(score), ("pixels",), "<", 0.05) for score in (
                   "residual", "distance to neighbours", "local dimension"))),
    Hypothesis("B2", "at the last stage residual and local dimension do, by .05 or more",
               "trained", tuple(Part(_lead(score), ("stage 3",), ">", 0.05) for score in (
                   "residual", "local dimension")), EACH),
    Hypothesis("C1", "from the first stage on the part within flips more than the part outside",
               "trained", (Part(_less(_flips("within"), _flips("outside")), STAGES, ">", 0),),
               EACH),
    Hypothesis("C2", "at the pixels the part outside flips more than the part within", "plain",
               (Part(_less(_flips("outside"), _flips("within")), ("pixels",), ">", 0),), LENGTHS),
    Hypothesis("C3", "random directions within or outside flip no more than 10 %, anywhere",
               "trained", tuple(Part(_flips(f"random {where}"), PLACES, "<", 0.1) for where in (
                   "within", "outside")), EACH),
    Hypothesis("C4", "from the front end on the part within a random subspace flips less",
               "trained", (Part(_less(_flips("within", "random"), _flips("within")), BEHIND, "<",
                                0),), LENGTHS),
    Hypothesis("D1", "from the first stage on the smallest flip is shorter within than outside, "
               "at the pixels longer", "plain",
               (Part(lambda of: _times(of, INSIDE, OUTSIDE), STAGES, "<", 0),
                Part(lambda of: _times(of, INSIDE, OUTSIDE), ("pixels",), ">", 0))),
    Hypothesis("D2", "behind the pixels it is longer within a random subspace than within the "
               "manifold", "trained", (Part(lambda of: _times(of, RANDOM, INSIDE), BEHIND, ">",
                                            0),)),
    Hypothesis("E1", "at the pixels the share in the true tangents is at most twice chance's",
               "trained", (Part(lambda of, attack: _tangent("attack")(of, attack)
                                / _tangent("random signs")(of, attack), ("pixels",), "<", 2),),
               EACH),
    Hypothesis("E2", "at the last stage it is above that of random signs and below that of a step "
               "along the manifold", "trained",
               (Part(_less(_tangent("attack"), _tangent("random signs")), ("stage 3",), ">", 0),
                Part(_less(_tangent("attack"), _tangent("tangent")), ("stage 3",), "<", 0)), EACH),
)  # fmt: skip
PHOTOGRAPHS = ("A1", "A2", "C1", "C2", "D1")  # P1: these, on CIFAR-10


def comparisons(table: pd.DataFrame, kind: str = "objects", without: tuple[str, int] | None = None
                ) -> pd.DataFrame:  # fmt: skip
    """Every single comparison: hypothesis, family, reading, part, place, mean, low, high, n, p, q,
    verdict. `kind`: objects, or cifar10 (P1). `without`: a net that is left out, as `PILOT`."""
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {KINDS}, not {kind!r}")
    of = Numbers(table[table.net.str.endswith(f"-{kind}")], without)
    found = {}
    for h in HYPOTHESES:
        if kind == "cifar10" and h.id not in PHOTOGRAPHS:
            continue
        whole = {"plain": [f"resnet-{kind}"],
                 "trained": [net for net in of.nets if not net.startswith("untrained")]}
        families = whole[h.families] if isinstance(h.families, str) else h.families
        for reading in h.readings:
            for k, part in enumerate(h.parts):
                number = part.number(of, *reading)
                for who in families:
                    name = who if isinstance(who, str) else " less ".join(who)
                    samples = [of.of(number, who, place) for place in part.places]
                    found[h.id, name, "; ".join(reading), k] = judge(
                        samples, part.side, part.value).set_index(pd.Index(part.places))
    names = ["hypothesis", "family", "reading", "part", "place"]
    return pd.concat(found, names=names).reset_index()


def verdicts(found: pd.DataFrame) -> pd.DataFrame:
    """Of `comparisons`: a verdict for each hypothesis (rows) and family; column "all" is theirs.

    Parts and places must all hold, readings must agree, families must all hold.
    """
    each = found.groupby(["hypothesis", "family", "reading"], sort=False).verdict.agg(all_of)
    family = each.groupby(["hypothesis", "family"], sort=False).agg(agreed)
    table = family.unstack(sort=False)
    table.insert(0, "all", family.groupby("hypothesis", sort=False).agg(all_of))
    return table
