"""Nets that learn perturbed decoders: the rule, the feedback, and the lever that opens the gap."""

import numpy as np
import pytest
import torch

from brainkit import bci
from brainkit.bci import Decoder, Feedback, ReachingNet, learn

UNITS = 100


@pytest.fixture(scope="module")
def reaching():
    """A net that reaches, its intuitive decoder, and a matched pair of perturbed ones."""
    net = bci.reaching_net(UNITS, seed=0)
    decoder = bci.intuitive_decoder(net)
    scored = [bci.perturbations(decoder, *net.reaches(), kind, 500, units=UNITS // 2)
              for kind in ("within", "outside")]  # fmt: skip
    match = bci.matched_pair(*scored, impairment=(0.25, 1.1), angles=(20, 85), angle_within=10,
                             error_within=0.1, impairment_within=0.15)  # fmt: skip
    return net, decoder, match


def loss(net, decoder):
    rates, directions = net.reaches()
    return float(((decoder.velocities(rates) - directions) ** 2).sum() / (directions**2).sum())


def test_net_is_feulner_and_clopaths():
    net = ReachingNet(400, seed=1)
    weights = net.weights[net.connected]
    assert net.connected.float().mean() == pytest.approx(0.1, abs=0.01)
    assert not net.connected.diagonal().any()
    assert (net.weights[~net.connected] == 0).all()
    assert float(weights.std()) == pytest.approx(1.5 / (0.1 * 400) ** 0.5, rel=0.03)
    assert net.goal.shape == (8, 22, 2)
    assert torch.allclose(net.goal.norm(dim=-1), torch.ones(8, 22))
    rates, passed = net()
    assert rates.shape == passed.shape == (8, 22, 400)
    # Rates reach the synapses a bin later, a fifth of them in each bin.
    assert torch.allclose(passed[:, 1:], 0.8 * passed[:, :-1] + 0.2 * rates[:, :-1], atol=1e-6)


def test_reaches_through_the_intuitive_decoder(reaching):
    net, decoder, match = reaching
    assert loss(net, decoder) < 0.2
    assert min(loss(net, match.within), loss(net, match.outside)) > 0.4
    rates, directions = net.reaches(noise=0.3, repeats=3, seed=5)
    assert rates.shape == (24, 22, UNITS)
    assert np.array_equal(directions[:8], directions[8:16])
    assert np.array_equal(rates, net.reaches(noise=0.3, repeats=3, seed=5)[0])
    assert not np.array_equal(rates, net.reaches(noise=0.3, repeats=3, seed=6)[0])


def test_exact_feedback_teaches_both(reaching):
    net, _, match = reaching
    for decoder in (match.within, match.outside):
        found = learn(net, decoder)
        assert found.losses[0] == pytest.approx(loss(net, decoder), rel=1e-3)
        assert found.losses[-1] == pytest.approx(loss(found.net, decoder), rel=1e-2, abs=1e-4)
        assert found.losses[-1] < 0.05 * found.losses[0]


@pytest.mark.parametrize("feedback", [Feedback(rank=20), Feedback(sparsity=0.5)], ids=str)
def test_poor_feedback_teaches_within_better(reaching, feedback):
    """The lever: matched at first, and both learned by exact feedback (above)."""
    net, _, match = reaching
    within, outside = (np.mean([learn(net, d, feedback, steps=60, seed=s).losses[-1]
                                for s in range(3)])
                       for d in (match.within, match.outside))  # fmt: skip
    assert outside > 2 * within


def test_one_step_is_the_rule_written_out(reaching):
    """Each connection: minus the mean of own error times decorrelated input; nothing else."""
    net, _, match = reaching
    found = learn(net, match.within, steps=1, rate=0.5)
    B = np.linalg.pinv(match.within.M2)
    rates, passed = (a.double().numpy().reshape(-1, UNITS) for a in net())
    error = match.within.pushes(rates) - net.goal.numpy().reshape(-1, 2)
    own = error @ B.T * (1 - rates**2)
    n = len(rates)
    moment = passed.T @ passed / n + 0.3 * np.eye(UNITS)
    change = -0.5 * np.linalg.solve(moment, passed.T @ own / n).T * net.connected.numpy()
    moved = (found.net.weights - net.weights).numpy()
    assert np.abs(moved - change).max() < 1e-3 * np.abs(change).max()
    size = np.linalg.norm(change) / np.linalg.norm(net.weights.numpy())
    assert found.weight_change == pytest.approx(size, rel=1e-2)


def test_learning_leaves_the_net_and_its_gaps(reaching):
    net, _, match = reaching
    before = net.weights.clone()
    found = learn(net, match.within, Feedback(noise=1), steps=5, seed=3)
    assert torch.equal(net.weights, before)
    assert (found.net.weights[~net.connected] == 0).all()
    assert found.losses.shape == (6,)
    again = learn(net, match.within, Feedback(noise=1), steps=5, seed=3)
    assert np.array_equal(found.losses, again.losses)
    assert not np.array_equal(found.losses,
                              learn(net, match.within, Feedback(noise=1), steps=5).losses)


@pytest.mark.parametrize("seed", [0, 1])  # 0 is the net's own: what it drew must not be drawn again
def test_only_plastic_connections_change(reaching, seed):
    net, _, match = reaching
    found = learn(net, match.within, steps=3, plastic=0.2, seed=seed)
    changed = (found.net.weights != net.weights)[net.connected]
    assert float(changed.float().mean()) == pytest.approx(0.2, abs=0.05)


def test_feedback_weights(reaching):
    net, _, match = reaching
    activity = net.reaches(0.3, 20)[0]
    exact = Feedback().weights(match.outside, activity)
    assert match.outside.M2 @ exact == pytest.approx(np.eye(2), abs=1e-9)
    noisy = Feedback(noise=3).weights(match.outside, activity) - exact
    assert noisy.std() == pytest.approx(3 * exact.std(), rel=0.15)
    sparse = Feedback(sparsity=0.3).weights(match.outside, activity)
    kept = sparse.any(1)
    assert kept.sum() == 70
    assert np.array_equal(sparse[kept], exact[kept])
    few = Feedback(rank=5).weights(match.outside, activity)
    flat = activity.reshape(-1, UNITS)
    axes = np.linalg.svd(flat - flat.mean(0), full_matrices=False)[2][:5]
    assert few == pytest.approx(axes.T @ axes @ exact, abs=1e-8)
    assert Feedback(rank=UNITS).weights(match.outside, activity) == pytest.approx(exact)


def test_decoder_with_memory():
    """The cursor's velocity then carries on: errors are of it, not of the bin's push."""
    net = bci.reaching_net(60, seed=2)
    rates, directions = net.reaches(0.3, 20)
    decoder = Decoder.fit(rates, directions, 6, process_noise=0.05 * np.eye(2))
    assert np.abs(decoder.M1).max() > 0.1
    found = learn(net, decoder, steps=20)
    assert found.losses[0] == pytest.approx(loss(net, decoder), rel=1e-3)
    assert found.losses[-1] < 0.5 * found.losses[0]


@pytest.mark.parametrize(("make", "says"), [
    (lambda: ReachingNet(5), "units=5"),
    (lambda: ReachingNet(20, probability=0), "probability=0"),
    (lambda: ReachingNet(20, gain=-1), "gain=-1"),
    (lambda: ReachingNet(20, bins=8), "onset=8 leaves no bin"),
    (lambda: ReachingNet(20).reaches(noise=-1), "noise=-1"),
    (lambda: Feedback(noise=-1), "noise=-1"),
    (lambda: Feedback(noise=float("nan")), "noise=nan"),
    (lambda: Feedback(sparsity=1), "sparsity=1"),
    (lambda: Feedback(rank=0), "rank=0"),
])  # fmt: skip
def test_bad_settings(make, says):
    with pytest.raises(ValueError, match=says):
        make()


@pytest.mark.parametrize(("options", "says"), [
    ({"plastic": 0}, "plastic=0"), ({"rate": 0}, "rate=0"), ({"steps": 0}, "steps=0"),
    ({"feedback": Feedback(rank=101)}, "rank=101, but there are 100 units"),
])  # fmt: skip
def test_bad_learning(reaching, options, says):
    net, decoder, _ = reaching
    with pytest.raises(ValueError, match=says):
        learn(net, decoder, **options)


def test_bad_learning_of_another_net(reaching):
    with pytest.raises(ValueError, match="100 units; the net has 60"):
        learn(ReachingNet(60), reaching[1])
    with pytest.raises(TypeError, match=r"such as matched_pair\(.*ReachingNet and Match"):
        learn(reaching[0], reaching[2])


def test_too_high_a_rate_is_named(reaching):
    net, decoder, _ = reaching
    with pytest.raises(FloatingPointError, match="too high"):
        learn(net, decoder, rate=1e39, steps=3)
