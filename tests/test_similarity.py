"""CKA: the originals' numbers, the definition written out, and what cannot be answered."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from model_recipe import unit

from brainkit import similarity
from brainkit.similarity import cka, cka_minibatch, hsic

FIXTURES = Path(__file__).parent / "fixtures"
KORNBLITH = json.loads((FIXTURES / "science/cka.json").read_text(encoding="utf-8"))


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def made(case):
    """X and Y of a case of the fixture, by the recipe in its README."""
    if case == "demo1337":
        rng = np.random.RandomState(1337)  # as the original drew them
        x = rng.randn(100, 10)
        return x, rng.randn(100, 10) + x
    rng = np.random.default_rng(7)
    return rng.standard_normal((50, 500)), rng.standard_normal((50, 300))


def written_out(x, y, debiased=True):
    """HSIC and CKA by the matrices of their definitions: no part is shared with the package."""
    n = len(x)
    one = np.ones(n)

    def by_matrices(K, L):
        if not debiased:
            H = np.eye(n) - 1 / n
            return np.trace(K @ H @ L @ H) / (n - 1) ** 2
        K, L = (M - np.diag(np.diag(M)) for M in (K, L))
        return (np.trace(K @ L) + one @ K @ one * (one @ L @ one) / ((n - 1) * (n - 2))
                - 2 / (n - 2) * (one @ K @ L @ one)) / (n * (n - 3))  # fmt: skip

    K, L = x @ x.T, y @ y.T
    xy = by_matrices(K, L)
    return xy, xy / np.sqrt(by_matrices(K, K) * by_matrices(L, L))


# ---- numbers


@pytest.mark.parametrize("case", ["demo1337", "noise_p_gg_n"])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("linear", {"debiased": False}),
        ("debiased", {}),
        ("rbf_05", {"kernel": "rbf", "debiased": False, "bandwidth": 0.5}),
        ("rbf_10", {"kernel": "rbf", "debiased": False}),
        ("rbf_05_debiased", {"kernel": "rbf", "bandwidth": 0.5}),
    ],
)
def test_kornblith(case, name, options):
    assert cka(*made(case), **options) == pytest.approx(KORNBLITH[case][name], abs=1e-10)


def test_kornblith_as_printed():
    """In the notebook of the paper's code."""
    x, y = made("demo1337")
    assert round(float(cka(x, y, debiased=False)), 5) == 0.55761
    assert round(float(cka(x, y)), 5) == 0.51346
    assert round(float(cka(x, y, "rbf", debiased=False, bandwidth=0.5)), 5) == 0.65483


def test_braintree_loss_and_its_gradient():
    """log(1 - CKA) of Dapello 2023, from the authors' function."""
    expected = np.load(FIXTURES / "models/cka.npz", allow_pickle=False)
    x = unit(128 * 168, 11).reshape(128, 168)
    y = x @ (unit(168 * 512, 12).reshape(168, 512) / np.sqrt(168))
    y = np.maximum(y + 0.5 * unit(128 * 512, 13).reshape(128, 512), 0)
    noise = unit(128 * 512, 14).reshape(128, 512)
    for name, other in (("xy", y), ("x_noise", noise)):
        other = torch.tensor(other, requires_grad=True)
        value = cka(torch.tensor(x), other, debiased=False)
        loss = torch.log(1 - value)
        loss.backward()
        assert value.item() == pytest.approx(expected[f"cka_{name}"].item(), abs=1e-10)
        assert loss.item() == pytest.approx(expected[f"logcka_{name}"].item(), abs=1e-9)
        np.testing.assert_allclose(
            other.grad[::16, ::32], expected[f"grad_logcka_{name}.sub"], rtol=1e-7, atol=1e-12
        )
        norm = expected[f"grad_logcka_{name}.l2"].item()
        assert other.grad.norm().item() == pytest.approx(norm, rel=1e-8)
    assert cka(x, x, debiased=False) == pytest.approx(1)


@pytest.mark.parametrize("debiased", [True, False])
@pytest.mark.parametrize("shape", [(4, 2, 3), (12, 5, 40), (60, 200, 7), (1100, 6, 9)])
def test_definition_written_out(shape, debiased):
    n, p, q = shape
    x = normal(n, p) + 3
    y = np.tanh(x[:, :1]) + normal(n, q, seed=1)
    expected = written_out(x, y, debiased)
    assert hsic(x, y, debiased=debiased) == pytest.approx(expected[0], rel=1e-9)
    assert cka(x, y, debiased=debiased) == pytest.approx(expected[1], rel=1e-9)


@pytest.mark.parametrize("debiased", [True, False])
def test_products_of_neurons_and_of_images_agree(debiased, monkeypatch):
    """The form for many images, and the one for few."""
    x, y = normal(1200, 20), normal(1200, 30, seed=1)
    y[:, :20] += x
    by_neurons = cka(x, y, debiased=debiased)
    monkeypatch.setattr(similarity, "feature_terms", lambda *arguments: None)
    assert cka(x, y, debiased=debiased) == pytest.approx(by_neurons, rel=1e-12)


def test_outlier_that_would_drown_the_products_of_neurons():
    x, y = normal(1200, 5), normal(1200, 5, seed=1)
    y += x
    x[3] += 3e4
    by_images = written_out(x - x.mean(0), y - y.mean(0))[1]
    assert cka(x, y) == pytest.approx(by_images, rel=1e-8)


@pytest.mark.parametrize("debiased", [True, False])
@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_rotation_scale_and_translation_change_nothing(kernel, debiased):
    x, y = normal(40, 12), normal(40, 30, seed=1)
    y[:, :12] += x
    rotation = np.linalg.qr(normal(12, 12, seed=2))[0]
    moved = 7.5 * x @ rotation + normal(12, seed=3) * 100
    before = cka(x, y, kernel, debiased)
    assert cka(moved, y, kernel, debiased) == pytest.approx(before, abs=1e-9)
    assert cka(y, x, kernel, debiased) == pytest.approx(before, abs=1e-12)
    assert cka(x, moved, kernel, debiased) == pytest.approx(1, abs=1e-9)
    # Unlike canonical correlation, it is not invariant to all linear maps.
    assert abs(cka(x * np.arange(1, 13), y, kernel, debiased) - before) > 0.01


def test_order_of_images_matters_and_is_shared():
    x, y = normal(40, 12), normal(40, 12, seed=1)
    y += x
    order = np.random.default_rng(0).permutation(40)
    assert cka(x[order], y[order]) == pytest.approx(cka(x, y))
    assert cka(x[order], y) < 0.2


def test_independent_noise():
    """Biased CKA rises with the number of neurons to near 1; debiased, it stays about 0."""
    for p, biased in ((5, 0.045), (100, 0.503), (2000, 0.953)):
        pairs = [(normal(100, p, seed=(seed, 0)), normal(100, p, seed=(seed, 1)))
                 for seed in range(20)]  # fmt: skip
        assert np.mean([cka(*pair, debiased=False) for pair in pairs]) == pytest.approx(
            biased, abs=0.012
        )
        # Standard error of 20: 0.004.
        assert abs(np.mean([cka(*pair) for pair in pairs])) < 0.013


def test_median_conventions():
    """Kornblith's code counts the diagonal's zeros; Brain-Score's leaves zeros out."""
    x, y = normal(9, 4), normal(9, 3, seed=1)
    x[5] = x[2]  # twins: zeros off the diagonal as well
    for median in ("all", "nonzero"):
        grams = []
        for z in (x, y):
            distance = ((z[:, None] - z) ** 2).sum(-1)
            kept = distance if median == "all" else distance[distance > 0]
            grams.append(np.exp(-distance / (2 * 0.8**2 * np.median(kept))))
        centring = np.eye(9) - 1 / 9
        K, L = (centring @ gram @ centring for gram in grams)
        expected = (K * L).sum() / np.sqrt((K * K).sum() * (L * L).sum())
        value = cka(x, y, "rbf", debiased=False, bandwidth=0.8, median=median)
        assert value == pytest.approx(expected, rel=1e-10)
    assert cka(x, y, "rbf") != pytest.approx(cka(x, y, "rbf", median="nonzero"), abs=1e-3)


# ---- types and gradients


def test_takes_arrays_and_tensors():
    x, y = normal(20, 5), normal(20, 6, seed=1)
    value = cka(x, y)
    assert isinstance(value, np.float64)
    as_tensor = cka(torch.tensor(x), torch.tensor(y))
    assert as_tensor.shape == ()
    assert as_tensor.item() == pytest.approx(value, rel=1e-12)
    assert cka(torch.tensor(x), y).item() == pytest.approx(value, rel=1e-12)
    single = cka(torch.tensor(x, dtype=torch.float32), y)
    assert single.dtype == torch.float64
    assert single.item() == pytest.approx(value, abs=1e-6)
    assert cka(x[::-1], y[::-1]) == pytest.approx(value)
    assert cka(x.tolist(), y) == pytest.approx(value)
    x.setflags(write=False)
    assert cka(x, y) == value
    # Counts of spikes.
    counts = np.random.default_rng(0).poisson(3, (20, 4))
    assert cka(counts, y) == pytest.approx(cka(counts.astype(float), y))


@pytest.mark.parametrize("options", [{}, {"debiased": False}, {"kernel": "rbf"}])
def test_gradient_is_that_of_the_value(options):
    x = torch.tensor(normal(8, 3), requires_grad=True)
    y = torch.tensor(normal(8, 4, seed=1))
    if "kernel" not in options:
        assert torch.autograd.gradcheck(lambda z: cka(z, y, **options), x)
        return
    # The bandwidth is held: along x's own direction scale alone changes, and so does its median.
    cka(x, y, **options).backward()
    assert torch.isfinite(x.grad).all()
    assert x.grad.abs().max() > 1e-4


def test_gradient_descent_on_it_aligns_two():
    x = torch.tensor(normal(32, 6))
    y = torch.tensor(normal(32, 10, seed=1), requires_grad=True)
    optimizer = torch.optim.Adam([y], lr=0.1)
    before = cka(x, y).item()
    for _ in range(60):
        optimizer.zero_grad()
        (1 - cka(x, y)).backward()
        optimizer.step()
    assert before < 0.2
    assert cka(x, y) > 0.8


# ---- where it is undefined


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
@pytest.mark.parametrize("n", [4, 5, 50, 300])
def test_nan_for_images_equally_far_apart(n, kernel):
    """Their centred Gram matrix is 0 but for rounding, whatever the other one is."""
    rotation = np.linalg.qr(normal(n, n))[0]
    other = normal(n, 3, seed=1)
    for x in (np.eye(n), 1e4 * rotation + 3):
        assert np.isnan(cka(x, other, kernel))
        assert np.isnan(cka(other, x, kernel))
        assert np.isfinite(cka(x, other, kernel, debiased=False))


@pytest.mark.parametrize("n", [30, 1500])
def test_nan_if_one_image_alone_differs(n):
    for image in range(12):
        x = np.zeros((n, 3))
        x[image] = normal(3, seed=image)
        assert np.isnan(cka(x + 0.3, normal(n, 4)))


def test_undefined_leaves_no_nan_in_gradients():
    x = torch.tensor(normal(6, 3), requires_grad=True)
    one = torch.zeros(6, 1)
    one[0] = 6  # without any rounding: an HSIC of exactly 0
    one.requires_grad_()
    value = cka(one, x)
    assert value.isnan()
    value.nan_to_num().backward()
    for given in (one, x):
        assert not given.grad.isnan().any()


# ---- minibatches


def test_one_batch_is_all():
    x, y = normal(50, 20), normal(50, 30, seed=1)
    y[:, :20] += x
    for kernel in ("linear", "rbf"):
        whole = cka(x, y, kernel)
        assert cka_minibatch([(x, y)], kernel).item() == pytest.approx(whole, rel=1e-12)


def test_sums_before_the_ratio():
    x, y = normal(60, 20) * np.linspace(0.1, 3, 60)[:, None], normal(60, 30, seed=1)
    y[:, :20] += x
    parts = [(x[i : i + 20], y[i : i + 20]) for i in (0, 20, 40)]
    xy, xx, yy = (sum(written_out(*pair)[0] for pair in pairs) for pairs in (
        parts, [(a, a) for a, _ in parts], [(b, b) for _, b in parts]
    ))  # fmt: skip
    value = cka_minibatch(iter(parts)).item()
    assert value == pytest.approx(xy / math.sqrt(xx * yy), rel=1e-10)
    assert abs(value - np.mean([cka(*part) for part in parts])) > 1e-3


def test_batches_count_by_their_images_and_too_few_join_the_one_before():
    x, y = normal(27, 5), normal(27, 6, seed=1)
    y[:, :5] += x

    def summed(*bounds):
        sums = np.zeros(3)
        for a, b in bounds:
            u, v = x[a:b], y[a:b]
            sums += [(b - a) * written_out(*pair)[0] for pair in ((u, v), (u, u), (v, v))]
        return sums[0] / np.sqrt(sums[1] * sums[2])

    def cut(*at):
        return cka_minibatch(zip(np.split(x, at), np.split(y, at), strict=True)).item()

    assert cut(10, 20) == pytest.approx(summed((0, 10), (10, 20), (20, 27)))
    assert cut(12, 24) == pytest.approx(summed((0, 12), (12, 27)))  # a last one of 3
    assert cut(2, 15) == pytest.approx(summed((0, 15), (15, 27)))  # a first one of 2
    assert cut(*range(1, 27)) == pytest.approx(np.mean(cut(*range(1, 27))))


def test_minibatch_of_noise_is_about_zero_and_does_not_depend_on_the_size():
    x, y = normal(2000, 300), normal(2000, 300, seed=1)
    for size in (10, 100):
        batches = zip(np.split(x, 2000 // size), np.split(y, 2000 // size), strict=True)
        assert abs(cka_minibatch(batches).item()) < 0.03


# ---- bad input


@pytest.mark.parametrize("measure", [cka, hsic, lambda x, y: cka_minibatch([(x, y)])])
@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (normal(3, 5), normal(3, 5), "3 images; need at least 4"),
        (normal(9, 5), normal(8, 5), "same images"),
        (normal(9), normal(9, 5), "X must be \\(n images, p neurons\\)"),
        (normal(9, 3), normal(9, 2, 2, 2), "use Y.reshape"),
        (normal(9, 0), normal(9, 2), "X has no neurons"),
        (normal(9, 2), np.where(np.arange(18) == 3, np.nan, 1.0).reshape(9, 2),
         "Y is NaN or infinite for 1 of its 9 images"),
        (np.full((9, 2), np.inf), normal(9, 2), "X is NaN or infinite for 9"),
    ],
)
def test_bad_representations(measure, x, y, message):
    with pytest.raises(ValueError, match=message):
        measure(x, y)


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_constant_representation(kernel):
    x = np.full((9, 2), [0.1, 3.7])
    for measure in (cka, lambda x, y, kernel: cka_minibatch([(x, y)], kernel)):
        if kernel == "rbf" and measure is not cka:
            continue
        with pytest.raises(ValueError, match="X is constant"):
            measure(x, normal(9, 3), kernel)
        with pytest.raises(ValueError, match="Y is constant"):
            measure(normal(9, 3), x, kernel)
    assert hsic(x, normal(9, 3)) == 0
    # Dead units among others are the rule in a net, and change nothing.
    y = normal(9, 3, seed=1)
    padded = np.hstack([normal(9, 2), x])
    assert cka(padded, y, kernel) == pytest.approx(cka(padded[:, :2], y, kernel))


def test_bad_types():
    with pytest.raises(TypeError, match="X must be a tensor or an array"):
        cka(np.array([["a"]] * 5), normal(5, 2))
    with pytest.raises(TypeError, match="Y must be real"):
        cka(normal(5, 2), normal(5, 2) * 1j)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel": "poly"}, "'linear' or 'rbf', not 'poly'"),
        ({"kernel": "rbf", "median": "mean"}, "'all' or 'nonzero'"),
        ({"kernel": "rbf", "bandwidth": 0}, "above 0"),
        ({"kernel": "rbf", "bandwidth": float("nan")}, "above 0"),
    ],
)
def test_bad_kernel(options, message):
    for measure in (cka, hsic):
        with pytest.raises(ValueError, match=message):
            measure(normal(9, 3), normal(9, 3), **options)
    with pytest.raises(ValueError, match=message):
        cka_minibatch([], **options)


def test_rbf_without_a_bandwidth():
    x = np.zeros((9, 2))
    x[:2] = normal(2, 2)
    with pytest.raises(ValueError, match="most of them are twins"):
        cka(x, normal(9, 2), "rbf")
    assert np.isfinite(cka(x, normal(9, 2), "rbf", median="nonzero"))


def test_bad_batches():
    with pytest.raises(ValueError, match="there is no batch"):
        cka_minibatch([])
    with pytest.raises(ValueError, match="other numbers of neurons"):
        cka_minibatch([(normal(5, 2), normal(5, 3)), (normal(5, 3), normal(5, 3))])
    with pytest.raises(TypeError, match="a pair"):
        cka_minibatch([normal(5, 2)])
