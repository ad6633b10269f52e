"""The trainer: exact resuming, determinism, and the shipped nets' protection."""

import functools
import json

import pytest
import torch
from torch import nn

from brainkit import recipes, training
from brainkit.models import zoo
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


# --- Making the zoo ------------------------------------------------------------------------------

RECIPE = """
data:
  source: objects
  train: {n: 32, variation: none, seed: 0}
  test: {n: 16, seed: 1, variations: [none]}
seeds: [0, 1]
training: {epochs: 1, batch_size: 16}
families:
  tiny:
    architecture: resnet
    options: {widths: [4, 4], blocks: [1, 1]}
"""


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "recipe.yml"
    path.write_text(RECIPE)
    return path


def make(recipe, out, *more):
    return recipes.main([str(recipe), "--out", str(out), "--device", "cpu", *more])


def test_make_writes_nets_with_records_and_keeps_them(recipe, tmp_path, capsys):
    out = tmp_path / "nets"
    assert make(recipe, out) == 0
    assert zoo.available(out) == {"tiny": [0, 1]}
    about = zoo.record("tiny", 1, out)
    assert about["training"]["epochs"] == 1
    assert about["data"]["train"] == {"n": 32, "variation": "none", "seed": 0}
    accuracy = about["accuracy"]["none"]
    assert accuracy["n"] == 16
    assert 0 <= accuracy["low"] <= accuracy["value"] <= accuracy["high"] <= 1
    assert not list(out.glob("*.unfinished"))

    before = {path: path.read_bytes() for path in out.iterdir()}
    make(recipe, out)
    assert "kept" in capsys.readouterr().out
    assert before == {path: path.read_bytes() for path in out.iterdir()}


def test_a_net_that_learns_without_labels_has_a_record_like_the_others(recipe, tmp_path):
    recipe.write_text(RECIPE.split("families:")[0] + """families:
  neo:
    architecture: neocognitron
    training: {unlabelled: 8}
""")
    make(recipe, tmp_path, "--seed", "0")
    about = zoo.record("neo", 0, tmp_path)
    assert about["training"] == {"unlabelled": 8}
    assert about["training_accuracy"][-1] > 0.5  # 32 images, 1,024 features: learned by heart
    net = zoo.load("neo", 0, tmp_path)
    assert net.S2.learned
    assert net.S3.learned
    assert net.read_out.weight.any()
    assert about["macs"] > 2e7
    assert about["layers"] == 4


def test_a_net_made_otherwise_is_not_replaced_without_being_told(recipe, tmp_path):
    out = tmp_path / "nets"
    make(recipe, out, "--seed", "0")
    before = zoo.record("tiny", 0, out)["sha256"]
    recipe.write_text(RECIPE.replace("epochs: 1", "epochs: 2"))
    with pytest.raises(SystemExit, match="--overwrite"):
        make(recipe, out, "--seed", "0")
    assert zoo.record("tiny", 0, out)["sha256"] == before
    make(recipe, out, "--seed", "0", "--overwrite")
    assert zoo.record("tiny", 0, out)["sha256"] != before
    assert zoo.record("tiny", 0, out)["training"]["epochs"] == 2


def test_a_net_older_than_some_settings_is_known_again(recipe, tmp_path, capsys):
    make(recipe, tmp_path, "--seed", "0")
    _, description = zoo.files("tiny", 0, tmp_path)
    about = json.loads(description.read_text())
    for name in LATER:
        del about["training"][name]
    description.write_text(json.dumps(about))
    make(recipe, tmp_path, "--seed", "0")
    assert "kept" in capsys.readouterr().out
    recipe.write_text(RECIPE.replace("epochs: 1", "epochs: 1, precision: bfloat16"))
    with pytest.raises(SystemExit, match=r"other settings \(training\)"):
        make(recipe, tmp_path, "--seed", "0")


def test_the_shipped_nets_are_those_of_their_recipes():
    families = recipes.read("miniatures")["families"] | recipes.read("zoo")["families"]
    for name, seeds in zoo.available().items():
        for seed in seeds:
            there = recipes.filled(zoo.record(name, seed)["training"])
            assert there == recipes.filled(families[name]["training"])


def test_make_goes_on_from_an_unfinished_run(recipe, tmp_path, monkeypatch):
    recipe.write_text(RECIPE.replace("epochs: 1", "epochs: 3"))
    make(recipe, tmp_path / "whole", "--seed", "0")

    epoch = training._epoch

    def dies_in_the_last(*arguments):
        if arguments[5] == 2:
            raise KeyboardInterrupt
        return epoch(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(training, "_epoch", dies_in_the_last)
        with pytest.raises(KeyboardInterrupt):
            make(recipe, tmp_path / "parts", "--seed", "0")
    assert zoo.available(tmp_path / "parts") == {}
    make(recipe, tmp_path / "parts", "--seed", "0")
    hashes = [zoo.record("tiny", 0, tmp_path / out)["sha256"] for out in ("whole", "parts")]
    assert hashes[0] == hashes[1]


def test_unknown_recipes_and_families_are_named(recipe, tmp_path, capsys):
    with pytest.raises(SystemExit, match="one of: imagenet, miniatures"):
        recipes.read("nothing")
    with pytest.raises(SystemExit):
        make(recipe, tmp_path, "--family", "huge")
    assert "there are tiny" in capsys.readouterr().err


def test_float16_is_refused_where_it_costs_accuracy(tmp_path, monkeypatch):
    """A net whose answer hangs on a difference that float16 cannot hold is kept as float32."""

    class Hair(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.tensor([1.0, 1.0001]))  # equal as float16

        def forward(self, x):
            return self.w.expand(len(x), 2)

    class Data:
        workers = 0

        def tests(self):
            images = torch.zeros(10, 1, 2, 2)
            return {"none": type("Set", (), {"images": images, "labels": torch.ones(10).long()})}

    monkeypatch.setitem(zoo.BUILDERS, "hair", Hair)
    about = {"architecture": "hair", "options": {}}
    full = recipes._accuracies(Hair(), Data())
    saved = recipes._save_verified(Hair(), about, full, Data(), "hair", 0, tmp_path)
    assert saved["format"] == "float32"
    assert saved["accuracy"]["none"]["value"] == 1.0
    assert json.loads((tmp_path / "hair-seed0.json").read_text()) == saved
