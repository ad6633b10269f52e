"""The 92 objects: files in the published format, and the record that stands in for them."""

import io

import numpy as np
import pytest
from made_assets import asset  # noqa: F401  a fixture
from scipy.io import savemat
from scipy.spatial.distance import squareform

from brainkit import data, similarity
from brainkit.data import catalogue, kriegeskorte

N = 92
RANDOM = np.random.default_rng(0)


def structs(fields, shape):
    """A MATLAB struct array: fields {name: list of values}."""
    out = np.empty(shape, dtype=[(name, object) for name in fields])
    for name, values in fields.items():
        out[name] = np.array([*values, None], dtype=object)[:-1].reshape(shape)
    return out


def rdm():
    return squareform(RANDOM.uniform(0.1, 2, N * (N - 1) // 2))


def mat(**variables):
    stream = io.BytesIO()
    savemat(stream, variables)
    return stream.getvalue()


@pytest.fixture
def published(asset, monkeypatch, tmp_path):  # noqa: F811
    """Made files in the published format, in the mirror; returns what they hold."""
    images = [RANDOM.integers(0, 256, (175, 175, 3), dtype=np.uint8) for _ in range(N)]
    flags = {"category": ["x"] * N, "human": [1, 1, 0, 0, 0, 0] * 15 + [0, 0],
             "face": [0, 1, 0, 1, 0, 0] * 15 + [0, 0], "animal": [1, 1, 1, 1, 0, 0] * 15 + [0, 0],
             "natural": [1, 1, 1, 1, 1, 0] * 15 + [1, 0], "image": images}
    it = [rdm(), rdm()]
    subjects = [rdm().astype(np.float32) for _ in range(8)]
    people = [rdm() for _ in range(16)]
    files = {
        "Kriegeskorte_Neuron2008_supplementalData.mat": mat(
            stimuli_92objs=structs(flags, (1, N)),
            RDMs_mIT_hIT_fig1=structs({"name": ["monkey", "human"],
                                       "RDM": [squareform(r)[None] for r in it]}, (1, 2))),
        "92_brainRDMs.mat": mat(RDMs=structs({"RDM": subjects}, (1, 4, 2))),
        "92_behavRDMs.mat": mat(rdms_behav_92=structs({"RDM": people}, (1, 16))),
    }
    asset(name="objects92", files=files)
    (tmp_path / "mirror").mkdir()
    for name, content in files.items():
        (tmp_path / "mirror" / name).write_bytes(content)
    monkeypatch.setenv("BRAINKIT_MIRROR", str(tmp_path / "mirror"))
    return images, it, subjects, people


def test_files_in_the_published_format_are_read(published):
    images, (monkey, human), subjects, people = published
    found = data.objects92()
    np.testing.assert_array_equal(found.images, images)
    np.testing.assert_allclose(found.monkey, monkey)
    np.testing.assert_allclose(found.human, human)
    np.testing.assert_allclose(found.subjects.reshape(8, N, N), subjects, rtol=1e-6)
    np.testing.assert_allclose(found.judgements, people)
    assert found.categories[:6].tolist() == list(kriegeskorte.CATEGORIES)
    assert found.categories[-2:].tolist() == list(kriegeskorte.CATEGORIES[4:])
    assert found.animate[:6].tolist() == [True] * 4 + [False] * 2
    assert (found.source, found.why) == ("read from the published files", "")


@pytest.fixture
def record(monkeypatch):
    def unreachable(name):
        raise catalogue.AssetError(f"no source of {name}")

    monkeypatch.setattr(kriegeskorte, "fetch", unreachable)
    return data.objects92()


def test_record_stands_in_and_says_so(record):
    assert record.images is None
    assert record.source == "from brainkit's record"
    assert "no source of objects92" in record.why
    assert record.subjects.shape == (4, 2, N, N)
    assert np.unique(record.categories, return_counts=True)[1].sum() == N
    # The published figure's RDM of human IT is the mean of the subjects.
    mean = record.subjects.mean((0, 1))
    assert similarity.compare_rdms(record.human, mean) == pytest.approx(1, abs=1e-4)
    assert similarity.compare_rdms(record.monkey, record.human) == pytest.approx(0.439, abs=1e-3)
    assert record.animate.sum() == 48


def test_recorded_nets_have_rdms():
    nets = data.objects92_nets()
    assert nets["alexnet-conv/features.9/0"].shape == (N, N)
    assert len({name.partition("/")[0] for name in nets if "objects" in name}) == 11
    for found in nets.values():
        similarity.compare_rdms(found, found)  # refuses what is no RDM


def test_record_is_what_the_published_files_hold(record, monkeypatch):
    """Where they can be had (BRAINKIT_MIRROR, or a connection)."""
    monkeypatch.undo()
    found = data.objects92()
    if found.images is None:
        pytest.skip(f"no source is within reach: {found.why[:200]}")
    np.testing.assert_array_equal(found.categories, record.categories)
    for name in ("monkey", "human", "subjects"):
        np.testing.assert_allclose(getattr(found, name), getattr(record, name), atol=2e-3)
