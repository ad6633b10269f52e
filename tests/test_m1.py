"""Reaching with M1 recorded: made files in the published format, and the published ones."""

import h5py
import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import cross_val_predict

from brainkit import data

RATE = 100  # samples of the cursor a second
GO = 2.0 + 3.0 * np.arange(12)  # seconds
DELAY, LENGTH = 0.1, 0.8  # from the cue to the movement, and that lasts
RESULT = [b"R"] * 9 + [b"A", b"R", b"R"]
VALID = np.arange(12) != 10
GOOD = (np.array(RESULT) == b"R") & VALID
DIRECTION = np.arange(12) % 8 * np.pi / 4
UNITS = 5


def made_spikes():
    rng = np.random.default_rng(0)
    times = rng.uniform(0, 40, 4000)  # in no order, which the loader must not need
    return times, rng.integers(0, UNITS, 4000)


def hand(times):
    """Position (n, 2): smooth steps of 8 cm out at each cue, and back before the next."""
    place = np.zeros((len(times), 2))
    for go, angle in zip(GO, DIRECTION, strict=True):
        out, back = (np.clip((times - start) / LENGTH, 0, 1)
                     for start in (go + DELAY, go + 1.5))
        for step, sign in ((out, 1), (back, -1)):
            share = 10 * step**3 - 15 * step**4 + 6 * step**5
            place += sign * 8 * share[:, None] * [np.cos(angle), np.sin(angle)]
    return place


@pytest.fixture
def published(tmp_path):
    """A made file; called with variables to leave out or replace."""

    def write(**changed):
        clock = np.arange(0, 40, 1 / RATE)
        place = hand(clock)
        times, unit = made_spikes()
        # As published: between -pi and pi, and unknown where a trial was broken off.
        angle = np.where(GOOD, np.angle(np.exp(1j * DIRECTION)), np.nan)
        variables = {
            "trials/is_valid": VALID, "trials/result": np.array(RESULT, dtype=object),
            "trials/go_cue_time": np.where(GOOD, GO, np.nan), "trials/end": GO + 1.2,
            "trials/target_dir": angle, "cursor/timestamps": clock, "cursor/pos": place,
            "cursor/vel": np.gradient(place, clock, axis=0), "spikes/timestamps": times,
            "spikes/unit_index": unit,
            "units/id": np.array([b"M1/elec%d" % k for k in range(UNITS)], dtype=object),
        } | {name.replace("__", "/"): value for name, value in changed.items()}  # fmt: skip
        path = tmp_path / "made.h5"
        with h5py.File(path, "w") as file:
            for name, value in variables.items():
                if value is not None:
                    strings = value.dtype.kind == "O"
                    file.create_dataset(
                        name, data=value, dtype=h5py.string_dtype() if strings else None)
        return path

    return write


@pytest.mark.parametrize("width", [20, 50, 33])
def test_spikes_are_counted_in_bins_from_the_cue(published, width):
    found = data.m1_reaching(path=published(), width=width, window=(-200, 400), align="go")
    times, unit = made_spikes()
    bins = 600 // width
    assert found.counts.shape == (GOOD.sum(), bins, UNITS)
    for trial, go in enumerate(GO[GOOD]):
        edges = go - 0.2 + width / 1000 * np.arange(bins + 1)
        for k in range(UNITS):
            expected = np.histogram(times[unit == k], edges)[0]
            np.testing.assert_array_equal(found.counts[trial, :, k], expected)
    np.testing.assert_allclose(found.times, -200 + width * (np.arange(bins) + 0.5))


def test_only_valid_rewarded_trials_are_kept_with_their_targets(published):
    found = data.m1_reaching(path=published())
    np.testing.assert_array_equal(found.target, (np.arange(12) % 8)[GOOD])
    np.testing.assert_allclose(found.direction, DIRECTION[GOOD])
    assert found.units.tolist() == [f"M1/elec{k}" for k in range(UNITS)]
    np.testing.assert_allclose(
        found.mean()[1], found.counts[found.target == 1].mean(0))
    assert repr(found) == ("M1Reaching(2013-10-03: 10 trials, 5 units, 40 bins of 20 ms around the "
                           "onset)")


def test_movement_starts_at_the_onset(published):
    found = data.m1_reaching(path=published())
    # Speed of such a step, 30 s^2 (1 - s)^2, is at 20 % of its peak at s = .134.
    expected = 1000 * (DELAY + 0.1338 * LENGTH)
    assert ((found.onset > expected - 12) & (found.onset <= expected + 2)).all()
    speed = np.linalg.norm(found.velocities, axis=2)
    peak = 8 * 15 / 8 / LENGTH
    at = np.searchsorted(found.times, 0)
    np.testing.assert_allclose(speed[:, at - 1 : at + 1].mean(1) / peak, 0.2, atol=0.04)
    np.testing.assert_allclose(speed.max(1), peak, rtol=0.01)


def test_hand_is_where_the_file_has_it(published):
    found = data.m1_reaching(path=published(), align="go", window=(0, 900), width=30)
    middles = GO[GOOD][:, None] + found.times / 1000
    expected = np.stack([hand(row) for row in middles])
    np.testing.assert_allclose(found.positions, expected, atol=0.01)
    np.testing.assert_allclose(np.diff(found.positions, axis=1) / 0.03,
                               (found.velocities[:, 1:] + found.velocities[:, :-1]) / 2, atol=1)
    along = found.positions[:, -1]
    np.testing.assert_allclose(np.arctan2(along[:, 1], along[:, 0]) % (2 * np.pi),
                               found.direction, atol=1e-3)


def test_wrong_calls_say_what_is_right(published):
    path = published()
    for options, words in [({"align": "cue"}, "align is one of onset, go"),
                           ({"width": 0}, "holds no bin"), ({"width": 900}, "holds no bin"),
                           ({"window": (100, 100)}, "holds no bin"),
                           ({"window": (-5000, 0)}, "leaves the recording")]:
        with pytest.raises(ValueError, match=words):
            data.m1_reaching(path=path, **options)
    with pytest.raises(data.AssetError, match="2013-10-22"):
        data.m1_reaching("2013-10-02")


def test_file_in_another_format_is_an_asset_error(published, tmp_path):
    with pytest.raises(data.AssetError, match="lacks trials/go_cue_time"):
        data.m1_reaching(path=published(trials__go_cue_time=None))
    (tmp_path / "page.h5").write_text("<html>not found</html>")
    with pytest.raises(data.AssetError, match="cannot be read as HDF5"):
        data.m1_reaching(path=tmp_path / "page.h5")


@pytest.mark.parametrize(("session", "trials", "units"), [
    ("2013-10-03", 154, 71), ("2013-10-22", 150, 41), ("2013-10-23", 192, 61)])
def test_published_sessions_tell_the_direction(session, trials, units):
    """Where they are in the cache or a mirror already: it is a download of 15 MB."""
    if data.state(data.ASSETS["m1-reaching"]) == "absent":
        pytest.skip("m1-reaching is not in the cache: `python -m brainkit.data fetch m1-reaching`")
    found = data.m1_reaching(session, align="go", window=(0, 500), width=500)
    assert found.counts.shape == (trials, 1, units)
    assert set(found.target) == set(range(8))
    decoder = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    told = cross_val_predict(decoder, np.sqrt(found.counts[:, 0]), found.target, cv=10)
    assert (told == found.target).mean() > 0.93
    # The hand is on its way to that target, some 8 cm off.
    end = data.m1_reaching(session, window=(400, 420)).positions[:, 0]
    off = np.angle(np.exp(1j * (np.arctan2(end[:, 1], end[:, 0]) - found.direction)))
    assert np.abs(np.rad2deg(off)).max() < 22.5
