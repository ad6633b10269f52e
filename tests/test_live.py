"""The live net: what goes into the page, and what is refused. tests/pages runs it in a browser."""

import base64
import json
import re
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from brainkit import live, models, objects
from brainkit.models import small

SIDE = 64


@pytest.fixture(scope="module")
def shown():
    return objects.sample(6, "medium", seed=4)


@pytest.fixture(scope="module")
def net():
    return models.load("live_cnn-objects", 0)


@pytest.fixture(scope="module")
def page(net, shown):
    return live.markup(net, shown, caption="Of a *small* net.")[0]


def decoded(numbers):
    kind, text = numbers
    return np.frombuffer(base64.b64decode(text), f"<{kind}").astype(np.float32)


def test_export_holds_the_nets_own_numbers(net):
    layers = live.export(net, SIDE)
    assert [layer["kind"] for layer in layers] == [
        "scale", *["conv", "scale", "relu", "pool"] * 3, "flatten", "linear",
    ]  # fmt: skip
    assert layers[0]["shape"] == [1, SIDE, SIDE]
    assert all(a["out"] == b["shape"] for a, b in pairwise(layers))
    conv, linear = layers[1], layers[-1]
    assert conv["weight"][0] == "f2", "the shipped weights are float16"
    assert np.array_equal(decoded(conv["weight"]), net[1].weight.detach().numpy().ravel())
    assert np.array_equal(decoded(linear["bias"]), net[-1].bias.detach().numpy())
    x = torch.rand(2, 12, 3, 3)
    a, b = (torch.tensor(decoded(layers[2][k]))[:, None, None] for k in ("factor", "offset"))
    torch.testing.assert_close(a * x + b, net[2](x))


def test_weights_that_half_precision_cannot_hold_are_not_rounded():
    linear = nn.Sequential(nn.Flatten(), nn.Linear(SIDE**2, 8))
    weight = live.export(linear, SIDE)[-1]["weight"]
    assert weight[0] == "f4"
    assert np.array_equal(decoded(weight), linear[1].weight.detach().numpy().ravel())


@pytest.mark.parametrize(("layer", "said"), [
    (nn.Tanh(), r"layer 1, Tanh\(\): it runs Normalise, Conv2d"),
    (nn.MaxPool2d(2), "MaxPool2d"),
    (nn.Conv2d(1, 4, (3, 5)), "square"),
    (nn.Conv2d(1, 4, 3, dilation=2), "without dilation"),
    (nn.Conv2d(1, 4, 3, padding="same"), "as a number"),
    (nn.Conv2d(1, 4, 3, padding=1, padding_mode="reflect"), "padded with zeros"),
    (nn.AvgPool2d(3, 2), "neither overlap"),
    (nn.BatchNorm2d(1, track_running_stats=False), "no running mean"),
])  # fmt: skip
def test_layers_that_the_page_cannot_run_are_named(layer, said):
    with pytest.raises(TypeError, match=said):
        live.export(nn.Sequential(nn.Identity(), layer), SIDE)


def test_nets_that_do_not_fit_are_refused(shown):
    with pytest.raises(TypeError, match="class ResNet"):
        live.export(small.resnet(), SIDE)
    with pytest.raises(ValueError, match="does not take"):
        live.export(nn.Sequential(nn.Linear(SIDE, 8)), SIDE)
    with pytest.raises(ValueError, match="does not take"):
        live.export(nn.Sequential(nn.Conv2d(1, 2, 99)), SIDE)
    with pytest.raises(ValueError, match="no layers"):
        live.export(nn.Sequential(), SIDE)
    with pytest.raises(ValueError, match="8 outputs"):
        live.attack(small.live_cnn(n_classes=5), shown)
    with pytest.raises(ValueError, match="no rectified convolution"):
        live.attack(nn.Sequential(nn.Flatten(), nn.Linear(SIDE**2, 8)), shown)


@pytest.mark.parametrize("settings", [
    {"epsilon": 0}, {"epsilon": 4 / 255}, {"epsilon": 17}, {"steps": 3}, {"steps": 0},
])  # fmt: skip
def test_settings_that_the_page_does_not_offer_are_refused(net, shown, settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        live.attack(net, shown, **settings)


def test_too_many_images_and_too_many_bytes_are_refused(net, shown):
    with pytest.raises(ValueError, match="1 to 12 square images"):
        live.attack(net, objects.sample(13, seed=0))
    with pytest.raises(ValueError, match="limit is 50 kB"):
        live.attack(net, shown, limit=50_000)
    wide = small.live_cnn(widths=(16, 32, 48))
    with pytest.raises(ValueError, match=r"half precision"):
        live.attack(wide, shown)


def test_page_is_light_and_needs_nothing_from_elsewhere(page):
    assert len(page.encode()) <= live.LIMIT
    assert not re.search(r"https?://(?!www\.w3\.org)|src=|import ", page)
    assert not re.search(r'<(?!svg|g|path|use|defs|image|rect|clipPath|title)[^>]* id="', page)


def test_without_scripts_the_still_figure_stands(page):
    """And nothing that would not work."""
    still, rest = page.split('<div data-part="live" hidden')
    assert "<svg" in still
    assert "A still of one attack, computed by PyTorch (epsilon 4/255, 10 steps)" in still
    assert "An image of " in still, "no alt text"
    assert all(tag in rest for tag in ("<canvas", "<button", "<input", "<select"))
    assert not any(tag in still for tag in ("<canvas", "<button", "<input", "<select"))
    assert "Of a <em>small</em> net." in rest


def test_page_holds_the_images_and_leaves_the_net_alone(net, shown, page):
    found = re.search(r'data-part="data">(.*?)</script>', page, re.DOTALL)
    data = json.loads(found[1])
    grey = np.frombuffer(base64.b64decode(data["images"][2]), np.uint8).reshape(SIDE, SIDE)
    assert np.abs(grey / 255 - shown.images[2, 0].numpy()).max() <= 0.5001 / 255
    assert data["labels"] == shown.labels.tolist()
    assert len(data["maps"]) == live.MAPS
    trained = small.live_cnn().train()
    live.markup(trained, shown, limit=10**6)
    assert trained.training
    assert all(p.grad is None for p in trained.parameters())


def test_alt_text_is_the_callers_or_written_from_the_numbers(net, shown, capsys):
    live.attack(net, shown, alt="A fruit that the net takes for a chair.")
    assert "A fruit that the net takes" in capsys.readouterr().out
    assert re.search(r"The net says \w+ \(\d+%\) to the image", live.markup(net, shown)[1])
