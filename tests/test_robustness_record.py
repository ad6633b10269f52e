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


def test_all_families_without_noise_were_measured_in_five_seeds(record):
    noisy = {f"{name}-objects" for name in ("vone_resnet", "vone_resnet_simple", "vone_cornet_s",
                                            "noise_resnet")}
    due = {name for name in models.available()
           if name.endswith("-objects") and "_mini-" not in name and name != "live_cnn-objects"}
    assert noisy < due
    seeds = record.groupby("net").seed.nunique()
    assert (seeds[sorted(due - noisy)] == 5).all()


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
