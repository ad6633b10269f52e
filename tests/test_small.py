"""The zoo's small nets: comparable where they are to be compared."""

import pytest
import torch

from brainkit import models, objects
from brainkit.features import record
from brainkit.models import depth, macs, parameters, small
from brainkit.models.vonenet import Noise, fixed_noise, noise
from brainkit.recipes import read
from brainkit.training import evaluate, wilson

SHAPE = (1, 64, 64)
MAKERS = {name: getattr(small, name) for name in small.__all__}


@pytest.fixture(scope="module")
def nets():
    return {name: make().eval() for name, make in MAKERS.items()}


@pytest.mark.parametrize("name", MAKERS)
def test_nets_take_the_objects_and_cost_little(nets, name):
    with torch.no_grad():
        assert nets[name](torch.rand(2, *SHAPE)).shape == (2, 8)
    assert macs(nets[name], SHAPE) <= 30e6
    with pytest.raises(ValueError, match=r"interpolate\(images, 64"):
        nets[name](torch.rand(2, 1, 32, 32))


def test_feedforward_control_has_the_parameters_cost_and_depth_of_cornet_s(nets):
    recurrent, control = nets["cornet_s"], nets["feedforward_s"]
    assert parameters(control) == pytest.approx(parameters(recurrent), rel=0.02)
    assert macs(control, SHAPE) == pytest.approx(macs(recurrent, SHAPE), rel=0.02)
    # Each of CORnet-S's steps runs three convolutions; the control has them all.
    steps = 3 * (sum(small.TIMES) - len(small.TIMES))
    assert depth(control) == depth(recurrent) + steps


def test_front_ends_alone_differ(nets):
    def behind(net):
        return {k: v.shape for k, v in net.state_dict().items()}

    plain, vone = behind(nets["resnet"]), behind(nets["vone_resnet"].model)
    assert vone == {k: v for k, v in plain.items() if not k.startswith("stem")}
    plain, vone = behind(nets["cornet_s"]), behind(nets["vone_cornet_s"].model)
    assert vone == {k: v for k, v in plain.items() if not k.startswith("V1")}


def test_noise_is_where_it_should_be(nets):
    x = torch.rand(2, *SHAPE)
    for name, net in nets.items():
        noisy = "vone" in name or "noise" in name
        assert noisy == any(isinstance(m, Noise) for m in net.modules())
        with torch.no_grad():
            assert torch.equal(net(x), net(x)) != noisy
            if noisy:
                with noise(net, None):
                    assert torch.equal(net(x), net(x))
                with fixed_noise(3):
                    assert torch.equal(net(x), net(x))


def test_noise_behind_a_learned_stem_is_as_strong_as_behind_gabors():
    """Equal mean rates; the stem's normalisation has no gain to outgrow the noise with."""
    images = objects.sample(64, "medium", seed=5).images
    torch.manual_seed(0)
    learned, fixed = small.noise_resnet().train(), small.vone_resnet().eval()
    with torch.no_grad():
        rates = learned.stem[:5](learned.normalise(images)).mean()
    gabors = record(fixed, "vone_block.rates", images)["vone_block.rates"].mean()
    assert rates.item() == pytest.approx(gabors.item(), rel=0.15)
    assert not any("stem.1" in name for name, _ in learned.named_parameters())


def test_lesioned_cornet_s_runs_each_area_once():
    whole, lesioned = small.cornet_s(), small.cornet_s(times=(1, 1, 1))
    assert macs(lesioned, SHAPE) < 0.6 * macs(whole, SHAPE)
    assert set(lesioned.state_dict()) < set(whole.state_dict())


@pytest.fixture(scope="module")
def some_test_images():
    test = models.record("resnet-objects")["data"]["test"]
    return objects.sample(256, variation="medium", seed=test["seed"])


@pytest.mark.parametrize("family", read("zoo")["families"])
def test_shipped_nets_are_as_accurate_as_their_records_say(family, some_test_images):
    assert models.available()[family] == [0, 1, 2, 3, 4]
    for seed in (0, 4):
        torch.manual_seed(0)  # of the noisy ones
        here = evaluate(models.load(family, seed), some_test_images)
        there = models.record(family, seed)["accuracy"]["medium"]["value"]
        # 256 of the same population: within the 99.9 % interval of such a sample.
        interval = wilson(round(here.value * here.n), here.n, z=3.29)
        assert interval.low < there < interval.high
