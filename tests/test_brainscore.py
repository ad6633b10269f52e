"""Error consistency and shape bias, against values worked out by hand and against each other."""

import json
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from brainkit import data
from brainkit.brainscore import error_consistency, shape_bias, shape_decisions
from brainkit.data import humans


def test_kappa_by_hand():
    # Both right on 4 of 8, both wrong on 2: c_obs = .75; both 5/8 right: c_exp = (25 + 9) / 64.
    a = [1, 1, 1, 1, 1, 0, 0, 0]
    b = [1, 1, 1, 1, 0, 1, 0, 0]
    assert error_consistency(a, b) == pytest.approx((0.75 - 34 / 64) / (1 - 34 / 64))


def test_kappa_of_same_errors_is_one_and_of_opposite_ones_minus_one():
    a = np.array([True, False, True, False])
    assert error_consistency(a, a) == 1
    assert error_consistency(a, ~a) == -1


def test_kappa_of_independent_observers_is_about_zero():
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 40_000)) < [[0.9], [0.7]]
    # The agreement alone is high: it is what two such accuracies imply.
    assert (a == b).mean() == pytest.approx(0.9 * 0.7 + 0.1 * 0.3, abs=0.01)
    assert abs(error_consistency(a, b)) < 0.02


def test_kappa_agrees_with_scikit_learn():
    from sklearn.metrics import cohen_kappa_score

    rng = np.random.default_rng(1)
    for n in (5, 30, 1000):
        a, b = rng.random((2, n)) < 0.6
        assert error_consistency(a, b) == pytest.approx(cohen_kappa_score(a, b))


@pytest.mark.parametrize("experiment", ["cue-conflict", "edge", "silhouette"])
def test_kappa_of_people_is_what_another_computation_found(experiment):
    """The recorded kappas, which `error_consistency` gave, against those of a shared fixture."""
    fixture = np.load(Path(__file__).parent / "fixtures/science/geirhos_human.npz")
    recorded = humans._record()["experiments"][experiment]
    assert recorded["subjects"] == fixture[f"{experiment}_subjects"].tolist()
    np.testing.assert_allclose(recorded["kappa"], fixture[f"{experiment}_kappa"], atol=1e-12)
    np.testing.assert_allclose(
        np.divide(recorded["correct"], recorded["trials"]), fixture[f"{experiment}_acc"])


@pytest.mark.parametrize("value", [0, 1])
def test_kappa_is_nan_where_it_is_undefined(value):
    assert np.isnan(error_consistency([value] * 7, [value] * 7))
    assert error_consistency([1 - value] * 7, [value] * 7) == 0


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([1, 0], [1, 0, 1], "same images"),
        ([], [], "at least one"),
        ([0.2, 0.9], [1, 0], "right or wrong"),
        ([3, 1], [1, 0], "predicted == true"),
        ([[1, 0]], [[1, 0]], "one entry an image"),
        ([np.nan, 1.0], [1, 0], "right or wrong"),
    ],
)
def test_kappa_bad_input(a, b, message):
    with pytest.raises(ValueError, match=message):
        error_consistency(a, b)


def test_shape_bias_counts_conflicts_and_named_cues_only():
    shape = ["cat", "cat", "cat", "dog", "dog", "car"]
    texture = ["dog", "car", "dog", "dog", "car", "cat"]
    response = ["cat", "car", "clock", "dog", "dog", "na"]
    assert shape_decisions(response, shape, texture).tolist() == [
        "shape", "texture", "other", "same", "shape", "other"
    ]
    assert shape_bias(response, shape, texture) == pytest.approx(2 / 3)


def test_shape_bias_without_any_named_cue_is_nan():
    # Each answer is a category of the experiment, of the other image's cues.
    assert np.isnan(shape_bias(["car", "cat"], ["cat", "car"], ["dog", "dog"]))
    assert np.isnan(shape_bias([2, 0], [0, 2], [1, 1]))
    # Nobody answered: not a matter of spelling.
    nobody = np.array([None, np.nan], dtype=object)
    assert np.isnan(shape_bias(nobody, ["cat", "car"], ["dog", "dog"]))
    assert np.isnan(shape_bias([], [], []))


def test_shape_bias_takes_indices_of_any_kind_and_tables_with_gaps():
    assert shape_bias(torch.tensor([1, 2]), [1, 0], np.array([0.0, 2.0])) == 0.5
    table = pd.DataFrame({"r": ["cat", None], "s": ["cat", "dog"], "t": ["dog", "cat"]})
    assert shape_decisions(table["r"], table["s"], table["t"]).tolist() == ["shape", "other"]


@pytest.mark.parametrize("measure", [shape_bias, shape_decisions])
@pytest.mark.parametrize(
    ("response", "shape", "texture", "message"),
    [
        (["cat"], ["cat", "dog"], ["dog", "cat"], "one entry an image"),
        (["Cat", "Dog"], ["cat", "dog"], ["dog", "cat"],
         "spelled alike.*Answers: 'Cat', 'Dog'; categories: 'cat', 'dog'"),
        ([8, 9], [0, 1], [1, 0], "no answer is among the categories of shape and texture"),
        ([0, 1], ["cat", "dog"], ["dog", "cat"], "response numbers, shape names, texture names"),
        (["cat", "dog"], ["cat", "dog"], [1, 0], "texture numbers. Give names in all or indices"),
        (np.array(["cat", 1], dtype=object), ["cat", "dog"], ["dog", "cat"],
         "response names and numbers"),
    ],
)
def test_shape_bias_bad_input(measure, response, shape, texture, message):
    with pytest.raises(ValueError, match=message):
        measure(response, shape, texture)


# ---- people


def trials_of(answers, experiment="edge"):
    """A trials table from {subject: {image: response}}; an image is named for what it shows."""
    rows = [
        {"subject": subject, "image": image, "response": response,
         "category": image.split("-")[0], "texture": image.split("-")[-1]}
        for subject, given in answers.items()
        for image, response in given.items()
    ]
    return pd.DataFrame(rows).sample(frac=1, random_state=0)  # each subject saw another order


def test_summary_of_made_trials():
    trials = trials_of({
        "s1": {"cat-dog": "cat", "dog-car": "car", "car-cat": "car", "cat-cat": "cat"},
        "s2": {"cat-dog": "cat", "dog-car": "na", "car-cat": "cat", "cat-cat": "dog"},
    })
    summary = humans.summarise("cue-conflict", trials)
    assert summary["subjects"] == ["s1", "s2"]
    assert summary["trials"] == [4, 4]
    assert summary["correct"] == [3, 1]
    assert summary["shape"] == [2, 1]
    assert summary["texture"] == [1, 1]
    assert summary["other"] == [0, 1]
    assert summary["by_category"]["car"] == [1, 1]
    expected = error_consistency([1, 0, 1, 1], [1, 0, 0, 0])
    np.testing.assert_allclose(summary["kappa"], [[1, expected], [expected, 1]])


def test_summary_needs_the_same_images():
    with pytest.raises(ValueError, match="same images"):
        humans.summarise("edge", trials_of({"s1": {"cat": "cat"}, "s2": {"dog": "dog"}}))


@pytest.fixture
def no_trials(monkeypatch):
    """A machine on which no source of the trials is within reach."""
    def unreachable(name):
        raise data.AssetError(f"Cannot get {name}")

    monkeypatch.setattr("brainkit.data.loaders.fetch", unreachable)
    monkeypatch.setattr("brainkit.data.loaders._trials", data.loaders._trials.__wrapped__)


@pytest.mark.parametrize("experiment", ["cue-conflict", "edge", "silhouette"])
def test_recorded_summary_where_no_trials_can_be_had(no_trials, experiment):
    summary = data.human_summary(experiment)
    assert summary.source.startswith("recorded on 20")
    assert "Cannot get" in summary.why
    assert summary.licence == "CC-BY-4.0"
    n = len(summary.subjects)
    assert summary.kappa.shape == (n, n)
    np.testing.assert_allclose(np.diag(summary.kappa), 1)
    np.testing.assert_allclose(summary.kappa, summary.kappa.T)
    assert summary.pairs.shape == (n * (n - 1) // 2,)
    assert ((summary.accuracy > 0.5) & (summary.accuracy < 1)).all()


def test_recorded_shape_bias(no_trials):
    summary = data.human_summary("cue-conflict")
    # As an independent computation from the same trials gave it, each subject counting the same.
    assert summary.shape_bias.mean() == pytest.approx(0.958, abs=0.0005)
    by_category = np.array(list(summary.by_category.values()))
    assert by_category.sum(0).tolist() == [summary.shape.sum(), summary.texture.sum()]
    assert data.human_summary("edge").shape_bias is None


def test_no_record_is_kept_where_the_licence_is_unclear(no_trials):
    with pytest.raises(data.AssetError, match="Cannot get"):
        data.human_summary("stylized")


def test_unknown_experiment():
    with pytest.raises(data.AssetError, match="Did you mean 'silhouette'"):
        data.human_summary("silhouettes")


def test_record_is_of_the_files_in_the_catalogue():
    record = json.loads(
        resources.files("brainkit").joinpath("records/humans.json").read_text(encoding="utf-8")
    )
    assert record["inputs"] == {
        file.name: file.sha256
        for name in record["experiments"]
        for file in data.ASSETS[f"humans-{name}"].files
    }
    assert "CC-BY-4.0" in record["attribution"]


@pytest.mark.parametrize("experiment", data.EXPERIMENTS)
def test_real_trials_give_what_is_recorded(experiment, monkeypatch):
    """Where the trials can be had (BRAINKIT_MIRROR, or a connection)."""
    try:
        trials = data.human_trials(experiment)
    except data.AssetError as error:
        pytest.skip(f"no source of the trials is within reach: {error.tried[-2:]}")
    assert (trials.groupby("subject")["image"].nunique() == trials.groupby("subject").size()).all()
    assert trials["response"].notna().all()
    summary = data.human_summary(experiment)
    assert summary.source == "computed from the trials"
    recorded = humans._record()["experiments"].get(experiment)
    if recorded:
        assert summary.correct.tolist() == recorded["correct"]
        np.testing.assert_allclose(summary.kappa, recorded["kappa"], rtol=1e-12)
