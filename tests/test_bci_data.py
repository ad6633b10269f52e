"""The BCI sessions' loaders: made files in the published form, and the originals where they are."""

from pathlib import Path

import numpy as np
import pytest
from golub import original
from scipy.io import loadmat, savemat

from brainkit import data
from brainkit.data import bci
from brainkit.data.bci import TARGET_DISTANCE

KINDS = ("intuitive", "perturbed")
UNITS, FACTORS, BINS = 6, 3, 4


def objects(arrays):
    """As MATLAB's cells: they may hold arrays of one shape."""
    cells = np.empty(len(arrays), object)
    cells[:] = arrays
    return cells


# ---- learning


@pytest.fixture
def made_learning(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    eta = np.eye(FACTORS)[[2, 0, 1]]
    mappings = {f"{kind}Mapping": {
        "mu_u": rng.uniform(1, 5, UNITS), "Sigma_u": np.diag(rng.uniform(1, 2, UNITS)),
        "L": rng.standard_normal((UNITS, FACTORS)), "Ph": rng.uniform(0.5, 1, UNITS),
        "V": np.linalg.qr(rng.standard_normal((FACTORS, FACTORS)))[0],
        "D": np.diag([3.0, 2, 1]), "M1": rng.standard_normal((2, 2)),
        "M2": rng.standard_normal((2, UNITS)), "m0": rng.standard_normal(2),
        "eta": eta if kind == "perturbed" else np.eye(FACTORS),
        "K": rng.standard_normal((2, FACTORS)), "d": rng.standard_normal(FACTORS),
        "Sigma_z": np.diag([0.5, 1, 2])} for kind in KINDS}  # fmt: skip
    made = {f"{when}Learning": {"clouds": {
        "spikes": objects([rng.poisson(3, (UNITS, BINS)).astype(np.uint8) for _ in range(8)]),
        **{name: objects([rng.standard_normal((2, BINS)) for _ in range(8)])
           for name in ("cursorToTargetDirection", "vraw_intuitive", "vraw_perturbed")},
        "angles": np.arange(0, 360, 45)}} for when in ("before", "after")}  # fmt: skip
    path = tmp_path / "made.mat"
    savemat(path, made | {"expParams": mappings}, oned_as="column")
    monkeypatch.setattr(bci, "fetch", lambda name: {"bci-learning": path}[name])
    return made, mappings


def test_learning_is_read_bin_by_unit(made_learning):
    made, mappings = made_learning
    found = data.bci_learning()
    fields = {"counts": "spikes", "directions": "cursorToTargetDirection",
              "intuitive": "vraw_intuitive", "perturbed": "vraw_perturbed"}
    for when in ("before", "after"):
        clouds = made[f"{when}Learning"]["clouds"]
        for name, published in fields.items():
            array = getattr(getattr(found, when), name)
            assert array.dtype == float
            for target in range(8):
                np.testing.assert_array_equal(array[target], clouds[published][target].T)
    for kind in KINDS:
        for name in ("M1", "M2", "m0"):
            np.testing.assert_array_equal(getattr(getattr(found, kind), name),
                                          mappings[f"{kind}Mapping"][name])
    shared = mappings["intuitiveMapping"]
    np.testing.assert_allclose(found.factors.sd, 1 / np.diag(shared["Sigma_u"]))
    np.testing.assert_allclose(found.factors.rotation, shared["V"] @ shared["D"])
    np.testing.assert_array_equal(found.factors.mean, shared["mu_u"])
    np.testing.assert_array_equal(found.factors.loadings, shared["L"])
    np.testing.assert_array_equal(found.factors.private, shared["Ph"])
    assert found.order.tolist() == [2, 0, 1]
    np.testing.assert_array_equal(found.factor_scale, [0.5, 1, 2])
    np.testing.assert_array_equal(found.gain, shared["K"])
    np.testing.assert_array_equal(found.offset, shared["d"])
    np.testing.assert_allclose(found.targets, np.arange(8) * np.pi / 4)


# ---- session

HELD, LENGTH, STARTS = 5, 12, np.array([[0, 0], [8.0, -3]])


def made_block(rng):
    """Two trials: to the right, held at first; and to the upper left, from `STARTS[1]`."""
    n = 2 * LENGTH
    frozen = np.tile(np.arange(LENGTH) < HELD, 2)
    frozen[LENGTH:] = False
    velocities = rng.uniform(20, 60, (n + 1, 2))
    velocities[LENGTH:] *= -1
    goals = TARGET_DISTANCE * np.array([[1, 0], [-(0.5**0.5), 0.5**0.5]]).repeat(LENGTH, 0)
    positions = np.empty((n, 2))
    for trial in range(2):
        place = STARTS[trial]
        for t in range(trial * LENGTH, (trial + 1) * LENGTH):
            positions[t] = place
            if not frozen[t]:
                place = place + data.BCI_BIN * velocities[t + 1]
    way = goals - positions
    belief = np.zeros((n, 2))
    belief[[0, 1, LENGTH, LENGTH + 1]] = np.nan
    theta = -np.rad2deg(np.arctan2(way[:, 1], way[:, 0])) % 360  # clockwise, as published
    block = {"spikes": rng.poisson(2, (n, UNITS)).astype(np.uint8), "vel": velocities[:-1],
             "velNext": velocities[1:], "thetas": theta, "isFreezePeriod": frozen,
             "velIme": belief, "nDecoder": {"M1": np.eye(2), "M2": rng.standard_normal((2, UNITS)),
                                            "M0": rng.standard_normal(2)}}  # fmt: skip
    return block, positions, goals


@pytest.fixture
def made_session(tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    blocks = [made_block(rng) for _ in KINDS]
    analysis = {"L": rng.standard_normal((UNITS, FACTORS)), "ph": rng.uniform(0.5, 1, UNITS),
                "spikeRot": np.eye(FACTORS)}  # fmt: skip
    path = tmp_path / "made.mat"
    savemat(path, {"D": {"blocks": objects([b[0] for b in blocks]), "dec": {
        "FactorAnalysisParams": analysis, "spikeCountMean": np.ones(UNITS),
        "spikeCountStd": 2 * np.ones(UNITS)}}}, oned_as="column")  # fmt: skip
    monkeypatch.setattr(bci, "fetch", lambda name: {"bci-session": path}[name])
    return blocks, analysis


def test_session_positions_come_from_the_angles(made_session):
    blocks, analysis = made_session
    found = data.bci_session()
    np.testing.assert_array_equal(found.factors.loadings, analysis["L"])
    np.testing.assert_array_equal(found.factors.sd, 2 * np.ones(UNITS))
    for kind, (made, positions, goals) in zip(KINDS, blocks, strict=True):
        block = getattr(found, kind)
        np.testing.assert_array_equal(block.counts, made["spikes"])
        np.testing.assert_array_equal(block.trial, np.repeat([0, 1], LENGTH))
        np.testing.assert_allclose(block.target, np.repeat([0, 3 * np.pi / 4], LENGTH))
        np.testing.assert_array_equal(block.frozen, made["isFreezePeriod"])
        np.testing.assert_allclose(block.positions, positions, atol=1e-9)
        way = goals - positions
        np.testing.assert_allclose(block.directions, way / np.linalg.norm(way, axis=1)[:, None],
                                   atol=1e-12)  # fmt: skip
        np.testing.assert_array_equal(block.next_velocities, made["velNext"])
        np.testing.assert_array_equal(block.velocities, made["vel"])
        np.testing.assert_array_equal(block.mapping.m0, made["nDecoder"]["M0"])


def test_where_the_files_cannot_be_had(tmp_path, monkeypatch):
    def refused(name):
        raise data.AssetError(f"{name}: no source")

    monkeypatch.setattr(bci, "fetch", refused)
    for load, name in ((data.bci_learning, "bci-learning"), (data.bci_session, "bci-session")):
        with pytest.raises(data.AssetError, match=name):
            load()


# ---- the originals


@pytest.fixture(scope="module")
def session():
    original("bci-session")
    return data.bci_session()


@pytest.fixture(params=KINDS)
def block(session, request):
    return getattr(session, request.param)


def test_velocity_follows_the_counts_and_the_cursor_the_velocity(block):
    mapping = block.mapping
    step = block.velocities @ mapping.M1.T + block.counts @ mapping.M2.T + mapping.m0
    np.testing.assert_allclose(step, block.next_velocities, atol=1e-4)
    follows = np.abs(block.velocities[1:] - block.next_velocities[:-1]).max(1) < 1e-3
    assert follows[np.diff(block.trial) == 0].mean() > 0.98  # the rest: bins not published
    moved = np.diff(block.positions, axis=0)
    expected = data.BCI_BIN * block.next_velocities[:-1] * ~block.frozen[:-1, None]
    known = follows & np.isfinite(moved).all(1) & (np.diff(block.trial) == 0)
    np.testing.assert_allclose(moved[known], expected[known], atol=1e-9)
    assert (block.positions[block.frozen] == 0).all()
    assert np.isnan(block.positions).any(1).mean() < 0.002


def test_trials_go_to_eight_targets_equally_often(block):
    first = np.flatnonzero(np.diff(block.trial, prepend=-1))
    assert len(first) == 332
    assert np.array_equal(np.diff(block.trial[first]), np.ones(331))
    counted = np.bincount(np.round(block.target[first] / (np.pi / 4)).astype(int))
    assert set(counted) == {41, 42}
    # A trial ends on the way to its own target, unless the animal gave up.
    last = np.append(first[1:], len(block.trial)) - 1
    goal = TARGET_DISTANCE * np.stack([np.cos(block.target), np.sin(block.target)], axis=1)
    left = np.linalg.norm(goal - block.positions, axis=1)[last]
    assert 50 < np.nanmedian(left) < 55


def test_positions_give_the_published_angles(session):
    file = loadmat(original("bci-session"), squeeze_me=True, struct_as_record=False)["D"]
    for kind, published in zip(KINDS, file.blocks, strict=True):
        block = getattr(session, kind)
        known = np.isfinite(block.positions).all(1)
        angles = np.arctan2(*block.directions[known].T[::-1])
        wrong = np.angle(np.exp(1j * (angles + np.deg2rad(published.thetas[known]))))
        assert np.abs(wrong).max() < 2e-5
        z = (block.counts - session.factors.mean) / session.factors.sd
        L, Psi = session.factors.loadings, session.factors.private
        latents = z @ np.linalg.solve(L @ L.T + np.diag(Psi), L) @ session.factors.rotation
        np.testing.assert_allclose(latents, published.latents, atol=1e-9)


# ---- nothing of it is shipped


def test_no_counts_come_with_the_project():
    """Its files that hold arrays: integers of units by bins would be a recording's."""
    root = Path(__file__).parents[1]
    assert not list((root / "brainkit/records").glob("bci*.npz"))
    fixture = np.load(root / "tests/fixtures/science/golub_decoder.npz")
    assert max(fixture[name].size for name in fixture) == 86 * 10  # the loadings
    for path in root.rglob("*.mat"):
        assert "exampleData" not in path.name
        assert "2013" not in path.name
