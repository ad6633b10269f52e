"""The verdicts of chapter 14 on numbers and tables whose verdict is known."""

import itertools
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from brainkit import claims, data
from brainkit.data import manifold_records
from brainkit.manifolds import hypotheses, investigation, verdicts
from brainkit.manifolds.hypotheses import PLACES


def test_corrected_p_values_are_scipys():
    p = np.random.default_rng(0).uniform(size=23) ** 3
    expected = stats.false_discovery_control(p)
    np.testing.assert_allclose(verdicts.benjamini_hochberg(p), expected)
    # Benjamini and Hochberg's own example: at level .05 the first four of fifteen are found.
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
         0.5719, 0.6528, 0.7590, 1.0]  # fmt: skip
    assert (verdicts.benjamini_hochberg(p) <= 0.05).sum() == 4


def test_what_was_not_tested_is_not_counted():
    found = verdicts.benjamini_hochberg([0.04, np.nan, 0.01])
    np.testing.assert_allclose(found, [0.04, np.nan, 0.02])
    assert np.isnan(verdicts.benjamini_hochberg([np.nan])).all()
    assert len(verdicts.benjamini_hochberg([])) == 0


def test_a_summary_is_students():
    x = [0.3, 0.5, 0.4, 0.7, np.nan]
    found = verdicts.summary(x, 0.2)
    assert (found["low"], found["high"]) == pytest.approx(claims.interval(x[:4]))
    assert found["p"] == pytest.approx(stats.ttest_1samp(x[:4], 0.2).pvalue)
    assert (found["n"], found["mean"]) == (4, pytest.approx(0.475))


def test_the_interval_excludes_just_what_the_p_value_rejects():
    x = np.random.default_rng(1).normal(size=5)
    low, high = claims.interval(x)
    for value, rejected in ((low - 1e-6, True), (low + 1e-6, False), (high + 1e-6, True)):
        assert (verdicts.summary(x, value)["p"] < verdicts.LEVEL) == rejected


def test_a_single_seed_has_a_mean_and_no_verdict():
    (row,) = verdicts.judge([[0.9]], "<", 0.5).to_dict("records")
    assert row["mean"] == 0.9
    assert np.isnan(row["low"])
    assert row["verdict"] == "open"
    assert verdicts.judge([[]], "<", 0.5).verdict[0] == "open"


@pytest.mark.parametrize(("sample", "side", "value", "verdict"), [
    ([1.0, 1.1, 0.9, 1.0], ">", 0.5, "borne out"),
    ([1.0, 1.1, 0.9, 1.0], "<", 0.5, "contradicted"),
    ([1.0, 1.1, 0.9, 1.0], ">", 1.5, "contradicted"),
    ([1.0, 1.1, 0.9, 1.0], "<", 1.5, "borne out"),
    ([1.0, 1.1, 0.9, 1.0], ">", 0.99, "open"),
    ([0.0, 0.0, 0.0], "<", 0.1, "borne out"),  # no spread at all
    ([0.1, 0.1, 0.1], "<", 0.1, "open"),
    ([0.01, -0.02, 0.03], "within", 0.2, "borne out"),
    ([0.5, 0.52, 0.51], "within", 0.2, "contradicted"),
    ([-0.5, -0.52, -0.51], "within", 0.2, "contradicted"),
    ([0.15, 0.19, 0.25], "within", 0.2, "open"),
])  # fmt: skip
def test_sides(sample, side, value, verdict):
    assert verdicts.judge([sample], side, value).verdict.tolist() == [verdict]


def test_layers_are_corrected_together():
    rng = np.random.default_rng(0)
    z = rng.normal(size=5)
    edge = (z - z.mean()) / z.std(ddof=1) / 5**0.5 * 0.9 / stats.t.ppf(0.975, 4) + 1
    assert verdicts.judge([edge * 1], ">", 0.1).verdict[0] == "borne out"
    lame = z - z.mean()  # as far from anything as can be
    both = verdicts.judge([edge, *[lame] * 5], ">", 0.1)
    assert both.p[0] < verdicts.LEVEL
    alone = verdicts.judge([edge], ">", 0.1).q[0]
    assert both.q[0] == pytest.approx(min(6 * alone, 1))
    with pytest.raises(ValueError, match="side must be"):
        verdicts.judge([edge], "=", 1)


def test_together():
    yes, no, open_ = "borne out", "contradicted", "open"
    assert verdicts.all_of([yes, yes]) == yes
    assert verdicts.all_of([yes, open_]) == open_
    assert verdicts.all_of([yes, open_, no]) == no
    assert verdicts.all_of([]) == open_
    assert verdicts.agreed([yes, yes]) == yes
    assert verdicts.agreed([no, no]) == no
    assert verdicts.agreed([yes, no]) == verdicts.agreed([yes, open_]) == open_


# --- planted tables ---------------------------------------------------------------------------

NETS = ("resnet", "vone_resnet", "vone_resnet_simple", "noise_resnet", "cornet_s", "feedforward_s",
        "vone_cornet_s", "it_resnet", "it_shuffled_resnet", "harmonised_resnet",
        "wrong_map_resnet", "adversarial_resnet", "untrained_resnet")  # fmt: skip
LAYERS = ("normalise", "stem", "stages.0", "stages.1", "stages.2", "pool")


def as_hypothesised(net, place, question, measure, change, subspace):
    """A mean that bears every hypothesis out."""
    deep = PLACES.index(place)
    taught = any(word in net for word in ("vone", "noise", "adversarial"))
    if "index" in measure:
        return (0.3 if taught else 0.1) if deep == 0 else 0.1 + deep / 2
    if "AUROC" in measure:
        return 0.7 if change.startswith("attack") and deep >= 4 else 0.5
    if question == "C":
        if "random" in measure or subspace == "random":
            return 0.02
        return 0.8 if ("within" in measure) == (deep > 0) else 0.2
    if question == "D":
        if subspace == "random":
            return 0.9
        return 0.2 if (change == "within") == (deep >= 2) else 0.4
    return {"attack": 0.02 if deep == 0 else 0.7, "random signs": 0.015 if deep == 0 else 0.5,
            "tangent": 0.9}[change.split(",")[0]]  # fmt: skip


def asked():
    """All numbers that hypotheses ask for: question, measure, change, subspace."""
    attack = ("fixed", "matched")
    for kind in attack:
        for natural in ("same class", "other class"):
            yield "A", f"index, {natural}", f"attack, {kind}", "95%"
        for change, score in itertools.product(
                ("attack", "random signs"), ("residual", "distance to neighbours",
                                             "local dimension")):  # fmt: skip
            yield "B", f"AUROC, {score}", f"{change}, {kind}", "95%"
        for part, length in itertools.product(
                ("within", "outside", "random within", "random outside"), ("", ", full length")):
            for space in ("95%", "random"):
                yield "C", f"flipped by {part}{length}", f"attack, {kind}", space
        for change in ("attack", "random signs", "tangent"):
            yield "E", "energy", f"{change}, {kind}", "tangents"
    for space, where in itertools.product(("95%", "random"), ("within", "outside")):
        yield "D", "smallest flip", where, space


def planted(truth=as_hypothesised, kind="objects", seeds=5, spread=0.01):
    rng = np.random.default_rng(0)
    rows = []
    for net, seed, what in itertools.product(NETS, range(seeds), list(asked())):
        for layer, place in zip(LAYERS, PLACES, strict=True):
            value = truth(net, place, *what) * (1 + spread * rng.normal())
            rows.append((f"{net}-{kind}", seed, layer, what[0], what[3], 8, *what[1:3], value, 99))
    return pd.DataFrame(rows, columns=investigation.COLUMNS)


@pytest.fixture(scope="module")
def table():
    return planted()


def test_a_table_as_hypothesised_bears_all_out(table):
    found = hypotheses.verdicts(hypotheses.comparisons(table))
    assert found.index.tolist() == [h.id for h in hypotheses.HYPOTHESES]
    assert (found["all"] == "borne out").all(), found["all"].to_string()
    assert found.loc["A2"].dropna().index.tolist() == ["all", "resnet-objects"]
    assert not [net for net in found if "untrained" in net]
    assert len(found.loc["C1"].dropna()) == len(NETS)  # all but the untrained, and "all"


def test_without_the_pilot_its_seed_is_left_out_and_the_verdict_stays(table):
    tests = hypotheses.comparisons(table, without=hypotheses.PILOT)
    assert (hypotheses.verdicts(tests)["all"] == "borne out").all()
    n = tests.groupby("family").n.max()
    assert n["resnet-objects"] == n["noise_resnet-objects less resnet-objects"] == 4
    assert n["cornet_s-objects"] == 5


def test_a_place_or_family_that_fails_contradicts_the_whole(table):
    where = ((table.net == "cornet_s-objects") & (table.layer == "stages.1")
             & table.measure.str.contains("flipped by within"))  # fmt: skip
    bad = table.assign(value=table.value.where(~where, 0.05))
    found = hypotheses.verdicts(hypotheses.comparisons(bad))
    assert found.loc["C1", "all"] == found.loc["C1", "cornet_s-objects"] == "contradicted"
    assert found.loc["C1", "resnet-objects"] == "borne out"
    assert found.loc["C2", "all"] == "borne out"


def test_readings_that_disagree_leave_it_open(table):
    where = (table.change == "attack, matched") & table.measure.str.startswith("index")
    bad = table.assign(value=table.value.where(~where, 0.9))
    found = hypotheses.verdicts(hypotheses.comparisons(bad))
    assert found.loc["A1", "all"] == found.loc["A2", "all"] == "open"


def test_few_seeds_leave_all_open(table):
    found = hypotheses.verdicts(hypotheses.comparisons(table[table.seed == 0]))
    assert (found["all"] == "open").all()


def test_a_family_that_is_missing_leaves_its_comparison_open(table):
    rest = table[table.net != "wrong_map_resnet-objects"]
    found = hypotheses.verdicts(hypotheses.comparisons(rest))
    assert found.loc["A4", "all"] == "open"
    assert found.loc["A1", "all"] == "borne out"


def test_a_flip_that_was_not_found_is_a_long_one(table):
    where = (table.question == "D") & (table.change == "outside") & (table.layer == "pool")
    far = table.assign(value=table.value.where(~where, np.inf))
    assert hypotheses.verdicts(hypotheses.comparisons(far)).loc["D1", "all"] == "borne out"


def test_photographs_have_their_own_five():
    found = hypotheses.verdicts(hypotheses.comparisons(planted(kind="cifar10", seeds=3), "cifar10"))
    assert found.index.tolist() == list(hypotheses.PHOTOGRAPHS)
    assert (found["all"] == "borne out").all()
    with pytest.raises(ValueError, match="kind must be"):
        hypotheses.comparisons(planted(seeds=1), "digits")


def test_the_hypotheses_are_those_that_were_written_down():
    text = (Path(__file__).parents[1] / "notebooks/protocols/14_hypotheses.md").read_text()
    written = re.findall(r"^- \*\*([A-E]\d)\*\*", text, re.M)
    assert [h.id for h in hypotheses.HYPOTHESES] == written


def test_a_missing_record_says_how_to_make_it(monkeypatch, tmp_path):
    monkeypatch.setattr(manifold_records, "RECORDS", tmp_path)
    with pytest.raises(FileNotFoundError, match="make investigation"):
        data.investigation()


def test_the_record_keeps_empty_names_and_undefined_values(monkeypatch, tmp_path):
    monkeypatch.setattr(manifold_records, "RECORDS", tmp_path)
    rows = planted(seeds=1).head(3).assign(value=[0.5, np.nan, 1.0], subspace="", change="none")
    rows.to_csv(tmp_path / "investigation.csv.gz", index=False)
    found = data.investigation()
    assert found.value.isna().tolist() == [False, True, False]
    assert (found.subspace == "").all()
    assert (found.change == "none").all()
