"""The historic nets in miniature: what makes each itself, its cost, its shipped weights."""

import json

import pytest
import torch
from torch import nn

from brainkit import models, objects
from brainkit.models import miniatures, zoo
from brainkit.models.gabors import gabor, grating
from brainkit.models.neocognitron import CCells, SCells, compete
from brainkit.training import evaluate, wilson

BUILDERS = [miniatures.lenet, miniatures.alexnet, miniatures.vgg, miniatures.resnet]
FAMILIES = [f"{net}_mini-objects" for net in ("neocognitron", "lenet", "alexnet", "vgg", "resnet")]


def kinds(model):
    return {type(module) for module in model.modules()}


def kernels(model):
    return [m.kernel_size for m in model.modules() if isinstance(m, nn.Conv2d)]


# --- What makes each itself ----------------------------------------------------------------------


@pytest.mark.parametrize("build", BUILDERS)
def test_takes_images_gives_logits_stays_small(build):
    net = build().eval()
    assert net(torch.rand(3, 1, 64, 64)).shape == (3, 8)
    assert build(n_classes=5).eval()(torch.rand(1, 1, 64, 64)).shape == (1, 5)
    assert models.parameters(net) < 200_000
    assert models.macs(net, (1, 64, 64)) < 8e6


def test_lenet_has_five_by_five_filters_mean_pooling_and_no_relu():
    net = miniatures.lenet()
    assert set(kernels(net)) == {(5, 5)}
    assert not {nn.ReLU, nn.MaxPool2d, nn.BatchNorm2d, nn.Dropout} & kinds(net)
    pooled = net.s2(torch.full((1, 6, 8, 8), 0.3))  # gain one, bias zero at the start
    assert torch.allclose(pooled, torch.full((1, 6, 4, 4), 0.3).tanh())


def test_alexnet_has_a_large_strided_first_filter_groups_and_dropout():
    net = miniatures.alexnet()
    convolutions = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    assert convolutions[0].stride == (2, 2)
    assert convolutions[0].kernel_size == max(kernels(net))
    assert [c.groups for c in convolutions] == [1, 2, 1, 2, 2]
    assert {nn.ReLU, nn.MaxPool2d, nn.Dropout} <= kinds(net)
    assert nn.LocalResponseNorm in kinds(miniatures.alexnet(local_response=True))


def test_vgg_is_three_by_three_throughout():
    net = miniatures.vgg()
    assert set(kernels(net)) == {(3, 3)}
    assert not {nn.BatchNorm2d} & kinds(net)


def test_resnet_blocks_start_as_identity_where_their_branch_is_silent():
    net = miniatures.resnet().eval()
    block = net.stages[0][0]
    nn.init.zeros_(block.norm2.weight)
    x = torch.rand(2, 12, 16, 16)
    assert torch.equal(block(x), x)
    plain = miniatures.resnet(skip=False)
    assert models.macs(plain, (1, 64, 64)) < models.macs(net, (1, 64, 64))  # no projections
    assert models.depth(plain) == models.depth(net) == 14
    with pytest.raises(ValueError, match="give one each"):
        miniatures.resnet(widths=(8, 8), blocks=(1,))


def test_depth_grows_along_the_history():
    depths = [models.depth(build()) for build in BUILDERS]
    assert depths == sorted(depths)
    assert len(set(depths)) == 4


# --- Size ----------------------------------------------------------------------------------------


def test_macs_counts_by_hand_and_each_use():
    net = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1, groups=1), nn.ReLU(), nn.Flatten(),
                        nn.Linear(3 * 16, 5))  # fmt: skip
    assert models.macs(net, (2, 4, 4)) == 16 * 3 * (2 * 9) + 48 * 5
    assert models.parameters(net) == 3 * 18 + 3 + 48 * 5 + 5
    grouped = nn.Conv2d(4, 4, 3, groups=2)
    assert models.macs(grouped, (4, 3, 3)) == 4 * 2 * 9

    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Conv2d(1, 1, 1)

        def forward(self, x):
            return self.layer(self.layer(x))

    assert models.macs(Twice(), (1, 5, 5)) == 50
    with pytest.raises(ValueError, match="without the batch dimension"):
        models.macs(net, (1, 2, 4, 4))


def test_macs_leaves_the_model_as_it_was():
    net = miniatures.resnet().train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    models.macs(net, (1, 64, 64))
    assert net.training
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert not any(module._forward_hooks for module in net.modules())


# --- Gabors and the Neocognitron -----------------------------------------------------------------


def test_gabor_prefers_its_own_orientation_frequency_and_phase():
    cell = gabor(31, 0.12, torch.pi / 6, 0.4, 4.0)[0]
    angles = torch.arange(0, 180, 10) * torch.pi / 180
    responses = (cell * (grating(31, 0.12, angles, 0.4)[:, 0] - 0.5)).sum((1, 2))
    assert int(responses.argmax()) == 3
    frequencies = torch.linspace(0.04, 0.24, 11)
    responses = (cell * (grating(31, frequencies, torch.pi / 6, 0.4)[:, 0] - 0.5)).sum((1, 2))
    assert int(responses.argmax()) == 4
    phases = torch.arange(0, 360, 10) * torch.pi / 180
    responses = (cell * (grating(31, 0.12, torch.pi / 6, phases)[:, 0] - 0.5)).sum((1, 2))
    assert abs(float(phases[responses.argmax()]) - 0.4) < 0.1


def test_gabor_orientation_is_that_of_the_stripes_anticlockwise():
    horizontal, diagonal, vertical = grating(9, 0.2, torch.tensor([0, 45, 90]).deg2rad(), 0)[:, 0]
    assert torch.allclose(horizontal, horizontal[:, :1].expand(9, 9))
    assert torch.allclose(vertical, vertical[:1].expand(9, 9))
    # "/" : going up (one row less) and right (one column more) stays on a stripe
    assert torch.allclose(diagonal[1:, :-1], diagonal[:-1, 1:], atol=1e-6)
    with pytest.raises(ValueError, match="do not fit together"):
        gabor(9, torch.ones(2), torch.ones(3), 0, 1)


def test_s_cells_answer_their_template_by_strength_and_nothing_below_threshold():
    layer = SCells(1, 2, 3, threshold=0.6)
    template = torch.rand(1, 2, 3, 3)
    layer.templates.copy_(template / template.norm())
    image = torch.zeros(1, 2, 9, 9)
    image[..., 3:6, 3:6] = 7 * layer.templates[0]
    assert float(layer(image)[0, 0, 4, 4]) == pytest.approx(7, rel=1e-4)  # its strength
    other = torch.randn(1, 2, 3, 3)
    other -= (other * layer.templates).sum() * layer.templates  # orthogonal: similarity zero
    image[..., 3:6, 3:6] = other
    assert float(layer(image)[0, 0, 4, 4]) == 0
    with pytest.raises(ValueError, match="0 <= x < 1"):
        SCells(1, 1, 3, threshold=1.5)


def test_c_cells_pool_one_plane_and_keep_a_constant():
    layer = CCells(sigma=1.5, stride=2)
    constant = torch.full((1, 2, 12, 12), 0.4)
    assert torch.allclose(layer(constant), torch.full((1, 2, 6, 6), 0.4), atol=1e-5)
    one = torch.zeros(1, 2, 12, 12)
    one[0, 0, 5, 6] = 1
    pooled = layer(one)
    assert int(pooled[0, 0].argmax()) == 2 * 6 + 3
    assert pooled[0, 1].max() < 1e-5


def test_competition_finds_the_clusters():
    generator = torch.Generator().manual_seed(0)
    centres = torch.eye(12)[:4]
    patches = centres.repeat(50, 1) + 0.1 * torch.randn(200, 12, generator=generator)
    found = compete(patches, 4, 10, generator)
    assert torch.allclose(found.norm(dim=1), torch.ones(4))
    assert sorted((found @ centres.T).argmax(1).tolist()) == [0, 1, 2, 3]
    assert (found @ centres.T).max(1).values.min() > 0.98
    with pytest.raises(ValueError, match="give more images"):
        compete(patches[:3], 4, 1, generator)


def test_neocognitron_learns_without_labels_and_is_read_out_above_chance():
    train = objects.sample(256, variation="none", seed=1)
    test = objects.sample(128, variation="none", seed=2)
    nets = [miniatures.neocognitron().learn(train.images[:64], seed=3) for _ in range(2)]
    assert torch.equal(nets[0].S3.templates, nets[1].S3.templates)
    assert len({tuple(t.flatten().tolist()[:20]) for t in nets[0].S3.templates}) == 64
    net = nets[0].fit_read_out(train.images, train.labels)
    assert evaluate(net, test.images, test.labels).low > 0.3  # chance is 0.125
    assert models.parameters(net, trainable=True) == net.read_out.weight.numel() + 8

    # The hierarchy's purpose: C-cells change less than the S-cells they pool when things move.
    maps, moved = test.images[:8], test.images[:8].roll(1, -1)
    change = {}
    for name, layer in net.stages[:3]:
        maps, moved = layer(maps), layer(moved)
        change[name] = float((maps - moved).norm() / maps.norm())
    assert change["C1"] < 0.8 * change["S1"]


def test_neocognitron_says_when_it_has_not_learned():
    with pytest.raises(RuntimeError, match="call learn"):
        miniatures.neocognitron()(torch.rand(1, 1, 64, 64))


# --- The zoo -------------------------------------------------------------------------------------


def test_every_family_has_five_seeds_and_a_full_record():
    there = models.available()
    for family in FAMILIES:
        assert there[family] == [0, 1, 2, 3, 4]
        for seed in there[family]:
            about = models.record(family, seed)
            assert {"none", "medium", "high"} == set(about["accuracy"])
            assert about["data"]["train"]["n"] == 16384
            assert about["cpu_seconds"] > 0
            for accuracy in about["accuracy"].values():
                assert accuracy["n"] == 2048
                assert accuracy["low"] < accuracy["value"] < accuracy["high"]
    total = sum(path.stat().st_size for path in zoo.WEIGHTS.glob("*_mini-*"))
    assert total < 8e6


@pytest.fixture(scope="module")
def some_test_images():
    test = models.record(FAMILIES[0])["data"]["test"]
    return objects.sample(256, variation="high", seed=test["seed"])


@pytest.mark.parametrize("family", FAMILIES)
def test_loads_offline_and_reproduces_its_recorded_accuracy(family, some_test_images):
    for seed in (0, 4):
        net = models.load(family, seed)
        assert not net.training
        assert not any(p.requires_grad for p in net.parameters())
        here = evaluate(net, some_test_images.images, some_test_images.labels)
        there = models.record(family, seed)["accuracy"]["high"]["value"]
        # 256 of the same population: within the 99.9 % interval of such a sample.
        interval = wilson(round(here.value * here.n), here.n, z=3.29)
        assert interval.low < there < interval.high


def test_seeds_are_different_nets():
    a, b = (models.load("lenet_mini-objects", seed) for seed in (0, 1))
    assert not torch.equal(a.c1.weight, b.c1.weight)
    assert torch.equal(models.load("lenet_mini-objects").c1.weight, a.c1.weight)


def test_missing_nets_and_seeds_are_answered_with_what_there_is():
    with pytest.raises(
        models.ZooError, match=r"no trained net 'resnet-mini'; .*resnet_mini-objects"
    ):
        models.load("resnet-mini")
    with pytest.raises(models.ZooError, match=r"no seed 9; its seeds are \[0, 1, 2, 3, 4\]"):
        models.load("resnet_mini-objects", seed=9)
    with pytest.raises(models.ZooError, match="known are alexnet"):
        zoo.build("densenet")


def test_a_damaged_file_is_refused(tmp_path):
    net = miniatures.lenet()
    about = {"architecture": "lenet", "options": {}}
    zoo.save(net, about, "x", 0, tmp_path)
    again = zoo.load("x", 0, tmp_path)
    assert torch.equal(again.c1.weight, net.c1.weight.half().float())

    path, description = zoo.files("x", 0, tmp_path)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(models.ZooError, match=r"damaged or was replaced: sha256 .* expected"):
        zoo.load("x", 0, tmp_path)

    zoo.save(net, about, "x", 0, tmp_path)
    description.write_text(
        json.dumps({**json.loads(description.read_text()), "architecture": "vgg"})
    )
    with pytest.raises(models.ZooError, match="does not fit 'vgg'"):
        zoo.load("x", 0, tmp_path)


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    net = miniatures.lenet()
    with torch.no_grad():
        net.c1.weight[0] = 1e6  # beyond float16
    with pytest.raises(ValueError, match="not finite"):
        zoo.save(net, {"architecture": "lenet", "options": {}}, "x", 0, tmp_path)
