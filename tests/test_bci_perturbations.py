"""Within- and outside-manifold perturbations: their scores by hand, and pairs that match."""

import numpy as np
import pytest
from golub import DIRECTIONS, MAPPING, SPIKES

from brainkit.bci import Decoder, matched_pair, perturbations, progress


@pytest.fixture(scope="module")
def decoder():
    return Decoder.from_mapping(MAPPING)


@pytest.fixture(scope="module")
def candidates(decoder):
    return tuple(perturbations(decoder, SPIKES, DIRECTIONS, kind, 300)
                 for kind in ("within", "outside"))


# ---- perturbations


def test_scores_written_out(decoder, candidates):
    """By decoders that are made, run on the spikes and compared, one by one."""
    intuitive = decoder.pushes(SPIKES)
    for found in candidates:
        for i in (0, 299):
            made = found.decoded(i)
            pushes = made.pushes(SPIKES)
            lost = 1 - progress(pushes, DIRECTIONS).mean() / progress(intuitive, DIRECTIONS).mean()
            assert found.impairment[i] == pytest.approx(lost)
            change = np.sqrt(((pushes - intuitive) ** 2).sum(-1).mean(1)
                             / (intuitive**2).sum(-1).mean())  # fmt: skip
            assert found.errors[i] == pytest.approx(change)  # each direction is nearest its target
            assert found.angles[i] == pytest.approx(decoder.angles_to(made))


def test_within_stays_and_outside_leaves(candidates):
    within, outside = candidates
    assert min(within.decoded(i).share_within for i in range(20)) > 0.95
    assert max(outside.decoded(i).share_within for i in range(20)) < 0.6


def test_outside_moves_the_most_modulated(decoder, candidates):
    means = SPIKES.mean(1)
    modulated = np.sort(np.argsort(-np.ptp(means, axis=0))[:30])
    moved = (candidates[1].permutations != np.arange(86)).any(0)
    assert np.array_equal(np.flatnonzero(moved), modulated)
    every = perturbations(decoder, SPIKES, DIRECTIONS, "outside", 20, units=None)
    assert (every.permutations != np.arange(86)).any(0).all()


def test_groups_move_as_wholes(decoder):
    found = perturbations(decoder, SPIKES, DIRECTIONS, "outside", 50, units=86, groups=10)
    moved = (found.permutations != np.arange(86)).any(0)
    assert moved.sum() == 80  # ten groups of eight, and six left over
    # Over many permutations a unit is fed by the units of its own place in each group: ten, and
    # eight places in all.
    fed_by = {frozenset(found.permutations[:, unit]) for unit in np.flatnonzero(moved)}
    assert len(fed_by) == 8
    assert {len(place) for place in fed_by} == {10}


def test_candidates_are_distinct_and_seeded(decoder, candidates):
    for found in candidates:
        assert len({tuple(row) for row in found.permutations}) == 300
        assert (found.permutations != np.arange(found.permutations.shape[1])).any(1).all()
    again = perturbations(decoder, SPIKES, DIRECTIONS, "within", 300)
    assert np.array_equal(again.permutations, candidates[0].permutations)
    other = perturbations(decoder, SPIKES, DIRECTIONS, "within", 300, seed=1)
    assert not np.array_equal(other.permutations, candidates[0].permutations)


@pytest.mark.parametrize(("kind", "options", "says"), [
    ("sideways", {}, "kind='sideways'"),
    ("within", {"n": 0}, "n=0"),
    ("within", {"n": 4_000_000}, "10 things have only 3628799"),
    ("outside", {"units": 87}, "units=87, but there are 86"),
    ("outside", {"units": 5, "groups": 6}, "groups=6, but there are 5"),
    ("within", {"targets": 300}, "no bin is nearest to target"),
])  # fmt: skip
def test_bad_perturbations(decoder, kind, options, says):
    with pytest.raises(ValueError, match=says):
        perturbations(decoder, SPIKES, DIRECTIONS, kind, **{"n": 5, **options})


def test_perturbations_need_progress_first(decoder):
    with pytest.raises(ValueError, match="no progress under the decoder"):
        perturbations(decoder, SPIKES, -DIRECTIONS, "within", 5)


# ---- the match


def test_match(candidates):
    match = matched_pair(*candidates)
    for (name, (w, o)), allowed in zip(match.features.items(), (0.05, 0.15, 5, 5), strict=True):
        assert abs(w - o) <= allowed, name
    assert all(0.25 <= value <= 1 for value in match.features["impairment"])
    for decoder in (match.within, match.outside):
        assert 20 <= decoder.angles_to(candidates[0].decoder).mean() <= 75
    assert match.within.share_within > 0.9 > 0.4 > match.outside.share_within
    assert match.criteria["angle_within"] == 5
    assert f"{match.pairs} pairs" in str(match)


def test_match_is_the_pair_nearest_the_median(candidates):
    """By going through all pairs."""
    allowed = np.array([0.1, 0.3, 8, 8])
    kept = []
    for found in candidates:
        mean = found.angles.mean(1)
        kept.append(np.flatnonzero((found.impairment >= 0.4) & (found.impairment <= 0.9)
                                   & (mean >= 30) & (mean <= 80)))  # fmt: skip
    scaled = [found.features[rows] / allowed for found, rows in zip(candidates, kept, strict=True)]
    median = np.median(np.concatenate(scaled), axis=0)
    best = min((((w - median) ** 2).sum() + ((o - median) ** 2).sum(), kept[0][i], kept[1][j])
               for i, w in enumerate(scaled[0]) for j, o in enumerate(scaled[1])
               if np.abs(w - o).max() <= 1)  # fmt: skip
    match = matched_pair(*candidates, impairment=(0.4, 0.9), angles=(30, 80),
                         impairment_within=0.1, error_within=0.3, angle_within=8)
    assert match.index == best[1:]
    assert match.eligible == (len(kept[0]), len(kept[1]))


@pytest.mark.parametrize(("options", "says"), [
    ({"impairment": (3, 4)}, r"no within candidate of 300 has an impairment in \(3, 4\)"),
    ({"angles": (1, 2)}, "0 the angle .*Widen the range"),
    ({"angle_within": 1e-6}, r"nearest differ in .*angle by .*\(allowed 1e-06\).*Relax that"),
    ({"error_within": 0}, "must be positive"),
    ({"error_within": float("nan")}, "must be positive"),
])  # fmt: skip
def test_no_match_says_what_to_relax(candidates, options, says):
    with pytest.raises(ValueError, match=says):
        matched_pair(*candidates, **options)


def test_match_takes_one_of_each_of_one_decoder(candidates):
    within, outside = candidates
    with pytest.raises(ValueError, match="kind 'within'"):
        matched_pair(outside, within)
    other = perturbations(Decoder.from_mapping(MAPPING), SPIKES, DIRECTIONS, "outside", 5)
    with pytest.raises(ValueError, match="one and the same decoder"):
        matched_pair(within, other)
