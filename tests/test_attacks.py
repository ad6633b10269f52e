"""The attacks against torchattacks' and against what they promise."""

import pytest
import torch
import torchattacks

from brainkit import attacks, models, objects


@pytest.fixture(scope="module")
def net():
    return models.load("resnet_mini-objects")


@pytest.fixture(scope="module")
def some():
    return objects.sample(24, "medium", seed=11)


def test_pgd_is_torchattacks_without_its_random_start(net, some):
    ours = attacks.pgd(net, some.images, some.labels, 2 / 255, 4, 1 / 255, random_start=False)
    theirs = torchattacks.PGD(net, eps=2 / 255, alpha=1 / 255, steps=4, random_start=False)
    torch.testing.assert_close(ours, theirs(some.images, some.labels), rtol=0, atol=1e-6)


def test_pgd_stays_in_the_ball_and_in_range_and_raises_the_loss(net, some):
    torch.manual_seed(0)
    attacked = attacks.pgd(net, some.images, some.labels, 2 / 255)
    assert (attacked - some.images).abs().max() <= 2 / 255 + 1e-6
    assert attacked.min() >= 0
    assert attacked.max() <= 1

    def loss(images):
        return torch.nn.functional.cross_entropy(net(images), some.labels)

    assert loss(attacked) > loss(some.images) + 1
    assert not attacked.requires_grad
    assert not torch.equal(attacked, attacks.pgd(net, some.images, some.labels, 2 / 255))


def test_pgd_leaves_the_weights_gradients_alone(some):
    net = models.load("lenet_mini-objects").requires_grad_()
    attacks.pgd(net, some.images, some.labels, 1 / 255, 1)
    assert all(p.grad is None for p in net.parameters())


def test_an_image_is_attacked_alike_in_any_company(net, some):
    one = attacks.pgd(net, some.images[:1], some.labels[:1], 1 / 255, 2, random_start=False)
    many = attacks.pgd(net, some.images, some.labels, 1 / 255, 2, random_start=False)
    torch.testing.assert_close(one, many[:1], rtol=0, atol=1e-6)


@pytest.mark.parametrize("wrong", [dict(epsilon=-1), dict(epsilon=0.1, steps=0),
                                   dict(epsilon=0.1, step=-1)])
def test_pgd_refuses_senseless_settings(net, some, wrong):
    with pytest.raises(ValueError, match="radii of 0 or more"):
        attacks.pgd(net, some.images, some.labels, **wrong)
