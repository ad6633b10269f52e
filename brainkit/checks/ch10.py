"""Checks of chapter 10, effects on robustness."""

import numpy as np
from scipy import stats

from .machinery import Misconception, check, compare, tensor


@check("ch10.paired")
def paired(answer):
    """answer(treated, control), (n,) each -> mean difference, half the width of its interval."""
    control = np.array([50.0, 61.0, 42.0, 55.0, 58.0])
    treated = control + np.array([3.0, 5.0, 2.0, 4.5, 1.0])
    out = answer(treated.copy(), control.copy())
    if not isinstance(out, tuple | list) or len(out) != 2:
        raise Misconception("Return two numbers: the mean difference, and half the width of its "
                            "interval.", "`return d.mean(), ...`")
    mean, half = (tensor(float(part), name) for part, name in
                  zip(out, ("The mean difference", "The half width"), strict=True))
    d = treated - control
    n, sd = len(d), d.std(ddof=1)
    compare(mean, tensor(d.mean(), ""), what="The mean difference", wrong=[
        (tensor(-d.mean(), ""), "You took control - treated: a gain comes out as a loss."),
        (tensor(np.median(d), ""), "That is the median of the differences, not their mean."),
    ])
    t = stats.t.ppf(0.975, n - 1)
    unpaired = (treated.var(ddof=1) / n + control.var(ddof=1) / n) ** 0.5
    compare(half, tensor(t * sd / n**0.5, ""), what="The half width", wrong=[
        (tensor(2 * t * sd / n**0.5, ""), "That is the whole width of the interval. From the mean "
         "to one end is half of it."),
        (tensor(1.959964 * sd / n**0.5, ""), "You took 1.96, the normal's quantile. With five "
         "seeds the spread itself is poorly known; Student's t says how poorly.",
         "`stats.t.ppf(0.975, n - 1)`"),
        (tensor(stats.t.ppf(0.975, n) * sd / n**0.5, ""), "n differences leave n - 1 degrees of "
         "freedom: their mean was estimated, too."),
        (tensor(stats.t.ppf(0.95, n - 1) * sd / n**0.5, ""), "With the quantile .95 five percent "
         "lie beyond *each* end, so the interval is one of 90 %.", "`stats.t.ppf(0.975, n - 1)`"),
        (tensor(t * d.std() / n**0.5, ""), "You divided by n in the variance; NumPy does unless "
         "told otherwise.", "`d.std(ddof=1)`"),
        (tensor(t * sd, ""), "That is how far single seeds scatter. The mean of n of them scatters "
         "less, by the root of n."),
        (tensor(t * sd / n, ""), "You divided by n. A mean's standard error falls with the *root* "
         "of n."),
        (tensor(sd / n**0.5, ""), "That is the standard error itself; an interval of 95 % is "
         "wider.", "Times the quantile of t."),
        (tensor(t * unpaired, ""), "You treated the families as two unrelated samples. What the "
         "seeds have in common then counts as noise, though it cancels in each difference.",
         "Take the differences first, then their spread."),
    ])
    return "The differences are one sample, and their mean has an interval of its own."


@check("ch10.worst_case")
def worst_case(answer):
    """answer(right (attacks, n) booleans) -> share of pictures that withstood all of them."""
    right = np.ones((3, 10), dtype=bool)  # such that each mistake below gives another number
    for attack, fooled in enumerate(([2, 9], [1, 5, 9], [3, 6, 9])):
        right[attack, fooled] = False
    found = tensor(float(answer(right.copy())), "The share")
    compare(found, tensor(right.all(0).mean(), ""), what="The share", wrong=[
        (tensor(right.mean(1).min(), ""), "You took the accuracy under the *single* best attack. "
         "But the attacks fool different pictures, and the attacker may choose for each.",
         "Ask picture by picture first: `right.all(0)`."),
        (tensor(right.mean(), ""), "You averaged over attacks. An attacker has no reason to use a "
         "weaker attack in a third of the cases."),
        (tensor(right.any(0).mean(), ""), "That counts a picture if *any* attack failed on it; it "
         "must withstand all."),
        (tensor(1 - right.all(0).mean(), ""), "That is the attacker's success. The robust accuracy "
         "is what is left."),
        (tensor(1 - right.any(0).mean(), ""), "That is the share of pictures which every attack "
         "fooled."),
        (tensor(right.all(0).sum(), ""), "That is how many pictures; give their share."),
        (tensor(right.all(1).mean(), ""), "You went along the wrong axis: that is the share of "
         "attacks which never succeeded.", "Attacks are axis 0."),
    ])
    return "A picture counts if no attack fooled the net; more attacks can only lower the number."


@check("ch10.partial")
def partial(answer):
    """answer(x, y, z), (n,) each -> correlation of x and y, a line in z taken off both."""
    rng = np.random.default_rng(7)
    z = rng.normal(60, 8, 30)
    x = 0.02 * z + rng.normal(0, 0.2, 30) + 1.5
    y = -0.8 * z + 6 * x + rng.normal(0, 2.5, 30)

    def left(v, degree=1):
        return v - np.polyval(np.polyfit(z, v, degree), z)

    def through_zero(v):
        return v - z * (v @ z) / (z @ z)

    def r(a, b):
        return tensor(np.corrcoef(a, b)[0, 1], "")

    found = tensor(float(answer(x.copy(), y.copy(), z.copy())), "The correlation")
    compare(found, r(left(x), left(y)), what="The correlation", wrong=[
        (r(x, y), "That is the plain correlation: nothing was taken off."),
        (r(left(x), y), "You took the line off `x` alone. What accuracy does to `y` is still "
         "there."),
        (r(x, left(y)), "You took the line off `y` alone. What accuracy does to `x` is still "
         "there."),
        (r(x - z, y - z), "You subtracted `z` itself. It is in other units: find the slope first.",
         "`np.polyfit(z, x, 1)`"),
        (r(through_zero(x), through_zero(y)), "Your lines go through zero; they need an "
         "intercept.", "`np.polyfit(z, x, 1)` fits both."),
        (r(np.polyval(np.polyfit(z, x, 1), z), np.polyval(np.polyfit(z, y, 1), z)), "You "
         "correlated the lines, not what they leave. Subtract them."),
        (r(left(x, 2), left(y, 2)), "You took off a parabola. A line is degree 1."),
        (tensor(np.corrcoef(left(x), left(y))[0, 1] ** 2, ""), "That is the square: it has lost "
         "its sign."),
    ])
    return "What accuracy explains is gone from both, and what is left can be compared."
