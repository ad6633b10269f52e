"""The machinery of the checks and predictions; tests/test_exercises.py holds each check to its
exercise."""

import sys
import types

import numpy as np
import pytest
import torch
import yaml

from brainkit import checks
from brainkit.checks import machinery, quiz


@pytest.fixture
def double(monkeypatch):
    """A check of a function that doubles a tensor."""
    monkeypatch.setattr(machinery, "EXERCISES", {})

    def double(answer):
        x = torch.tensor([1.0, -2.0, 3.0])
        squared = (x ** 2, "You squared it.", "Square is not twice.")
        checks.compare(answer(x), 2 * x, wrong=[squared])
        return "Doubled."

    double.__module__ = "brainkit.checks.ch99"
    return checks.check("ch99.double")(double)


def untouched(x):
    """Twice x."""


def dots(x):
    ...


def raises(x):
    raise NotImplementedError


def nothing(x):
    x * 2


@pytest.mark.parametrize(("answer", "message"), [
    (untouched, "`untouched` has no body yet"), (dots, "`dots` has no body yet"),
    (raises, "still raises `NotImplementedError`"), (nothing, "does every path end in `return`?"),
    (None, "no answer here yet"), (..., "no answer here yet"),
])
def test_stubs_are_not_yet_answers(double, answer, message):
    result = double(answer)
    assert result.state == "not yet"
    assert not result
    assert message in result.message


def in_place(x):
    x *= 2
    return x


def outside(x):
    return x[99]


@pytest.mark.parametrize(("answer", "message", "hint"), [
    (lambda x: x * x, "You squared it.", "Square is not twice."),
    (in_place, "changed its input in place", "clone"),
    (outside, "raised `IndexError`", "line 2 of the function"),
    (lambda: 1, "cannot be called as the exercise asks: too many positional", "first line"),
    (lambda x: x[:2], r"shape (2,); it should be (3,)", None),
    (lambda x: 2 * x + torch.eye(3)[2], "33% of its values are off, most at [2]: 7", None),
    (lambda x: x / 0, "NaN or infinite", None),
    (lambda x: "two", "is a str; a tensor or a number was asked for", None),
])
def test_mistakes_are_described(double, answer, message, hint):
    result = double(answer)
    assert result.state == "wrong"
    assert message in result.message
    assert hint is None or hint in result.hint


def test_right_answers_pass_as_tensor_array_or_list(double):
    for answer in (lambda x: 2 * x, lambda x: (2 * x).numpy(), lambda x: (2 * x).tolist()):
        result = double(answer)
        assert result
        assert result.message == "Doubled."
        assert repr(result) == "Correct. Doubled."


def test_the_card_names_its_state_and_escapes(double):
    def evil(x):
        raise RuntimeError("<script>")

    card = double(evil)._repr_html_()
    assert 'role="status"' in card
    assert "Not quite." in card
    assert "<script>" not in card


def test_the_notebooks_random_numbers_stay(double):
    def noisy(x):
        np.random.rand()  # noqa: NPY002
        torch.rand(1)
        return 2 * x

    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    want = torch.rand(1), np.random.rand()  # noqa: NPY002
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    assert double(noisy)
    assert (torch.rand(1), np.random.rand()) == want  # noqa: NPY002


def test_an_error_of_the_check_itself_is_not_the_learners(monkeypatch):
    monkeypatch.setattr(machinery, "EXERCISES", {})

    def broken(answer):
        return {}["missing"]

    broken.__module__ = "brainkit.checks.ch99"
    with pytest.raises(KeyError):
        checks.check("ch99.broken")(broken)(1)


def test_calls_and_names_are_checked(double):
    with pytest.raises(TypeError, match=r"checks.ch99.double takes 1 answer\(s\), got 2"):
        double(1, 2)
    with pytest.raises(ValueError, match="must be the function triple of the module ch99"):
        checks.check("ch99.triple")(double)
    with pytest.raises(AttributeError, match="chapter's checks are called ch01"):
        _ = checks.ch77


def test_a_chapter_that_fails_to_import_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "brainkit.checks.ch98", None)
    with pytest.raises((AttributeError, ImportError)):
        _ = checks.ch98
    monkeypatch.setitem(sys.modules, "brainkit.checks.ch98", types.ModuleType("ch98"))
    assert checks.ch98.__name__ == "ch98"


# --- predictions ------------------------------------------------------------------------------

def test_every_prediction_displays_without_its_answer_in_the_label():
    assert checks.predictions()
    for name, prediction in checks.predictions().items():
        markup = prediction._repr_html_()
        assert markup.count('type="radio"') == len(prediction.options)
        assert f'data-name="{name}"' in markup
        labels = markup.partition("<button")[0]
        for _, feedback, _ in prediction.options:
            assert feedback not in labels
        assert "fieldset" in markup
        assert prediction.question.split()[0] in repr(prediction)


def test_unknown_prediction_lists_the_known():
    with pytest.raises(KeyError, match="01-edges"):
        checks.predict("01-egdes")


RIGHT = {"text": "a", "feedback": "b", "right": True}
WRONG = {"text": "c", "feedback": "d"}


@pytest.mark.parametrize(("entry", "message"), [
    ({"question": "q"}, "needs `question` and `options`"),
    ({"question": "q", "options": [RIGHT]}, "2 or more options"),
    ({"question": "q", "options": [WRONG, WRONG]}, "exactly one"),
    ({"question": "q", "options": [RIGHT, RIGHT]}, "exactly one"),
    ({"question": "q", "options": [RIGHT, {"text": "c"}]}, "needs `text` and `feedback`"),
])
def test_malformed_predictions_are_named(monkeypatch, tmp_path, entry, message):
    (tmp_path / "ch01.yml").write_text(yaml.safe_dump({"01-x": entry}))
    monkeypatch.setattr(quiz, "_FOLDER", tmp_path)
    with pytest.raises(ValueError, match=rf"ch01.yml, 01-x: .*{message}"):
        quiz.predictions.__wrapped__()
