"""CORnet against numbers from running the originals (tests/model_recipe.py says on what)."""

import hashlib

import numpy as np
import pytest
import torch
from model_recipe import FIXTURES, close, filled, image, meta, part
from torch import nn

from brainkit.features import record
from brainkit.models import cornet, depth

META = meta("cornet")
MAKERS = {"s": cornet.cornet_s, "z": cornet.cornet_z, "rt": cornet.cornet_rt}


@pytest.fixture(scope="module")
def images():
    return image(2, 224)


@pytest.fixture(scope="module")
def nets():
    # The fixtures' images are not in [0, 1]: the originals know no normalisation.
    return {name: filled(make(normalise=None)) for name, make in MAKERS.items()}


def test_the_recipes_image_is_the_fixtures(images):
    assert hashlib.sha256(images.numpy().tobytes()).hexdigest() == META["input"]["sha256"]


@pytest.mark.parametrize("name", MAKERS)
def test_keys_shapes_and_size_are_the_originals(nets, name):
    state = nets[name].state_dict()
    assert {key: list(value.shape) for key, value in state.items()} == dict(META[name]["keys"])
    assert sum(p.numel() for p in nets[name].parameters()) == META[name]["n_params"]


def test_depth_is_the_published_one(nets):
    assert depth(nets["s"]) == 15
    assert depth(nets["s"], skip_projections=True) == 18


@pytest.mark.parametrize("name", ["s", "z"])
def test_every_stage_and_step_answers_as_the_original(nets, images, name):
    want = np.load(FIXTURES / f"cornet_{name}.npz")
    stages = sorted({key.rsplit(".t", 1)[0] for key in want.files if ".t" in key})
    found = record(nets[name], ["", *stages], images)
    close(found[""], want["logits"])
    for step in META[name]["stats"]:
        stage, time = step.rsplit(".t", 1)
        maps = found[step] if step in found else found[stage]
        if step == "decoder.avgpool.t0":
            close(maps[..., 0, 0], want[step])
        else:
            close(part(maps), want[f"{step}.sub"])
            close(maps.mean((2, 3)), want[f"{step}.chmean"])
        assert step in found or time == "0"


@pytest.mark.parametrize("name", ["s", "z", "rt"])
def test_statistics_of_every_stage_are_the_originals(nets, images, name):
    stages = {step.rsplit(".t", 1)[0] for step in META[name]["stats"]}
    found = record(nets[name], sorted(stages), images)
    for step, stats in META[name]["stats"].items():
        maps = found.get(step, found.get(step.rsplit(".t", 1)[0]))
        assert list(maps.shape) == stats["shape"], step
        scale = max(abs(stats["max"]), abs(stats["min"]))
        for value, want in ((maps.mean(), stats["mean"]), (maps.std(correction=0), stats["std"]),
                            (maps.min(), stats["min"]), (maps.max(), stats["max"])):
            assert abs(float(value) - want) <= 2e-5 * scale, step


@pytest.mark.parametrize("name", ["s", "z"])
def test_gradient_is_the_originals(nets, images, name):
    want = np.load(FIXTURES / f"cornet_{name}.npz")
    x = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(nets[name](x)[:, 7].sum(), x)
    # A ReLU whose input is all but 0 may open in one run and not in another: the fixture's own
    # float32 differs so from a run in float64, with which this one agrees.
    close(gradient[:, :, ::16, ::16], want["grad_logit7.sub"], 3e-3)
    assert float(gradient.norm()) == pytest.approx(want["grad_logit7.norm"].item(), rel=1e-5)


def test_training_mode_is_the_originals(images):
    want = np.load(FIXTURES / "cornet_s.npz")
    net = filled(cornet.cornet_s(normalise=None)).train()
    close(net(images), want["logits_train_mode"])
    state = net.state_dict()
    after = [key for key in want.files if key.startswith("after_train.")]
    assert after
    for key in after:
        close(state[key.removeprefix("after_train.")], want[key])


@pytest.mark.parametrize("name", MAKERS)
def test_normalisation_is_inside(nets, name):
    images = torch.rand(1, 3, 64, 64)
    net = MAKERS[name]()
    net.load_state_dict(nets[name].state_dict())
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    sd = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    torch.testing.assert_close(net.eval()(images), nets[name]((images - mean) / sd))
    with pytest.raises(ValueError, match="bytes divided by 255"):
        net(images * 255)


@pytest.mark.parametrize("name", MAKERS)
def test_compiles_in_one_graph_and_leaves_no_trace_of_a_pass(nets, name):
    images = image(1, 64)
    compiled = torch.compile(nets[name], backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(images), nets[name](images))
    if name == "s":
        strides = [m.stride for m in nets["s"].modules() if isinstance(m, nn.Conv2d)]
        nets["s"](images)
        assert strides == [m.stride for m in nets["s"].modules() if isinstance(m, nn.Conv2d)]


@pytest.mark.parametrize("side", [(64, 64), (75, 50), (33, 97)])
def test_rt_takes_any_size(side):
    net = cornet.CORnetRT(widths=(8, 16, 16, 32), n_classes=5).eval()
    maps = record(net, ["V1.output", "V2.output", "IT.output"], torch.rand(2, 3, *side))
    below = nn.functional.conv2d(torch.zeros(1, 1, *side), torch.zeros(1, 1, 7, 7), None, 4, 3)
    assert maps["V1.output.t0"].shape[2:] == below.shape[2:]
    assert maps["IT.output.t4"].shape == maps["IT.output.t0"].shape


def test_rt_knows_of_the_image_in_it_from_the_fourth_step_on():
    net = cornet.CORnetRT(widths=(8, 16, 16, 32), n_classes=5).eval()
    one, other = (record(net, "IT.output", torch.rand(1, 3, 64, 64)) for _ in range(2))
    same = [torch.equal(one[f"IT.output.t{t}"], other[f"IT.output.t{t}"]) for t in range(5)]
    assert same == [True, True, True, False, False]


def test_small_nets_and_wrong_settings():
    net = cornet.CORnetS((4, 8, 8, 8), (1, 3, 1), in_channels=1, n_classes=8, scale=2).eval()
    found = record(net, ["V2.output", "V4.output"], torch.rand(2, 1, 64, 64))
    assert list(found) == ["V2.output", "V4.output.t0", "V4.output.t1", "V4.output.t2"]
    with pytest.raises(ValueError, match="four widths"):
        cornet.CORnetS((4, 8, 8))
    with pytest.raises(ValueError, match="at least once"):
        cornet.CORnetS(times=(2, 0, 2))
    with pytest.raises(ValueError, match="1 step or more"):
        cornet.CORnetRT(times=0)
