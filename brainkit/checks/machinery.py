"""How a check runs a learner's answer, and what it says about it.

A check is a function of the answer that raises `Misconception` where the answer is wrong and
returns the words of praise where it is right:

    @check("ch01.relu")
    def relu(answer):
        x = torch.tensor([-1.0, 0.0, 2.0])
        compare(answer(x), x.clamp(min=0), wrong=[(x.abs(), "You took the absolute value: ...")])
        return "Negative responses are cut off, positive ones pass unchanged."

The decorator does what all checks share: it says "Not yet" to an untouched stub, turns an
exception of the learner's into a message, notices an input changed in place, and leaves the
notebook's random state alone.
"""

import copy
import dis
import functools
import inspect
from dataclasses import dataclass

import numpy as np
import torch

from .. import _html

EXERCISES = {}  # "ch01.convolve" -> its check; the tests hold each against planted wrong answers

_COLOUR = {"passed": "var(--bk-good,#1a7f37)", "not yet": "var(--bk-todo,#57606a)",
           "wrong": "var(--bk-bad,#b35900)"}
_TITLE = {"passed": "Correct", "not yet": "Not yet", "wrong": "Not quite"}


@dataclass(frozen=True)
class Result:
    """What a check found: true when it passed.

    state: "passed", "not yet" (the stub is untouched) or "wrong". hint: where to look next.
    """

    state: str
    message: str
    hint: str | None = None
    exercise: str | None = None

    @property
    def passed(self):
        return self.state == "passed"

    def __bool__(self):
        return self.passed

    def __repr__(self):
        return _html.plain(f"{_TITLE[self.state]}. {self.message}"
                           + (f" Hint: {self.hint}" if self.hint else ""))

    def _repr_html_(self):
        hint = f"<p>Hint: {_html.inline(self.hint)}</p>" if self.hint else ""
        colour = _COLOUR[self.state]
        return (f'<div class="bk-card bk-{self.state.replace(" ", "-")}" role="status" '
                f'style="{_html.PAPER};border-left:4px solid {colour};padding:.5em .9em;'
                f'margin:.6em 0"><p><strong style="color:{colour}">{_TITLE[self.state]}.</strong> '
                f"{_html.inline(self.message)}</p>{hint}</div>")


class Misconception(Exception):
    """Raised by a check: the answer is wrong, and this is the idea behind the mistake."""

    def __init__(self, message, hint=None):
        super().__init__(message)
        self.message, self.hint = message, hint


class NotYet(Exception):
    """Raised by a check, or on its behalf: there is no answer yet."""


def check(exercise):
    """Decorator that registers a check under "<chapter>.<name>"; see the module's docstring."""

    def register(function):
        chapter = function.__module__.rpartition(".")[2]
        if exercise in EXERCISES and EXERCISES[exercise].__module__ != function.__module__:
            raise ValueError(f"There are two checks called {exercise!r}.")
        if exercise != f"{chapter}.{function.__name__}":
            raise ValueError(f"The check {exercise!r} must be the function "
                             f"{exercise.rpartition('.')[2]} of the module "
                             f"{exercise.partition('.')[0]}, so that the notebook finds it.")

        @functools.wraps(function)
        def run(*answers):
            wanted = len(inspect.signature(function).parameters)
            if len(answers) != wanted:
                raise TypeError(f"checks.{exercise} takes {wanted} answer(s), got {len(answers)}.")
            # Whatever the check or the answer draws, the notebook's own numbers stay the same.
            numpy_state = np.random.get_state()  # noqa: NPY002 (the global one is the point)
            try:
                with torch.random.fork_rng(devices=[]):
                    torch.manual_seed(0)
                    message = function(*[_guarded(answer) for answer in answers])
                if not isinstance(message, str):
                    raise RuntimeError(f"The check {exercise} must return its message.")
                return Result("passed", message, None, exercise)
            except NotYet as why:
                return Result("not yet", str(why), None, exercise)
            except Misconception as why:
                return Result("wrong", why.message, why.hint, exercise)
            finally:
                np.random.set_state(numpy_state)  # noqa: NPY002

        EXERCISES[exercise] = run
        return run

    return register


def _guarded(answer):
    """The learner's answer, wrapped where it is a function; NotYet where there is none."""
    if answer is None or answer is ... or answer is NotImplemented:
        raise NotYet("There is no answer here yet: put yours in place of the dots, run that cell, "
                     "then this one.")
    if inspect.isfunction(answer) or inspect.ismethod(answer):
        return _Guard(answer)
    return answer


class _Guard:
    """Calls the learner's function and says in words what goes wrong."""

    def __init__(self, function):
        self.function, self.__name__ = function, function.__name__
        self.__signature__ = inspect.signature(function)

    def __call__(self, *args, **kwargs):
        name = f"`{self.__name__}`"
        if _untouched(self.function):
            raise NotYet(f"{name} has no body yet: write it, run its cell, then this one.")
        try:
            self.__signature__.bind(*args, **kwargs)
        except TypeError as error:
            raise Misconception(f"{name} cannot be called as the exercise asks: {error}.",
                                "Keep the stub's first line as it was.") from None
        before = copy.deepcopy((args, kwargs))
        try:
            out = self.function(*args, **kwargs)
        except NotImplementedError:
            raise NotYet(f"{name} still raises `NotImplementedError`: write it, run its cell, "
                         "then this one.") from None
        except Exception as error:
            raise Misconception(
                f"{name} raised `{type(error).__name__}`: {_first_line(error)} (when called with "
                f"{_described(*before)}).", _place(error, self.function)) from error
        if out is None or out is ... or out is NotImplemented:
            raise NotYet(f"{name} returned nothing. If you have written it already, does every "
                         "path end in `return`?")
        if not _unchanged(before, (args, kwargs)):
            raise Misconception(
                f"{name} changed its input in place: whoever calls it finds their data altered.",
                "Build the result in a new tensor, or start from `x.clone()`.")
        return out


def _untouched(function):
    """Whether the body is nothing but a docstring, `...`, `pass` or comments."""
    keep = {"RESUME", "NOP", "CACHE", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE", "POP_TOP",
            "RETURN_GENERATOR", "COPY_FREE_VARS"}
    code = list(dis.get_instructions(function))
    return all(i.opname in keep for i in code) and all(
        i.argval is None for i in code if i.opname in ("LOAD_CONST", "RETURN_CONST"))


def _first_line(error):
    text = (str(error).strip().splitlines() or ["no message"])[0]
    return text if text.endswith((".", "!", "?")) else text + "."


def _place(error, function):
    """The line of the learner's own function in which it happened."""
    line = None
    trace = error.__traceback__
    while trace:
        if trace.tb_frame.f_code is function.__code__:
            line = trace.tb_lineno - function.__code__.co_firstlineno + 1
        trace = trace.tb_next
    return f"It happened in line {line} of the function." if line else None


def _described(args, kwargs):
    def word(value):
        if isinstance(value, torch.Tensor | np.ndarray):
            return f"a {tuple(value.shape)} {type(value).__name__.lower().replace('nd', '')}"
        return f"`{value!r}`" if len(repr(value)) < 40 else f"a {type(value).__name__}"

    return ", ".join([*map(word, args), *(f"{k}={word(v)}" for k, v in kwargs.items())])


def _unchanged(before, after):
    if isinstance(before, torch.Tensor):
        return before.shape == after.shape and torch.equal(
            before.detach().nan_to_num(), after.detach().nan_to_num())
    if isinstance(before, np.ndarray):
        return np.array_equal(before, after)
    if isinstance(before, dict):
        return before.keys() == after.keys() and all(_unchanged(before[k], after[k])
                                                     for k in before)
    if isinstance(before, list | tuple):
        return len(before) == len(after) and all(map(_unchanged, before, after))
    return True


def tensor(value, what="Your answer"):
    """`value` as a float tensor; Misconception where it is no number, array or tensor."""
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().double()
    try:
        return torch.as_tensor(np.array(value, dtype=float))  # a copy: torch takes no [::-1]
    except (TypeError, ValueError):
        raise Misconception(f"{what} is a {type(value).__name__}; a tensor or a number was asked "
                            "for.") from None


def same(got, want, tolerance=1e-4):
    """Whether two results agree in shape, and in value up to `tolerance` of the largest."""
    try:
        got, want = tensor(got), tensor(want)
    except Misconception:
        return False
    scale = max(1.0, float(want.abs().max())) if want.numel() else 1.0
    return got.shape == want.shape and torch.allclose(got, want, rtol=0, atol=tolerance * scale)


def compare(got, want, wrong=(), tolerance=1e-4, what="Your answer", hint=None):
    """Nothing where `got` is `want`; else a Misconception that says what it is instead.

    got: the learner's result. want: tensor, array or number. wrong: known mistakes, as
    (what a learner who makes it gets, message[, hint]), tried in order.
    """
    got, want = tensor(got, what), tensor(want)
    if same(got, want, tolerance):
        return
    for value, message, *more in wrong:
        if same(got, value, tolerance):
            raise Misconception(message, *more)
    if got.shape != want.shape:
        raise Misconception(f"{what} has shape {tuple(got.shape)}; it should be "
                            f"{tuple(want.shape)}.", hint)
    if not torch.isfinite(got).all():
        raise Misconception(f"{what} holds NaN or infinite values.", hint)
    if want.ndim == 0:
        raise Misconception(f"{what} is {got:.4g}, which is not what a direct computation gives.",
                            hint)
    worst = (got - want).abs()
    at = tuple(int(i) for i in np.unravel_index(int(worst.argmax()), want.shape))
    share = (worst > tolerance * max(1.0, float(want.abs().max()))).double().mean()
    raise Misconception(f"{what} has the right shape, but {share:.0%} of its values are off, most "
                        f"at {list(at)}: {got[at]:.4g} in place of {want[at]:.4g}.", hint)
