"""Wrong images, labels and parameters: refused where they come in, with a word on what to do."""

import copy
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from brainkit import models, objects
from brainkit.models import miniatures
from brainkit.models.gabors import gabor, grating
from brainkit.training import evaluate, fit

NETS = ["neocognitron", "lenet", "alexnet", "vgg", "resnet"]


@pytest.fixture(scope="module")
def shipped():
    return {name: models.load(f"{name}_mini-objects") for name in NETS}


# --- The miniatures ------------------------------------------------------------------------------

WRONG = {
    "bytes": (torch.randint(256, (2, 1, 64, 64), dtype=torch.uint8), r"images.float\(\) / 255"),
    "as bytes": (torch.rand(2, 1, 64, 64) * 255, "run from .* to 25.*bytes divided by 255"),
    "normalised": (torch.randn(2, 1, 64, 64), "normalises them itself"),
    "nan": (torch.full((2, 1, 64, 64), torch.nan), "division by zero"),
    "small": (torch.rand(2, 1, 32, 32), r"interpolate\(images, 64"),
    "colour": (torch.rand(2, 3, 64, 64), r"make colour grey: images.mean\(1, keepdim=True\)"),
    "channels last": (torch.rand(2, 64, 64, 1), r"permute\(0, 3, 1, 2\)"),
    "one": (torch.rand(1, 64, 64), r"images\[None\]"),
    "none": (torch.rand(0, 1, 64, 64), "no image"),
    "numpy": (np.zeros((1, 1, 64, 64)), r"torch.from_numpy\(images\)"),
    "double": (torch.rand(1, 1, 64, 64).double(), r"use images.to\(torch.float32\)"),
}


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("wrong", WRONG)
def test_miniatures_refuse_wrong_images(shipped, name, wrong):
    images, message = WRONG[wrong]
    with pytest.raises(ValueError, match=message):
        shipped[name](images)


@pytest.mark.parametrize("name", NETS)
def test_miniatures_take_what_an_attack_gives_them(shipped, name):
    """Images at the bounds or a rounding error beyond, with gradients; doubles in a double net."""
    images = torch.rand(2, 1, 64, 64).round().add(5e-5).requires_grad_()
    (gradient,) = torch.autograd.grad(shipped[name](images).sum(), images)
    assert gradient.abs().sum() > 0
    with pytest.raises(ValueError, match=r"must be in \[0, 1\]"):
        shipped[name](images + 1e-3)
    assert copy.deepcopy(shipped[name]).double()(images.double()).dtype == torch.float64


# Not the Neocognitron, which looks at its own weights in passing: that stops these tools anyway.
@pytest.mark.parametrize("name", NETS[1:])
def test_the_check_leaves_torchs_tools_alone(shipped, name):
    net, images = shipped[name], torch.rand(2, 1, 64, 64)
    expected = net(images)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        # A check that depends on values would warn here of a trace that may be wrong.
        warnings.simplefilter("error", torch.jit.TracerWarning)
        tools = [torch.jit.script(net), torch.jit.trace(net, images), torch.fx.symbolic_trace(net),
                 torch.export.export(net, (images,)).module()]  # fmt: skip
    for tool in tools:
        torch.testing.assert_close(tool(images), expected)
    each = torch.func.vmap(lambda image: net(image[None])[0])(images)
    torch.testing.assert_close(each, expected, rtol=1e-4, atol=1e-4)
    meta = copy.deepcopy(net).to("meta")
    assert meta(torch.empty(2, 1, 64, 64, device="meta")).shape == (2, 8)
    assert models.macs(meta, (1, 64, 64)) == models.macs(net, (1, 64, 64))


def test_normalise_adds_nothing_to_what_is_saved_and_follows_the_channels():
    net = miniatures.resnet(in_channels=3).eval()
    assert not [key for key in net.state_dict() if "normalise" in key]
    assert net(torch.rand(1, 3, 64, 64)).shape == (1, 8)
    with pytest.raises(ValueError, match=r"images.expand\(-1, 3, -1, -1\)"):
        net(torch.rand(1, 1, 64, 64))


def test_neocognitron_refuses_to_learn_from_wrong_images():
    net = miniatures.neocognitron()
    with pytest.raises(ValueError, match="from 0 to 25"):
        net.learn(torch.arange(256.0).repeat(4, 1, 64, 1)[..., :64] * 4)
    with pytest.raises(ValueError, match="do not fit"):
        net.fit_read_out(torch.rand(4, 1, 64, 64), torch.zeros(3, dtype=torch.long))


# --- Training and evaluating ---------------------------------------------------------------------


def net():
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 3))


def images(n=6):
    return torch.rand(n, 1, 4, 4, generator=torch.Generator().manual_seed(0))


LABELS = torch.arange(6) % 3
DATA = {
    "nan": (images() / torch.tensor([1.0] * 5 + [torch.nan]).view(6, 1, 1, 1), LABELS,
            ValueError, "from nan to nan.*division by zero"),
    "bytes": ((images() * 255).byte(), LABELS, ValueError, r"images.float\(\) / 255"),
    "as bytes": (images() * 255, LABELS, ValueError, r"in \[0, 1\]; .* bytes divided by 255"),
    "numpy images": (images().numpy(), LABELS, TypeError, r"torch.as_tensor\(images\)"),
    "numpy labels": (images(), LABELS.numpy(), TypeError, r"torch.as_tensor\(labels\)"),
    "empty": (images()[:0], LABELS[:0], ValueError, "holds no image"),
    "short labels": (images(), LABELS[:5], ValueError, r"do not fit; need .* and \(n,\)"),
    "column": (images(), LABELS[:, None], ValueError, r"labels.squeeze\(1\)"),
    "one-hot": (images(), torch.eye(3)[LABELS], ValueError, r"labels.argmax\(1\)"),
    "float labels": (images(), LABELS.float(), ValueError, r"labels.long\(\)"),
    "negative": (images(), LABELS - 1, ValueError, "class indices from 0; the lowest here is -1"),
    "too high": (images(), LABELS + 1, ValueError, "a label is 3, but the model tells 3 classes"),
}  # fmt: skip


@pytest.mark.parametrize("what", DATA)
def test_fit_and_evaluate_refuse_wrong_data(what):
    x, y, error, message = DATA[what]
    for call in (lambda: fit(net(), (x, y), progress=False),
                 lambda: fit(net(), (images(), LABELS), validate=(x, y), progress=False, epochs=1),
                 lambda: evaluate(net(), x, y)):  # fmt: skip
        with pytest.raises(error, match=message):
            call()


def test_fit_names_what_is_no_data_at_all():
    with pytest.raises(TypeError, match=r"data is a Tensor; give an ObjectSet or \(im"):
        fit(net(), images())
    with pytest.raises(TypeError, match="validate is a str"):
        fit(net(), (images(), LABELS), validate="test")


def test_a_wrong_validation_set_is_refused_before_training():
    model = net()
    before = model[1].weight.clone()
    with pytest.raises(ValueError, match="validate holds no image"):
        fit(model, (images(), LABELS), validate=(images()[:0], LABELS[:0]), progress=False)
    assert torch.equal(model[1].weight, before)


def test_fit_takes_labels_of_any_integer_type():
    nets = []
    for kind in (torch.int64, torch.int32, torch.uint8):
        torch.manual_seed(0)
        nets.append(net())
        fit(nets[-1], (images(), LABELS.to(kind)), epochs=2, progress=False)
        assert torch.equal(nets[-1][1].weight, nets[0][1].weight)


def test_evaluate_takes_a_set_or_a_pair():
    some = SimpleNamespace(images=images(), labels=LABELS)
    model = net()
    assert evaluate(model, some) == evaluate(model, (images(), LABELS)) == evaluate(
        model, images(), LABELS, 4)  # fmt: skip
    assert evaluate(models.load("lenet_mini-objects"), objects.sample(8, "none")).n == 8


def test_evaluate_refuses_a_broken_net():
    model = net()
    with torch.no_grad():
        model[1].bias[1] = torch.nan
    with pytest.raises(FloatingPointError, match="not finite"):
        evaluate(model, images(), LABELS)
    with pytest.raises(ValueError, match=r"gives \(6, 1, 4, 4\) for 6 images; need logits"):
        evaluate(nn.Identity(), images(), LABELS)


# --- Gabors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gabor(8, 0.1, 0, 0, 2), "size=8: .* positive odd integer"),
        (lambda: gabor(9.0, 0.1, 0, 0, 2), r"size=9.0: .* positive odd integer"),
        (lambda: gabor(0, 0.1, 0, 0, 2), "size=0: .* positive odd integer"),
        (lambda: grating(0, 0.1, 0, 0), "size=0: .* a positive integer"),
        (lambda: grating(8.5, 0.1, 0, 0), "size=8.5"),
        (lambda: gabor(9, 0.1, 0, 0, 0), "sigma_across must be positive and finite.*found 0"),
        (lambda: gabor(9, 0.1, 0, 0, torch.tensor([2, -1.0])), "sigma_across .* found -1, 2"),
        (lambda: gabor(9, 0.1, 0, 0, 2, float("inf")), "sigma_along .* found inf"),
        (lambda: gabor(9, float("nan"), 0, 0, 2), "frequency must be finite; found nan"),
        (lambda: grating(9, 0.1, 0, float("inf")), "phase must be finite"),
        (lambda: grating(9, 0.1, 0, 0, contrast=1.5), r"contrast .* within \[0, 1\]; found 1.5"),
        (lambda: grating(9, 0.1, 0, 0, contrast=torch.tensor([0.5, -0.1])), "contrast"),
    ],
)
def test_gabors_refuse_senseless_parameters(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("make", [lambda *a: gabor(9, *a, 0, 2.0), lambda *a: grating(9, *a, 0)])
def test_gabors_warn_where_pixels_cannot_show_the_stripes(make):
    with pytest.warns(UserWarning, match="reaches 0.6 cycles per pixel") as caught:
        make(torch.tensor([0.2, -0.6]), 0.0)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make(0.5, 0.0)
        make(0.6, torch.pi / 4)  # oblique: 0.42 along rows and along columns


def test_gratings_have_the_sides_of_images_and_gabors_stay_differentiable():
    assert grating(64, 0.1, 0, torch.arange(3.0)).shape == (3, 1, 64, 64)
    sigma = torch.tensor(2.0, requires_grad=True)
    gabor(np.int64(9), 0.1, 0, 0, sigma).sum().backward()
    assert sigma.grad != 0


# --- Rendered objects ----------------------------------------------------------------------------


@pytest.mark.parametrize(("call", "message"), [
    (lambda: objects.sample(8, "extreme"), "unknown variation 'extreme'; known: none, medium"),
    (lambda: objects.sample(8, background="sky"), "unknown background 'sky'; known: mixed"),
    (lambda: objects.sample(8, categories=["cats"]), "unknown category 'cats'; known: animals"),
    (lambda: objects.sample(8, categories=[]), "one or more"),
    (lambda: objects.sample(-1), "0 or more"),
    (lambda: objects.sample(8, seed=-1), "non-negative"),
    (lambda: objects.sample(8, size=3), "8 or more"),
    (lambda: objects.sample(8, size=32.5), "size=32.5: give the pixels per side"),
    (lambda: objects.sample(8, size=(64, 64)), r"size=\(64, 64\): give the pixels per side"),
    (lambda: objects.render("cars", 0, size=None), "size=None: give the pixels per side"),
    (lambda: objects.sample(None), "n=None: give the number of images"),
    (lambda: objects.sample(float("inf")), "n=inf"),
    (lambda: objects.sample(8, seed=None), r"seed=None: .* up to 2\*\*64 - 1"),
    (lambda: objects.sample(8, seed=2**70), r"seed=1180.*: .* up to 2\*\*64 - 1"),
    (lambda: objects.sample(8, seed="1"), "seed='1'"),
    (lambda: objects.sample(8, latents={"yaw": (0, 1, 2)}), r"yaw=\(0, 1, 2\): give a number or"),
    (lambda: objects.sample(8, latents={"yaw": np.arange(9)}), r"yaw=array.*give a number or"),
    (lambda: objects.sample(8, latents={"yaw": None}), "yaw=None: give a number or"),
    (lambda: objects.sample(8, latents=torch.zeros(8, 10)), "latents is a Tensor: give a dict"),
    (lambda: objects.sample(8, categories=[1.7]), "unknown category 1.7; known: 0, 1"),
    (lambda: objects.sample(8, categories=8), "unknown category 8"),
    (lambda: objects.sample(8, categories=[None]), "unknown category None"),
    (lambda: objects.render("cars", 1.5), "unknown exemplar 1.5"),
    (lambda: objects.tangents(objects.sample(1), names=[]), "names: give one or more"),
    (lambda: objects.tangents(objects.sample(1), names=5), "unknown latent 5; known: x, y"),
    (lambda: objects.sample(8, latents={"jaw": 3}), "unknown latent 'jaw'; known: x, y, size"),
    (lambda: objects.sample(8, latents={"yaw": (20, 10)}), r"within \[-360, 360\]"),
    (lambda: objects.render("cars", 8), "unknown exemplar 8; known: 0, 1"),
    (lambda: objects.render(9, 0), "unknown category 9"),
    (lambda: objects.render("cars", 0, torch.zeros(2, 4)), r"\(2, 4\): expected \(b, 10\)"),
    (lambda: objects.render("cars", 0, {"size": 9.0}), r"size outside \[0.05, 4\]: found 9"),
    (lambda: objects.render("cars", 0, {"yaw": float("nan")}), "yaw outside"),
    (lambda: objects.render("cars", 0, {"yaw": [1.0, 2.0], "x": [0.0] * 3}), "unequal lengths"),
    (lambda: objects.render(["cars", "boats"], [0, 1, 2]), "2 categories, expected 1 or 3"),
    (lambda: objects.tangents(torch.tensor([0])), "give an ObjectSet"),
    (lambda: objects.tangents(objects.sample(1), names="background"), "unknown latent"),
])
def test_objects_refuse_what_they_cannot_draw(call, message):
    with pytest.raises(ValueError, match=message):
        call()
