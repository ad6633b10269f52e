"""Threat models: what a projection, a step and a start promise; and against other libraries."""

import foolbox
import pytest
import tiny
import torch
import torchattacks

from brainkit import attacks

THREATS = [("Linf", 0.05), ("L2", 0.6), ("L1", 3.0)]
each = pytest.mark.parametrize(("name", "epsilon"), THREATS, ids=[t[0] for t in THREATS])
NET, IMAGES = tiny.net(), tiny.images()
LABELS = NET(IMAGES).argmax(1)
GREY = tiny.images(low=0.4, high=0.6)  # no pixel of it meets 0 or 1


def far(seed=3):
    return IMAGES + 0.5 * torch.randn(IMAGES.shape, generator=torch.Generator().manual_seed(seed))


@each
def test_a_projection_lands_in_the_ball_and_in_range_and_stays(name, epsilon):
    threat = attacks.THREATS[name]
    once = threat.project(IMAGES, far(), epsilon)
    assert (threat.size(once - IMAGES) <= epsilon * (1 + 1e-5)).all()
    assert once.min() >= 0
    assert once.max() <= 1
    torch.testing.assert_close(threat.project(IMAGES, once, epsilon), once, rtol=0, atol=1e-6)
    torch.testing.assert_close(threat.project(IMAGES, IMAGES, epsilon), IMAGES)


@each
def test_starts_are_in_the_ball_and_differ(name, epsilon):
    threat = attacks.THREATS[name]
    start = threat.random(IMAGES, epsilon)
    assert (threat.size(start - IMAGES) <= epsilon * (1 + 1e-5)).all()
    assert start.min() >= 0
    assert start.max() <= 1
    assert not torch.equal(start, threat.random(IMAGES, epsilon))


@each
def test_a_step_has_its_length_and_none_where_there_is_no_gradient(name, epsilon):
    threat = attacks.THREATS[name]
    gradient = torch.randn(IMAGES.shape, generator=torch.Generator().manual_seed(0))
    size = threat.size(threat.step(gradient, epsilon, GREY))
    torch.testing.assert_close(size, torch.full_like(size, epsilon))
    assert threat.step(torch.zeros_like(gradient), epsilon, GREY).abs().max() == 0


@pytest.mark.parametrize(("name", "epsilon"), [THREATS[0], THREATS[2]], ids=["Linf", "L1"])
def test_a_projection_is_the_nearest_allowed_image(name, epsilon):
    """p is nearest to y in a convex set if (y - p) makes no acute angle with any way into it."""
    threat, wish = attacks.THREATS[name], far()
    found = threat.project(IMAGES, wish, epsilon).double()
    allowed = [threat.project(IMAGES, far(seed), epsilon) for seed in range(20)]
    allowed += [threat.random(IMAGES, epsilon) for _ in range(20)] + [IMAGES]
    # And to its corners: all of a small change on one pixel.
    for pixel in range(100):
        corner = IMAGES.clone().flatten(1)
        corner[:, pixel] = wish.flatten(1)[:, pixel]
        allowed.append(threat.project(IMAGES, corner.view_as(IMAGES), epsilon))
    for other in allowed:
        angle = ((wish - found) * (other - found)).flatten(1).sum(1)
        assert (angle <= 1e-4).all()


def test_the_l1_projection_is_autoattacks():
    base = pytest.importorskip("pyautoattack.autopgd_base")
    wish = far()
    theirs = wish + base.L1_projection(IMAGES, wish - IMAGES, 3.0)
    torch.testing.assert_close(attacks.L1().project(IMAGES, wish, 3.0), theirs, rtol=0, atol=1e-5)


@each
def test_a_radius_for_each_image_is_a_run_for_each(name, epsilon):
    radius = torch.linspace(0, epsilon, len(IMAGES))
    options = dict(steps=4, random_start=False, threat=name)
    together = attacks.pgd(NET, IMAGES, LABELS, radius, **options)
    alone = [attacks.pgd(NET, IMAGES[k:k + 1], LABELS[k:k + 1], float(radius[k]), **options)
             for k in range(len(IMAGES))]  # fmt: skip
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-5)
    assert torch.equal(together[0], IMAGES[0])


def test_pgd_under_l2_is_torchattacks():
    ours = attacks.pgd(NET, IMAGES, LABELS, 0.5, 5, 0.2, random_start=False, threat="L2")
    theirs = torchattacks.PGDL2(NET, eps=0.5, alpha=0.2, steps=5, random_start=False)
    torch.testing.assert_close(ours, theirs(IMAGES, LABELS), rtol=0, atol=1e-5)


def test_fgsm_is_torchattacks():
    ours = attacks.fgsm(NET, IMAGES, LABELS, 0.03)
    theirs = torchattacks.FGSM(NET, eps=0.03)(IMAGES, LABELS)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


def test_one_draw_of_a_stochastic_net_is_torchattacks_eotpgd():
    """With more, theirs averages the draws' gradients, ours takes that of the mean answer's."""
    net = tiny.Noisy(NET)
    torch.manual_seed(0)
    ours = attacks.pgd(net, IMAGES, LABELS, 0.05, 4, 0.02, random_start=False)
    torch.manual_seed(0)
    theirs = torchattacks.EOTPGD(net, eps=0.05, alpha=0.02, steps=4, eot_iter=1,
                                 random_start=False)  # fmt: skip
    torch.testing.assert_close(ours, theirs(IMAGES, LABELS), rtol=0, atol=1e-6)


FOOLBOX = [
    ("Linf", "LinfPGD", 0.05, 0.02, 5),
    ("L2", "L2PGD", 0.5, 0.2, 5),
    # Foolbox brings an L1 change back by scaling it, which is not the nearest point: so only
    # steps that stay inside the ball can be compared.
    (attacks.L1(share=None), "L1PGD", 3.0, 0.5, 5),
]


@pytest.mark.parametrize(("threat", "name", "epsilon", "step", "steps"), FOOLBOX)
def test_pgd_is_foolboxs(threat, name, epsilon, step, steps):
    ours = attacks.pgd(NET, GREY, LABELS, epsilon, steps, step, random_start=False, threat=threat)
    theirs = getattr(foolbox.attacks, name)(abs_stepsize=step, steps=steps, random_start=False)
    found = theirs.run(foolbox.PyTorchModel(NET, bounds=(0, 1)), GREY, LABELS, epsilon=epsilon)
    torch.testing.assert_close(ours, found, rtol=0, atol=1e-5)


def test_averaged_has_the_mean_of_the_draws_gradients():
    net = tiny.Noisy(NET)

    def linear(logits, labels):
        return logits.gather(1, labels[:, None])[:, 0]

    def gradient(model):
        images = IMAGES.clone().requires_grad_()
        return torch.autograd.grad(linear(model(images), LABELS).sum(), images)[0]

    torch.manual_seed(0)
    together = gradient(attacks.Averaged(net, 4))
    torch.manual_seed(0)
    torch.testing.assert_close(together, sum(gradient(net) for _ in range(4)) / 4)


@pytest.mark.parametrize(("threat", "error", "message"), [
    ("L7", ValueError, "choose one of Linf, L2, L1"), (attacks.L1, TypeError, r"make one with L1"),
    (object(), TypeError, "no threat model"),
])
def test_refuses_what_is_no_threat(threat, error, message):
    with pytest.raises(error, match=message):
        attacks.pgd(NET, IMAGES, LABELS, 0.1, threat=threat)


@pytest.mark.parametrize("share", [0, -1, 1.5])
def test_refuses_a_share_that_is_none(share):
    with pytest.raises(ValueError, match="0 < share <= 1"):
        attacks.L1(share=share)


@pytest.mark.parametrize(("wrong", "message"), [
    (dict(images=IMAGES * 4 - 2), r"must be in \[0, 1\]"),
    (dict(labels=LABELS[:3]), "give a class index for each"),
    (dict(labels=LABELS.float()), "give a class index for each"),
    (dict(labels=LABELS + 8), "classes apart"),
    (dict(epsilon=float("nan")), "radii of 0 or more"),
    (dict(epsilon=torch.ones(3)), "one for each of"),
    (dict(targets=LABELS[:3]), "give one each"),
])
def test_refuses_what_does_not_fit(wrong, message):
    with pytest.raises(ValueError, match=message):
        attacks.pgd(NET, **dict(images=IMAGES, labels=LABELS, epsilon=0.1) | wrong)
