"""Decoders: the recorded session's numbers, the operator written out, fits, and bad input."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from golub import DIRECTIONS, GOLUB, MAPPING, OUTSIDE, SPIKES, WITHIN, original, recorded
from scipy import linalg
from sklearn.decomposition import FactorAnalysis
from sklearn.linear_model import LinearRegression

from brainkit import bci
from brainkit.bci import Decoder, progress


@pytest.fixture(scope="module")
def decoder():
    return Decoder.from_mapping(MAPPING)


def small(**changed):
    """A decoder of 6 units and 3 factors, without symmetry."""
    rng = np.random.default_rng(3)
    fields = dict(L=rng.standard_normal((6, 3)), Psi=rng.uniform(0.2, 1, 6),
                  mean=rng.uniform(1, 5, 6), sd=rng.uniform(0.5, 2, 6),
                  factor_sd=rng.uniform(0.5, 1, 3), K=rng.standard_normal((2, 3)),
                  d=rng.standard_normal(3), M1=np.array([[0.8, 0.1], [-0.05, 0.7]]))  # fmt: skip
    return Decoder(**(fields | changed))


# ---- the numbers of the recorded session


@pytest.mark.parametrize(("kind", "order"), [
    ("intuitive", {}), ("within", {"within": WITHIN}), ("outside", {"outside": OUTSIDE})])
def test_maps_are_the_recorded_ones(decoder, kind, order):
    """Each made from K, beta and the permutation; the file has the product."""
    found = decoder.perturbed(**order) if order else decoder
    assert np.abs(found.M2 - GOLUB[f"M2_{kind}"]).max() < 1e-8
    assert found.m0 == pytest.approx(GOLUB[f"m0_{kind}"], abs=1e-7)


def test_control_space_in_and_out_of_the_manifold(decoder):
    shares = [decoder.share_within, decoder.perturbed(within=WITHIN).share_within,
              decoder.perturbed(outside=OUTSIDE).share_within]  # fmt: skip
    assert shares == pytest.approx([0.990, 0.987, 0.102], abs=5e-4)


@pytest.fixture(scope="module")
def session():
    """The recording itself; what needs it skips where it is out of reach."""
    original("bci-learning")
    return recorded()


@pytest.mark.parametrize("part", ["before", "after"])
@pytest.mark.parametrize("mapping", ["intuitive", "within"])
def test_recorded_velocities(session, decoder, part, mapping):
    part_of = getattr(session, part)
    stored = part_of.intuitive
    if mapping == "within":
        decoder, stored = decoder.perturbed(within=session.order), part_of.perturbed
    pushes = decoder.pushes(part_of.counts)
    assert np.abs(pushes - stored).max() <= 3.1e-8  # of some 300 mm/s
    forward = progress(pushes, part_of.directions).mean(1)
    assert forward == pytest.approx(GOLUB[f"{part}_progress_{mapping}"], abs=1e-7)


def test_latents_in_the_published_axes(session, decoder):
    """Of the perturbed decoders too, whose cursor differs, but not the manifold."""
    z = (session.before.counts - session.factors.mean) / session.factors.sd
    stored = z @ decoder.beta.T @ session.factors.rotation
    for kind in ({"within": WITHIN}, {"outside": OUTSIDE}):
        latents = decoder.perturbed(**kind).latents(session.before.counts)
        sign = np.sign((latents * stored).sum((0, 1)))
        assert latents * sign == pytest.approx(stored, abs=1e-10)


def test_what_the_animal_learned(session, decoder):
    """No after-effect in these bins: the intuitive mapping would fare better with them, too."""
    found = bci.learned(decoder, decoder.perturbed(within=WITHIN), session.before,
                        (session.after.counts, session.after.directions))
    assert [found.intuitive_before, found.perturbed_before, found.perturbed_after,
            found.intuitive_after] == pytest.approx([82.8, 26.4, 45.7, 93.6], abs=0.05)
    assert found.recovered == pytest.approx((45.65 - 26.41) / (82.78 - 26.41), abs=1e-3)
    assert found.after_effect == pytest.approx(82.78 - 93.59, abs=0.01)


def test_the_monkeys_repertoire(session, decoder):
    monkey = bci.repertoire_change(*(decoder.latents(part.counts).reshape(-1, 10)
                                     for part in (session.before, session.after)))
    assert monkey.change < 0.6 * monkey.control


def test_recordings_decoder(session, decoder):
    found = Decoder.from_recording(session)
    assert np.abs(found.M2 - decoder.M2).max() < 1e-8
    assert found.d == pytest.approx(decoder.d, abs=1e-9)


def test_what_was_learned_by_hand(decoder):
    """With made activity: rotated by 90 degrees it makes no progress, then it is put right."""
    turned = np.stack([-DIRECTIONS[..., 1], DIRECTIONS[..., 0]], axis=-1)
    found = bci.learned(decoder, decoder.perturbed(within=WITHIN), (SPIKES, DIRECTIONS),
                        (SPIKES, turned))
    assert found.intuitive_before > 50  # of the 100 put in: a posterior mean shrinks
    assert found.intuitive_after == pytest.approx(0, abs=5)
    assert found.after_effect == pytest.approx(found.intuitive_before - found.intuitive_after)
    pushes = decoder.perturbed(within=WITHIN).pushes(SPIKES)
    assert found.perturbed_after == pytest.approx((pushes * turned).sum(-1).mean())
    lost = found.intuitive_before - found.perturbed_before
    assert found.recovered == pytest.approx((found.perturbed_after - found.perturbed_before) / lost)


def test_recording_as_the_loaders_give_it(decoder):
    factors = SimpleNamespace(loadings=GOLUB["L"], private=GOLUB["Ph"], mean=GOLUB["mu_u"],
                              sd=GOLUB["sd_u"])
    mapping = SimpleNamespace(M1=GOLUB["M1"], M2=GOLUB["M2_intuitive"], m0=GOLUB["m0_intuitive"])
    learning = SimpleNamespace(factors=factors, intuitive=mapping, gain=GOLUB["K"],
                               offset=GOLUB["d"], factor_scale=1 / GOLUB["sd_z"])
    found = Decoder.from_recording(learning)
    assert np.abs(found.M2 - decoder.M2).max() < 1e-12
    assert found.d == pytest.approx(decoder.d, abs=1e-12)

    block = SimpleNamespace(mapping=mapping, counts=SPIKES.reshape(-1, 86))
    session = SimpleNamespace(factors=factors, intuitive=block)
    found = Decoder.from_recording(session)  # K is not there, and must follow from M2
    assert found.pushes(SPIKES) == pytest.approx(decoder.pushes(SPIKES), abs=1e-6)
    scaled = ((SPIKES.reshape(-1, 86) - found.mean) / found.sd) @ found.beta.T / found.factor_sd
    assert scaled.std(0) == pytest.approx(np.ones(10))
    mapping.M2 = GOLUB["M2_outside"]
    with pytest.raises(ValueError, match="more than the factors"):
        Decoder.from_recording(session)
    with pytest.raises(TypeError, match="a recorded session"):
        Decoder.from_recording(GOLUB["L"])


# ---- the operator


def test_operator_written_out():
    """v_t = M1 v_{t-1} + K eta Sigma_z beta eta_q Sigma_u (u - mu) - K d, over time."""
    p, q = np.array([2, 0, 1]), np.array([3, 0, 5, 1, 2, 4])
    decoder = small(within=p, outside=q)
    beta = decoder.L.T @ np.linalg.inv(decoder.L @ decoder.L.T + np.diag(decoder.Psi))
    eta, eta_q = np.eye(3)[p], np.eye(6)[q]
    u = np.random.default_rng(1).poisson(3, (2, 5, 6))
    v = np.tile([3.0, -2.0], (2, 1))
    found = decoder.velocities(u, start=(3, -2))
    for t in range(5):
        z = beta @ eta_q @ np.diag(1 / decoder.sd) @ (u[:, t] - decoder.mean).T
        v = v @ decoder.M1.T + (decoder.K @ eta @ np.diag(1 / decoder.factor_sd) @ z).T \
            - decoder.K @ decoder.d  # fmt: skip
        assert found[:, t] == pytest.approx(v, abs=1e-12)
    assert decoder.step(found[:, 3], u[:, 4]) == pytest.approx(found[:, 4], abs=1e-12)


def test_permutations_as_matrices_and_kept():
    p, q = [1, 2, 0], [5, 4, 3, 2, 1, 0]
    decoder = small().perturbed(within=p)
    assert np.array_equal(small().perturbed(within=np.eye(3)[p]).M2, decoder.M2)
    both = decoder.perturbed(outside=q)  # the other one is kept,
    assert np.array_equal(both.within, p)
    assert np.array_equal(both.perturbed(within=range(3)).within, range(3))  # this one replaced
    assert "3 of 3 moved" in repr(both)
    assert "intuitive" in repr(small())
    with pytest.raises(ValueError, match="give a permutation"):
        decoder.perturbed()


def test_angles_between_control_spaces(decoder):
    """Against cosines by hand: singular values of the product of both bases."""
    other = decoder.perturbed(within=WITHIN)
    bases = [np.linalg.qr((d.M2 * d.sd).T)[0] for d in (decoder, other)]
    cosines = np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)
    assert decoder.angles_to(other) == pytest.approx(np.degrees(np.arccos(cosines[::-1])))
    assert decoder.angles_to(decoder) == pytest.approx([0, 0], abs=1e-5)
    with pytest.raises(ValueError, match="have 86 and 6 units"):
        decoder.angles_to(small())


def test_subspaces_are_in_z_scored_counts(decoder):
    """A unit measured in other units moves nothing: not the shares, nor the angles."""
    factor = np.linspace(0.5, 3, 86)
    fields = {name: getattr(decoder, name) for name in
              ("L", "Psi", "mean", "sd", "factor_sd", "K", "d", "M1")}  # fmt: skip
    scaled = Decoder(**fields | {"mean": decoder.mean * factor, "sd": decoder.sd * factor})
    assert scaled.share_within == pytest.approx(decoder.share_within)
    assert scaled.pushes(SPIKES * factor) == pytest.approx(decoder.pushes(SPIKES))
    assert linalg.subspace_angles(scaled.control_space, decoder.control_space).max() < 1e-7
    assert all(a >= b for a, b in pairwise(scaled.angles_to(decoder.perturbed(within=WITHIN))))


def test_is_frozen(decoder):
    with pytest.raises(ValueError, match="read-only"):
        decoder.K[0, 0] = 1


@pytest.mark.parametrize(("changed", "error", "says"), [
    ({"K": np.ones((3, 2))}, ValueError, r"K is \(3, 2\); it must be \(2, 3\)"),
    ({"L": np.ones(6)}, ValueError, "L is"),
    ({"M1": np.full((2, 2), np.nan)}, ValueError, "M1 has 4 values that are not finite"),
    ({"Psi": np.zeros(6)}, ValueError, "Psi must be positive"),
    ({"sd": np.array([1, 1, 0, 1, 1, 1.0])}, ValueError, r"sd must be positive.*\[2\]"),
    ({"d": "abc"}, TypeError, "d must be numbers"),
    ({"within": [0, 1, 1]}, ValueError, "within is not a permutation"),
    ({"within": [0, 1, 2, 3]}, ValueError, "within must be 3 integers"),
    ({"within": [0.0, 1, 2]}, ValueError, "within must be 3 integers"),
    ({"within": [[1, 0, 0], [1, 0, 0], [0, 1, 0]]}, ValueError, "within is not a permutation"),
    ({"outside": np.ones((6, 6))}, ValueError, "outside is a matrix, but not"),
])  # fmt: skip
def test_bad_decoder(changed, error, says):
    with pytest.raises(error, match=says):
        small(**changed)


def test_bad_activity(decoder):
    with pytest.raises(ValueError, match=r"spikes is \(8, 86, 69\); it must be \(\.\.\., 86\)"):
        decoder.pushes(SPIKES.swapaxes(1, 2))
    with pytest.raises(ValueError, match="not finite"):
        decoder.latents(np.full(86, np.inf))
    with pytest.raises(ValueError, match="spikes is"):
        decoder.velocities(SPIKES[0, 0])  # one bin is no time course
    with pytest.raises(ValueError, match="velocity is"):
        decoder.step(np.zeros(3), SPIKES[0, 0])
    with pytest.raises(KeyError, match="lacks Ph, K"):
        Decoder.from_mapping({k: v for k, v in MAPPING.items() if k not in ("Ph", "K")})


# ---- fitting


def test_fit_without_memory_is_regression_on_factors():
    u = SPIKES.reshape(-1, 86)
    v = Decoder.from_mapping(MAPPING).pushes(u)
    found = Decoder.fit(u, v, memory=False)
    factors = FactorAnalysis(10, svd_method="lapack", tol=1e-6, max_iter=2000)
    x = factors.fit_transform((u - u.mean(0)) / u.std(0))
    expected = LinearRegression().fit(x, v).predict(x)
    assert np.abs(found.pushes(u) - expected).max() < 0.02 * v.std()
    assert not found.M1.any()
    assert found.velocities(SPIKES) == pytest.approx(found.pushes(SPIKES))


def moving(seed=0, trials=40, bins=30):
    """Velocities (trials, bins, 2) of a random walk, and 20 units that follow them."""
    rng = np.random.default_rng(seed)
    v = np.zeros((trials, bins, 2))
    for t in range(1, bins):
        v[:, t] = 0.9 * v[:, t - 1] + rng.standard_normal((trials, 2))
    latent = np.concatenate([v, rng.standard_normal((trials, bins, 2))], -1)
    u = latent @ rng.standard_normal((4, 20)) + 3 * rng.standard_normal((trials, bins, 20)) + 5
    return u, v


def test_fit_with_memory_beats_each_bin_for_itself():
    u, v = moving()
    errors = [((Decoder.fit(u, v, 4, memory=m).velocities(u) - v) ** 2).mean()
              for m in (True, False)]
    assert errors[0] < 0.9 * errors[1]


def test_kalman_gain_is_what_the_filter_settles_to():
    from brainkit.bci._fit import steady_state

    rng = np.random.default_rng(0)
    A, W, C = np.array([[0.9, 0.05], [0, 0.8]]), np.diag([1.0, 2.0]), rng.standard_normal((5, 2))
    R = np.cov(rng.standard_normal((5, 30)))
    P = np.eye(2)
    for _ in range(300):
        ahead = A @ P @ A.T + W
        K = ahead @ C.T @ np.linalg.inv(C @ ahead @ C.T + R)
        P = (np.eye(2) - K @ C) @ ahead
    found, M1 = steady_state(A, W, C, R)
    assert found == pytest.approx(K, abs=1e-10)
    assert np.abs(M1 - (np.eye(2) - K @ C) @ A).max() < 1e-10


def test_fit_takes_no_transitions_across_trials():
    """Trials that jump back to rest between them: as one long trial they would seem to brake."""
    u, v = moving(trials=200, bins=3)
    v = v + np.array([5.0, 0])  # each trial moves right throughout
    v[1::2] *= -1  # and every second one left
    apart = Decoder.fit(u, v, 4)
    joined = Decoder.fit(u.reshape(-1, 20), v.reshape(-1, 2), 4)
    assert np.trace(apart.M1) > np.trace(joined.M1) + 0.1
    fixed = Decoder.fit(u, v, 4, process_noise=1e6 * np.eye(2))
    assert np.abs(fixed.M1).max() < 0.05  # all the past is forgotten


@pytest.mark.parametrize(("change", "options", "says"), [
    (lambda u, v: (u, v[:, :-1]), {}, "velocities is"),
    (lambda u, v: (u[0, :10], v[0, :10]), {}, "need more bins than units"),
    (lambda u, v: (np.where(np.arange(20) == 7, 2.0, u), v), {}, r"units \[7\] do not vary"),
    (lambda u, v: (u, v * [1, 0]), {}, "do not span the plane"),
    (lambda u, v: (u, v), {"factors": 21}, "there are 20 units"),
    (lambda u, v: (u, v), {"factors": 1}, "factors=1"),
    (lambda u, v: (u, v), {"process_noise": -np.eye(2)}, "process noise must be"),
    (lambda u, v: (u, v[:, 3:4].repeat(30, 1)), {"factors": 2},
     "process noise must be"),
    (lambda u, v: (u.reshape(-1, 1, 20), v.reshape(-1, 1, 2)), {}, "trials of one bin"),
])  # fmt: skip
def test_bad_fit(change, options, says):
    with pytest.raises(ValueError, match=says):
        Decoder.fit(*change(*moving()), **{"factors": 4, **options})


# ---- progress and the repertoire


def test_progress():
    v = np.array([[3.0, 4], [3, 4], [0, 2]])
    assert progress(v, [[1, 0], [-6, -8], [5, 0]]) == pytest.approx([3, -5, 0])
    with pytest.raises(ValueError, match="1 directions have length 0"):
        progress(v, [[1, 0], [0, 0], [0, 1]])
    with pytest.raises(ValueError, match="directions is"):
        progress(v, [1, 0])


def test_recovered_needs_an_impairment():
    assert np.isnan(bci.Learned(10.0, 12.0, 10.0, 12.0).recovered)


def test_repertoire():
    """The old patterns, and new ones on the old axes."""
    rng = np.random.default_rng(0)
    mix = rng.standard_normal((4, 4))
    before = rng.standard_normal((600, 4)) @ mix
    same = bci.repertoire_change(before, rng.standard_normal((400, 4)) @ mix)
    assert abs(same.change) < 0.08
    assert same.low < same.change < same.high
    assert same.control > 0.2
    assert bci.repertoire_change(before, before[:400] * 3).change > 0.5
    scaled = bci.repertoire_change(before * [1, 10, 100, 1000], before[:400] * [3, 30, 300, 3000])
    assert scaled.change > 0.5  # the metric is the covariance's: units do not matter


def test_bad_repertoire():
    latents = np.random.default_rng(0).standard_normal((30, 4))
    with pytest.raises(ValueError, match="10 patterns before learning are too few"):
        bci.repertoire_change(latents[:10], latents)
    with pytest.raises(ValueError, match="after is"):
        bci.repertoire_change(latents, latents[:, :3])
    with pytest.raises(ValueError, match="do not vary in all directions"):
        bci.repertoire_change(latents * [1, 1, 1, 0], latents)
