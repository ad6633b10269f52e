"""Photographs, class names and human trials, as arrays and tables."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from brainkit.data.catalogue import check_name
from brainkit.data.ladder import fetch

if TYPE_CHECKING:
    import torch

# Photographs that come inside installed packages: package, file. Each package's documentation
# names the photographer and the licence.
PHOTOGRAPHS = {
    name: ("skimage", f"data/{name}.{kind}")
    for kind, names in {
        "png": ("astronaut", "brick", "camera", "cell", "chelsea", "coffee", "coins", "grass",
                "gravel", "moon"),
        "jpg": ("hubble_deep_field", "retina", "rocket"),
    }.items()
    for name in names
} | {name: ("sklearn", f"datasets/images/{name}.jpg") for name in ("china", "flower")}

EXPERIMENTS = ("cue-conflict", "edge", "silhouette", "sketch", "stylized")


def photograph(name: str) -> np.ndarray:
    """A photograph that scikit-image or scikit-learn carries; needs no download.

    Parameters
    ----------
    name : str
        A key of `PHOTOGRAPHS`: "chelsea" (the cat), "coffee", "astronaut", "rocket", "china" ...

    Returns
    -------
    (h, w, 3) uint8 array
        A grey photograph ("camera", "coins", "moon" ...) has three equal channels.

    Raises
    ------
    AssetError
        For a name that is not there.
    """
    check_name("photograph", name, PHOTOGRAPHS)
    package, path = PHOTOGRAPHS[name]
    with resources.files(package).joinpath(path).open("rb") as stream:
        return np.array(Image.open(stream).convert("RGB"))


def imagenet_categories() -> list[str]:
    """The 1,000 ImageNet classes' names, in the order of a torchvision net's outputs."""
    from torchvision.models import MobileNet_V2_Weights  # slow to import, and rarely needed

    return list(MobileNet_V2_Weights.IMAGENET1K_V1.meta["categories"])


class Labelled(NamedTuple):
    """An image and its class."""

    image: np.ndarray  # (h, w, 3) uint8
    label: int  # index into `imagenet_categories()`
    name: str  # the file's name


def imagenet_photographs() -> list[Labelled]:
    """Twenty photographs with their ImageNet class, as the package foolbox carries them.

    Returns
    -------
    list of (image, label, name)
        Images of 1024 x 683 or 512 x 512 pixels or thereabouts, (h, w, 3) uint8; the label is
        read off the file's name. For a net, resize the short side to 256 and crop the middle 224.

    Raises
    ------
    AssetError
        If no source is within reach.
    """
    folder = fetch("imagenet-photographs")
    photographs = []
    for path in sorted(folder.glob("imagenet_*.jpg")):
        with Image.open(path) as image:
            pixels = np.array(image.convert("RGB"))
        photographs.append(Labelled(pixels, int(path.stem.split("_")[2]), path.name))
    return photographs


CIFAR10_CATEGORIES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse",
                      "ship", "truck")


def cifar10(split: str) -> tuple[np.ndarray, np.ndarray]:
    """CIFAR-10 (Krizhevsky 2009), in its official order.

    Parameters
    ----------
    split : "train" (50,000 images) or "test" (10,000)

    Returns
    -------
    images : (n, 32, 32, 3) uint8
    labels : (n,) int64, indices into `CIFAR10_CATEGORIES`

    Raises
    ------
    AssetError
        If no source is within reach.
    """
    if split not in {"train", "test"}:
        raise ValueError(f"split is 'train' or 'test', not {split!r}")
    folder = fetch("cifar10")
    batches = ["test_batch"] if split == "test" else [f"data_batch_{i}" for i in range(1, 6)]
    images = []
    for batch in batches:
        with Image.open(folder / f"{batch}.png") as sheet:  # one image a row: 1024 x 10,000
            images.append(np.array(sheet.convert("RGB")).reshape(-1, 32, 32, 3))
    labels = json.loads((folder / f"{split}_lables.json").read_text(encoding="utf-8"))
    return np.concatenate(images), np.array(labels, dtype=np.int64)


def cifar10_tensors(split: str) -> tuple[torch.Tensor, torch.Tensor]:
    """`cifar10` as this project's nets and trainer take it: (n, 3, 32, 32) float32 in [0, 1]."""
    import torch  # a second, and only this function needs it

    images, labels = cifar10(split)
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255, torch.from_numpy(labels)


@cache
def _trials(experiment: str) -> pd.DataFrame:
    folder = fetch(f"humans-{experiment}")
    tables = [
        # "na" is a response (none in time), not a missing value, so only rt may be missing.
        pd.read_csv(path, dtype={"condition": str}, keep_default_na=False,
                    na_values={"rt": ["", "NaN", "nan", "NA"]})
        for path in sorted(folder.glob("*.csv"))
    ]
    table = pd.concat(tables, ignore_index=True).rename(
        columns={"subj": "subject", "object_response": "response", "imagename": "image"}
    )
    # 0001_s5n_s01_0_bird_00_bird3-bird2.png: trial, experiment, subject, ..., then the image,
    # which alone is the same for all subjects.
    table["image"] = table["image"].str.split("_", n=6).str[-1]
    columns = ["subject", "session", "trial", "response", "category", "condition", "image", "rt"]
    if experiment == "cue-conflict":  # bird3-clock2.png: the shape of a bird, the texture of clocks
        table["texture"] = table["image"].str.extract(r"-([a-z]+)\d*\.png$", expand=False)
        columns.append("texture")
    return table[columns]


def human_trials(experiment: str) -> pd.DataFrame:
    """Single trials of people naming images, from Geirhos et al. (2019; 2021).

    Parameters
    ----------
    experiment : "cue-conflict", "edge", "silhouette", "sketch" or "stylized"

    Returns
    -------
    DataFrame, one row a trial
        subject; session; trial; response (one of 16 categories, or "na" for none in time);
        category (the right answer; in cue-conflict the shape's); condition; image (the same name
        for all subjects); rt, seconds (missing without a response). In cue-conflict also texture,
        the category whose texture the image has.

    Raises
    ------
    AssetError
        For an unknown experiment, or if no source is within reach (see `human_summary`, which
        then answers from a record).
    """
    check_name("experiment", experiment, EXPERIMENTS)
    return _trials(experiment).copy()
