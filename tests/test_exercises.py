"""Every exercise's check: the stub is not yet an answer, the solution passes, and each planted
mistake is called by its name."""

import pytest
from exercises import Exercise, call, exercises, fences, mutants

from brainkit import checks

FOUND = exercises()
CHAPTERS = sorted({name.partition(".")[0] for name in FOUND})
PLANTED = [(exercise, source, message) for exercise in FOUND.values()
           for source, message in getattr(mutants(exercise.name), "MUTANTS", {}).get(
               exercise.name, [])]


@pytest.mark.parametrize("exercise", FOUND.values(), ids=list(FOUND))
class TestExercise:
    def test_is_complete(self, exercise):
        getattr(checks, exercise.name.partition(".")[0], None)  # imports the chapter's checks
        assert exercise.name in checks.EXERCISES, "no check of this name in brainkit/checks"
        assert len(exercise.stubs) == 1, "needs one cell tagged exercise:"
        assert len(exercise.solutions) == 1, "needs one cell tagged solution: with a python fence"
        assert exercise.call, f"{exercise.notebook} never calls checks.{exercise.name}(...)"
        planted = getattr(mutants(exercise.name), "MUTANTS", {}).get(exercise.name, [])
        assert len(planted) >= 3, "needs three planted mistakes in tests/mutants"
        assert len({message for _, message in planted}) >= 3, "needs three different messages"

    def test_stub_is_not_yet_an_answer(self, exercise):
        result = exercise.check(exercise.stubs[0])
        assert (result.state, result.passed) == ("not yet", False), repr(result)

    def test_solution_passes(self, exercise):
        result = exercise.check(exercise.solutions[0])
        assert result.passed, repr(result)


@pytest.mark.parametrize(("exercise", "source", "message"), PLANTED,
                         ids=[f"{e.name}: {m}" for e, _, m in PLANTED])
def test_mistake_is_called_by_its_name(exercise, source, message):
    result = exercise.check(source)
    assert result.state != "passed"
    assert message in result.message, repr(result)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_no_check_or_mutant_without_exercise(chapter):
    getattr(checks, chapter)
    known = {name for name in FOUND if name.startswith(chapter + ".")}
    assert {n for n in checks.EXERCISES if n.startswith(chapter + ".")} == known
    assert set(getattr(mutants(chapter + "."), "MUTANTS", {})) == known


def test_fences_and_call_are_found():
    assert fences("<details>\n\n```python\nx = 1\n```\n\n</details>") == ["x = 1\n"]
    assert call("ch01.relu", ["y = 2", "x\nchecks.ch01.relu(relu)  # yours"]) \
        == "checks.ch01.relu(relu)"
    assert call("ch01.relu", ["checks.ch01.relu6(relu)"]) is None


def test_ch01_convolve_mistakes_without_a_notebook():
    """The template of all checks is held to its mutants even before a notebook uses it."""
    exercise = Exercise("ch01.convolve", "", call="checks.ch01.convolve(convolve)")
    planted = mutants("ch01.convolve").MUTANTS["ch01.convolve"]
    assert len(planted) >= 10
    for source, message in planted:
        result = exercise.check(source)
        assert result.state == "wrong", repr(result)
        assert message in result.message, repr(result)
    assert exercise.check("def convolve(image, kernel, stride=1):\n    ...").state == "not yet"
