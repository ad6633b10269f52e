"""Corrupted pictures: as strong as asked, in [0, 1], the same on every run."""

from itertools import pairwise

import pytest
import torch

from brainkit import corruptions, objects

SET = objects.sample(6, "medium", seed=4)
PLAIN = {"noise": 0.2, "blur": 3, "contrast": 0.3, "pixelate": 0.4}


@pytest.mark.parametrize("name", corruptions.SEVERITIES)
def test_stays_in_range_repeats_and_grows_with_severity(name):
    corrupt = getattr(corruptions, name)
    change = []
    for strength in corruptions.SEVERITIES[name]:
        worse = corrupt(SET.images, strength)
        assert worse.shape == SET.images.shape
        assert 0 <= worse.min() <= worse.max() <= 1
        assert torch.equal(worse, corrupt(SET.images, strength))
        change.append((worse - SET.images).abs().mean().item())
    # Coarse pixels that are whole numbers of old ones cost a little less than their size says.
    assert all(later > 0.9 * sooner for sooner, later in pairwise(change))
    assert change[-1] > 1.3 * change[0] > 0


@pytest.mark.parametrize(("name", "nothing"), [
    ("noise", 0), ("blur", 0), ("contrast", 1), ("pixelate", 1)])
def test_strength_nought_changes_nothing(name, nothing):
    torch.testing.assert_close(getattr(corruptions, name)(SET.images, nothing), SET.images)


def test_each_does_what_its_name_says():
    x = torch.full((1, 1, 64, 64), 0.5)
    assert corruptions.noise(x, 0.1).std().item() == pytest.approx(0.1, rel=0.05)
    spot = torch.zeros(1, 1, 65, 65)
    spot[..., 32, 32] = 1
    spread = corruptions.blur(spot, 2 * 224 / 65)  # 2 pixels of this image
    rows = torch.arange(65.0) - 32
    assert (spread[0, 0].sum(1) * rows**2).sum().sqrt().item() == pytest.approx(2, rel=0.02)
    faded = corruptions.contrast(SET.images, 0.25)
    torch.testing.assert_close(faded.std((1, 2, 3)), SET.images.std((1, 2, 3)) / 4)
    torch.testing.assert_close(faded.mean((1, 2, 3)), SET.images.mean((1, 2, 3)))
    coarse = corruptions.pixelate(SET.images, 0.25)
    assert all(len(image.unique()) <= 16 * 16 for image in coarse)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.6, 1.0])
def test_occluders_hide_the_share_of_the_object_that_was_asked(share):
    hidden = corruptions.occlude(SET, share, seed=1)
    left = hidden.masks.sum((1, 2, 3)) / SET.masks.sum((1, 2, 3))
    assert (left - (1 - share)).abs().max() < 0.01
    # Where the object is still seen the picture is the old one.
    assert torch.equal(hidden.images[hidden.masks > 0], SET.images[hidden.masks > 0])
    assert torch.equal(hidden.labels, SET.labels)
    if share == 0:
        assert torch.equal(hidden.images, SET.images)


def test_more_occlusion_hides_the_same_and_more():
    less, more = (corruptions.occlude(SET, share, seed=1).masks for share in (0.3, 0.7))
    assert (more <= less).all()


def test_occluders_do_not_tell_where_the_object_is():
    outside = SET.masks == 0
    changed = corruptions.occlude(SET, 0.5).images != SET.images
    assert 0.25 < changed[outside].float().mean() < 0.75


@pytest.mark.parametrize(("call", "message"), [
    (lambda: corruptions.noise(SET.images * 255, 0.1), r"\[0, 1\]"),
    (lambda: corruptions.noise(SET.images, -1), "spread=-1"),
    (lambda: corruptions.contrast(SET.images, 2), "share of the contrast"),
    (lambda: corruptions.pixelate(SET.images, 0), "share of the side"),
    (lambda: corruptions.occlude(SET, 25), "share of the object"),
])
def test_senseless_strengths_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
