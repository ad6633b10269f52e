"""Images in folders as ImageNet has them, FOLDER/train/CLASS/* and FOLDER/val/CLASS/*."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torchvision import transforms
from torchvision.datasets import ImageFolder

from brainkit._stream import listed

__all__ = ["FolderData"]


class FolderData:
    """Training and test set of a folder of images, loaded as they are needed.

    Training images are crops of random size and place (`RandomResizedCrop`; mirroring is the
    trainer's), test images the middle of the shrunken image. Both are RGB (3, size, size) in
    [0, 1], not normalised: brainkit's nets do that themselves.

    Args:
        settings: the recipe's: "size", side of what a net sees, and "resize", shorter side of a
            test image before its middle is cut out, in pixels.
        folder: has train/ and val/, each with a folder of images for each class, of the same
            names.
        workers: processes that load images, beside each that trains.

    Attributes:
        settings: those given, with what is known of the images: number, classes, SHA-256 of the
            files' names.
        classes: how many there are.

    Raises:
        SystemExit: says what the folder lacks.
    """

    def __init__(self, settings: dict[str, Any], folder: Path, workers: int = 0):
        size = settings["size"]
        train = [transforms.RandomResizedCrop(size)]
        test = [transforms.Resize(settings["resize"]), transforms.CenterCrop(size)]
        self._train = _images(folder, "train", train)
        self._test = _images(folder, "val", test)
        if self._train.classes != self._test.classes:
            odd = sorted(set(self._train.classes) ^ set(self._test.classes))
            raise SystemExit(
                f"{folder}: train/ and val/ must have folders of the same names, one a class; "
                f"only one of them has {', '.join(odd[:5])}{' ...' if len(odd) > 5 else ''}. "
                "ImageNet's validation images come unsorted: sort them into their classes' folders"
            )
        self.classes, self.workers = len(self._train.classes), workers
        self.shape = (3, size, size)
        self.settings = {
            **settings,
            "classes": self.classes,
            "train": {"n": len(self._train), "files": listed(self._train)},
            "test": {"n": len(self._test), "files": listed(self._test)},
        }

    def train(self) -> ImageFolder:
        return self._train

    def tests(self) -> dict[str, ImageFolder]:
        return {"val": self._test}


def _images(folder: Path, part: str, steps: list) -> ImageFolder:
    if not (folder / part).is_dir():
        raise SystemExit(
            f"{folder} has no folder {part}/; --data needs one with train/ and val/, each with a "
            "folder of images for each class"
        )
    try:
        return ImageFolder(
            str(folder / part), transforms.Compose([*steps, transforms.ToTensor()])
        )
    except FileNotFoundError as error:  # no classes, or one without images
        raise SystemExit(f"{folder / part}: {error}") from None
