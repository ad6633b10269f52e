"""The simulated IT: what it is said to be, measured."""

import numpy as np
import pytest
import torch

from brainkit import objects
from brainkit.neurons import SimulatedIT

SET = objects.sample(512, "high", seed=8, size=16)


@pytest.fixture(scope="module")
def it():
    return SimulatedIT()


def test_repeats_to_the_bit_and_differs_between_animals(it):
    assert torch.equal(it.rates(SET), SimulatedIT().rates(SET))
    assert not torch.equal(it.rates(SET), SimulatedIT(seed=1).rates(SET))
    one, other = it.record(SET, 3, seed=5), it.record(SET, 3, seed=5)
    assert torch.equal(one.counts, other.counts)
    assert not torch.equal(one.counts, it.record(SET, 3, seed=6).counts)
    assert one.simulated


def test_counts_are_poisson(it):
    recording = it.record(SET[:64], 400)
    assert (recording.counts == recording.counts.round()).all()
    assert (recording.counts >= 0).all()
    busy = recording.rates > 1
    fano = (recording.counts.var(0) / recording.counts.mean(0))[busy]
    assert fano.mean().item() == pytest.approx(1, abs=0.02)
    off = (recording.mean - recording.rates) / (recording.rates / 400).sqrt()
    assert off[busy].std().item() == pytest.approx(1, abs=0.05)


def test_rates_are_those_of_a_cortex_and_heavy_tailed(it):
    mean = it.rates(SET).mean(0) / 0.1  # spikes a second
    assert 10 < mean.median() < 40
    assert mean.log().std().item() == pytest.approx(0.7, abs=0.25)
    assert mean.mean() > 1.15 * mean.median()


def test_no_model_can_explain_more_than_the_reliability(it):
    repeats = 10
    recording = it.record(SET, repeats)
    found = [np.corrcoef(r, c)[0, 1] ** 2
             for r, c in zip(recording.rates.T.numpy(), recording.mean.T.numpy(), strict=True)]
    expected = it.reliability(SET, repeats)
    assert np.median(found - expected.numpy()) == pytest.approx(0, abs=0.01)
    assert (it.reliability(SET, 40) > expected).all()


def test_population_holds_category_and_pose_but_no_site_alone_tells_the_category(it):
    rates = it.rates(SET)
    rates = (rates - rates.mean(0)) / rates.std(0)

    def read(x, y):
        weights = torch.linalg.lstsq(x[:384], y[:384]).solution
        return x[384:] @ weights, y[384:]

    classes = torch.nn.functional.one_hot(SET.labels, 8).float() - 1 / 8
    said, truth = read(rates, classes)
    assert (said.argmax(1) == truth.argmax(1)).float().mean() > 0.7
    for name in ("x", "size", "yaw"):
        value = SET.latent(name)
        said, truth = read(rates, ((value - value.mean()) / value.std())[:, None])
        assert np.corrcoef(said[:, 0], truth[:, 0])[0, 1] > 0.5, name
    between = torch.stack([rates[SET.labels == k].mean(0) for k in range(8)]).var(0, correction=0)
    assert between.median() < 0.5  # of a variance of 1
    assert between.max() < 0.9


def test_shares_of_drive_are_what_was_asked():
    only = SimulatedIT(category=1.0)
    same = objects.sample(512, "high", seed=9, size=16)
    rates = only.rates(same)
    for label in range(2):
        for exemplar in range(2):
            mine = rates[(same.labels == label) & (same.exemplars == exemplar)]
            assert len(mine) > 2
            assert (mine - mine[0]).abs().max() < 1e-4


@pytest.mark.parametrize(("settings", "message"), [
    (dict(sites=0), "1 site or more"), (dict(category=2), "share from 0 to 1"),
    (dict(rate=0), "positive rate"),
])
def test_senseless_populations_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        SimulatedIT(**settings)
    with pytest.raises(ValueError, match="repeats=0"):
        SimulatedIT(sites=2).record(SET[:4], 0)
