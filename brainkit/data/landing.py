"""Bring a stream of bytes to its place in the cache: all of it and with the right hash, or not."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO

from tqdm import tqdm

from brainkit.data.catalogue import File
from brainkit.data.hashes import CHUNK, Digest, digest_of, keep_record, mismatch, recorded

# A wrong file may be longer than the right one; beyond this much more it is not read to its end.
SLACK = 16 << 20
LARGEST = 4 << 30  # where the right one's length is not known
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
    return digest_of(path).sha256


def is_good(path: Path, file: File) -> bool:
    """Whether `path` holds `file`, by its hash (taken once per process for an unchanged file).

    A file without a published SHA-256 is good once its own was recorded, and not before.
    """
    try:
        stat = path.stat()
    except OSError:
        return False
    if (wanted := file.sha256 or recorded(path)) is None:
        return False
    seen = (stat.st_size, stat.st_mtime_ns, wanted)
    if _known_good.get(path) == seen:
        return True
    if file.size not in {None, stat.st_size} or mismatch(path, file, digest_of(path, file)):
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
    then renamed: a reader never sees half of it, and an interrupted copy leaves nothing. Where no
    full SHA-256 is published, that of the first copy is recorded beside it.

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
    digest, got = Digest(file), 0
    longest = LARGEST if file.size is None else file.size + SLACK
    with tempfile.NamedTemporaryFile(
        dir=folder, prefix=f".{file.name}.", suffix=".part", delete=False
    ) as part:
        path = Path(part.name)
        try:
            with progress(declared or file.size, file.name) as bar:
                while chunk := stream.read(CHUNK):
                    got += len(chunk)
                    if got > longest:
                        known = "4 GiB, too much for" if file.size is None else (
                            f"the {file.size:,} bytes of")
                        raise Refused(f"more than {known} {file.name}")
                    digest.update(chunk)
                    part.write(chunk)
                    bar.update(len(chunk))
            if declared is not None and got < declared:
                raise Refused(f"the transfer broke off after {got:,} of {declared:,} bytes")
        except BaseException:
            part.close()
            path.unlink(missing_ok=True)
            raise
    if wrong := mismatch(target, file, digest):
        kept = target.with_name(target.name + ".rejected")
        path.replace(kept)
        raise Refused(
            f"wrong file: {file.name} should have {wrong[0]}{_bytes(file)}, "
            f"got {wrong[1]} ({got:,} bytes); set aside as {kept}"
        )
    path.chmod(0o644)  # temporary files are born 0600; a shared cache is read by others
    path.replace(target)
    keep_record(target, file, digest)
    return target


def _bytes(file: File) -> str:
    return "" if file.size is None else f" ({file.size:,} bytes)"
