"""What the trainer reads: images in memory, or a dataset, item by item as they are needed.

Both give the same batches. Of a dataset no more is in memory than the batches being made, and all
chance in an item comes from (seed, epoch, index), so neither the number of workers and processes
nor an interruption changes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset

from brainkit._inputs import check_item, pair

__all__ = ["InMemory", "Stream", "read"]

Batches = Iterable[tuple[Tensor, Tensor]]

LOOKED_AT = 8  # items of a dataset by which a checkpoint knows it again


def read(data: Any, what: str = "data", workers: int = 0) -> InMemory | Stream:
    """The source of a dataset, or of images and labels, checked as far as they are at hand.

    Raises:
        TypeError, ValueError: `data` is none of these; see `pair` and `Stream`.
    """
    if isinstance(data, Dataset):
        return Stream(data, what, workers)
    return InMemory(*pair(data, what))


@dataclass(frozen=True)
class InMemory:
    """Images (n, c, h, w) and their labels (n,)."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def highest(self) -> int:
        """The highest label there is."""
        return int(self.labels.max())

    def batches(self, parts: Iterable[Tensor], seed: int, epoch: int) -> Batches:
        """Images (b, c, h, w) and labels (b,) of each part, a tensor of indices (b,)."""
        return ((self.images[part], self.labels[part]) for part in parts)

    def in_order(self, batch_size: int, rank: int = 0, size: int = 1) -> Batches:
        """All images by `batch_size`; of several processes, this one's."""
        own = slice(rank, None, size)
        images, labels = self.images[own].split(batch_size), self.labels[own].split(batch_size)
        return zip(images, labels, strict=True)

    def contents(self) -> tuple[list, list]:
        """What a checkpoint knows images and labels by: all of them."""
        return [self.images], [self.labels]


class Stream:
    """A map-style dataset of (image (c, h, w) in [0, 1], class index).

    Args:
        dataset: has a length, and gives the item of an index. Its chance must come from the
            global generators of torch, NumPy and Python, as torchvision's transforms' does; a
            generator of its own would not know where an interrupted run stood.
        what: its name in errors.
        workers: processes that load items beside this one; 0 for none.

    Raises:
        TypeError: no map-style dataset; its first item is no image with a label.
        ValueError: no item; a senseless first one; a number of workers that is none.
    """

    highest = None  # of the labels; nobody knows before all items are loaded

    def __init__(self, dataset: Dataset, what: str = "data", workers: int = 0):
        if isinstance(dataset, IterableDataset) or not hasattr(dataset, "__len__"):
            raise TypeError(
                f"{what} is a {type(dataset).__name__} without length or indices; shuffling and "
                "resuming need a map-style dataset, with __len__ and __getitem__"
            )
        if not isinstance(workers, int) or workers < 0:
            raise ValueError(f"workers={workers!r}: give a number of processes, 0 or more")
        if not len(dataset):
            raise ValueError(f"{what} holds no image")
        self.dataset, self.what, self.workers = dataset, what, workers
        self._items(0, 0).item(0)  # what is wrong with all items is said at once

    def __len__(self) -> int:
        return len(self.dataset)

    def _items(self, seed: int, epoch: int) -> _Items:
        return _Items(self.dataset, self.what, seed, epoch)

    def batches(self, parts: Iterable[Tensor], seed: int, epoch: int) -> Batches:
        """Images (b, c, h, w) and labels (b,) of each part, a tensor of indices (b,)."""
        loader = DataLoader(
            self._items(seed, epoch),
            batch_sampler=(part.tolist() for part in parts),
            num_workers=self.workers,
            collate_fn=_together,
            generator=torch.Generator(),  # else it draws from torch's own
        )
        for batch in loader:
            if isinstance(batch, Exception):
                raise batch
            yield batch

    def in_order(self, batch_size: int, rank: int = 0, size: int = 1) -> Batches:
        """All images by `batch_size`; of several processes, this one's."""
        own = torch.arange(len(self))[rank::size]
        return self.batches((part for part in own.split(batch_size) if len(part)), 0, 0)

    def contents(self) -> tuple[list, list]:
        """What a checkpoint knows images and labels by, without loading them all.

        That is their number, the classes and settings of dataset and transform as these print
        themselves, an `ImageFolder`'s list of files, all labels where the dataset lists them
        (`targets`), and a few items spread evenly, loaded. A change in another image is not seen.
        """
        n, dataset = len(self), self.dataset
        spread = sorted({n * i // LOOKED_AT for i in range(LOOKED_AT)})
        images, labels = zip(*(self._items(0, 0).item(i) for i in spread), strict=True)
        known = [getattr(dataset, name, None)
                 for name in ("transform", "target_transform", "transforms")]  # fmt: skip
        # An object that prints its address prints another one in the next run.
        described = re.sub(r" at 0x[0-9a-fA-F]+", "", f"{type(dataset).__qualname__} {known}")
        return [n, described, listed(dataset), *images], [_targets(dataset), *labels]


def listed(dataset: Dataset) -> str:
    """SHA-256 over the files of an `ImageFolder` below its root; "" where no files are listed."""
    samples = getattr(dataset, "samples", None)
    if not isinstance(samples, list) or not isinstance(samples[0], tuple):
        return ""
    root, digest = str(getattr(dataset, "root", "")), hashlib.sha256()
    for path, *_ in samples:
        digest.update(f"{str(path).removeprefix(root)}\n".encode())
    return digest.hexdigest()


def _targets(dataset: Dataset) -> Any:
    targets = getattr(dataset, "targets", None)
    # An array prints its ends alone.
    return torch.as_tensor(targets) if isinstance(targets, np.ndarray) else targets


@dataclass(frozen=True)
class _Items(Dataset):
    """The checked items of one epoch."""

    dataset: Dataset
    what: str
    seed: int
    epoch: int

    def item(self, index: int) -> tuple[Tensor, int]:
        got = self[index]
        if isinstance(got, Exception):
            raise got
        return got

    def __getitem__(self, index: int) -> tuple[Tensor, int] | Exception:
        """The item, or what is wrong with it: raised in a worker this would be a page long."""
        with _chance(self.seed, self.epoch, index):
            item = self.dataset[index]
        try:
            return check_item(item, f"item {index} of {self.what}")
        except (TypeError, ValueError) as error:
            return error


@contextlib.contextmanager
def _chance(*key: int) -> Iterator[None]:
    """Let the global generators depend on `key` alone, and leave them as they were."""
    ours, numpys, pythons = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    seed = int.from_bytes(hashlib.blake2b(repr(key).encode(), digest_size=4).digest(), "big")
    torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed GPUs as well
    np.random.seed(seed)  # noqa: NPY002  the one that transforms draw from
    random.seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(ours)
        np.random.set_state(numpys)  # noqa: NPY002
        random.setstate(pythons)


def _together(items: list) -> tuple[Tensor, Tensor] | Exception:
    wrong = [item for item in items if isinstance(item, Exception)]
    if wrong:
        return wrong[0]
    images, labels = zip(*items, strict=True)
    shapes = sorted({tuple(image.shape) for image in images})
    if len(shapes) > 1:
        return ValueError(
            f"the images of a batch differ in shape: {', '.join(map(str, shapes[:4]))}; let the "
            "dataset's transform make them one, for instance by Resize and CenterCrop"
        )
    return torch.stack(images), torch.tensor(labels)
