"""The published nets' recipe: trained from a folder of images by the command line."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from brainkit import recipes, training
from brainkit.models import zoo
from brainkit.training import Recipe

SIDE, STEPS = 40, 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three classes of one colour each, in noise; sizes differ, as those of photographs do."""
    top, random = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for part, n in (("train", STEPS * 8), ("val", 12)):
        for i in range(n):
            image = random.integers(0, 200, (SIDE + i % 7, SIDE + i % 5, 3), dtype=np.uint8)
            image[..., i % 3] += 50
            path = top / part / f"class{i % 3}" / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
    return top


@pytest.fixture
def recipe(tmp_path):
    """The shipped recipe on small images and for one epoch; CORnet-Z keeps its 1,000 outputs."""
    content = yaml.safe_load((recipes.RECIPES / "imagenet.yml").read_text())
    content["data"] |= {"size": 32, "resize": 36}
    content["training"] |= {"batch_size": 8}
    content["families"]["cornet_z"] |= {"options": {"n_classes": 1000}}
    content["families"]["cornet_z"]["training"] |= {"epochs": 1}
    path = tmp_path / "recipe.yml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_two_processes_killed_and_resumed_train_the_published_net_to_the_bit(
    folder, recipe, tmp_path
):
    given = [recipe, "--family", "cornet_z", "--data", folder, "--device", "cpu", "--workers", "0"]

    def start(*program):
        return subprocess.Popen(
            [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2",
             *program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"})  # fmt: skip

    unfinished = tmp_path / "parts" / "cornet_z-seed0.unfinished"
    run = start("-m", "brainkit.training", *given, "--out", tmp_path / "parts",
                "--checkpoint-every", "1")  # fmt: skip
    while not unfinished.exists():
        assert run.poll() is None, run.communicate()[0][-3000:]
        time.sleep(0.005)
    run.terminate()
    run.communicate(timeout=300)
    state = torch.load(unfinished, weights_only=True)
    assert 0 < state["begun"]["done"] < STEPS
    assert zoo.available(tmp_path / "parts") == {}

    # The rest, and the same whole, in one start: it takes longer than both.
    both = tmp_path / "both.py"
    both.write_text("import sys\n"
                    "from brainkit import _processes, recipes\n"
                    "_processes.leave = lambda: None  # not before the second\n"
                    "for out in ('parts', 'whole'):\n"
                    f"    recipes.main([*sys.argv[1:], '--out', {str(tmp_path)!r} + '/' + out])\n")
    run = start(both, *given)
    said = run.communicate(timeout=300)[0]
    assert run.returncode == 0, said[-3000:]
    assert said.count("cornet_z seed 0") == 2  # the second process is silent

    whole, parts = (zoo.files("cornet_z", 0, tmp_path / out)[0] for out in ("whole", "parts"))
    assert whole.read_bytes() == parts.read_bytes()
    about = zoo.record("cornet_z", 0, tmp_path / "parts")
    assert about["parameters"] == 2_071_656
    assert about["format"] == "float32"
    assert about["processes"] == 2
    assert about["accuracy"]["val"]["n"] == 12
    assert about["data"]["train"]["n"] == STEPS * 8
    assert str(folder) not in json.dumps(about)
    assert not list(tmp_path.glob("parts/*.unfinished*"))


def main(recipe, *arguments):
    return recipes.main([str(recipe), "--family", "cornet_z", "--device", "cpu",
                         *map(str, arguments)])  # fmt: skip


def test_what_a_folder_lacks_is_said(folder, recipe, tmp_path, capsys):
    out = ("--out", tmp_path / "nets")
    with pytest.raises(SystemExit, match="--data FOLDER with train/ and val/"):
        main(recipe, *out)
    with pytest.raises(SystemExit):
        main(recipe, "--data", folder)
    assert "give --out" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="leave --data away"):
        recipes.main(["zoo", "--data", str(folder)])

    bad = tmp_path / "bad"
    (bad / "train" / "cat").mkdir(parents=True)
    with pytest.raises(SystemExit, match="no valid file for the classes cat"):
        main(recipe, "--data", bad, *out)
    image = next(folder.glob("train/*/*.png")).read_bytes()
    (bad / "train" / "cat" / "1.png").write_bytes(image)
    with pytest.raises(SystemExit, match="has no folder val/; --data needs"):
        main(recipe, "--data", bad, *out)
    (bad / "val").mkdir()
    with pytest.raises(SystemExit, match="Couldn't find any class folder"):
        main(recipe, "--data", bad, *out)
    (bad / "val" / "dog").mkdir()
    (bad / "val" / "dog" / "1.png").write_bytes(image)
    with pytest.raises(SystemExit, match=r"folders of the same names.* has cat, dog"):
        main(recipe, "--data", bad, *out)
    assert not (tmp_path / "nets").exists()


def test_a_net_has_as_many_outputs_as_there_are_classes(folder, recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "_epoch", lambda *_, **__: {
        "epoch": 0, "loss": 1.0, "accuracy": 0.5, "seconds": 0.0, "cpu_seconds": 0.0})  # fmt: skip
    content = yaml.safe_load(recipe.read_text())
    content["families"]["cornet_z"]["options"] = {}
    recipe.write_text(yaml.safe_dump(content))
    main(recipe, "--data", folder, "--out", tmp_path, "--workers", 0)
    about = zoo.record("cornet_z", 0, tmp_path)
    assert about["options"] == {"n_classes": 3}
    assert about["data"]["classes"] == 3
    assert zoo.load("cornet_z", 0, tmp_path)(torch.rand(1, 3, 32, 32)).shape == (1, 3)


# Learning rate at the start of an epoch; `specs/models.md` has them from the original programs.
PUBLISHED = {
    "cornet_s": (43, {0: 0.1, 19: 0.1, 20: 0.01, 39: 0.01, 40: 0.001, 42: 0.001}),
    "cornet_z": (25, {0: 0.01, 9: 0.01, 10: 0.001, 20: 0.0001}),
    "cornet_rt": (25, {0: 0.1, 9: 0.1, 10: 0.01, 20: 0.001}),
    "vone_resnet50": (70, {0: 0.1, 20: 0.01, 40: 0.001, 60: 0.0001}),
    "vone_cornet_s": (70, {19: 0.1, 69: 0.0001}),
    "vone_alexnet": (70, {19: 0.1, 69: 0.0001}),
}


def test_the_recipe_is_the_published_one_and_its_nets_are_known():
    families = recipes.read("imagenet")["families"]
    assert set(families) == set(PUBLISHED)
    for name, (epochs, rates) in PUBLISHED.items():
        assert families[name]["architecture"] in zoo.BUILDERS
        recipe = Recipe(**families[name]["training"])
        assert (recipe.epochs, recipe.batch_size, recipe.weight_decay) == (epochs, 256, 1e-4)
        assert (recipe.optimiser, recipe.nesterov, recipe.decay) == ("sgd", False, "all")
        for epoch, rate in rates.items():
            for step in (0, 5004):
                found = recipe.learning_rate((epoch + step / 5005) / epochs)
                assert found == pytest.approx(rate)
