"""The recorded robustness of the zoo: whole, possible, and of the nets that are shipped."""

import numpy as np
import pytest

from brainkit import attacks, data, models, objects
from brainkit.data import PROTOCOL

THREATS = tuple(PROTOCOL["epsilons"])


@pytest.fixture(scope="module")
def record():
    return data.robustness()


def test_every_net_that_was_measured_was_measured_in_everything(record):
    shipped = models.available()
    for (name, seed), rows in record.groupby(["net", "seed"]):
        assert seed in shipped[name]
        assert not rows.duplicated(["measure", "at"]).any()
        for threat, epsilons in PROTOCOL["epsilons"].items():
            there = rows[rows.measure == threat]["at"].to_numpy()
            np.testing.assert_allclose(there, epsilons, rtol=1e-5)
        kinds = {"noise", "blur", "contrast", "pixelate", "clean", *THREATS}
        brains = {"cka", "predictivity", "i2n", "rsa_monkey", "rsa_human"}
        assert set(rows.measure) == kinds | (brains if name.endswith("-objects") else set())


def due(kind: str) -> list[str]:
    return sorted(name for name in models.available() if name.endswith(f"-{kind}")
                  and "_mini-" not in name and name != "live_cnn-objects")  # fmt: skip


@pytest.mark.parametrize(("kind", "families", "seeds"), [("objects", 19, 5), ("cifar10", 6, 3)])
def test_all_families_were_measured_in_all_seeds(record, kind, families, seeds):
    assert len(due(kind)) == families
    measured = record.groupby("net").seed.nunique()
    assert (measured[due(kind)] == seeds).all()


def test_autoattack_judged_every_family_and_hardly_ever_finds_more():
    judged = data.autoattack()
    assert sorted(judged.net) == due("objects")
    for column in ("clean", "ours", "autoattack"):
        counted = judged[column] * judged.n
        np.testing.assert_allclose(counted, counted.round(), atol=0.02)
    assert (judged.ours <= judged.clean).all()
    # An attack of ours that misses what AutoAttack finds would flatter every net of chapter 10.
    assert (judged.n * (judged.ours - judged.autoattack)).sum() <= 0.02 * judged.n.sum()


def test_accuracies_are_shares_of_their_images_and_fall(record):
    accuracy = record[~record.measure.isin(["cka", "predictivity", "i2n", "rsa_monkey",
                                            "rsa_human"])]
    counted = accuracy.value * accuracy.n
    np.testing.assert_allclose(counted, counted.round(), atol=2e-3)
    assert accuracy.value.between(0, 1).all()
    for _, rows in record[record.measure.isin(THREATS)].groupby(["net", "seed", "measure"]):
        assert rows.sort_values("at").value.is_monotonic_decreasing


def test_a_recorded_curve_is_the_one_that_is_measured(record):
    net = models.load("resnet-objects", 1)
    test = objects.sample(PROTOCOL["n"]["L1"], "medium", seed=PROTOCOL["objects_seed"])
    now = attacks.robust_accuracy(net, test, threat="L1", epsilons=PROTOCOL["epsilons"]["L1"],
                                  steps=PROTOCOL["steps"], batch_size=len(test))
    rows = record[(record.net == "resnet-objects") & (record.seed == 1) & (record.measure == "L1")]
    # On other processors a picture on the border may fall to either side.
    assert np.abs(now.accuracy.numpy() - rows.value.to_numpy()).max() <= 3 / len(test)
