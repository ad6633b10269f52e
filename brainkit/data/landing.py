"""Bring a stream of bytes to its place in the cache: all of it and with the right hash, or not."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO

from tqdm import tqdm

from brainkit.data.catalogue import File

CHUNK = 1 << 20
# A wrong file may be longer than the right one; beyond this much more it is not read to its end.
SLACK = 16 << 20
_known_good: dict[Path, tuple] = {}  # file -> (size, mtime, hash) when it was last hashed


class Refused(Exception):
    """A source gave no file, or a wrong one; the message is the reason."""


def progress(total: int | None, name: str) -> tqdm:
    """A progress bar in bytes on stderr; none while the book is made, whose pages would keep it."""
    return tqdm(
        total=total, desc=name, unit="B", unit_scale=True, file=sys.stderr, leave=False,
        delay=0.5, mininterval=0.3, dynamic_ncols=True,
        disable=os.environ.get("BRAINKIT_BOOK") == "1",
    )


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def is_good(path: Path, file: File) -> bool:
    """Whether `path` holds `file`, by its hash (taken once per process for an unchanged file)."""
    try:
        stat = path.stat()
    except OSError:
        return False
    seen = (stat.st_size, stat.st_mtime_ns, file.sha256)
    if _known_good.get(path) == seen:
        return True
    if stat.st_size != file.size or sha256_of(path) != file.sha256:
        return False
    _known_good[path] = seen
    return True


def set_aside(path: Path) -> Path:
    """Rename a wrong file so that nothing takes it for the right one; returns its new path."""
    rejected = path.with_name(path.name + ".rejected")
    path.replace(rejected)
    return rejected


def land(stream: BinaryIO, file: File, folder: Path, declared: int | None = None) -> Path:
    """Copy `stream` to `folder/file.name`, which appears only when complete and right.

    The bytes go to a temporary file in the same folder, are hashed on the way, and the file is
    then renamed: a reader never sees half of it, and an interrupted copy leaves nothing.

    Parameters
    ----------
    declared : int, optional
        The length that the source promised, in bytes; fewer mean a broken transfer.

    Raises
    ------
    Refused
        If the transfer broke off, or if the hash is wrong: the file is then kept as
        `NAME.rejected`, for someone to look at.
    """
    target = folder / file.name
    digest, got = hashlib.sha256(), 0
    with tempfile.NamedTemporaryFile(
        dir=folder, prefix=f".{file.name}.", suffix=".part", delete=False
    ) as part:
        path = Path(part.name)
        try:
            with progress(declared or file.size, file.name) as bar:
                while chunk := stream.read(CHUNK):
                    got += len(chunk)
                    if got > file.size + SLACK:
                        raise Refused(f"more than the {file.size:,} bytes of {file.name}")
                    digest.update(chunk)
                    part.write(chunk)
                    bar.update(len(chunk))
            if declared is not None and got < declared:
                raise Refused(f"the transfer broke off after {got:,} of {declared:,} bytes")
        except BaseException:
            part.close()
            path.unlink(missing_ok=True)
            raise
    if digest.hexdigest() != file.sha256:
        kept = target.with_name(target.name + ".rejected")
        path.replace(kept)
        raise Refused(
            f"wrong file: {file.name} should have SHA-256 {file.sha256} ({file.size:,} bytes), "
            f"got {digest.hexdigest()} ({got:,} bytes); set aside as {kept}"
        )
    path.chmod(0o644)  # temporary files are born 0600; a shared cache is read by others
    path.replace(target)
    return target
