"""Make the shipped nets again: a recipe file names families, data, settings and seeds.

Run as `python -m brainkit.training RECIPE`. Interrupt it when you like; called again, it goes on
where it stopped. A net that is already there is kept, and replaced only with --overwrite. The
published nets are trained in the same way, from a folder of images, by several processes if you
like: `torchrun --nproc_per_node=N -m brainkit.training imagenet --data FOLDER --out FOLDER`.
"""

from __future__ import annotations

import argparse
import datetime
import functools
import platform
import sys
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import yaml

from brainkit import _aligned, _processes, attacks, objects
from brainkit import data as published
from brainkit._recipe import filled
from brainkit.models import size, zoo
from brainkit.training import Recipe, evaluate, fit

if TYPE_CHECKING:
    from brainkit._imagefolder import FolderData  # with torchvision, a second to import

__all__ = ["main", "make", "read"]

STEPS_KEPT = 1000  # an epoch of ImageNet takes hours; the small nets' epochs are shorter

RECIPES = Path(zoo.__file__).with_name("recipes")

# Fewer bits may cost this much accuracy, the mean over test sets; else more are kept.
TOLERANCE = 0.002


def read(recipe: str) -> dict[str, Any]:
    """A recipe file, by path or by the name of one that brainkit ships.

    Returns:
        {"data": ..., "families": {name: {"architecture", "options", "training"}}, "seeds": [...]}
        with the file's defaults filled in. A family trained against attacks has "against" too,
        the settings of `brainkit.attacks.pgd`; an aligned one "align", those of
        `brainkit._aligned.terms`; one that is kept in another format than float16 "kept_as".
    """
    path = Path(recipe) if recipe.endswith(".yml") else RECIPES / f"{recipe}.yml"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in RECIPES.glob("*.yml")))
        raise SystemExit(f"no recipe {recipe!r}: give a .yml file or one of: {known}")
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    missing = {"data", "families", "seeds"} - set(content)
    if missing:
        raise SystemExit(f"{path}: missing {', '.join(sorted(missing))}")
    families = {}
    for name, family in content["families"].items():
        training = family.get("training", {})
        if not {"unlabelled", "untrained"} & set(training):
            settings = {**content.get("training", {}), **training}
            training = asdict(Recipe().with_settings(**settings))
        families[name] = {
            "architecture": family["architecture"],
            "options": family.get("options", {}),
            "training": training,
        }
        more = {key: family[key] for key in ("against", "align", "kept_as") if key in family}
        families[name] |= more
    return {"data": content["data"], "families": families, "seeds": content["seeds"]}


def say(*what: Any, **how: Any) -> None:
    """Print, unless another process does."""
    if _processes.first():
        print(*what, flush=True, **how)


class ObjectData:
    """Training and test sets of rendered objects, made when first asked for."""

    workers, classes = 0, None  # loaded by none beside this process; of as many as nets have

    def __init__(self, settings: dict[str, Any]):
        self.settings = settings
        self._sets: dict[tuple, objects.ObjectSet] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.train().images.shape[1:])

    def _sample(self, n: int, variation: str, seed: int) -> objects.ObjectSet:
        key = (n, variation, seed)
        if key not in self._sets:
            say(f"rendering {n} images, variation {variation}, seed {seed}")
            self._sets[key] = objects.sample(n, variation=variation, seed=seed)
        return self._sets[key]

    def train(self) -> objects.ObjectSet:
        return self._sample(**self.settings["train"])

    def tests(self) -> dict[str, objects.ObjectSet]:
        test = self.settings["test"]
        return {v: self._sample(test["n"], v, test["seed"]) for v in test["variations"]}


class PhotographData:
    """CIFAR-10's training and test set, fetched when first asked for."""

    workers, classes = 0, None
    shape = (3, 32, 32)

    def __init__(self, settings: dict[str, Any]):
        self.settings = settings
        self._sets: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}

    def _load(self, split: str) -> tuple[torch.Tensor, torch.Tensor]:
        if split not in self._sets:
            self._sets[split] = published.cifar10_tensors(split)
        return self._sets[split]

    def train(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self._load("train")

    def tests(self) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
        return {"test": self._load("test")}


if TYPE_CHECKING:
    AnyData = ObjectData | PhotographData | FolderData


def data_of(settings: dict, folder: Path | None, workers: int) -> AnyData:
    """The data that a recipe names; `folder` is the user's, for a source that needs one.

    Raises:
        SystemExit: an unknown source, or a folder too many, too few, or without images.
    """
    source = settings.get("source")
    own = {"objects": ObjectData, "cifar10": PhotographData}
    if source not in (*own, "imagefolder"):
        raise SystemExit(
            f"data source {source!r} is unknown; there are: {', '.join(own)}, imagefolder"
        )
    if source in own:
        if folder:
            raise SystemExit("this recipe brings its images itself: leave --data away")
        return own[source](settings)
    if not folder:
        raise SystemExit("this recipe needs your images: --data FOLDER with train/ and val/")
    from brainkit._imagefolder import FolderData

    return FolderData(settings, folder, workers)


def make(
    name: str,
    family: dict[str, Any],
    data: AnyData,
    seed: int,
    directory: Path,
    device: str = "cpu",
    overwrite: bool = False,
    progress: bool = True,
    checkpoint_every: int | None = None,
) -> dict | None:
    """Train one net and save it with its record; of several processes the first one saves.

    A net on a folder of images gets as many outputs as there are classes.

    Returns:
        The record; None if the net was already there, made by the same recipe, or if another
        process saves it.

    Raises:
        SystemExit: the net is there, made by another recipe, and `overwrite` was not given.
    """
    if data.classes:
        family = {**family, "options": {"n_classes": data.classes, **family["options"]}}
    weights, description = zoo.files(name, seed, directory)
    if weights.exists() and description.exists() and not overwrite:
        there = zoo.record(name, seed, directory)
        # It may be older than some settings of a recipe.
        there["training"] = filled(there["training"])
        wanted = {**family, "training": filled(family["training"]), "data": data.settings}
        if all(there.get(key) == value for key, value in wanted.items()):
            return None
        differing = [key for key, value in wanted.items() if there.get(key) != value]
        raise SystemExit(
            f"{weights.name} is there already and was made with other settings "
            f"({', '.join(differing)}). It may be a released net: give --overwrite to replace it, "
            "or --out for another folder."
        )

    def fresh() -> torch.nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return zoo.build(family["architecture"], **family["options"])

    model = fresh()
    checkpoint = directory / f"{name}-seed{seed}.unfinished"
    if "unlabelled" in family["training"]:
        history = _learn_unlabelled(model, data.train(), seed, **family["training"])
    elif family["training"].get("untrained"):
        history = []
    else:
        history = fit(
            model,
            data.train(),
            Recipe(**family["training"]),
            seed=seed,
            objective=_objective(**family["against"]) if "against" in family else None,
            terms=_aligned.terms(data.train(), **family["align"]) if "align" in family else (),
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            workers=data.workers,
            device=device,
            progress=progress,
        )
    if not _processes.first():
        return None
    model.to("cpu")
    about = {
        **family,
        "data": data.settings,
        "parameters": size.parameters(model),
        "macs": size.macs(model, data.shape),
        "layers": size.depth(model),
        "seconds": round(sum(row["seconds"] for row in history), 1),
        "cpu_seconds": round(sum(row["cpu_seconds"] for row in history), 1),
        "threads": torch.get_num_threads(),
        "device": _device_name(device),
        **({"processes": _processes.count()} if _processes.count() > 1 else {}),
        "torch": torch.__version__,
        "brainkit": version("brainkit"),
        "date": datetime.date.today().isoformat(),
        "loss": [round(row["loss"], 4) for row in history],
        "training_accuracy": [round(row["accuracy"], 4) for row in history],
        **({"terms": [{key: round(value, 5) for key, value in row["terms"].items()}
                      for row in history]} if "align" in family else {}),
    }
    if data.classes:  # float32: brainkit need not ship it, and its test images are many
        about["accuracy"] = _accuracies(model.to(device), data)
        about = zoo.save(model, about, name, seed, directory, "float32")
    else:
        full = _accuracies(model, data)
        about = _save_verified(model, about, full, data, name, seed, directory)
    checkpoint.unlink(missing_ok=True)
    return about


def _objective(**attack) -> functools.partial:
    """The loss on attacked images (Madry et al. 2018), as `fit` takes it."""
    return functools.partial(_on_attacked, **attack)


def _on_attacked(model, images, labels, **attack) -> tuple[torch.Tensor, torch.Tensor]:
    model.eval()  # its running statistics are those of the images it is trained on, attacked
    whole = getattr(model, "module", model)  # several processes: only training is averaged
    attacked = attacks.pgd(whole, images, labels, **attack)
    model.train()
    logits = model(attacked)
    return torch.nn.functional.cross_entropy(logits, labels), logits


def _learn_unlabelled(model, train: objects.ObjectSet, seed: int, unlabelled: int) -> list[dict]:
    """Features from the first images without labels, then a read-out fitted to all, in one row."""
    wall, cpu = time.perf_counter(), time.process_time()
    model.learn(train.images[:unlabelled], seed=seed)
    model.fit_read_out(train.images, train.labels)
    seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
    logits = torch.cat([model(x) for x in train.images.split(256)]).detach()
    return [{
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "loss": torch.nn.functional.cross_entropy(logits, train.labels).item(),
        "accuracy": (logits.argmax(1) == train.labels).float().mean().item(),
    }]


def _save_verified(model, about, full, data, name, seed, directory) -> dict:
    """Save in fewer bits if the saved net, loaded again, is as accurate as the trained one."""
    wanted = about.get("kept_as", "float16")
    for kept_as in [*(["int8"] if wanted == "int8" else []), "float16", "float32"]:
        try:
            saved = zoo.save(model, about, name, seed, directory, kept_as)
        except ValueError:  # a weight beyond float16's range
            if kept_as == "float32":
                raise
            continue
        # The recorded accuracy is that of the net a user will load.
        loaded = _accuracies(zoo.load(name, seed, directory), data)
        # Over all test sets: in a noisy net rounding turns single answers about either way.
        loss = sum(full[v]["value"] - loaded[v]["value"] for v in full) / len(full)
        if kept_as == "float32" or loss <= TOLERANCE:
            rounded = {} if kept_as == "float32" else {f"accuracy_lost_by_{kept_as}": loss}
            saved = zoo.save(model, {**about, "accuracy": loaded, **rounded}, name, seed, directory,
                             kept_as)  # fmt: skip
            break
    return saved


def _accuracies(
    model: torch.nn.Module, data: AnyData
) -> dict[str, dict[str, float]]:
    found = {}
    for variation, test in data.tests().items():
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # a noisy net gets the same draws whenever it is asked
            found[variation] = evaluate(model, test, workers=data.workers)._asdict()
    return found


def _device_name(device: str) -> str:
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU ({platform.machine()})"


def main(arguments: list[str] | None = None) -> int:
    """The command line of `python -m brainkit.training`."""
    parser = argparse.ArgumentParser(
        prog="python -m brainkit.training",
        description="Train the nets of a recipe. Called again, it goes on where it stopped.",
    )
    parser.add_argument("recipe", help="a .yml file, or the name of a recipe of brainkit's")
    parser.add_argument("--family", nargs="+", help="only these families of the recipe")
    parser.add_argument("--seed", nargs="+", type=int, help="only these seeds")
    parser.add_argument("--data", type=Path, help="folder with train/ and val/, if it needs one")
    parser.add_argument("--out", type=Path, help="folder for the nets, if not brainkit's own")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--overwrite", action="store_true", help="replace nets that are there")
    parser.add_argument("--workers", type=int, default=4, help="that load images from --data")
    parser.add_argument("--checkpoint-every", type=int, default=STEPS_KEPT, metavar="STEPS",
                        help="within an epoch, beside each epoch's end")  # fmt: skip
    options = parser.parse_args(arguments)

    recipe = read(options.recipe)
    unknown = set(options.family or []) - set(recipe["families"])
    if unknown:
        parser.error(f"no family {', '.join(unknown)}; there are {', '.join(recipe['families'])}")
    data = data_of(recipe["data"], options.data, options.workers)
    if options.data and not options.out:
        parser.error("give --out, a folder for the nets: brainkit's own is for those it ships")
    runs = [
        (seed, name)
        for seed in (recipe["seeds"] if options.seed is None else options.seed)
        for name in (options.family or recipe["families"])
    ]
    for number, (seed, name) in enumerate(runs, start=1):
        start = time.perf_counter()
        say(f"[{number}/{len(runs)}] {name} seed {seed}: ", end="")
        about = make(
            name,
            recipe["families"][name],
            data,
            seed,
            options.out or zoo.WEIGHTS,
            options.device,
            options.overwrite,
            progress=sys.stderr.isatty(),
            checkpoint_every=options.checkpoint_every,
        )
        if about is None:
            say("there already, kept")
            continue
        accuracy = ", ".join(f"{v} {a['value']:.3f}" for v, a in about["accuracy"].items())
        took = time.perf_counter() - start
        say(f"{accuracy}; {about['format']}, {about['bytes'] / 1e3:.0f} kB, {took:.0f} s")
    _processes.leave()
    return 0
