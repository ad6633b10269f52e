"""Predictivity and ceilings, against Brain-Score's own numbers and scikit-learn's regressions."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import StratifiedShuffleSplit

from brainkit import brainscore
from brainkit.brainscore.regression import pls, ridge

FIXTURE = np.load(Path(__file__).parent / "fixtures/science/brainscore_pls.npz")
X, Y, OBJECTS = FIXTURE["X"].astype(float), FIXTURE["Y"].astype(float), FIXTURE["object_name"]


@pytest.fixture(scope="module")
def raw():
    return brainscore.neural_predictivity(X, Y.mean(0), groups=OBJECTS)


@pytest.fixture(scope="module")
def limit():
    return brainscore.ceiling(Y)


# --- Brain-Score's numbers -----------------------------------------------------------------------


def test_pls_is_brain_scores(raw):
    # The fixture's mean over repetitions was taken in doubles, as here.
    np.testing.assert_allclose(raw.raw, FIXTURE["pls_raw"], atol=1e-6)
    assert raw.score == pytest.approx(FIXTURE["pls_score"], abs=1e-8)
    assert raw.error == pytest.approx(FIXTURE["pls_sem"], abs=1e-8)
    assert raw.per_neuroid.shape == (20,)
    assert raw.per_split.shape == (10,)
    assert raw.per_split.mean() == pytest.approx(raw.score)


def test_ridge_is_brain_scores():
    score = brainscore.neural_predictivity(X, Y.mean(0), groups=OBJECTS, regression="ridge")
    np.testing.assert_allclose(score.raw, FIXTURE["ridge_raw"], atol=1e-6)
    assert score.score == pytest.approx(FIXTURE["ridge_score"], abs=1e-8)
    assert score.error == pytest.approx(FIXTURE["ridge_sem"], abs=1e-8)


def test_ceiling_is_brain_scores(limit):
    np.testing.assert_allclose(limit.raw, FIXTURE["ceiling_raw"], atol=1e-12)
    assert limit.score == pytest.approx(FIXTURE["ceiling"], abs=1e-12)
    assert limit.error == pytest.approx(FIXTURE["ceiling_error"], abs=1e-12)
    assert limit.per_neuroid.shape == (20,)


def test_both_eras_are_brain_scores(raw, limit):
    old, new = raw.ceiled(limit, era="2018"), raw.ceiled(limit, era="2026")
    assert old.score == pytest.approx(FIXTURE["pls_old_r_over_ceiling"], abs=1e-8)
    assert new.score == pytest.approx(FIXTURE["pls_ceiled_r2_over_ceiling"], abs=1e-8)
    assert old.error == pytest.approx(raw.error / limit.score)
    np.testing.assert_allclose(new.per_neuroid, raw.per_neuroid**2 / limit.score)
    between = raw.ceiled(limit, era="2019")
    np.testing.assert_allclose(between.per_neuroid, old.per_neuroid**2)
    with pytest.raises(ValueError, match="several eras"):
        assert between < new


# --- scikit-learn's numbers ----------------------------------------------------------------------


def made(n=150, p=60, sites=40, noise=1.0, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, p)) / np.sqrt(np.arange(1, p + 1))
    y = x @ rng.standard_normal((p, sites))
    return x, y + noise * y.std(0) * rng.standard_normal(y.shape)


def steep():
    x, y = made()
    return x / np.arange(1, 61) ** 3, y


def offset():
    x, y = made()
    return x + 1e3, y + 1e3


PLS_DATA = {
    "many sites": made(sites=90),
    "few features": made(p=26),
    "more features than images": made(p=400),
    "one site": made(sites=1),
    "no noise": made(noise=0),
    "only noise": made(noise=100),
    "far from zero": offset(),
    "steep spectrum": steep(),
}


@pytest.mark.parametrize("data", PLS_DATA)
@pytest.mark.parametrize(
    "settings", [{}, {"tol": 1e-12, "max_iter": 5000}, {"max_iter": 6}],
    ids=["1e-6", "1e-12", "cut short"])
@pytest.mark.filterwarnings("ignore:.* PLS components", "ignore:Maximum number")
def test_pls_takes_the_steps_of_scikit_learn(data, settings):
    x, y = PLS_DATA[data]
    reference = PLSRegression(25, scale=False, **settings).fit(x[:120], y[:120])
    predicted, steps = pls(x[:120], y[:120], x[120:], **settings)
    assert steps.tolist() == reference.n_iter_
    expected = reference.predict(x[120:]).reshape(predicted.shape)
    np.testing.assert_allclose(predicted, expected, atol=1e-9 * y.std())


def test_scores_are_those_of_the_plain_loop():
    x, y = made(300, 80, 30)
    groups = np.arange(300) % 12
    for tol, bound in ((1e-6, 1e-10), (1e-12, 5e-3)):
        # Brain-Score's tolerance leaves r this far from what the method would converge to.
        expected = []
        for train, test in StratifiedShuffleSplit(
                3, train_size=0.9, random_state=1).split(x, groups):
            regression = PLSRegression(25, scale=False, tol=tol, max_iter=5000)
            predicted = regression.fit(x[train], y[train]).predict(x[test])
            expected.append([stats.pearsonr(a, b)[0] for a, b in
                             zip(predicted.T, y[test].T, strict=True)])
        score = brainscore.neural_predictivity(x, y, groups, splits=3)
        np.testing.assert_allclose(score.raw, expected, atol=bound)
        assert score.score == pytest.approx(np.median(expected, axis=1).mean(), abs=bound)


def test_pls_stops_where_scikit_learn_goes_on_with_rounding_errors():
    x, y = made(p=10)
    x = x @ np.random.default_rng(1).standard_normal((10, 60))  # ten dimensions in 60 features
    predicted, steps = pls(x[:120], y[:120], x[120:])
    assert len(steps) == 10
    a = np.c_[np.ones(len(x)), x]
    expected = a[120:] @ np.linalg.lstsq(a[:120], y[:120], rcond=None)[0]
    np.testing.assert_allclose(predicted, expected, atol=1e-9)


def test_pls_says_where_it_has_not_converged():
    x, y = made()
    with pytest.warns(UserWarning, match="of 25 PLS components had not converged after 5 steps"):
        pls(x, y, x, max_iter=5)


@pytest.mark.parametrize("p", [30, 200])
def test_ridge_is_that_of_scikit_learn(p):
    x, y = made(p=p)
    train = x[:120], y[:120]
    for alpha in (1e-2, 1.0, 1e3):
        predicted, used = ridge(*train, x[120:], alpha)
        np.testing.assert_allclose(predicted, Ridge(alpha).fit(*train).predict(x[120:]), atol=1e-9)
        assert used == alpha
    reference = RidgeCV(brainscore.ALPHAS).fit(*train)
    predicted, used = ridge(*train, x[120:], brainscore.ALPHAS)
    assert used == reference.alpha_
    np.testing.assert_allclose(predicted, reference.predict(x[120:]), atol=1e-9)


def test_ridge_penalties_are_brain_scores():
    assert len(brainscore.ALPHAS) == 99
    assert (np.diff(brainscore.ALPHAS) > 0).all()
    assert brainscore.ALPHAS[:8] == (0.01, 0.1, 0.5, 1.0, 10.0, 32.5, 55.0, 77.5)
    assert brainscore.ALPHAS[-1] == 1e7


# --- What it means -------------------------------------------------------------------------------


def test_inputs_are_left_alone_and_may_be_tensors(raw):
    x, y = torch.tensor(X), torch.tensor(Y.mean(0))
    before = x.clone(), y.clone()
    score = brainscore.neural_predictivity(x, y, groups=OBJECTS, splits=2)
    assert torch.equal(x, before[0])
    assert torch.equal(y, before[1])
    np.testing.assert_allclose(score.raw, raw.raw[:2], atol=1e-12)


def test_without_groups_and_of_noise():
    rng = np.random.default_rng(0)
    score = brainscore.neural_predictivity(
        X, rng.standard_normal((160, 20)), regression="ridge", alpha=brainscore.ALPHAS, splits=4)
    assert abs(score.score) < 0.15


def test_a_ceiling_is_what_the_truth_reaches():
    """Spearman-Brown estimates the reliability of the mean over repetitions, which is known here:
    variance 1 of signal and 4/8 of noise."""
    rng = np.random.default_rng(0)
    truth = rng.standard_normal((2000, 30))
    repeats = truth + 2 * rng.standard_normal((8, 2000, 30))
    assert brainscore.ceiling(repeats).score == pytest.approx(1 / 1.5, abs=0.01)


def test_a_site_silent_in_one_split_does_not_count_there():
    y = Y.mean(0).copy()
    first = next(StratifiedShuffleSplit(1, train_size=0.9, random_state=1).split(X, OBJECTS))[1]
    y[first, 3] = 0
    score = brainscore.neural_predictivity(X, y, OBJECTS, regression="ridge", splits=2)
    assert np.isnan(score.raw[0, 3])
    assert score.per_neuroid[3] == score.raw[1, 3]
    assert np.isfinite([score.score, score.error]).all()


def test_a_negative_r_stays_negative(limit):
    rng = np.random.default_rng(3)
    raw = brainscore.neural_predictivity(rng.standard_normal((160, 60)), Y.mean(0), splits=10)
    low = raw.raw.mean(0) < 0
    assert low.any()
    assert (raw.ceiled(limit, era="2026").per_neuroid[low] < 0).all()


# --- Eras are not mixed --------------------------------------------------------------------------


def test_eras_cannot_be_compared_nor_averaged(raw, limit):
    old, new = raw.ceiled(limit, era="2018"), raw.ceiled(limit, era="2026")
    assert old.era == "2018"
    assert raw.era is None
    assert "r^2 / ceiling" in repr(new)
    assert "not ceiled" in repr(raw)
    for one, other in ((old, new), (raw, old), (new, raw)):
        for compare in (lambda a, b: a < b, lambda a, b: a >= b, lambda a, b: a == b,
                        lambda a, b: a - b, lambda a, b: brainscore.average([a, b]),
                        lambda a, b: max(a, b)):
            with pytest.raises(ValueError, match="several eras"):
                compare(one, other)
    with pytest.raises(ValueError, match=r"several measures \(ceiling, predictivity\)"):
        assert raw < limit
    assert brainscore.average([old, old]) == old.score
    assert old - old == 0
    assert old <= old
    assert old != 1
    with pytest.raises(ValueError, match="no score"):
        brainscore.average([])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda raw, limit: raw.ceiled(limit, era="2020"), "'2018' is r / ceiling"),
        (lambda raw, limit: raw.ceiled(limit, era="2018").ceiled(limit, era="2018"),
         "only a score that is not ceiled"),
        (lambda raw, limit: limit.ceiled(limit, era="2018"), "only a score that is not ceiled"),
        (lambda raw, limit: raw.ceiled(raw, era="2018"), "needs a Score of ceiling, got predict"),
        (lambda raw, limit: raw.ceiled(0.8, era="2018"), "got float; brainscore.ceiling makes"),
        (lambda raw, limit: raw.ceiled(brainscore.ceiling(Y[..., :7]), era="2018"),
         "of 7 sites and the score of 20"),
        (lambda raw, limit: raw.ceiled(brainscore.ceiling(
            np.stack([Y[0], Y[1] - 2 * Y[0]])), era="2018"), "leave nothing to explain"),
    ],
)
def test_wrong_ceilings(raw, limit, wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong(raw, limit)


# --- What cannot be answered ---------------------------------------------------------------------


def with_value(array, index, value):
    array = array.copy()
    array[index] = value
    return array


def constant(array, site):
    return with_value(array, (..., site), 1)


MEAN = Y.mean(0)
WRONG = {
    "three images": (dict(features=X[:3], responses=MEAN[:3]), "needs 4 images or more, got 3"),
    "none": (dict(features=X[:0], responses=MEAN[:0]), r"shape \(images, columns\); it is \(0"),
    "few to hold out": (dict(features=X[:20], responses=MEAN[:20]), "20 images leave 2 to hold"),
    "few to fit on": (dict(features=X[:26], responses=MEAN[:26], groups=None),
                      "PLS with 25 components .* 120 features and 23 of 26 images"),
    "few features": (dict(features=X[:, :20]), "there are 20 features and 144 of 160 images"),
    "mismatch": (dict(responses=MEAN[:150]), "features are of 160 images and responses of 150"),
    "nan features": (dict(features=with_value(X, (7, 4), np.nan)), "features are not .* column 4"),
    "inf responses": (dict(responses=with_value(MEAN, (7, 3), np.inf)), "responses are not finite"),
    "constant site": (dict(responses=constant(MEAN, 5)), "same for all images at site 5"),
    "constant sites": (dict(responses=constant(MEAN, [5, 8])), r"2 sites \(5, 8\)"),
    "constant features": (dict(features=np.ones_like(X)), "features are the same"),
    "one response": (dict(responses=MEAN[:, 0]), r"responses must .* it is \(160,\)"),
    "maps": (dict(features=X.reshape(160, 30, 4)), r"features must have .* \(160, 30, 4\)"),
    "words": (dict(features=OBJECTS[:, None]), "features must be real numbers"),
    "repeats": (dict(responses=Y), "responses must have the shape"),
    "few groups": (dict(groups=OBJECTS[:10]), r"groups must .* \(160,\); it is \(10,\)"),
    "lone group": (dict(groups=["lone", *OBJECTS[1:]]), "'lone' has one"),
    "many groups": (dict(groups=np.arange(160) // 2), "16 held-out images .* 80 groups"),
    "missing group": (dict(groups=np.r_[np.nan, np.zeros(159)]), "entries that are missing"),
    "regression": (dict(regression="lasso"), 'must be "pls" or "ridge", got \'lasso\''),
    "alpha": (dict(regression="ridge", alpha=0), "alpha must be above 0"),
    "alphas": (dict(regression="ridge", alpha=[]), "alpha must be above 0"),
    "components": (dict(n_components=0), "whole number from 1"),
    "splits": (dict(splits=0), "splits must be a whole number from 1"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_predictivity_cannot_answer(wrong):
    changed, message = WRONG[wrong]
    given = {"features": X, "responses": MEAN, "groups": OBJECTS, **changed}
    if len(given["features"]) != 160 and "groups" not in changed:
        given["groups"] = None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=message):
            brainscore.neural_predictivity(**given)


@pytest.mark.parametrize(
    ("responses", "message"),
    [
        (Y[:1], r"2 repetitions or more.*\(1, 160, 20\)"),
        (Y[:, :3], "needs 4 images or more, got 3"),
        (MEAN, r"shape \(repeats, images, sites\)"),
        (with_value(Y, (2, 3, 4), np.nan), "not finite .* column 4"),
        (constant(Y, 6), "in one half .* site 6"),
        (Y[..., :0], "responses must have the shape"),
    ],
)
def test_what_a_ceiling_cannot_answer(responses, message):
    with pytest.raises(ValueError, match=message):
        brainscore.ceiling(responses)
