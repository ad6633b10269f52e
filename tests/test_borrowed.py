"""What other libraries' attacks give back here, and what is caught before it reaches them."""

import sys

import pytest
import tiny
import torch
import torchattacks
from torch import nn

from brainkit import attacks
from brainkit.attacks import borrowed

NET, IMAGES = tiny.net(), tiny.images(8)
LABELS = NET(IMAGES).argmax(1)
STAGES = ["apgd-ce", "fab-t"]


@pytest.mark.parametrize(("name", "settings"), [
    ("FGSM", dict(eps=0.02)), ("PGD", dict(eps=0.02)), ("PGDL2", dict(eps=0.2)),
    ("MIFGSM", dict(eps=0.02)), ("DeepFool", dict(steps=3)), ("CW", dict(steps=5)),
    ("Square", dict(eps=0.02, n_queries=20)), ("APGD", dict(eps=0.02, steps=5)),
    ("APGDT", dict(eps=0.02, steps=3)), ("FAB", dict(eps=0.02, steps=3)),
])
def test_says_what_failed_and_what_is_the_clean_image(name, settings):
    found = attacks.torchattack(name, NET, IMAGES, LABELS, **settings)
    assert found.images.shape == IMAGES.shape
    assert found.images.min() >= 0
    assert found.images.max() <= 1
    assert torch.equal(found.failed, NET(found.images).argmax(1) == LABELS)
    assert torch.equal(found.unchanged, (found.images == IMAGES).flatten(1).all(1))
    assert not (found.unchanged & ~found.failed).any()
    again = attacks.torchattack(name, NET, IMAGES, LABELS, **settings)
    assert torch.equal(found.images, again.images)


@pytest.mark.parametrize(("name", "settings"), [
    ("PGD", dict(eps=0.02)), ("Square", dict(eps=0.02, n_queries=20)),
])
def test_leaves_a_nets_statistics_and_modes_alone(name, settings):
    net = nn.Sequential(nn.BatchNorm2d(1), *tiny.net()).eval()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    found = attacks.torchattack(name, net, IMAGES, LABELS, **settings)
    assert not any(module.training for module in net.modules())
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert torch.equal(found.failed, net(found.images).argmax(1) == LABELS)
    net.train()
    attacks.torchattack(name, net, IMAGES, LABELS, **settings)
    assert all(module.training for module in net.modules())
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


def test_an_average_leaves_the_modes_of_a_nets_parts_alone():
    net = nn.Sequential(nn.BatchNorm2d(1), tiny.net()).train()
    net[0].eval()
    before = [module.training for module in net.modules()]
    attacks.Averaged(net, 2)
    assert [module.training for module in net.modules()] == before


def test_apgd_hands_back_the_clean_image_and_pgd_the_last_iterate():
    settings = dict(eps=1e-4, steps=3)
    assert attacks.torchattack("APGD", NET, IMAGES, LABELS, **settings).unchanged.all()
    assert not attacks.torchattack("PGD", NET, IMAGES, LABELS, **settings).unchanged.any()


def test_is_the_class_itself():
    found = attacks.torchattack("PGD", NET, (IMAGES, LABELS), eps=0.02, steps=3, seed=4)
    torch.manual_seed(4)
    theirs = torchattacks.PGD(NET, eps=0.02, steps=3)(IMAGES, LABELS)
    torch.testing.assert_close(found.images, theirs)


def test_modes_and_generator_are_left_as_they_were():
    net = nn.Sequential(nn.BatchNorm2d(1), nn.Dropout(0.5), tiny.net()).train()
    net[0].eval()
    before, state = [m.training for m in net.modules()], torch.get_rng_state()
    attacks.torchattack("PGD", net, IMAGES, LABELS, eps=0.01, steps=1)
    attacks.autoattack(net, IMAGES, LABELS, 0.01, stages=[])
    assert [m.training for m in net.modules()] == before
    assert torch.equal(torch.get_rng_state(), state)


def test_a_nets_own_mean_and_std_are_not_taken_for_a_normalisation():
    class Net(nn.Module):
        mean, std = torch.full((1,), 0.5), torch.full((1,), 0.2)

        def forward(self, x):
            return NET(x)

    plain = attacks.torchattack("FGSM", NET, IMAGES, LABELS, eps=0.02)
    torch.testing.assert_close(attacks.torchattack("FGSM", Net(), IMAGES, LABELS, eps=0.02).images,
                               plain.images)  # fmt: skip


def test_a_stochastic_net_goes_in_averaged():
    net = attacks.Averaged(tiny.Noisy(NET, 0.02), 3)
    found = attacks.torchattack("PGD", net, IMAGES, LABELS, eps=0.05, steps=3)
    assert not found.failed.all()


@pytest.mark.parametrize(("call", "error", "message"), [
    (dict(name="Nothing"), ValueError, "torchattacks has no attack 'Nothing'; it has APGD"),
    (dict(name="AutoAttack"), ValueError, "use brainkit.attacks.autoattack"),
    (dict(images=IMAGES * 4 - 2), ValueError, r"must be in \[0, 1\]"),
    (dict(labels=LABELS + 8), ValueError, "classes apart"),
    (dict(epsilon=0.1), TypeError, "PGD has no setting epsilon; it has eps"),
])
def test_torchattack_refuses(call, error, message):
    with pytest.raises(error, match=message):
        attacks.torchattack(**dict(name="PGD", model=NET, images=IMAGES, labels=LABELS) | call)


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchattacks", None)
    monkeypatch.setitem(sys.modules, "pyautoattack", None)
    with pytest.raises(ImportError, match="pip install --no-deps torchattacks"):
        attacks.torchattack("PGD", NET, IMAGES, LABELS)
    with pytest.raises(ImportError, match="pip install pyautoattack"):
        attacks.autoattack(NET, IMAGES, LABELS)
    report = attacks.sanity_checks(NET, IMAGES, LABELS, epsilon=0.02,
                                   only=["white box beats black box"])  # fmt: skip
    assert report["white box beats black box"].passed is None


# --- AutoAttack -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("threat", "epsilon"), [("Linf", 0.01), ("L2", 0.1), ("L1", 1.0)])
def test_is_the_official_code(threat, epsilon):
    package = pytest.importorskip("pyautoattack")
    ours = attacks.autoattack(NET, IMAGES, LABELS, epsilon, threat, stages=STAGES, seed=3)
    official = package.AutoAttack(NET, eps=epsilon, norm=threat, seed=3)
    official.attacks_to_run = STAGES
    official.fab.n_target_classes = 7
    images, answers = official.run_standard_evaluation(IMAGES, LABELS)
    torch.testing.assert_close(ours.adversarials, images)
    assert torch.equal(ours.right, answers == LABELS)
    assert list(ours.accuracy) == ["clean", *STAGES]
    assert ours.accuracy["clean"] == 1
    assert ours.accuracy["fab-t"] == ours.interval.value < 1
    size = attacks.THREATS[threat].size(ours.adversarials - IMAGES)
    assert (size <= epsilon * (1 + 1e-4)).all()
    assert str(ours).splitlines()[-1].split() == ["fab-t", f"{ours.interval.value:.1%}"]


def test_a_stopped_autoattack_goes_on(tmp_path):
    settings = dict(epsilon=0.01, stages=["apgd-ce"], batch_size=3)
    path = tmp_path / "state.pt"
    whole = attacks.autoattack(NET, IMAGES, LABELS, checkpoint=path, **settings)
    state = torch.load(path, weights_only=True)
    state["right"], state["last"] = state["right"][:1], state["last"][:1]
    torch.save(state, path)
    resumed = attacks.autoattack(NET, IMAGES, LABELS, checkpoint=path, **settings)
    assert torch.equal(whole.right, resumed.right)
    assert torch.equal(whole.adversarials, resumed.adversarials)
    with pytest.raises(ValueError, match="belongs to another run"):
        attacks.autoattack(NET, IMAGES, LABELS, checkpoint=path, **settings | dict(epsilon=0.02))


def test_a_stochastic_net_is_attacked_as_one():
    found = attacks.autoattack(tiny.Noisy(NET, 0.005), IMAGES[:2], LABELS[:2], 0.05, looks=3,
                               stages=["apgd-ce"])  # fmt: skip
    assert found.version == "rand"
    assert list(found.accuracy) == ["clean", "apgd-ce"]
    assert found.accuracy["apgd-ce"] < 1


@pytest.mark.parametrize(("classes", "expected"), [
    (10, ["apgd-ce", "apgd-t", "fab-t", "square"]), (3, ["apgd-ce", "fab-t", "square"]),
    (2, ["apgd-ce", "fab-t", "square"]),
])
def test_few_classes_leave_out_what_needs_more(classes, expected):
    standard = ["apgd-ce", "apgd-t", "fab-t", "square"]
    assert borrowed._stages(standard, None, classes) == expected


def test_three_classes_can_be_attacked():
    net = tiny.net(classes=3)
    labels = net(IMAGES).argmax(1)
    found = attacks.autoattack(net, IMAGES, labels, 0.1, stages=["apgd-ce", "apgd-t", "fab-t"])
    assert list(found.accuracy) == ["clean", "apgd-ce", "fab-t"]


@pytest.mark.parametrize(("wrong", "message"), [
    (dict(epsilon=0), "a radius above 0"), (dict(epsilon=float("nan")), "a radius above 0"),
    (dict(threat="L7"), "knows Linf, L2 and L1"), (dict(version="best"), "choose"),
    (dict(stages=["apgd-dlr"]), "this version has"), (dict(looks=0), "give 1 or more"),
    (dict(images=IMAGES * 4 - 2), r"must be in \[0, 1\]"), (dict(labels=LABELS + 8), "classes"),
])
def test_autoattack_refuses(wrong, message):
    with pytest.raises(ValueError, match=message):
        attacks.autoattack(**dict(model=NET, images=IMAGES, labels=LABELS) | wrong)
