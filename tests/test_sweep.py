"""robust_accuracy: what its curve promises, and that a run can be stopped and gone on with."""

import pytest
import tiny
import torch
from torch import nn

from brainkit import attacks

NET, IMAGES = tiny.net(), tiny.images()
LABELS = NET(IMAGES).argmax(1)
EPSILONS = (0, 0.005, 0.01, 0.02, 0.05)
SETTINGS = dict(epsilons=EPSILONS, steps=6)


def test_the_curve_falls_and_smallest_says_where():
    found = attacks.robust_accuracy(NET, IMAGES, LABELS, **SETTINGS)
    assert found.right.shape == (5, 24)
    assert (found.accuracy.diff() <= 0).all()
    assert found.accuracy[0] == 1  # epsilon 0 is the clean accuracy, and the labels are its own
    assert found.accuracy[-1] < 0.9
    for k, epsilon in enumerate(EPSILONS):
        assert torch.equal(found.right[k], found.smallest > epsilon)
    assert [round(i.value, 9) for i in found.intervals] == [
        round(float(a), 9) for a in found.accuracy
    ]
    assert str(found).startswith("Linf, 24 images, 6 steps, 1 start\n")


def test_an_image_that_is_wrong_already_stays_wrong():
    labels = LABELS.clone()
    labels[:6] = (labels[:6] + 1) % 8
    found = attacks.robust_accuracy(NET, IMAGES, labels, keep=True, **SETTINGS)
    assert not found.right[:, :6].any()
    assert torch.equal(found.adversarials[:6], IMAGES[:6])


@pytest.mark.parametrize(("name", "epsilons"), [("Linf", EPSILONS), ("L2", (0.1, 0.2, 0.5)),
                                                ("L1", (0.5, 1, 4))])
def test_kept_images_fool_the_net_within_the_radius_or_are_the_last_iterates(name, epsilons):
    found = attacks.robust_accuracy(NET, IMAGES, LABELS, name, epsilons, steps=6, keep=True)
    fooled = found.smallest < torch.inf
    assert fooled.any()
    assert torch.equal(NET(found.adversarials).argmax(1) != LABELS, fooled)
    size = attacks.THREATS[name].size(found.adversarials - IMAGES)
    radius = found.smallest.clamp(max=max(epsilons))
    assert (size <= radius * (1 + 1e-5)).all()
    assert (size > 0).all()  # a failed attack gives its last iterate, not the clean image


def test_labels_may_come_with_the_images_and_the_seed_decides():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first = attacks.robust_accuracy(NET, (IMAGES, LABELS), keep=True, **SETTINGS)
    again = attacks.robust_accuracy(NET, IMAGES, LABELS, keep=True, **SETTINGS)
    assert torch.equal(first.adversarials, again.adversarials)
    assert torch.equal(torch.get_rng_state(), before)
    other = attacks.robust_accuracy(NET, IMAGES, LABELS, keep=True, seed=1, **SETTINGS)
    assert not torch.equal(first.adversarials, other.adversarials)


def test_a_stopped_run_goes_on_to_the_same_result(tmp_path):
    path = tmp_path / "there" / "state.pt"
    settings = dict(SETTINGS, batch_size=8, keep=True)
    whole = attacks.robust_accuracy(NET, IMAGES, LABELS, checkpoint=path, **settings)
    state = torch.load(path, weights_only=True)
    assert len(state["right"]) == 3
    state["right"], state["last"] = state["right"][:1], state["last"][:1]
    torch.save(state, path)
    resumed = attacks.robust_accuracy(NET, IMAGES, LABELS, checkpoint=path, **settings)
    plain = attacks.robust_accuracy(NET, IMAGES, LABELS, **settings)
    for found in (resumed, plain):
        assert torch.equal(found.right, whole.right)
        assert torch.equal(found.adversarials, whole.adversarials)


@pytest.mark.parametrize(("change", "named"), [
    (dict(steps=7), "settings"), (dict(model=tiny.net(1)), "net"),
    (dict(images=IMAGES.flip(0)), "images"), (dict(seed=2), "settings"),
])
def test_another_runs_checkpoint_is_refused(tmp_path, change, named):
    given = dict(model=NET, images=IMAGES, labels=LABELS, checkpoint=tmp_path / "s.pt", **SETTINGS)
    attacks.robust_accuracy(**given)
    with pytest.raises(ValueError, match=rf"another run: its {named}.* differ; delete it"):
        attacks.robust_accuracy(**given | change)


def test_every_module_is_in_the_mode_it_was_in_even_after_an_error():
    net = nn.Sequential(nn.BatchNorm2d(1), nn.Dropout(0.5), tiny.net()).train()
    net[0].eval()
    before = [module.training for module in net.modules()]
    attacks.robust_accuracy(net, IMAGES, LABELS, epsilons=[0.01], steps=2)
    assert [module.training for module in net.modules()] == before
    with pytest.raises(ValueError, match="classes apart"):
        attacks.robust_accuracy(net, IMAGES, LABELS + 8, epsilons=[0.01], steps=2)
    assert [module.training for module in net.modules()] == before


def test_a_stochastic_net_is_averaged_and_judged_by_more_looks():
    found = attacks.robust_accuracy(tiny.Noisy(NET, 0.02), IMAGES, LABELS, draws=3, looks=5,
                                    **SETTINGS)  # fmt: skip
    assert (found.draws, found.looks) == (3, 5)
    assert "3 draws, 5 looks" in str(found)
    assert found.accuracy[-1] < found.accuracy[0]
    plain = attacks.robust_accuracy(NET, IMAGES, LABELS, draws=3, looks=5, **SETTINGS)
    assert (plain.draws, plain.looks) == (1, 1)


def test_a_transfer_attack_follows_the_other_nets_gradient():
    own = attacks.robust_accuracy(NET, IMAGES, LABELS, **SETTINGS)
    other = attacks.robust_accuracy(NET, IMAGES, LABELS, attacked_model=tiny.net(1), **SETTINGS)
    same = attacks.robust_accuracy(NET, IMAGES, LABELS, attacked_model=tiny.net(), **SETTINGS)
    assert own.accuracy[-1] < other.accuracy[-1]
    assert same.accuracy[-1] < other.accuracy[-1]


@pytest.mark.parametrize(("wrong", "message"), [
    (dict(images=IMAGES * 4 - 2), r"must be in \[0, 1\]"), (dict(labels=LABELS[:3]), "do not fit"),
    (dict(labels=LABELS + 8), "classes apart"), (dict(epsilons=[]), "one radius or more"),
    (dict(epsilons=[0.1, float("nan")]), "one radius or more"), (dict(epsilons=[-1]), "or more"),
    (dict(epsilons=[0.2, 0.1]), "from small to large"), (dict(steps=0), "steps=0"),
    (dict(restarts=True), "restarts=True"), (dict(batch_size=1.5), "batch_size=1.5"),
    (dict(threat="L7"), "choose one of"),
])
def test_refuses_what_does_not_fit(wrong, message):
    with pytest.raises(ValueError, match=message):
        attacks.robust_accuracy(**dict(model=NET, images=IMAGES, labels=LABELS) | wrong)
