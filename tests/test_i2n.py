"""i2n, against Brain-Score's own numbers."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainkit import brainscore

FIXTURE = np.load(Path(__file__).parent / "fixtures/science/i2n.npz")
P, OBJECTS, IMAGES = FIXTURE["P"], FIXTURE["objs"], FIXTURE["stimulus_id"]
TRIALS = pd.DataFrame(
    FIXTURE["trials"], columns=["stimulus_id", "truth", "sample_obj", "dist_obj", "choice"])


def test_i2n_and_its_ceiling_are_brain_scores():
    score = brainscore.i2n(P, OBJECTS, IMAGES, TRIALS)
    np.testing.assert_allclose(score.per_split, FIXTURE["i2n_raw"], atol=1e-12)
    assert score.score == pytest.approx(FIXTURE["i2n"], abs=1e-12)
    limit = brainscore.i2n_ceiling(TRIALS)
    np.testing.assert_allclose(limit.per_split, FIXTURE["ceiling_raw"], atol=1e-12)
    assert limit.score == pytest.approx(FIXTURE["ceiling"], abs=1e-12)
    ceiled = score.ceiled(limit, era="2026")
    assert ceiled.score == pytest.approx(FIXTURE["ceiled"], abs=1e-12)
    assert "r / sqrt(ceiling)" in repr(ceiled)
    with pytest.raises(ValueError, match="one convention"):
        score.ceiled(limit, era="2018")
    with pytest.raises(ValueError, match="several measures"):
        assert score > limit


def test_d_prime_of_the_net_is_brain_scores():
    from brainkit.brainscore.confusions import _normalised_d_prime

    truth = FIXTURE["truth"]
    rates = P / (P + P[np.arange(60), truth][:, None])
    expected = FIXTURE["model_dprime_normalised"]
    assert np.isnan(expected[np.arange(60), truth]).all()
    np.testing.assert_allclose(_normalised_d_prime(rates, truth), expected, atol=1e-12)


def test_pairs_that_too_few_trials_leave_undefined_do_not_count():
    """Against the definition, pair by pair, from trials that do not cover all pairs."""
    from scipy.stats import norm

    from brainkit.brainscore.confusions import _Trials

    table = _Trials(TRIALS[:700])
    some = np.arange(300)
    truth = TRIALS[:700].groupby("stimulus_id")["truth"].first()
    trials = TRIALS[:300]

    def rate(image, other):
        offered = trials[(trials["stimulus_id"] == image) & (trials["dist_obj"] == other)]
        shown = trials[(trials["stimulus_id"] == image)]
        return (shown["choice"] == other).sum() / len(offered) if len(offered) else np.nan

    def mean_rate(shown, other):
        return np.nanmean([rate(image, other) for image in truth.index[truth == shown]])

    with np.errstate(invalid="ignore"):
        expected = np.array([[
            np.nan if other == shown else np.clip(
                norm.ppf(1 - rate(image, other)) - norm.ppf(mean_rate(other, shown)), -5, 5)
            for other in table.objects] for image, shown in truth.items()])
    for shown in table.objects:
        expected[truth == shown] -= [
            np.nanmean(column) if np.isfinite(column).any() else np.nan
            for column in expected[truth == shown].T]
    assert 60 < np.isnan(expected).sum() < 300
    np.testing.assert_allclose(table.d_prime(some), expected, atol=1e-12)


def test_the_order_of_images_and_objects_does_not_matter():
    rng = np.random.default_rng(0)
    rows, columns = rng.permutation(60), rng.permutation(6)
    columns_of_trials = {name: TRIALS[name].to_numpy() for name in TRIALS}  # a dict will do
    score = brainscore.i2n(P[rows][:, columns], OBJECTS[columns], IMAGES[rows], columns_of_trials)
    assert score.score == pytest.approx(FIXTURE["i2n"], abs=1e-12)


def changed(**columns):
    return TRIALS.assign(**columns)


def first(name, value):
    return changed(**{name: [value, *TRIALS[name][1:]]})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"probabilities": P[:, :5]}, r"\(60, 6\); it is \(60, 5\)"),
        ({"probabilities": np.where(P > 0.5, np.nan, P)}, "finite and not negative"),
        ({"probabilities": -P}, "finite and not negative"),
        ({"probabilities": np.eye(6)[FIXTURE["truth"]] * 0}, "d' of the net is undefined"),
        ({"objects": [*OBJECTS[:5], "cat"]}, "objects and those .* only one has cat, o5"),
        ({"stimulus_id": [*IMAGES[:59], "new"]}, "images and those .* only one has im059, new"),
        ({"stimulus_id": [*IMAGES[:59], IMAGES[0]]}, "the same, each once"),
        ({"trials": TRIALS[TRIALS["stimulus_id"].isin(IMAGES[:3])]}, "4 images or more, got 3"),
        ({"trials": TRIALS[TRIALS["truth"] != "o2"]}, "no image shows 'o2'"),
        ({"trials": TRIALS.drop(columns="choice")}, "table with the columns .* choice"),
        ({"trials": FIXTURE["trials"]}, "table with the columns"),
        ({"trials": first("choice", "cat")}, "1 trials name no choice .* number 0"),
        ({"trials": first("choice", None)}, "missing in choice"),
        ({"trials": changed(stimulus_id="im000")}, "4 images or more, got 1"),
        ({"trials": first("stimulus_id", "im000")}, "one image two truths"),
    ],
)
def test_what_i2n_cannot_answer(given, message):
    given = {"probabilities": P, "objects": OBJECTS, "stimulus_id": IMAGES, "trials": TRIALS,
             **given}
    with pytest.raises(ValueError, match=message):
        brainscore.i2n(**given)


def test_i2n_of_people_who_never_err_is_undefined():
    with pytest.raises(ValueError, match="no correlation with the halves"):
        brainscore.i2n_ceiling(changed(choice=TRIALS["truth"]))


def test_read_out_is_brain_scores():
    from scipy.special import softmax
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    objects = np.repeat(["a", "b", "c", "d"], 30)
    features = rng.standard_normal((120, 8)) * 5 + 10 + (objects[:, None] == list("abcdabcd"))
    read = brainscore.read_out(features, objects)
    z = (features - features.mean(0)) / features.std(0)
    reference = LogisticRegression(C=1e-3, tol=1e-8, max_iter=1000).fit(z, objects)
    expected = softmax(z @ reference.coef_.T + reference.intercept_, 1)
    np.testing.assert_allclose(read.predict_proba(features), expected, atol=1e-4)
    assert read.classes_.tolist() == list("abcd")


@pytest.mark.parametrize(
    ("features", "objects", "message"),
    [
        (np.ones((4, 2)), list("abc"), "one entry an image"),
        (np.full((4, 2), np.nan), list("abca"), "not finite"),
        (np.ones((4, 2)), list("abab"), "3 objects"),
    ],
)
def test_what_the_read_out_cannot_learn(features, objects, message):
    with pytest.raises(ValueError, match=message):
        brainscore.read_out(features, objects)
