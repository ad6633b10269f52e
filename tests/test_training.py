"""The trainer: exact resuming, determinism, and what it refuses."""

import functools

import pytest
import torch
from torch import nn

from brainkit.training import Recipe, evaluate, fit, wilson


def small_net(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(),
        nn.Dropout(0.3), nn.Linear(4 * 7 * 7, 3),
    )  # fmt: skip


@pytest.fixture
def stripes():
    """Images (96, 1, 16, 16) whose class is the brightness of one of three bands."""
    generator = torch.Generator().manual_seed(5)
    labels = torch.arange(96) % 3
    images = torch.rand(96, 1, 16, 16, generator=generator) * 0.4
    for image, label in zip(images, labels, strict=True):
        image[0, 5 * label : 5 * label + 5] += 0.4
    return images, labels


SETTINGS = {"epochs": 4, "batch_size": 20, "lr": 1e-2, "flip": True}


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(),
                                                 strict=True))  # fmt: skip


def test_learns_and_reports(stripes):
    net = small_net()
    history = fit(net, stripes, validate=stripes, progress=False, **{**SETTINGS, "epochs": 8})
    assert [row["epoch"] for row in history] == list(range(8))
    assert history[-1]["loss"] < history[0]["loss"]
    assert history[-1]["validation"] == evaluate(net, *stripes).value > 0.9
    assert not net.training


def test_same_seed_same_weights_other_seed_other_weights(stripes):
    nets = [small_net() for _ in range(3)]
    for net, seed in zip(nets, (1, 1, 2), strict=True):
        torch.rand(seed)  # the caller's own use of the global generator makes no difference
        fit(net, stripes, seed=seed, progress=False, **SETTINGS)
    assert same(nets[0], nets[1])
    assert not same(nets[0], nets[2])


def test_training_leaves_the_global_generator_alone(stripes):
    net = small_net()
    torch.manual_seed(9)
    expected = torch.rand(3)
    torch.manual_seed(9)
    fit(net, stripes, progress=False, **SETTINGS)
    assert torch.equal(torch.rand(3), expected)


def interrupted(stripes, path, training, passes, settings):
    """A run that dies in its `passes`-th forward pass of a kind, and leaves its checkpoint."""
    net, seen = small_net(), 0

    def dies(module, inputs):
        nonlocal seen
        seen += module.training == training
        if seen == passes:
            raise KeyboardInterrupt

    net.register_forward_pre_hook(dies)
    with pytest.raises(KeyboardInterrupt):
        fit(net, stripes, seed=3, validate=stripes, checkpoint=path, progress=False, **settings)


# Within the third epoch (an epoch has 5 steps), and between its steps and its end.
@pytest.mark.parametrize(
    ("optimiser", "training", "passes"), [("adamw", True, 13), ("sgd", False, 3)]
)
def test_a_resumed_run_ends_with_the_uninterrupted_weights(
    stripes, tmp_path, optimiser, training, passes
):
    settings = {**SETTINGS, "optimiser": optimiser}
    whole = small_net()
    history = fit(whole, stripes, seed=3, progress=False, **settings)

    path = tmp_path / "run.ckpt"
    interrupted(stripes, path, training, passes, settings)
    assert len(torch.load(path, weights_only=True)["history"]) == 2
    resumed = small_net()
    again = fit(resumed, stripes, seed=3, validate=stripes, checkpoint=path, progress=False,
                **settings)  # fmt: skip
    assert same(whole, resumed)
    assert [row["loss"] for row in again] == [row["loss"] for row in history]


def other_objective(model, images, labels):
    logits = model(images)
    return nn.functional.multi_margin_loss(logits, labels), logits


def permuted(values):
    return values.flip(0)  # the same sum, the same shape


def with_tanh():
    """Of the small net's shapes, and of other layers."""
    net = small_net()
    net[2] = nn.Tanh()
    return net


CHANGES = {
    r"lr \(0.01 there, 0.02 here\) differ": lambda x, y: {"lr": 2e-2},
    r"seed \(3 there, 4 here\) differ": lambda x, y: {"seed": 4},
    "run: the training images differ": lambda x, y: {"data": (x * 0.9, y)},
    "run: the training labels differ": lambda x, y: {"data": (x, permuted(y))},
    "the training images, the training labels differ":
        lambda x, y: {"data": (permuted(x), permuted(y))},
    "run: the validation set differ": lambda x, y: {"validate": (x, permuted(y))},
    r"objective \(cross-entropy there, other_objective here\)":
        lambda x, y: {"objective": other_objective},
    r"objective .* partial\(other_objective, margin=2\) here":
        lambda x, y: {"objective": functools.partial(other_objective, margin=2)},
    "run: the net's starting weights differ": lambda x, y: {"net": small_net(seed=77)},
    "run: the net's layers differ": lambda x, y: {"net": with_tanh()},
}  # fmt: skip


@pytest.mark.parametrize("message", CHANGES)
def test_a_checkpoint_of_another_run_is_refused_and_says_why(stripes, tmp_path, message):
    path = tmp_path / "run.ckpt"
    run = {"data": stripes, "net": small_net(), "seed": 3, "checkpoint": path, "progress": False,
           **SETTINGS, "epochs": 1}  # fmt: skip

    def start(net, data, **settings):
        return fit(net, data, **settings)

    start(**run)
    before = path.read_bytes()
    changed = {**run, "net": small_net(), **CHANGES[message](*stripes)}
    with pytest.raises(ValueError, match=message) as error:
        start(**changed)
    assert "delete it or give another checkpoint file" in str(error.value)
    assert path.read_bytes() == before
    assert len(start(**{**run, "net": small_net()})) == 1  # the run itself is not refused


LATER = ("drop_every", "nesterov", "decay", "precision")  # settings that came after the first nets


def test_a_checkpoint_older_than_some_settings_is_known_again(stripes, tmp_path):
    path = tmp_path / "run.ckpt"
    interrupted(stripes, path, True, 13, SETTINGS)
    state = torch.load(path, weights_only=True)
    del state["begun"]
    for name in LATER:
        del state["identity"]["recipe"][name]
    torch.save(state, path)
    whole, resumed = small_net(), small_net()
    fit(whole, stripes, seed=3, progress=False, **SETTINGS)
    again = {"seed": 3, "validate": stripes, "checkpoint": path, "progress": False, **SETTINGS}
    with pytest.raises(ValueError, match=r"run: decay \(weights there, all here\) differ"):
        fit(small_net(), stripes, **again, decay="all")
    fit(resumed, stripes, **again)
    assert same(whole, resumed)


def test_the_checkpoint_of_a_net_in_bfloat16_is_known_again(stripes, tmp_path):
    images, labels = stripes
    for net in (small_net().bfloat16() for _ in range(2)):
        fit(net, (images.bfloat16(), labels), checkpoint=tmp_path / "run.ckpt", epochs=1,
            progress=False)  # fmt: skip


def test_bad_input_says_what_to_do(stripes):
    with pytest.raises(TypeError, match=r"unknown training setting \['epoch'\]; known are"):
        fit(small_net(), stripes, epoch=3)
    frozen = r"nothing to train; .* `models.load` is frozen: call `model.requires_grad_\(\)` first"
    with pytest.raises(ValueError, match=frozen):
        fit(small_net().requires_grad_(False), stripes)
    with pytest.raises(FloatingPointError, match="lower lr"):
        fit(small_net(), stripes, lr=1e30, weight_decay=1e30, epochs=1, progress=False)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimiser": "adam"}, "choose one of"),
        ({"epochs": 1.5}, "epochs=1.5: give a positive integer"),
        ({"epochs": 0}, "epochs=0: give a positive integer"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"lr": float("nan")}, "lr=nan: give a finite number"),
        ({"lr": "3e-3"}, "lr='3e-3': give a finite number"),
        ({"lr": 0}, "lr=0: give a positive number"),
        ({"weight_decay": -1}, "weight_decay=-1: give 0 or more"),
        ({"label_smoothing": 2}, "label_smoothing=2 is a fraction; give 0 <= x < 1"),
        ({"warmup": 1}, "warmup=1 is a fraction"),
        ({"schedule": "steps"}, "schedule='steps'; choose one of .*'step'"),
        ({"drop_every": 0}, "drop_every=0: give a positive integer"),
        ({"drop_every": 2.5}, "drop_every=2.5: give a positive integer"),
        ({"nesterov": "no"}, "nesterov='no': give True or False"),
        ({"decay": "biases"}, "decay='biases'; choose one of"),
        ({"precision": "float16"}, "precision='float16'; choose one of"),
    ],
)
def test_senseless_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**settings)


def test_learning_rate_warms_up_then_falls_to_zero():
    recipe = Recipe(lr=1.0, warmup=0.2)
    rates = [recipe.learning_rate(i / 1000) for i in range(1000)]
    assert max(rates) == pytest.approx(1.0, abs=1e-3)
    assert rates.index(max(rates)) == 200
    assert rates[0] < 0.05
    assert rates[-1] < 1e-4
    assert Recipe(lr=0.3, schedule="constant").learning_rate(0.9) == 0.3


def test_learning_rate_drops_at_the_epoch_whatever_the_rounding():
    for epochs in range(1, 101):
        recipe = Recipe(epochs=epochs, lr=1.0, schedule="step", drop_every=7)
        for epoch in range(epochs):
            for step in (0, 1_281_166):
                found = recipe.learning_rate((epoch + step / 1_281_167) / epochs)
                assert found == pytest.approx(0.1 ** (epoch // 7))


def test_wilson_matches_published_values():
    # Newcombe 1998, Statistics in Medicine 17, 857, table I: 81/263, 15/148, 0/20, 1/29.
    for correct, n, low, high in [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ]:
        accuracy = wilson(correct, n)
        assert (accuracy.low, accuracy.high) == pytest.approx((low, high), abs=6e-5)
    with pytest.raises(ValueError, match="5 correct of 4"):
        wilson(5, 4)


def test_evaluate_puts_the_mode_back(stripes):
    net = small_net().train()
    accuracy = evaluate(net, *stripes, batch_size=7)
    assert net.training
    assert accuracy.n == 96
    assert 0 <= accuracy.low <= accuracy.value <= accuracy.high <= 1
