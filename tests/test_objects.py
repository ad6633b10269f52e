"""The rendered objects: reproducible to the last bit, balanced, in frame, differentiable."""

import hashlib
import warnings

import numpy as np
import pytest
import torch

from brainkit import objects
from brainkit.objects import geometry, stimuli
from brainkit.objects.backgrounds import SEEDS, draw
from brainkit.objects.exact import permutation, sin_cos, uniform
from brainkit.objects.geometry import THIN, Scene
from brainkit.objects.paint import paint
from brainkit.objects.shapes import recipes


@pytest.fixture(scope="module")
def high():
    return objects.sample(192, "high", seed=3)


@pytest.fixture(scope="module")
def medium():
    return objects.sample(512, "medium", seed=4)


def test_a_set_has_the_promised_shapes_and_ranges(high):
    n = len(high)
    assert high.images.shape == high.masks.shape == (n, 1, 64, 64)
    assert high.images.dtype == high.masks.dtype == high.latents.dtype == torch.float32
    assert high.labels.dtype == high.exemplars.dtype == torch.long
    assert high.latents.shape == (n, len(high.latent_names))
    for values in (high.images, high.masks):
        assert values.min() >= 0
        assert values.max() <= 1
    assert high.images.std() > 0.1  # not blank


@pytest.mark.parametrize("n", [1, 7, 8, 61, 64, 200])
@pytest.mark.parametrize("categories", [None, ["faces", "cars", "tables"]])
def test_categories_and_exemplars_differ_by_at_most_one(n, categories):
    chosen = list(range(8)) if categories is None else [
        objects.CATEGORIES.index(c) for c in categories]
    codes = stimuli._codes(n, chosen, seed=5)
    counts = np.bincount(codes[:, 0], minlength=8)[chosen]
    assert counts.sum() == n
    assert np.ptp(counts) <= 1
    for label in chosen:
        assert np.ptp(np.bincount(codes[codes[:, 0] == label, 1], minlength=8)) <= 1


@pytest.mark.parametrize("chosen", [list(range(8)), [4, 2, 7]])
def test_each_block_from_the_start_holds_each_category_and_each_exemplar_once(chosen):
    each = len(chosen)
    codes = stimuli._codes(16 * each, chosen, seed=5)
    for block in codes[:, 0].reshape(-1, each):
        assert sorted(block) == sorted(chosen)
    for block in codes.reshape(2, 8 * each, 2):
        assert len(np.unique(block, axis=0)) == 8 * each


def test_the_order_is_shuffled_and_depends_on_the_seed():
    first, second = (stimuli._codes(64, list(range(8)), seed) for seed in (0, 1))
    assert (first != second).any()
    assert (np.diff(first[:, 0]) < 0).any()


def _same(a, b):
    return (torch.equal(a.images, b.images) and torch.equal(a.masks, b.masks)
            and torch.equal(a.latents, b.latents) and torch.equal(a.labels, b.labels)
            and torch.equal(a.exemplars, b.exemplars))


def test_bits_do_not_depend_on_how_many_are_painted_together(high, monkeypatch):
    for images_at_once in (1, 5, 64):
        monkeypatch.setitem(stimuli._CHUNK, "cpu", images_at_once * 64**2)
        assert _same(objects.sample(len(high), "high", seed=3), high)


def test_a_short_set_is_the_beginning_of_a_long_one(high):
    assert _same(objects.sample(50, "high", seed=3), high[:50])
    assert not torch.equal(objects.sample(50, "high", seed=4).images, high[:50].images)


@pytest.mark.parametrize("threads", [1, 2])
def test_bits_do_not_depend_on_the_number_of_threads(high, threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        again = objects.sample(len(high), "high", seed=3)
    finally:
        torch.set_num_threads(before)
    assert _same(again, high)


def test_rendering_a_sets_latents_gives_its_images_again(high):
    again = objects.render(high.labels, high.exemplars, high.latents, background=high.background)
    assert _same(again, high)
    one = objects.render(high.labels[5], high.exemplars[5], high.latents[5])
    assert _same(one, high[5])
    latents = high.latents[:16].clone().requires_grad_()
    same = objects.render(high.labels[:16], high.exemplars[:16], latents)
    assert torch.equal(same.images.detach(), high.images[:16])


@pytest.mark.parametrize("variation", ["none", "medium", "high"])
def test_objects_are_whole_in_the_frame(variation):
    masks = objects.sample(512, variation, seed=6).masks[:, 0]
    rim = torch.cat([masks[:, 0], masks[:, -1], masks[:, :, 0], masks[:, :, -1]], 1)
    assert rim.max() == 0
    assert masks.amax((1, 2)).min() > 0.9


def test_at_medium_variation_none_is_smaller_than_a_fifth_of_the_image(medium):
    seen = medium.masks[:, 0] > 0.5
    longer = torch.maximum(seen.any(2).sum(1), seen.any(1).sum(1))
    assert longer.min() >= 64 / 5


def test_variation_widens_from_none_to_high():
    spread = [objects.sample(256, v, seed=1).latents[:, :-1].std(0)
              for v in ("none", "medium", "high")]
    assert (spread[0] < 1e-6).all()
    assert (spread[0] < spread[1]).all()
    assert (spread[1] < spread[2]).all()


def test_no_variation_shows_64_distinct_centred_objects():
    o = objects.sample(64, "none", seed=0, background="gray")
    images = o.images.flatten(1)
    gap = (images[:, None] - images[None]).abs().mean(2) + torch.eye(64)
    assert gap.min() > 0.01
    rows = torch.arange(64.0) - 31.5
    for axis in (1, 2):
        weight = o.masks[:, 0].sum(3 - axis)
        assert ((weight * rows).sum(1) / weight.sum(1)).abs().max() < 10


def test_the_mask_says_where_the_object_is(high):
    other = high.latents.clone()
    other[:, -1] = (other[:, -1] + 12345) % SEEDS
    moved = objects.render(high.labels, high.exemplars, other)
    change = (moved.images - high.images).abs()
    assert torch.equal(moved.masks, high.masks)
    assert change[high.masks == 1].max() == 0     # only the background is another
    assert change[high.masks == 0].mean() > 0.1


def test_a_ball_covers_its_disc_and_is_lit_by_lambert(monkeypatch):
    ball = [np.array(table, copy=True) for table in geometry._tables()]
    ball[0][0] = geometry.ABSENT
    ball[0][0, 0], ball[1][0, 0], ball[2][0, 0] = geometry.PLAIN, 0.0, np.eye(3)
    ball[3][0, 0] = 1.0
    monkeypatch.setattr(geometry, "_tables", lambda: tuple(ball))
    latents = stimuli._as_latents({"size": 0.5, "albedo": 1.0, "light_azimuth": 0.0,
                                   "light_elevation": 30.0})
    scene = Scene(np.zeros((1, 2), dtype=int), latents, 128, torch.float64)
    image, mask = paint(scene, torch.zeros(1, 128, 128, dtype=torch.float64))
    radius = np.hypot(32, THIN)
    assert mask.sum().item() == pytest.approx(np.pi * radius**2, rel=2e-3)
    # Normal at a pixel inside, and the light's share of its brightness.
    y, x = 40, 70
    nx, ny = (x + 0.5 - 64) / 32, (64 - y - 0.5) / 32
    nz = np.sqrt(1 - nx**2 - ny**2)
    lambert = ny * 0.5 + nz * np.sqrt(0.75)
    ambient = geometry.AMBIENT * (0.48 + 0.16 * ny + 0.36 * nz)
    expected = ambient + geometry.DIFFUSE * lambert
    assert image[0, y, x].item() == pytest.approx(expected, rel=0.01)


def test_every_object_has_unit_radius_and_several_solids():
    for category in recipes():
        assert len(category) == 8
        for solids in category:
            assert 4 <= len(solids) <= 32
            corner = max(np.abs(s.at).max() + np.sqrt((s.axes**2).sum()) for s in solids)
            assert 0.8 < corner < 2.2


LATENT_STEP = {"x": 1e-6, "y": 1e-6, "size": 1e-6, "albedo": 1e-6}


def test_tangents_agree_with_central_differences():
    o = objects.sample(16, "high", seed=5)
    tangents = objects.tangents(o, dtype=torch.float64)
    assert tangents.shape == (16, len(objects.CONTINUOUS), 1, 64, 64)
    latents = o.latents.double()
    for k, name in enumerate(objects.CONTINUOUS):
        step = torch.zeros_like(latents)
        step[:, k] = LATENT_STEP.get(name, 1e-5)
        ahead, behind = (objects.render(o.labels, o.exemplars, latents + s * step,
                                        dtype=torch.float64).images for s in (1, -1))
        difference = ((ahead - behind) / (2 * step[0, k])).flatten(1)
        error = (difference - tangents[:, k].flatten(1)).norm(dim=1)
        relative = error / (difference.norm(dim=1) + 1e-6)
        assert relative.median() < 1e-5, name
        assert relative.quantile(0.9) < 1e-3, name
        assert difference.norm(dim=1).median() > 1e-2, name  # the latent does something


def test_tangents_predict_small_changes_of_the_float32_image(high):
    few = high[:8]
    tangent = objects.tangents(few, names="x")[:, 0]
    step = 0.0005  # a sixtieth of a pixel
    latents = few.latents.clone()
    latents[:, 0] += step
    moved = objects.render(few.labels, few.exemplars, latents).images
    change = moved - few.images
    assert ((change - step * tangent).norm() / change.norm()) < 0.1


def test_tangents_agree_with_reverse_mode_and_keep_their_order(high):
    few = high[:4]
    names = ["yaw", "albedo"]
    tangents = objects.tangents(few.labels, few.exemplars, few.latents, names=names)
    latents = few.latents.clone().requires_grad_()
    probe = torch.randn(few.images.shape, generator=torch.Generator().manual_seed(0))
    (objects.render(few.labels, few.exemplars, latents).images * probe).sum().backward()
    forward = (tangents * probe[:, None]).flatten(2).sum(2)
    columns = [few.latent_names.index(n) for n in names]
    torch.testing.assert_close(latents.grad[:, columns], forward, rtol=1e-3, atol=1e-3)
    assert not latents.grad.isnan().any()


def test_the_background_stays_in_the_tangent(high):
    tangents = objects.tangents(high[:4])
    outside = high.masks[:4, None].expand_as(tangents) == 0
    inside = tangents[~outside]
    assert tangents[outside].abs().max() == 0
    assert inside.abs().max() > 0


def test_the_same_scene_at_another_size():
    small = objects.render("cars", 2, {"yaw": 20.0, "background": 77})
    large = objects.render("cars", 2, {"yaw": 20.0, "background": 77}, size=128)
    shrunk = torch.nn.functional.avg_pool2d(large.images, 2)
    assert (shrunk - small.images).abs().mean() < 0.05
    assert abs(large.masks.mean() - small.masks.mean()) < 0.01


@pytest.mark.parametrize("kind", ["pink", "leaves", "photo"])
def test_backgrounds_have_natural_statistics(kind):
    images = draw(np.arange(300), kind)[:, 0].double()
    assert images.min() >= 0
    assert images.max() <= 1
    assert 0.25 < images.mean() < 0.7
    window = torch.hann_window(64, dtype=torch.float64)
    images = (images - images.mean((1, 2), keepdim=True)) * window * window[:, None]
    power = torch.fft.rfft2(images).abs().square().mean(0)
    radius = torch.hypot(torch.fft.fftfreq(64)[:, None] * 64, torch.fft.rfftfreq(64)[None] * 64)
    bands = torch.arange(4, 24)
    mean = torch.stack([power[(radius >= f - 0.5) & (radius < f + 0.5)].mean() for f in bands])
    slope = np.polyfit(np.log(bands.numpy()), mean.log().numpy(), 1)[0]
    assert -3.2 < slope < -1.3  # power falls about as 1/f², amplitude as 1/f


def test_backgrounds_say_nothing_about_the_category():
    o = objects.sample(640, "none", seed=2)
    far = o.images[:, 0, :8].flatten(1)[:, ::4]  # rows where no object is
    assert o.masks[:, 0, :8].mean() < 0.02
    half = len(o) // 2
    x = torch.cat([far, torch.ones(len(o), 1)], 1)
    target = torch.nn.functional.one_hot(o.labels, 8).float()
    gram = x[:half].T @ x[:half] + 10 * torch.eye(x.shape[1])
    guess = x[half:] @ torch.linalg.solve(gram, x[:half].T @ target[:half])
    assert (guess.argmax(1) == o.labels[half:]).float().mean() < 0.25


def test_sine_cosine_and_draws_are_exact_and_even():
    angle = torch.linspace(-720, 720, 10_001, dtype=torch.float64)
    sine, cosine = sin_cos(angle)
    assert (sine - torch.sin(torch.deg2rad(angle))).abs().max() < 1e-13
    assert (cosine - torch.cos(torch.deg2rad(angle))).abs().max() < 1e-13
    u = uniform(7, np.arange(20_000))
    assert np.histogram(u, 10, (0, 1))[0].std() < 100  # expected 42
    assert abs(np.corrcoef(u[:-1], u[1:])[0, 1]) < 0.03
    orders = permutation(8, 1, np.arange(4000))
    assert (np.sort(orders, 1) == np.arange(8)).all()
    counts = np.stack([np.bincount(orders[:, k], minlength=8) for k in range(8)])
    assert abs(counts - 500).max() < 120


def test_a_set_is_indexed_like_an_array(high):
    assert len(high[:10]) == 10
    assert len(high[3]) == len(high[-1]) == 1
    assert torch.equal(high[-1].images, high.images[-1:])
    faces = high[high.labels == objects.CATEGORIES.index("faces")]
    assert len(faces) == 24
    assert torch.equal(high[[2, 0]].latent("yaw"), high.latent("yaw")[[2, 0]])
    assert high.to("cpu").background == "mixed"
    with pytest.raises(IndexError, match="set of 192"):
        high[192]


def test_given_latents_are_fixed_or_given_a_range():
    o = objects.sample(64, "high", latents={"yaw": 0, "size": (0.5, 0.6)}, categories="cars")
    assert (o.latent("yaw") == 0).all()
    assert o.latent("size").min() >= 0.5
    assert o.latent("size").max() <= 0.6
    assert set(o.labels.tolist()) == {2}
    assert o.exemplars.bincount().tolist() == [8] * 8


# Of the images and latents on which the shipped nets were trained and tested.
@pytest.mark.parametrize(("variation", "digest"), [
    ("none", "e6c90ba2cedaad80"), ("medium", "7cfe81a09edb5a77"), ("high", "af739f73e9269f69"),
])
def test_the_images_are_those_of_the_first_release(variation, digest):
    o = objects.sample(64, variation, seed=0)
    content = o.images.numpy().tobytes() + o.latents.numpy().tobytes()
    assert hashlib.sha256(content).hexdigest().startswith(digest)


@pytest.mark.parametrize("name", ["x", "y"])
@pytest.mark.parametrize("asked", [0.6, -0.45])
def test_a_fixed_place_is_honoured_or_the_nearest_whole_one_taken(name, asked):
    with pytest.warns(UserWarning, match="would have cut the object") as caught:
        o = objects.sample(64, "medium", seed=2, latents={name: asked})
    used = o.latent(name)
    honoured = used == torch.tensor(asked)
    moved = int((~honoured).sum())
    assert 0 < moved < 64
    assert f"{name}={asked} in {moved} of 64 images" in str(caught[0].message)
    assert "render" in str(caught[0].message)
    assert caught[0].filename == __file__
    # Between the centre of the frame and the value asked for, never centred ...
    assert (used * np.sign(asked) <= abs(asked)).all()
    # ... and as far out as the object goes: it reaches the margin, and not the frame's rim.
    masks = o.masks[~honoured, 0]
    along = masks.amax(1 if name == "x" else 2)                      # (moved, 64)
    if (asked > 0) == (name == "y"):  # rows count downwards
        along = along.flip(1)
    reach = 63 - along.flip(1).gt(0).float().argmax(1)
    assert (reach < 63).all()
    assert reach.float().median() >= 58


def test_a_fixed_size_that_does_not_fit_is_counted():
    with pytest.warns(UserWarning, match="size=1.6 in 32 of 32 images") as caught:
        o = objects.sample(32, "none", latents={"size": 1.6})
    assert len(caught) == 1
    assert (o.latent("size") < 1.6).all()
    assert o.masks[:, 0, 0].max() == 0


def test_fixed_values_that_fit_bring_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        o = objects.sample(32, "none", latents={"x": 0.1, "size": 0.5, "yaw": (-30, 30)})
        objects.sample(32, "high")
    assert (o.latent("x") == torch.tensor(0.1)).all()
    assert (o.latent("size") == 0.5).all()


@pytest.mark.parametrize("pair", [(0.5, 0.6), [0.5, 0.6], np.array([0.5, 0.6]),
                                  torch.tensor([0.5, 0.6], dtype=torch.float64)])
def test_a_range_may_be_any_pair(pair):
    expected = objects.sample(8, latents={"size": (0.5, 0.6)}).latents
    assert torch.equal(objects.sample(8, latents={"size": pair}).latents, expected)


def test_whole_numbers_of_other_types_count_as_integers():
    expected = objects.sample(3, "high", 2, 32, categories=[1, 4])
    assert _same(objects.sample(3.0, "high", np.int64(2), 32.0, categories=np.array([1, 4])),
                 expected)
    assert _same(objects.sample(torch.tensor(3), "high", 2, 32, categories=("boats", 4)), expected)
    assert len(objects.sample(1, seed=2**64 - 1)) == 1


def test_an_empty_set_is_a_set():
    o = objects.sample(0)
    assert o.images.shape == (0, 1, 64, 64)
    assert len(o) == 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_cuda_paints_the_same_objects(high):
    there = objects.sample(192, "high", seed=3, device="cuda")
    assert there.images.is_cuda
    torch.testing.assert_close(there.images.cpu(), high.images, rtol=0, atol=1e-4)
