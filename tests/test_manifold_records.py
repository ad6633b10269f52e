"""The recorded geometry of the zoo: whole, possible, of the shipped nets, and this code's."""

import numpy as np
import pytest

from brainkit import data, manifolds, models
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
