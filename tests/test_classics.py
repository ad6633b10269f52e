"""Published nets: from files made in the published formats, and from the real ones if in reach."""

import hashlib
import pickle

import numpy as np
import pytest
import torch
import torchvision
from torchvision.transforms import functional

from brainkit import data, features
from brainkit.data import catalogue
from brainkit.models.classics import VGG16_BLOCKS, published
from brainkit.models.normalise import Normalise, imagenet


def stage(monkeypatch, tmp_path, name, content):
    """Put `content` in the cache as the only file of the asset `name`."""
    old = catalogue.ASSETS[name]
    file = catalogue.File(old.files[0].name, len(content), hashlib.sha256(content).hexdigest())
    asset = catalogue.Asset(name, old.what, old.licence, (file,))
    monkeypatch.setitem(catalogue.ASSETS, name, asset)
    monkeypatch.setenv("BRAINKIT_CACHE", str(tmp_path))
    monkeypatch.delenv("BRAINKIT_MIRROR", raising=False)
    (tmp_path / name).mkdir()
    (tmp_path / name / file.name).write_bytes(content)


def convolutions(net):
    return [module for module in net.modules() if isinstance(module, torch.nn.Conv2d)]


def as_published(features_, key):
    """A conv stack's weights as the pickles hold them: NumPy arrays, kernels in HWIO order."""
    return {key: {
        f"Conv_{i}": {
            "kernel": conv.weight.detach().permute(2, 3, 1, 0).numpy().copy(),
            "bias": conv.bias.detach().numpy().copy(),
        }
        for i, conv in enumerate(convolutions(features_))
    }}


@pytest.fixture
def alexnet_features(monkeypatch, tmp_path):
    """A random AlexNet's features, staged in the published format."""
    torch.manual_seed(0)
    features_ = torchvision.models.alexnet().features
    content = pickle.dumps(as_published(features_, "AlexNet_0"))
    stage(monkeypatch, tmp_path, "alexnet-conv", content)
    return features_


def test_conv_stack_is_torchvisions_with_the_pickles_weights(alexnet_features):
    net = published("alexnet-conv")
    images = torch.rand(2, 3, 96, 80)
    mean, sd = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    normalised = (images - mean.view(3, 1, 1)) / sd.view(3, 1, 1)
    torch.testing.assert_close(net(images), alexnet_features(normalised))
    assert isinstance(net[0], Normalise)
    assert "features.0" in features.layer_names(net)


def test_published_net_is_frozen_and_passes_gradients_to_images(alexnet_features):
    net = published("alexnet-conv")
    assert not any(module.training for module in net.modules())
    assert not any(parameter.requires_grad for parameter in net.parameters())
    assert not any(parameter.is_meta for parameter in net.parameters())
    images = torch.rand(1, 3, 64, 64, requires_grad=True)
    assert torch.autograd.grad(net(images).sum(), images)[0].abs().sum() > 0


def test_making_a_net_draws_no_random_numbers(alexnet_features):
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    published("alexnet-conv")
    assert torch.equal(torch.random.get_rng_state(), before)


def test_pickle_of_another_shape_is_refused(monkeypatch, tmp_path):
    arrays = as_published(torchvision.models.alexnet().features, "AlexNet_0")
    arrays["AlexNet_0"]["Conv_1"]["kernel"] = np.zeros((3, 3, 64, 192), np.float32)
    stage(monkeypatch, tmp_path, "alexnet-conv", pickle.dumps(arrays))
    with pytest.raises(data.AssetError, match="Conv_1"):
        published("alexnet-conv")


def test_mobilenet_is_torchvisions(monkeypatch, tmp_path):
    torch.manual_seed(0)
    net = torchvision.models.mobilenet_v2().eval()
    path = tmp_path / "made.pth"
    torch.save(net.state_dict(), path)
    stage(monkeypatch, tmp_path, "mobilenet_v2", path.read_bytes())
    ours = published("mobilenet_v2")
    images = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(ours(images), net(ours.normalise(images)))
    assert ours(images).shape == (2, 1000)


def test_weights_that_would_run_code_are_refused(monkeypatch, tmp_path):
    path = tmp_path / "evil.pth"
    torch.save({"features": print}, path)
    stage(monkeypatch, tmp_path, "mobilenet_v2", path.read_bytes())
    with pytest.raises(pickle.UnpicklingError):
        published("mobilenet_v2")


def test_unknown_net_names_the_nearest():
    with pytest.raises(data.AssetError, match="Did you mean 'vgg16-conv'"):
        published("vgg16")


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.rand(3, 64, 64), r"images\[None\]"),
        (torch.rand(1, 64, 64, 3), "permute"),
        (torch.rand(1, 1, 64, 64), "expand"),
        (torch.rand(2, 3, 20, 64), "at least 32 pixels"),
        (torch.zeros(1, 3, 64, 64, dtype=torch.uint8), r"float\(\) / 255"),
        (torch.rand(1, 3, 64, 64) * 255, "from .* to 25"),
        (torch.randn(1, 3, 64, 64), "normalises them itself"),
        (torch.full((1, 3, 64, 64), torch.nan), "division by zero"),
        (torch.rand(1, 3, 64, 64).double(), r"use images.to\(torch.float32\)"),
        (torch.rand(0, 3, 64, 64), "no image"),
        (np.zeros((1, 3, 64, 64)), "ndarray"),
    ],
)
def test_wrong_images_are_named(images, message):
    with pytest.raises(ValueError, match=message):
        imagenet(32)(images)


def test_images_at_the_bounds_pass():
    images = torch.stack([torch.zeros(3, 8, 8), torch.ones(3, 8, 8)])
    torch.testing.assert_close(imagenet()(images)[1, :, 0, 0],
                               torch.tensor([2.2489, 2.4286, 2.6400]), rtol=0, atol=1e-4)


def test_vgg_blocks_are_the_relus_after_each_blocks_first_convolution():
    with torch.device("meta"):
        layers = torchvision.models.vgg16().features
    firsts = [0, *[i + 1 for i, m in enumerate(layers) if isinstance(m, torch.nn.MaxPool2d)][:4]]
    assert list(VGG16_BLOCKS.values()) == [f"features.{i + 1}" for i in firsts]
    assert all(isinstance(layers[i + 1], torch.nn.ReLU) for i in firsts)


# ---- the real ones


def real(function, *arguments):
    try:
        return function(*arguments)
    except data.AssetError as error:
        pytest.skip(f"no source within reach: {error.tried[-2:]}")


def for_net(photograph):
    """(1, 3, 224, 224) in [0, 1]: the short side at 256, the middle 224."""
    image = torch.from_numpy(photograph).permute(2, 0, 1)[None] / 255
    return functional.center_crop(functional.resize(image, 256, antialias=True), 224).clamp(0, 1)


@pytest.mark.parametrize(("name", "category"),
                         [("chelsea", "Egyptian cat"), ("coffee", "espresso")])
def test_real_mobilenet_names_photographs(name, category):
    net = real(published, "mobilenet_v2")
    scores = net(for_net(data.photograph(name))).softmax(1)[0]
    assert data.imagenet_categories()[scores.argmax()] == category


def test_real_mobilenet_on_twenty_photographs():
    net = real(published, "mobilenet_v2")
    photographs = real(data.imagenet_photographs)
    assert len(photographs) == 20
    right = sum(int(net(for_net(p.image)).argmax()) == p.label for p in photographs)
    assert right >= 18


def test_real_alexnet_filters_are_learned():
    net = real(published, "alexnet-conv")
    filters = net.features[0].weight.flatten(1)  # (64, 363)
    # Neighbouring pixels of a learned filter go together; of a random one they do not.
    images = net.features[0].weight
    left, right = images[..., :-1].flatten(), images[..., 1:].flatten()
    assert torch.corrcoef(torch.stack([left, right]))[0, 1] > 0.5
    assert filters.shape == (64, 363)


# ---- photographs and names, which need no asset


def test_photographs():
    chelsea = data.photograph("chelsea")
    assert chelsea.shape == (300, 451, 3)
    assert chelsea.dtype == np.uint8
    camera = data.photograph("camera")
    assert (camera[..., 0] == camera[..., 2]).all()
    for name in data.PHOTOGRAPHS:
        assert data.photograph(name).shape[2] == 3


def test_photograph_that_is_not_there():
    with pytest.raises(data.AssetError, match="Did you mean 'chelsea'"):
        data.photograph("chelsae")


def test_imagenet_categories():
    names = data.imagenet_categories()
    assert len(names) == 1000
    assert names[285] == "Egyptian cat"
