"""What the course asserts, and the numbers its runs produced.

book/claims.yml lists every central claim: what is said, which quantity says it, in which direction
and over what it is inferred. A notebook hands its number to `record`, which shows it as a card and
keeps it in the executed notebook; tests/test_claims.py compares both, and the built page with them.

>>> from brainkit import claims
>>> low_high = claims.interval([0.61, 0.58, 0.66])
>>> claims.record("cnn-texture-bias", 0.62, low_high, n=3)      # doctest: +SKIP
"""

import difflib
import inspect
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from scipy import stats

from . import _html

__all__ = ["Claim", "bootstrap", "holds", "interval", "load", "paired", "read", "record"]

# Beside the package in a clone. An installed brainkit (Colab) has no book: there `record` shows
# the number without its sentence.
LIST = Path(__file__).parents[1] / "book" / "claims.yml"
UNITS_OF_INFERENCE = ("seeds", "subjects", "cells", "images", "nets", "targets", "exact")
_MARK = "brainkit_claim"  # key in the metadata of the output that holds the number
_NUMBER = r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?"


@dataclass(frozen=True)
class Claim:
    """One entry of claims.yml.

    id: short name, letters, digits and hyphens. sentence: what is claimed; it may hold the number
    as {value:.0%}, or {name} for one of several. notebook: file name without .ipynb. quantity: what
    the number is. unit: "" for a fraction. direction: "> 0", "<= 1e-5", "between 0.9 and 1",
    or "vone > plain" where several numbers are recorded. over: "seeds", "subjects", "cells",
    "images", "nets" or "targets" (the unit of inference), "exact" where nothing is estimated. n:
    how many at least. level: of the interval, which the direction must hold for as a whole; None
    without one.
    """

    id: str
    sentence: str
    notebook: str
    quantity: str
    direction: str
    over: str
    n: int | None = None
    unit: str = ""
    level: float | None = None


def load(path=None):
    """All claims by id, read from claims.yml; ValueError names the malformed entry."""
    claims = {}
    for entry in yaml.safe_load(Path(path or LIST).read_text(encoding="utf-8")) or []:
        claim = _entry(entry)
        if claim.id in claims:
            raise ValueError(f"claims.yml lists {claim.id!r} twice.")
        claims[claim.id] = claim
    return claims


def _entry(entry):
    if not isinstance(entry, dict):
        raise ValueError(f"claims.yml: each entry is a list item of `key: value`s, got {entry!r}.")
    where = f"claims.yml, {entry.get('id', entry)!r}"
    known = {"id", "sentence", "notebook", "quantity", "unit", "direction", "interval",
             *UNITS_OF_INFERENCE}
    over = [u for u in UNITS_OF_INFERENCE if u in entry]
    required = {"id", "sentence", "notebook", "quantity", "direction"}
    missing = {key for key in required if not str(entry.get(key) or "").strip()}
    if missing or set(entry) - known or len(over) != 1:
        raise ValueError(
            f"{where}: needs id, sentence, notebook, quantity, direction and one of "
            f"{', '.join(UNITS_OF_INFERENCE)}; may have unit and interval. "
            f"Missing: {sorted(missing)}, unknown: {sorted(set(entry) - known)}.")
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", entry["id"]):
        raise ValueError(f"{where}: an id is lower-case letters, digits and hyphens.")
    level, exact = entry.get("interval"), over == ["exact"]
    if exact == (level is not None):
        raise ValueError(f"{where}: an estimate needs `interval` (its level, e.g. 0.95), an exact "
                         "number has none.")
    _parts(entry["direction"], where)
    return Claim(entry["id"], " ".join(entry["sentence"].split()), entry["notebook"],
                 entry["quantity"], str(entry["direction"]), over[0],
                 None if exact else int(entry[over[0]]), entry.get("unit", ""), level)


def record(claim_id, value, interval=None, n=None, unit=None, note=None, standin=False):
    """Show a claim's number as a card and keep it in the executed notebook.

    claim_id: an id of book/claims.yml. value: a number, or a dict of named numbers for a
    claim like "vone > plain". interval: (low, high), or a dict of those. n: how many seeds,
    subjects, cells, images or targets stand behind it. note: a sentence on this run. standin: True
    where the run had to do without the data or weights the claim is about; the card then says that
    the claim was not measured, and the tests skip it instead of judging the stand-in.

    Raises ValueError for an unknown id, a number that is not finite, a missing or inverted
    interval, or too small an n (a stand-in's may be). A claim the numbers do not bear out is shown
    as such and raises nothing: a learner's own run may differ; the tests hold the course's run to
    it.
    """
    claim = _find(claim_id)
    value, interval = _numbers(claim_id, value, interval)
    if claim and claim.over != "exact":
        if interval is None:
            raise ValueError(f"The claim {claim_id!r} needs interval=(low, high), e.g. from "
                             "claims.interval(one number per seed).")
        if not standin and (n is None or n < claim.n):
            raise ValueError(f"The claim {claim_id!r} is inferred over {claim.n} {claim.over} or "
                             f"more; got n={n}.")
    unit = unit if unit is not None else claim.unit if claim else ""
    over = claim.over if claim and claim.over != "exact" else ""
    shown = {k: _shown(v, interval and interval[k], unit) for k, v in value.items()}
    data = {"id": claim_id, "value": value, "interval": interval, "n": n, "unit": unit,
            "note": note, "shown": shown, "standin": bool(standin)}
    words = _sentence(claim, claim_id, value)
    behind = ", ".join(f"{k}: {s}" if k != "value" else s for k, s in shown.items())
    about = [claim.quantity if claim else None,
             f"{claim.level:.0%} interval in brackets".replace("%", " %")
             if claim and claim.level else "interval in brackets" if interval else None,
             f"n = {n} {over}".strip() if n else None, note]
    about = "; ".join(a for a in about if a)
    upheld = holds(claim.direction, value, interval) if claim else True
    fails = ""
    if standin:
        upheld, about = False, f"{about}; of a stand-in"
        fails = ("<p><strong>Not measured in this run</strong>, which could not get the data or "
                 "weights this claim is about and shows a stand-in's number.</p>")
    elif not upheld:
        fails = ("<p><strong>This run does not bear it out.</strong> The claim asks for "
                 f"{_html.escape(claim.direction)}.</p>")
    colour = "var(--bk-accent,#0a66a8)" if upheld else "var(--bk-bad,#b35900)"
    _html.publish(
        f'<div class="bk-card bk-claim" id="claim-{_html.escape(claim_id)}" style="{_html.PAPER};'
        f'border-left:4px solid {colour};padding:.5em .9em;margin:.8em 0"><p>'
        f"{_html.inline(words)}</p><p><strong>{_html.escape(behind)}</strong> "
        f'<span style="color:var(--bk-muted,#57606a)">({_html.inline(about)})</span></p>'
        f"{fails}</div>",
        f"{_html.plain(words)}\n{behind} ({_html.plain(about)})", {_MARK: data})


def _find(claim_id):
    if not LIST.exists():
        return None
    known = load()
    if claim_id not in known:
        near = difflib.get_close_matches(claim_id, known, 3, 0.4) or sorted(known)
        mean = f" Did you mean {', '.join(near)}?" if near else ""
        raise ValueError(f"{claim_id!r} is not in book/claims.yml; add it there.{mean}")
    return known[claim_id]


def _numbers(claim_id, value, interval):
    """Both as {name: ...}, the single number's name being "value"."""
    several = isinstance(value, dict)
    value = {k: float(v) for k, v in (value if several else {"value": value}).items()}
    if interval is not None:
        interval = interval if several else {"value": interval}
        if set(interval) != set(value):
            raise ValueError(f"{claim_id}: intervals for {sorted(interval)}, values for "
                             f"{sorted(value)}.")
        interval = {k: [float(v) for v in interval[k]] for k in value}
        for k, (low, high) in interval.items():
            if not low <= value[k] <= high:
                raise ValueError(f"{claim_id}: the interval ({low:g}, {high:g}) does not hold its "
                                 f"own value {value[k]:g}; give it as (low, high).")
    numbers = [*value.values(), *(v for ends in (interval or {}).values() for v in ends)]
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"{claim_id}: the number or its interval is not finite: {numbers}.")
    return value, interval


def _shown(value, ends, unit):
    """The number as the page prints it, e.g. "0.62 [0.55, 0.69]"."""
    unit = f" {unit}" if unit else ""
    if ends is None:
        return f"{_short(value)}{unit}"
    # As many decimals as the interval is wide, and one more.
    width = ends[1] - ends[0]
    digits = max(0, 1 - math.floor(math.log10(width))) if width > 0 else 3
    if digits > 6 or max(map(abs, ends)) >= 1e6:
        return f"{_short(value)} [{_short(ends[0])}, {_short(ends[1])}]{unit}"
    return f"{value:.{digits}f} [{ends[0]:.{digits}f}, {ends[1]:.{digits}f}]{unit}"


def _short(value):
    return f"{int(value):,}" if value == int(value) and abs(value) >= 1000 else f"{value:.3g}"


def _sentence(claim, claim_id, value):
    if not claim:
        return claim_id.replace("-", " ")
    try:
        return claim.sentence.format(**value)
    except (KeyError, IndexError) as error:
        raise ValueError(f"The sentence of {claim_id!r} asks for {error}; recorded are "
                         f"{sorted(value)}.") from None


def holds(direction, value, interval=None):
    """Whether numbers bear a direction out, with the whole of their intervals where given.

    direction: "> 0", "<= 1e-5", "between 0.9 and 1", "a > b". value: number or dict of numbers.
    interval: (low, high) or a dict of those. "a > b" with intervals asks that they do not overlap.
    Raises ValueError for a direction it cannot read, a name that was not recorded, or an interval
    that is not (low, high).
    """
    if not isinstance(value, dict):
        value, interval = {"value": value}, None if interval is None else {"value": interval}
    ends = interval or {k: (v, v) for k, v in value.items()}
    left, sign, right = _parts(direction)
    for name in (left, right):
        if isinstance(name, str) and name not in value:
            raise ValueError(f"{direction!r} speaks of {name!r}; recorded are {sorted(value)}.")
    for name, (low, high) in ends.items():
        if not low <= high:
            raise ValueError(f"The interval ({low:g}, {high:g}) of {name!r} is not (low, high).")
    low, high = ends[left]
    if sign == "between":
        return right[0] <= low and high <= right[1]
    other = ends[right] if isinstance(right, str) else (right, right)
    return {">": low > other[1], ">=": low >= other[1],
            "<": high < other[0], "<=": high <= other[0]}[sign]


def _parts(direction, where="direction"):
    """(name, sign, number or name or pair)."""
    text = str(direction).strip()
    if m := re.fullmatch(rf"between ({_NUMBER}) and ({_NUMBER})", text):
        return "value", "between", (float(m[1]), float(m[2]))
    if m := re.fullmatch(rf"(?:(\w+)\s+)?(>=|<=|>|<)\s*(?:({_NUMBER})|(\w+))", text):
        return m[1] or "value", m[2], float(m[3]) if m[3] else m[4]
    raise ValueError(f"{where}: cannot read {text!r}; write '> 0', '<= 0.05', "
                     "'between 0.9 and 1' or 'name > other'.")


def read(path):
    """The claims an executed notebook recorded: {id: dict of value, interval, n, shown, ...}.

    Raises ValueError where one id was recorded twice.
    """
    found = {}
    for cell in json.loads(Path(path).read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            data = output.get("metadata", {}).get(_MARK)
            if data and data["id"] in found:
                raise ValueError(f"{Path(path).name} records the claim {data['id']!r} twice.")
            if data:
                found[data["id"]] = data
    return found


def interval(values, level=0.95):
    """Student's t interval of the mean of `values` (n,), one for each seed: (low, high).

    level: the share of such intervals that hold the true mean, 0 < level < 1. Raises ValueError
    for another level, fewer than 2 values, or values that are not finite.
    """
    values = _sample(values, level)
    half = stats.t.ppf((1 + level) / 2, len(values) - 1) * stats.sem(values)
    return float(values.mean() - half), float(values.mean() + half)


def bootstrap(values, statistic=np.mean, level=0.95, resamples=2000, seed=0):
    """BCa bootstrap interval of a statistic of `values` (n,), e.g. one for each image: (low, high).

    statistic: takes (..., n) and an `axis`, as np.mean and np.median do. level: as in `interval`.
    Efron 1987; through scipy. For some 20 values or more: with fewer it is too narrow, and
    `interval` the better choice. Raises ValueError for values without spread, which cannot say how
    uncertain they are (for yes-or-no outcomes `paired` can).
    """
    values = _sample(values, level)
    if np.ptp(values) == 0:
        raise ValueError(f"All {len(values)} values are {values[0]:g}: resampling them shows no "
                         "uncertainty. For yes-or-no outcomes use claims.paired.")
    # scipy renamed the argument in 1.15; a plain number means the same under both names.
    given = inspect.signature(stats.bootstrap).parameters
    options = {"rng" if "rng" in given else "random_state": seed, "method": "BCa"}
    found = stats.bootstrap((values,), statistic, confidence_level=level, n_resamples=resamples,
                            **options).confidence_interval
    if not np.isfinite([found.low, found.high]).all():
        raise ValueError("The BCa interval is undefined for this statistic and sample: too many "
                         f"of the {len(values)} values are equal.")
    return float(found.low), float(found.high)


def paired(outcomes, others, level=0.95):
    """Interval of mean(outcomes) - mean(others), yes or no for the same items twice: (low, high).

    outcomes, others: (n,) booleans, e.g. whether each image was named right in one way and in
    another. Newcombe 1998 (Statistics in Medicine 17, 2635), method 10: Wilson's intervals of both
    shares, joined by how the outcomes correlate; it has a width even where all items agree. Raises
    ValueError for unequal lengths or values other than 0 and 1.
    """
    first, second = _sample(outcomes, level), _sample(others, level)
    if first.shape != second.shape or not np.isin([first, second], (0, 1)).all():
        raise ValueError("claims.paired compares two equally long series of 0 or 1, got "
                         f"{len(first)} and {len(second)} values.")
    n, shares = len(first), (first.mean(), second.mean())
    wilson = [stats.binomtest(int(x.sum()), n).proportion_ci(level, "wilson")
              for x in (first, second)]
    below = [p - w.low for p, w in zip(shares, wilson, strict=True)]
    above = [w.high - p for p, w in zip(shares, wilson, strict=True)]
    both, neither = (first * second).sum(), ((1 - first) * (1 - second)).sum()
    only = (first * (1 - second)).sum(), (second * (1 - first)).sum()
    excess = both * neither - only[0] * only[1]
    if excess > 0:  # a positive correlation is shrunk, for it makes the interval narrower
        excess = max(excess - n / 2, 0)
    margins = n**2 * np.sqrt(np.prod([p * (1 - p) for p in shares]))
    phi = excess / margins if margins else 0.0

    def reach(a, b):
        return float(np.sqrt(a * a - 2 * phi * a * b + b * b))

    difference = float(shares[0] - shares[1])
    return difference - reach(below[0], above[1]), difference + reach(above[0], below[1])


def _sample(values, level):
    if not 0 < level < 1:
        raise ValueError(f"level={level}: give a fraction such as 0.95.")
    if isinstance(values, str):
        raise ValueError(f"An interval needs numbers, got the text {values!r}.")
    values = np.asarray([float(v) for v in values])
    if len(values) < 2 or not np.isfinite(values).all():
        raise ValueError(f"An interval needs 2 or more finite values, got {values}.")
    return values
