"""The recorded manifolds of the zoo, chapters 12 and 14: whole, possible, and this code's."""

import numpy as np
import pytest

from brainkit import data, manifolds, models
from brainkit.manifolds import investigation
from brainkit.manifolds.survey import survey

KINDS = [("objects", 19, 5), ("cifar10", 6, 3)]
GEOMETRY = {"capacity", "radius", "dimension", "correlation", "participation ratio"}
VARIED = {"energy", "relative length", "AUROC"}


@pytest.fixture(scope="module")
def record():
    return data.survey()


def due(kind: str) -> list[str]:
    return sorted(name for name in models.available() if name.endswith(f"-{kind}")
                  and "_mini-" not in name and name != "live_cnn-objects")  # fmt: skip


@pytest.mark.parametrize(("kind", "families", "seeds"), KINDS)
def test_all_families_were_surveyed_in_all_seeds(record, kind, families, seeds):
    assert len(due(kind)) == families
    found = record[record.net.str.endswith(kind)].groupby("net").seed.unique()
    assert sorted(found.index) == due(kind)
    assert all(sorted(each) == list(range(seeds)) for each in found)


@pytest.mark.parametrize("kind", ["objects", "cifar10"])
def test_every_net_was_measured_in_everything(record, kind):
    of = {"objects", "categories"} if kind == "objects" else {"categories"}
    for (name, seed), rows in record[record.net.str.endswith(kind)].groupby(["net", "seed"]):
        layers = manifolds.main_layers(models.load(name, seed))
        assert list(dict.fromkeys(rows.layer)) == layers
        assert not rows.duplicated(["layer", "of", "measure"]).any()
        assert len({len(here) for _, here in rows.groupby("layer")}) == 1
        measures = rows.groupby("of").measure.unique()
        for each in of:
            assert set(measures[each]) - {"read-out"} == GEOMETRY
        changes = set(measures.index) - of - {"all", "none"}
        assert len(changes) == (12 if kind == "objects" else 5)
        assert all(set(measures[change]) == VARIED for change in changes)


def test_numbers_are_possible(record):
    assert np.isfinite(record.value).all()
    shares = record[record.measure.isin(["energy", "AUROC", "read-out"])]
    assert shares.value.between(0, 1 + 1e-6).all()
    assert (record[record.measure.isin(["capacity", "radius", "dimension"])].value > 0).all()
    # Two for points, and no cloud has more.
    assert (record[record.measure == "capacity"].value <= 2).all()
    units = record[record.measure == "units"].set_index(["net", "seed", "layer"]).value
    size = record[record.measure == "size of the subspace"].set_index(["net", "seed", "layer"])
    assert (size.value <= units[size.index]).all()


def test_a_layer_measured_again_gives_the_recorded_numbers(record):
    """The layer with the fewest units: rendering the pictures takes most of the time."""
    net, layer = ("resnet-objects", 0), "pool"
    now = survey(*net, layers=[layer]).set_index(["of", "measure"]).value
    then = record[(record.net == net[0]) & (record.seed == net[1]) & (record.layer == layer)]
    then = then.set_index(["of", "measure"]).value
    assert set(now.index) == set(then.index)
    # Sums in another order on another processor; a picture on a border may fall to either side.
    np.testing.assert_allclose(now[then.index], then, rtol=0.02, atol=0.005)


# --- Chapter 14: the investigation ----------------------------------------------------------------


@pytest.fixture(scope="module")
def investigated():
    return data.investigation()


@pytest.mark.parametrize(("kind", "families", "seeds"), KINDS)
def test_all_families_were_investigated_in_all_seeds(investigated, kind, families, seeds):
    assert len(due(kind)) == families
    found = investigated[investigated.net.str.endswith(kind)].groupby("net").seed.unique()
    assert sorted(found.index) == due(kind)
    assert all(sorted(each) == list(range(seeds)) for each in found)


@pytest.mark.parametrize("kind", ["objects", "cifar10"])
def test_every_net_was_asked_everything(investigated, kind):
    questions = {"layer", *("ABCDE" if kind == "objects" else "ABCD")}
    changes = {f"{change}, {size}" for size in ("fixed", "matched") for change in (
        "attack", "random signs", "Gaussian", "same class", "other class",
        *(["tangent"] if kind == "objects" else []))}  # fmt: skip
    split = {(space, f"flipped by {part}") for space, parts in investigation.SPLIT.items()
             for part in ("whole", *parts)}  # fmt: skip
    here = investigated[investigated.net.str.endswith(kind)]
    assert not here.duplicated([c for c in here if c not in ("value", "n")]).any()
    for (name, seed), rows in here.groupby(["net", "seed"]):
        assert list(dict.fromkeys(rows.layer)) == manifolds.main_layers(models.load(name, seed))
        for _, layer in rows.groupby("layer"):
            assert set(layer.question) == questions
            assert set(layer[layer.question == "A"].change) == changes
            parts = layer[(layer.question == "C") & (layer.change == "attack, matched")]
            assert set(zip(parts.subspace, parts.measure, strict=True)) == split


def test_investigated_numbers_are_possible(investigated):
    at = investigated.set_index("measure").value
    for measure in ("energy", "energy of held-out"):
        assert at[measure].between(0, 1 + 1e-4).all()
    assert at[at.index.str.startswith("AUROC")].between(0, 1).all()
    flipped = at[at.index.str.startswith("flipped")]
    assert flipped.between(0, 1).all()
    assert (at["smallest flip"] > 0).all()
    # Only an index may lack its scale.
    assert set(at.index[at.isna()]) <= {"index, same class", "index, other class"}


def test_a_net_investigated_again_gives_the_recorded_numbers(investigated, monkeypatch):
    """The fixed attack in the layer with the fewest units, without the tangents that take long."""
    monkeypatch.setattr(investigation.objects, "tangents", lambda of: of.images[:, None])
    monkeypatch.setattr(investigation, "_images", _untouched)
    for name, value in (("radii", (1 / 255,)), ("search", 2)):
        monkeypatch.setitem(investigation.PROTOCOL, name, value)
    net, layer = ("resnet-objects", 1), "pool"
    keys = ["question", "subspace", "size", "measure", "change"]
    now = investigation.investigate(*net, layers=[layer]).set_index(keys).value
    then = investigated[(investigated.net == net[0]) & (investigated.seed == net[1])
                        & (investigated.layer == layer)].set_index(keys).value  # fmt: skip
    fixed = [key for key in now.index if key[0] in "ABC" and key[-1].endswith("fixed")]
    assert len(fixed) > 100
    # Sums in another order on another processor; a picture on a border may fall to either side.
    np.testing.assert_allclose(now[fixed], then[fixed], rtol=0.02, atol=0.01)


def _untouched(kind):
    seen = investigation._Images(kind)
    seen.tangents = None
    return seen
