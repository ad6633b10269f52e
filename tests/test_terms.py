"""More losses than one: the CKA loss, the terms that the trainer adds, and what they refuse."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from brainkit import _aligned, alignment, objects, recipes, training
from brainkit.alignment import Harmonisation, NeuralAlignment
from brainkit.models import zoo
from brainkit.models.miniatures import ResNet
from brainkit.neurons import SimulatedIT


@pytest.fixture(scope="module")
def data():
    return objects.sample(48, "none", seed=0)


def net(seed=0):
    torch.manual_seed(seed)
    return ResNet(widths=(4, 4), blocks=(1, 1))


def neurons(data, weight=1.0, **settings):
    responses = SimulatedIT(sites=20).record(data, 5).mean
    return NeuralAlignment("stages", data.images, responses, weight, 16, **settings)


def maps(data, weight=1.0):
    found = alignment.importance_maps(data.masks)
    return Harmonisation(data.images, data.labels, found, weight, batch_size=4)


def fit(data, terms, seed=0, **settings):
    model = net(seed)
    settings = dict(epochs=2, batch_size=16, lr=3e-3, progress=False) | settings
    return model, training.fit(model, data, terms=terms, **settings)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


# --- The CKA loss --------------------------------------------------------------------------------


def test_log_form_is_the_published_formula():
    random = np.random.default_rng(0)
    x, y = random.normal(size=(12, 30)), random.normal(size=(12, 7))
    xc, yc = x - x.mean(0), y - y.mean(0)
    norm = np.linalg.norm
    cka = norm(yc.T @ xc) ** 2 / (norm(xc.T @ xc) * norm(yc.T @ yc))
    got = alignment.cka_loss(torch.from_numpy(x).view(12, 5, 6), torch.from_numpy(y), "log")
    assert got.item() == pytest.approx(np.log(1 - cka), rel=1e-10)


def test_debiased_form_is_no_lower_for_more_unrelated_features():
    torch.manual_seed(0)
    responses = torch.randn(32, 168)
    wide = [torch.randn(32, 4096) for _ in range(20)]
    debiased = [alignment.cka_loss(x, responses).item() for x in wide]
    published = [alignment.cka_loss(x, responses, "log").exp().item() for x in wide]
    assert abs(np.mean(debiased) - 1) < 3 * np.std(debiased) / math.sqrt(20) + 1e-3
    assert np.mean(published) < 0.3  # 1 - CKA of what has nothing to do with one another


@pytest.mark.parametrize("form", ["debiased", "log"])
def test_descending_the_loss_makes_features_alike(form):
    torch.manual_seed(0)
    x, y = torch.randn(16, 10, requires_grad=True), torch.randn(16, 6)
    optimiser = torch.optim.Adam([x], lr=0.1)
    before = alignment.cka_loss(x, y).item()
    for _ in range(100):
        optimiser.zero_grad()
        alignment.cka_loss(x, y, form).backward()
        optimiser.step()
    assert alignment.cka_loss(x, y).item() < 0.2 < 0.5 < before


def test_a_perfect_match_is_finite_in_the_log_form():
    x = torch.randn(8, 4, dtype=torch.float64).requires_grad_()
    loss = alignment.cka_loss(x, 3 * x.detach(), "log")
    loss.backward()
    assert loss.item() == pytest.approx(math.log(alignment.LEAST_LEFT))
    assert x.grad.isfinite().all()


@pytest.mark.parametrize(("x", "y", "form", "message"), [
    (torch.rand(3, 2), torch.rand(3, 2), "debiased", "at least 4"),
    (torch.rand(5, 2), torch.rand(6, 2), "debiased", "same images"),
    (torch.full((5, 2), torch.nan), torch.rand(5, 2), "log", "NaN"),
    (torch.ones(6, 3), torch.rand(6, 2), "log", "constant"),
    (torch.rand(5, 2), torch.rand(5, 2), "biased", "'debiased' or 'log'"),
])
def test_cka_loss_refuses(x, y, form, message):
    with pytest.raises(ValueError, match=message):
        alignment.cka_loss(x, y, form)


# --- Terms in the trainer ------------------------------------------------------------------------


def test_terms_are_learned_and_reported(data):
    plain, _ = fit(data, [], epochs=8)
    model, history = fit(data, [neurons(data, 3.0), maps(data, 0.5)], epochs=8)
    assert set(history[0]["terms"]) == {"neurons", "maps"}
    assert history[-1]["terms"]["neurons"] < history[0]["terms"]["neurons"]
    responses = SimulatedIT(sites=20).rates(data)
    likeness = []
    for trained in (plain, model):
        features = trained.stages(trained.stem(trained.normalise(data.images))).detach()
        likeness.append(1 - alignment.cka_loss(features, responses).item())
    assert likeness[1] > likeness[0] + 0.1


def test_of_weight_nothing_a_term_changes_only_what_is_drawn(data):
    # The running statistics see the recorded images, the weights do not.
    one, history = fit(data, [maps(data, 0.0)], epochs=1)
    assert history[0]["terms"]["maps"] > 0
    other, _ = fit(data, [], epochs=1)
    assert torch.equal(weights(one), weights(other))


def test_a_step_follows_the_sum_of_the_gradients(data):
    """By SGD without momentum's history, one step is the learning rate times the gradient."""
    term = maps(data, 2.0)
    model, reference = net(), net()
    start = weights(model)
    settings = dict(epochs=1, batch_size=48, optimiser="sgd", lr=0.1, weight_decay=0.0,
                    nesterov=False, progress=False)
    training.fit(model, data, terms=[term], **settings)
    plain = net()
    training.fit(plain, data, **settings)
    reference.train()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.randperm(48)  # the epoch's own draw
        # After the objective's pass, whose images the running statistics have seen.
        reference(data.images)
        value = term(reference)
    grads = torch.autograd.grad(value, list(reference.parameters()), allow_unused=True)
    grads = torch.cat([(torch.zeros_like(p) if g is None else g).flatten()
                       for g, p in zip(grads, reference.parameters(), strict=True)])
    moved, moved_plain = weights(model) - start, weights(plain) - start
    factor = (moved_plain - moved).norm() / (2 * grads).norm()
    torch.testing.assert_close(moved - moved_plain, -factor * 2 * grads, rtol=1e-3, atol=1e-6)


def test_the_maps_term_leaves_running_statistics_and_modes_alone(data):
    model = net().train()
    model.stem.eval()
    before = {key: value.clone() for key, value in model.named_buffers()}
    maps(data)(model)
    assert all(torch.equal(before[key], value) for key, value in model.named_buffers())
    assert model.training
    assert not model.stem.training


def test_an_area_that_runs_twice_is_read_the_last_time(data):
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.area = nn.Flatten()

        def forward(self, x):
            return self.area(self.area(x).mean(1, keepdim=True) * torch.arange(1, 4))

    model = Twice()
    model.weight = nn.Parameter(torch.zeros(1))
    last = data.images.mean((1, 2, 3))[:, None]
    term = NeuralAlignment("area", data.images, last, batch_size=48)
    assert term(model).item() == pytest.approx(0, abs=1e-5)  # the first time answers vary otherwise


@pytest.mark.parametrize("passes", [1, 2])
def test_a_resumed_run_ends_with_the_uninterrupted_weights(data, tmp_path, monkeypatch, passes):
    whole, _ = fit(data, [neurons(data), maps(data)], epochs=3)
    original, calls = training._epoch, []

    def stopping(*given, **more):
        calls.append(1)
        if len(calls) > passes:
            raise KeyboardInterrupt
        return original(*given, **more)

    monkeypatch.setattr(training, "_epoch", stopping)
    with pytest.raises(KeyboardInterrupt):
        fit(data, [neurons(data), maps(data)], epochs=3, checkpoint=tmp_path / "c")
    monkeypatch.setattr(training, "_epoch", original)
    resumed, _ = fit(data, [neurons(data), maps(data)], epochs=3, checkpoint=tmp_path / "c")
    assert torch.equal(weights(whole), weights(resumed))


def test_a_checkpoint_with_other_terms_is_refused(data, tmp_path):
    fit(data, [neurons(data)], checkpoint=tmp_path / "c")
    for terms in ([], [neurons(data, 2.0)], [maps(data)], [neurons(data, form="log")]):
        with pytest.raises(ValueError, match="terms beside the loss"):
            fit(data, terms, checkpoint=tmp_path / "c")
    fit(data, [neurons(data)], checkpoint=tmp_path / "c")


def test_what_terms_refuse(data):
    images, labels, masks = data.images, data.labels, data.masks
    responses = torch.rand(48, 5)
    for message, make in {
        r"of the 48 images": lambda: NeuralAlignment("stages", images, responses[:40]),
        "not finite": lambda: NeuralAlignment("stages", images, responses * torch.nan),
        "constant": lambda: NeuralAlignment("stages", images, torch.ones(48, 5)),
        "4 images or more": lambda: NeuralAlignment("stages", images, responses, batch_size=3),
        "at most as many": lambda: NeuralAlignment("stages", images, responses, batch_size=49),
        "weight=-1": lambda: NeuralAlignment("stages", images, responses, weight=-1),
        "'debiased' or 'log'": lambda: NeuralAlignment("stages", images, responses, form="x"),
        r"must be \(n,\)": lambda: Harmonisation(images, labels[:3], masks),
        "are constant": lambda: Harmonisation(images, labels, torch.ones_like(masks)),
        "1 images or more": lambda: Harmonisation(images, labels, masks, batch_size=0),
        "positive sigma": lambda: alignment.importance_maps(masks, 0),
        "no layer 'stage'": lambda: fit(data, [NeuralAlignment("stage", images, responses)]),
        "names of their own": lambda: fit(data, [maps(data), maps(data)]),
    }.items():
        with pytest.raises(ValueError, match=message):
            make()


def test_a_diverging_term_is_named(data):
    class Infinite:
        name, weight, identity = "infinite", 1.0, ""

        def __call__(self, model):
            return sum(p.sum() for p in model.parameters()) * math.inf

    with pytest.raises(FloatingPointError, match="loss became"):
        fit(data, [Infinite()])


def test_importance_maps_are_a_gaussian_blur(data):
    from scipy.ndimage import gaussian_filter

    found = alignment.importance_maps(data.masks[:4], sigma=2.0)
    for mask, blurred in zip(data.masks[:4, 0].numpy(), found[:, 0].numpy(), strict=True):
        expected = gaussian_filter(mask, 2.0, mode="constant", truncate=3.0)
        np.testing.assert_allclose(blurred, expected, atol=1e-5)


# --- Nets made by a recipe -----------------------------------------------------------------------

RECIPE = """
data:
  source: objects
  train: {{n: 48, variation: none, seed: 0}}
  test: {{n: 32, seed: 1, variations: [none]}}
seeds: [0]
training: {{epochs: 1, batch_size: 16}}
families:
  net:
    architecture: resnet
    options: {{widths: [4, 4], blocks: [1, 1]}}
    {more}
"""


@pytest.mark.parametrize("to", ["simulated IT", "masks"])
def test_the_control_differs_in_nothing_but_its_target(tmp_path, to):
    made = []
    for wrong in (False, True):
        align = f"align: {{to: {to}, weight: 1, images: 32, wrong: {str(wrong).lower()}}}"
        (tmp_path / "r.yml").write_text(RECIPE.format(more=align))
        out = tmp_path / str(wrong)
        recipes.main([str(tmp_path / "r.yml"), "--out", str(out), "--device", "cpu"])
        made.append((zoo.record("net", 0, out), zoo.load("net", 0, out)))
    (right, one), (control, other) = made
    assert right["align"] | {"wrong": True} == control["align"]
    assert len(right["terms"]) == 1
    assert not torch.equal(weights(one), weights(other))


@pytest.mark.parametrize("wrong", [{"to": "mask"}, {"images": 0}, {"images": 49}])
def test_a_recipe_that_aligns_with_nothing_is_refused(data, wrong):
    with pytest.raises(ValueError, match=r"'simulated IT' or 'masks', with 1 to 48 images"):
        _aligned.terms(data, **{"to": "masks", "weight": 1, "images": 8} | wrong)


def test_eight_bits_are_a_fraction_of_a_per_cent_off_and_a_third_of_the_size(tmp_path):
    torch.manual_seed(0)
    about = {"architecture": "small_resnet", "options": {}}
    model = zoo.build("small_resnet").eval()
    with torch.no_grad():
        model.output.weight[3] = 0  # an output that is off
    eight = zoo.save(model, about, "net", 0, tmp_path, "int8")
    half = zoo.save(model, about, "net", 1, tmp_path, "float16")
    assert eight["format"] == "int8"
    assert eight["bytes"] < 0.6 * half["bytes"]
    loaded = zoo.load("net", 0, tmp_path)
    for (name, there), here in zip(model.named_parameters(), loaded.parameters(), strict=True):
        largest = there.abs().flatten(1).amax(1) if there.ndim > 1 else there.abs().max()
        shape = (-1, *[1] * (there.ndim - 1)) if there.ndim > 1 else ()
        assert ((there - here).abs() <= largest.view(shape) / 253 + 1e-6).all(), name
    with pytest.raises(ValueError, match="float32, float16, int8"):
        zoo.save(model, about, "net", 2, tmp_path, "int4")


def test_eight_bits_are_kept_only_where_the_net_stays_as_good(tmp_path, monkeypatch):
    (tmp_path / "r.yml").write_text(RECIPE.format(more="kept_as: int8"))
    arguments = [str(tmp_path / "r.yml"), "--device", "cpu", "--out"]
    recipes.main([*arguments, str(tmp_path / "a")])
    assert zoo.record("net", 0, tmp_path / "a")["format"] == "int8"
    monkeypatch.setattr(recipes, "TOLERANCE", -1)
    recipes.main([*arguments, str(tmp_path / "b")])
    assert zoo.record("net", 0, tmp_path / "b")["format"] == "float32"
