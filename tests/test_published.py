"""Published nets through `models.load`, from files made in the formats they are published in."""

import argparse
import dataclasses
import functools
import hashlib

import numpy as np
import pytest
import torch
import torchvision
from model_recipe import FIXTURES, close, filled
from torch import nn
from torchvision.models.resnet import Bottleneck, ResNet

from brainkit import data, models
from brainkit.data import catalogue
from brainkit.models import classics, cornet, published, vone_backends, vonenet
from brainkit.models.normalise import imagenet

FLAGS = dict(stride=4, simple_channels=8, complex_channels=8, k_exc=25, noise_mode="neuronal",
             noise_scale=0.35, noise_level=0.07, arch="resnet50")
BLOCK = dict(simple_channels=8, complex_channels=8)
VONE = ["vone_resnet50", "vone_resnet50-no_noise", "vone_resnet50-adversarial", "vone_cornet_s",
        "vone_alexnet"]
ARCHES = {"vone_cornet_s": "cornets", "vone_alexnet": "alexnet"}
IMAGES = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


class NarrowAlexNet(vone_backends.AlexNetBack):
    """With a classifier of 8 units a layer, for speed; its keys are the whole net's."""

    def __init__(self, n_classes=1000):
        with torch.device("meta"):
            super().__init__(n_classes)
        self.to_empty(device="cpu")
        for at, size in ((1, 256 * 7 * 7), (4, 8), (6, 8)):
            self.classifier[at] = nn.Linear(size, 8)


@pytest.fixture
def narrow(monkeypatch):
    """The large nets narrower, for speed; test_cornet and test_vonenet have whole ones' keys."""
    for name, kind in (("cornet_s", cornet.CORnetS), ("cornet_rt", cornet.CORnetRT)):
        monkeypatch.setattr(cornet, name, functools.partial(
            kind, (8, 8, 16, 16), n_classes=8, normalise=imagenet(32)))
    monkeypatch.setattr(vone_backends, "CORnetS",
                        functools.partial(cornet.CORnetS, (64, 8, 16, 16)))
    monkeypatch.setattr(vone_backends, "AlexNetBack", NarrowAlexNet)
    monkeypatch.setattr(torchvision.models, "resnet50", lambda weights, num_classes: ResNet(
        Bottleneck, [1, 1, 1, 1], num_classes, width_per_group=8))


@pytest.fixture
def publish(asset, served, monkeypatch, tmp_path):
    """A function that serves a checkpoint where an asset's URL points, its hashes in its terms."""
    folder, base, _ = served

    def publish(name, content, **options):
        old = catalogue.ASSETS[name]
        (file,) = old.files
        path = folder / file.name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            torch.save(content, path, **options)
        content = path.read_bytes()
        new = dataclasses.replace(
            file, url=f"{base}/{file.name}", more_urls=(),
            sha256_prefix=file.sha256_prefix and hashlib.sha256(content).hexdigest()[:8],
            sha1=file.sha1 and hashlib.sha1(content).hexdigest(),
        )
        monkeypatch.setitem(catalogue.ASSETS, name, dataclasses.replace(old, files=(new,)))
        return tmp_path / "cache" / name / file.name

    return publish


def parallel(state):
    return {f"module.{key}": value for key, value in state.items()}


def same(one, other, images=IMAGES):
    """Whether two nets answer alike, to the last bit, under one draw of noise."""
    with torch.no_grad(), vonenet.fixed_noise(0):
        answers = one(images)
        return bool(answers.std() > 0) and torch.equal(answers, other(images))


# --- Formats -------------------------------------------------------------------------------------


def numbers(state):
    """As a training script leaves it: settings of argparse, scores of NumPy."""
    return {"state_dict": state, "flags": argparse.Namespace(model="S"), "epoch": 43,
            "top1": np.float64(0.73), "classes": np.int64(1000)}


@pytest.mark.parametrize("name", ["cornet_s", "cornet_z", "cornet_rt"])
@pytest.mark.parametrize("form", [
    lambda state: {"state_dict": parallel(state)}, lambda state: {"state_dict": state},
    parallel, dict, numbers], ids=["published", "wrapped", "parallel", "bare", "numbers"])
def test_cornets_load_from_every_format(narrow, publish, name, form):
    want = filled(getattr(cornet, name)())
    publish(name, form(want.state_dict()))
    before = torch.random.get_rng_state()
    net = models.load(name)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert same(net, want)
    assert not any(module.training for module in net.modules())
    assert not any(p.requires_grad for p in net.parameters())
    x = IMAGES.clone().requires_grad_()
    assert torch.autograd.grad(net(x).sum(), x)[0].abs().sum() > 0
    with pytest.raises(ValueError, match="bytes divided by 255"):
        net(255 * IMAGES)


@pytest.mark.parametrize("name", VONE)
def test_vonenets_load(narrow, publish, name):
    noise = None if name == "vone_resnet50-no_noise" else "neuronal"
    make = getattr(vone_backends, name.partition("-")[0])
    want = filled(make(**BLOCK, noise=noise))
    state = want.state_dict()
    if name == "vone_resnet50-adversarial":  # it alone has no prefix, and two layers more
        state |= {f"vone_block.div_{x}.weight": torch.ones(2, 2) for x in "ut"}
    else:
        state = parallel(state)
    publish(name, {"flags": FLAGS | {"arch": ARCHES.get(name, "resnet50")}, "state_dict": state})
    net = models.load(name)
    assert same(net, want)
    assert torch.equal(net(IMAGES), net(IMAGES)) == (noise is None)
    assert not net.training
    assert not any(p.requires_grad for p in net.parameters())


def test_files_of_before_pytorch_1_6_and_numpy_2_load(tmp_path):
    want = filled(small())
    torch.save(numbers(want.state_dict()), tmp_path / "old.pth",
               _use_new_zipfile_serialization=False)
    content = (tmp_path / "old.pth").read_bytes()
    assert b"multiarray\nscalar" in content
    content = content.replace(b"numpy._core.multiarray\n", b"numpy.core.multiarray\n")
    (tmp_path / "old.pth").write_bytes(content)
    assert same(models.load_weights(small().eval(), tmp_path / "old.pth"), want)


@pytest.mark.parametrize("flags", [
    dict(stride=8, k_exc=10, noise_mode="gaussian", noise_scale=0.5, noise_level=0.2),
    dict(simple_channels=4, complex_channels=12, noise_mode=None, noise_scale=None),
    dict(noise_mode="None", arch="CORnet_S", more="of the training"), {}])
def test_flags_set_the_block(narrow, publish, flags):
    said = BLOCK | {key: flags[key] for key in flags
                    if key not in ("noise_mode", "arch", "more") and flags[key] is not None}
    noise = {"gaussian": "gaussian"}.get(flags["noise_mode"]) if "noise_mode" in flags else (
        "neuronal")
    want = filled(vone_backends.vone_cornet_s(**said, noise=noise))
    publish("vone_cornet_s", {"flags": BLOCK | flags, "state_dict": parallel(want.state_dict())})
    net = models.load("vone_cornet_s")
    assert same(net, want)
    assert str(net) == str(want)
    default = filled(vone_backends.vone_cornet_s(**BLOCK))
    assert same(net, default) == (not flags)  # all but the last differ from what is built unasked


def test_published_kernels_whose_pairs_differ_in_colour(narrow, publish):
    """The originals' pairs read different channels: all 512, in their order, as dense kernels."""
    kernels = np.load(FIXTURES / "vone_kernels.npz")
    want = filled(vone_backends.vone_cornet_s(noise=None))
    state, dense = want.state_dict(), {}
    for name in ("q0", "q1"):
        flat = state[f"vone_block.simple_conv_{name}.weight"].sum(1)
        dense[name] = torch.zeros(512, 3, 25, 25)
        colours = torch.from_numpy(kernels[f"rgb_channel_{name}"]).long()
        dense[name][torch.arange(512), colours] = flat
        state[f"vone_block.simple_conv_{name}.weight"] = dense[name]
    flags = FLAGS | dict(simple_channels=256, complex_channels=256, noise_mode=None, arch="cornets")
    publish("vone_cornet_s", {"flags": flags, "state_dict": parallel(state)})
    net = models.load("vone_cornet_s")
    x = 2 * IMAGES - 1
    q0, q1 = (nn.functional.conv2d(x, dense[name], None, 4, 12) for name in ("q0", "q1"))
    energy = (q0[:, 256:]**2 + q1[:, 256:]**2).sqrt() / 2**0.5
    close(net.vone_block(x), 25 * torch.cat([q0[:, :256].relu(), energy], 1), 2e-5)
    pairs = kernels["rgb_channel_q0"] != kernels["rgb_channel_q1"]
    assert pairs[256:].sum() == 173


def test_other_peoples_three_are_loaded_by_classics(monkeypatch):
    monkeypatch.setattr(classics, "published", lambda name: f"classics' {name}")
    assert set(classics.PUBLISHED) < set(published.NETS)
    for name in classics.PUBLISHED:
        assert models.load(name) == f"classics' {name}"


def test_every_name_is_an_assets_and_none_a_net_of_ours():
    assert set(published.NETS) <= set(data.ASSETS)
    weights = {name for name, asset in data.ASSETS.items()
               if asset.optional and ".pth" in asset.files[0].name}
    assert weights <= set(published.NETS)
    assert not set(published.NETS) & set(models.available())


# --- A checkpoint of one's own -------------------------------------------------------------------


def small(n_classes=8, **options):
    return cornet.CORnetS((8, 8, 16, 16), n_classes=n_classes, **options)


@pytest.mark.parametrize("form", [parallel, dict, lambda state: {"state_dict": state}])
def test_load_weights_from_a_file_or_a_dict(tmp_path, form):
    want = filled(small())
    content = form(want.state_dict())
    torch.save(content, tmp_path / "mine.pth")
    for source in (tmp_path / "mine.pth", str(tmp_path / "mine.pth"), content):
        net = small().train()
        assert models.load_weights(net, source) is net
        assert net.training
        assert all(p.requires_grad for p in net.parameters())
        assert same(net.eval(), want)


def test_load_weights_into_a_data_parallel_net():
    want = filled(small())
    for state in (want.state_dict(), parallel(want.state_dict())):
        net = nn.Sequential()
        net.module = small().eval()
        models.load_weights(net, state)
        assert same(net.module, want)


def test_a_missing_counter_of_batches_is_no_error():
    want = filled(small())
    state = {key: value for key, value in want.state_dict().items() if "num_batches" not in key}
    assert same(models.load_weights(small().eval(), state), want)


# --- What is refused -----------------------------------------------------------------------------


def test_weights_of_another_architecture_are_named(narrow, publish):
    path = publish("cornet_s", {"state_dict": parallel(filled(cornet.cornet_z()).state_dict())})
    with pytest.raises(models.ZooError) as caught:
        models.load("cornet_s")
    for part in ("'cornet_s'", "does not fit CORnetS", "It holds weights of CORnet-Z",
                 "V1.conv1.weight", "8 not the net's (V1.conv.weight",
                 f"delete {path} and {path.name}.sha256"):
        assert part in str(caught.value)


@pytest.mark.parametrize(("key", "whose"), published._TELLTALES.items())
def test_each_architecture_is_known_by_its_keys(narrow, key, whose):
    makers = {"CORnet-S": cornet.cornet_s, "CORnet-Z": cornet.cornet_z,
              "CORnet-R or CORnet-RT": cornet.cornet_rt,
              "VOneResNet-50": vone_backends.vone_resnet50,
              "VOneCORnet-S": vone_backends.vone_cornet_s,
              "VOneAlexNet": vone_backends.vone_alexnet}
    state = makers[whose](**(BLOCK if "VOne" in whose else {})).state_dict()
    assert [k for k in published._TELLTALES if k in state] == [key]
    with pytest.raises(models.ZooError, match=f"It holds weights of {whose}:"):
        models.load_weights(nn.Sequential(nn.Linear(3, 3)), state)


@pytest.mark.parametrize(("change", "said"), [
    (lambda s: [s.pop(key) for key in list(s) if key.startswith("V1.conv")],
     r"does not fit CORnetS: 2 missing from it \(V1.conv1.weight, V1.conv2.weight\)\. Build"),
    (lambda s: [s.pop(key) for key in list(s) if "running" in key],
     r"\d+ missing from it \(V1.norm1.running_mean, .* and \d+ more\)"),
    (lambda s: s.update(head=torch.zeros(1)), r"1 not the net's \(head\)"),
    (lambda s: s.update({"decoder.linear.weight": torch.zeros(9, 16)}),
     r"1 of other shape \(decoder.linear.weight is \(9, 16\) and should be \(8, 16\)"),
    (lambda s: s.update(epoch=3), r"no state dict: epoch is no tensor"),
    (lambda s: [s.clear(), s.update(state_dict=[1, 2])], "under 'state_dict', but a list"),
    (lambda s: s.clear(), "but nothing"),
    (lambda s: [s.clear(), s.update(model={}, optimizer={})], "model, optimizer are no tensor"),
])
def test_what_does_not_fit_is_named_and_leaves_the_net_as_it_was(change, said):
    state = dict(filled(small()).state_dict())
    change(state)
    net = small().eval()
    before = net(IMAGES)
    with pytest.raises(models.ZooError, match=said):
        models.load_weights(net, state)
    assert torch.equal(net(IMAGES), before)


def whole_file(tmp_path):
    torch.save(filled(small()).state_dict(), tmp_path / "x")
    return (tmp_path / "x").read_bytes()


@pytest.mark.parametrize("content", [
    lambda _: b"PK\x03\x04 no archive", lambda _: b"no pickle either", lambda _: b"",
    lambda _: b"\x80\x02", lambda path: whole_file(path)[:-5000], lambda _: bytes(range(256))])
def test_a_file_that_is_no_checkpoint(tmp_path, content):
    (tmp_path / "mine.pth").write_bytes(content(tmp_path))
    with pytest.raises(models.ZooError, match=r"mine\.pth is no checkpoint .* or is damaged"):
        models.load_weights(small(), tmp_path / "mine.pth")


def test_a_published_file_that_is_no_checkpoint_says_what_to_delete(publish):
    path = publish("vone_alexnet", b"a page of no bank")
    with pytest.raises(models.ZooError, match=r"'vone_alexnet': .*no checkpoint") as caught:
        models.load("vone_alexnet")
    assert f"delete {path} and {path.name}.sha256" in str(caught.value)


@pytest.mark.parametrize(("content", "said"), [
    ([torch.zeros(1)], "holds a list, no state dict"),
    ({"state_dict": {"a": torch.zeros(1)}, "callback": print},
     "asks for .*print, and to load that could run any code"),
    (nn.Linear(2, 2), "asks for torch.nn.modules.linear.Linear.*`state_dict"),
])
def test_other_content_is_refused_and_not_run(tmp_path, content, said):
    torch.save(content, tmp_path / "mine.pth")
    with pytest.raises(models.ZooError, match=said):
        models.load_weights(small(), tmp_path / "mine.pth")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"mine\.pth"):
        models.load_weights(small(), tmp_path / "mine.pth")


@pytest.mark.parametrize(("flags", "said"), [
    ({"noise_mode": "poisson"}, "flags of which no net can be built: noise='poisson'"),
    ({"simple_channels": -1}, "numbers of channels"),
    ({"arch": "CORnet_S"}, r"holds vone_cornet_s \(its flags say arch='CORnet_S'\)"),
    ([1], "flags that are a list"),
])
def test_flags_that_make_no_net(publish, flags, said):
    flags = FLAGS | flags if isinstance(flags, dict) else flags
    publish("vone_resnet50", {"flags": flags, "state_dict": {"a": torch.zeros(1)}})
    with pytest.raises(models.ZooError, match=said):
        models.load("vone_resnet50")


@pytest.mark.parametrize("name", ["cornet_s", "vone_alexnet", "mobilenet_v2"])
@pytest.mark.parametrize("seed", [0, 3])
def test_a_published_net_has_no_seeds(name, seed):
    with pytest.raises(models.ZooError, match=f"{name!r} was published as .* seed={seed}"):
        models.load(name, seed=seed)


@pytest.mark.parametrize(("name", "nearest"), [
    ("CORnet-S", "cornet_s"), ("resnet_mini", "resnet_mini-objects"),
    ("vone_resnet50_no_noise", "vone_resnet50-no_noise"), (None, "")])
def test_an_unknown_name_lists_both_kinds_nearest_first(name, nearest):
    with pytest.raises(models.ZooError, match=f"no trained net {name!r}; .*first: {nearest}") as no:
        models.load(name)
    for known in [*models.available(), *published.NETS]:
        assert known in str(no.value)


def test_no_source_within_reach(asset, monkeypatch):
    (file,) = catalogue.ASSETS["cornet_z"].files
    unreachable = dataclasses.replace(file, url="http://127.0.0.1:9/x")
    monkeypatch.setitem(catalogue.ASSETS, "cornet_z",
                        dataclasses.replace(catalogue.ASSETS["cornet_z"], files=(unreachable,)))
    with pytest.raises(data.AssetError, match="put it in place by hand"):
        models.load("cornet_z")
