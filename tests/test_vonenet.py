"""VOneNet against numbers from running the original (tests/model_recipe.py says on what)."""

import copy
import pickle

import numpy as np
import pytest
import torch
from model_recipe import FIXTURES, close, image, meta, part, unit

from brainkit.features import record
from brainkit.models import vone_backends, vonenet
from brainkit.models.vonenet import VOneBlock, VOneNet, gabor_parameters

META = meta("vone")
SMALL = dict(image_size=64, visual_degrees=64 / 28, simple_channels=6, complex_channels=6,
             kernel_size=9)


# --- The bank ------------------------------------------------------------------------------------


def test_bank_is_the_originals():
    want = np.load(FIXTURES / "vone_gabor_params.npz")["default"]
    np.testing.assert_allclose(gabor_parameters(512), want, rtol=0, atol=1e-9)


@pytest.mark.parametrize("case", ["default", "train_sfmax6", "seed1", "nocorr", "uniform"])
def test_bank_with_other_settings_is_the_originals(case):
    said = META[f"params_{case}"]
    names = ("seed", "sf_corr", "sf_max", "sf_min")
    settings = {k: said["kwargs"][k] for k in names} | {"uniform": said["kwargs"]["rand_flag"]}
    bank = gabor_parameters(said["kwargs"]["features"], **settings)
    for statistic in ("mean", "min", "max"):
        got = getattr(bank, statistic)(axis=1)
        np.testing.assert_allclose(got, said[statistic], rtol=0, atol=1e-9)


def test_bank_leaves_numpys_generator_alone_and_follows_its_seed():
    np.random.seed(5)  # noqa: NPY002  the legacy global state is the point
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    one = gabor_parameters(64, seed=3)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    assert (one == gabor_parameters(64, seed=3)).all()
    assert not (one == gabor_parameters(64, seed=4)).all()


@pytest.mark.parametrize(("settings", "message"), [
    (dict(n=0), "1 or more"),
    (dict(n=4, sf_corr=2), "is a correlation"),
    (dict(n=4, sf_max=0.6), "leave no spatial frequency"),
])
def test_senseless_banks_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        gabor_parameters(**settings)


# --- The block -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def block():
    """The block behind the fixtures: filter i reads channel i % 3, in both of a pair."""
    return VOneBlock(colours=torch.arange(512) % 3, noise=None)


@pytest.fixture(scope="module")
def images():
    return image(2, 224)


def test_kernels_are_the_originals(block):
    want = np.load(FIXTURES / "vone_kernels.npz")
    at, colours = want["kernel_index"], np.arange(512) % 3
    for name in ("q0", "q1"):
        dense = block.get_submodule(f"simple_conv_{name}").weight
        kernels = dense[torch.arange(512), torch.from_numpy(colours)]
        assert torch.equal(dense.sum(1), kernels)  # nothing in the other channels
        close(kernels[at], want[f"kernels_{name}"], 1e-6)
        close(kernels.sum((1, 2)), want[f"sum_{name}"], 1e-6)
        close(kernels.flatten(1).norm(dim=1), want[f"l2_{name}"], 1e-6)


def test_responses_are_the_originals(block, images):
    want = np.load(FIXTURES / "vone_block.npz")
    first, second = block.linear(images)
    found = {"q0": first, "out": block(images)}
    for name, maps in found.items():
        close(part(maps, 16, 8), want[f"{name}.sub"], 2e-5)
        close(maps.mean((2, 3)), want[f"{name}.chmean"], 2e-5)
        close(maps.std((2, 3)), want[f"{name}.chstd"], 2e-5)
    close(second.mean((2, 3)), want["q1.chmean"][:, 256:], 2e-5)
    close(second.std((2, 3)), want["q1.chstd"][:, 256:], 2e-5)


def test_gradient_is_the_originals_with_its_in_place_relu_mended(block, images):
    want = np.load(FIXTURES / "vone_block.npz")
    x = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(block(x).square().mean(), x)
    close(gradient[:, :, ::16, ::16], want["grad_of_mean_square.sub"], 2e-5)
    assert gradient.norm().item() == pytest.approx(want["grad_of_mean_square.l2"].item(), rel=2e-5)


@pytest.mark.parametrize(("case", "settings"), [
    ("neuronal_default", dict(noise="neuronal")),
    ("neuronal_11", dict(noise="neuronal", noise_scale=1, noise_level=1)),
    ("gaussian_0.5", dict(noise="gaussian", noise_scale=0.5)),
])
def test_noise_is_the_originals(images, monkeypatch, case, settings):
    want = np.load(FIXTURES / "vone_block.npz")
    field = (unit(2 * 512 * 56 * 56, 99) * np.sqrt(3)).astype(np.float32)
    noisy = VOneBlock(colours=torch.arange(512) % 3, **settings)
    field = torch.from_numpy(field)
    monkeypatch.setattr(noisy.noise, "_field", lambda like: field.view(like.shape))
    maps = noisy(images)
    close(part(maps, 16, 8), want[f"noise_{case}.sub"], 2e-5)
    close(maps.mean((2, 3)), want[f"noise_{case}.chmean"], 2e-5)


def test_published_kernels_load_with_colours_that_differ_in_a_pair(block, images):
    """The original's pairs read different colours: its dense kernels give its dense output."""
    kernels = np.load(FIXTURES / "vone_kernels.npz")
    state = {}
    for name in ("q0", "q1"):
        flat = block.get_submodule(f"simple_conv_{name}").weight.sum(1)
        dense = torch.zeros(512, 3, 25, 25)
        dense[torch.arange(512), torch.from_numpy(kernels[f"rgb_channel_{name}"]).long()] = flat
        state[f"simple_conv_{name}.weight"] = dense
    loaded = VOneBlock(noise=None)
    loaded.load_state_dict(state)
    q0, q1 = (torch.nn.functional.conv2d(images, state[f"simple_conv_{name}.weight"], None, 4, 12)
              for name in ("q0", "q1"))
    simple, pair = q0[:, :256].relu(), (q0[:, 256:]**2 + q1[:, 256:]**2).sqrt() / 2**0.5
    close(loaded(images), 25 * torch.cat([simple, pair], 1), 2e-5)
    first, second = loaded.linear(images)
    close(first, q0, 2e-5)
    close(second, q1[:, 256:], 2e-5)


def test_kernels_over_several_channels_load_as_well():
    small = VOneBlock(**SMALL, noise=None)
    state = small.state_dict()
    state = {key: torch.randn(value.shape) for key, value in state.items()}
    small.load_state_dict(state)
    x = torch.randn(2, 3, 64, 64)
    q0 = torch.nn.functional.conv2d(x, state["simple_conv_q0.weight"], None, 4, 4)
    torch.testing.assert_close(small(x)[:, :6], 25 * q0[:, :6].relu(), rtol=1e-4, atol=1e-3)


def test_a_pair_shares_its_colour_and_the_seed_alone_says_which():
    def reads(block):
        return [block.get_submodule(name).weight.abs().amax((2, 3)).argmax(1)
                for name in ("simple_conv_q0", "simple_conv_q1")]

    torch.manual_seed(1)
    q0, q1 = reads(VOneBlock())
    assert torch.equal(q0, q1)
    torch.manual_seed(2)
    assert torch.equal(q0, reads(VOneBlock())[0])
    assert not torch.equal(q0, reads(VOneBlock(seed=1))[0])
    assert all((q0 == colour).float().mean() > 0.25 for colour in range(3))


def test_copies_and_pickles_answer_alike():
    small = VOneBlock(**SMALL, noise=None)
    x = torch.randn(1, 3, 64, 64)
    for other in (copy.deepcopy(small), pickle.loads(pickle.dumps(small))):
        assert torch.equal(other(x), small(x))
        other.load_state_dict(VOneBlock(**SMALL, seed=1).state_dict())
        assert not torch.equal(other(x), small(x))


@pytest.mark.parametrize("mode", ["neuronal", "gaussian", None])
def test_gradients_are_finite_on_a_blank_image(mode):
    small = VOneBlock(**SMALL, noise=mode)
    x = torch.zeros(2, 3, 64, 64, requires_grad=True)
    (gradient,) = torch.autograd.grad(small(x).sum(), x)
    assert gradient.isfinite().all()


# --- Noise ---------------------------------------------------------------------------------------


def test_variance_of_the_noise_is_its_mean():
    """Neuronal noise is Poisson-like: Fano factor 1 in the units of scale and level."""
    small = VOneBlock(**SMALL, k_exc=2000)
    x = torch.randn(1, 3, 64, 64).expand(400, -1, -1, -1)
    found = record(small, ["rates", "output"], x)
    scale, level = small.noise.scale, small.noise.level
    rates, spikes = scale * found["rates"][0] + level, scale * found["output"] + level
    high = rates > 25  # far from the rectification at 0
    assert high.sum() > 50
    fano = spikes.var(0)[high] / spikes.mean(0)[high]
    assert fano.mean().item() == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("training", [True, False])
def test_noise_is_on_in_both_modes_and_can_be_switched_and_fixed(training):
    small = VOneBlock(**SMALL).train(training)
    x = torch.randn(2, 3, 64, 64)
    assert not torch.equal(small(x), small(x))
    with vonenet.noise(small, None):
        assert torch.equal(small(x), small(x))
    assert small.noise.mode == "neuronal"
    with vonenet.fixed_noise(0):
        one = small(x)
        assert torch.equal(one, small(x))
        with vonenet.fixed_noise(1):
            assert not torch.equal(one, small(x))
        assert torch.equal(one, small(x))
    assert not torch.equal(small(x), small(x))


def test_draws_are_many_differ_and_repeat():
    net = VOneNet(VOneBlock(**SMALL), torch.nn.Sequential(torch.nn.Flatten(),
                                                          torch.nn.LazyLinear(8)), 4)
    x = torch.rand(3, 3, 64, 64)
    answers = vonenet.draws(net, x, 5)
    assert answers.shape == (5, 3, 8)
    assert len({float(a.sum()) for a in answers}) == 5
    assert torch.equal(answers, vonenet.draws(net, x, 5))
    assert not torch.equal(answers, vonenet.draws(net, x, 5, seed=1))


def test_wrong_settings_are_named():
    with pytest.raises(ValueError, match='choose "neuronal"'):
        VOneBlock(**SMALL, noise="poisson")
    with pytest.raises(ValueError, match="give 12 numbers from 0 to 2"):
        VOneBlock(**SMALL, colours=[0, 1, 3] * 4)
    with pytest.raises(ValueError, match=r"takes \(b, 3, h, w\)"):
        VOneBlock(**SMALL)(torch.rand(1, 1, 64, 64))
    with pytest.raises(ValueError, match="no Noise layer"), vonenet.noise(torch.nn.ReLU(), None):
        pass


# --- Whole nets ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("make", "case"), [
    (vone_backends.vone_resnet50, "keys_resnet50"),
    (vone_backends.vone_cornet_s, "keys_cornets"),
    (vone_backends.vone_alexnet, "keys_alexnet"),
])
def test_whole_nets_have_the_originals_keys_and_take_images(make, case):
    net = make().eval()
    said = META[case]
    assert {k: list(v.shape) for k, v in net.state_dict().items()} == dict(said["keys"])
    assert sum(p.numel() for p in net.parameters()) == said["n_params"]
    assert sum(p.numel() for p in net.parameters() if p.requires_grad) == said["n_trainable"]
    images = torch.rand(2, 3, 96, 96)
    with torch.no_grad(), vonenet.fixed_noise(0):
        assert net(images).shape == (2, 1000)
        torch.testing.assert_close(
            net.model(net.bottleneck(net.vone_block(2 * images - 1))), net(images))
    with pytest.raises(ValueError, match="bytes divided by 255"):
        net(255 * images)
