"""Whether a file is the one that its source published: by its hash, or by what is known of it.

Not every source publishes a full SHA-256. Of such a file the first copy that agrees with what is
known (a prefix, a SHA-1, or nothing at all) is accepted, and its own SHA-256 recorded beside it as
NAME.sha256, in sha256sum's format; from then on only that content is accepted.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from pathlib import Path

from brainkit.data.catalogue import AssetError, File

CHUNK = 1 << 20


class Digest:
    """The hashes of a stream that `file` is known by, taken as it passes."""

    def __init__(self, file: File | None = None):
        self._sha256 = hashlib.sha256()
        # Not for security: some institutions' machines forbid SHA-1 otherwise.
        self._sha1 = hashlib.sha1(usedforsecurity=False) if file and file.sha1 else None
        self.start = b""  # the first bytes

    def update(self, chunk: bytes) -> None:
        self.start = self.start or chunk[:64]
        self._sha256.update(chunk)
        if self._sha1:
            self._sha1.update(chunk)

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    @property
    def sha1(self) -> str | None:
        return self._sha1.hexdigest() if self._sha1 else None


def digest_of(path: Path, file: File | None = None) -> Digest:
    """The digest of a whole file; its SHA-1 too if `file` is known by one."""
    digest = Digest(file)
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest


def known(file: File) -> str:
    """What is published of a file's size and hash, in words."""
    if file.sha256:
        return f"{file.size:,} bytes, SHA-256 {file.sha256}"
    size = f"{file.size:,} bytes" if file.size is not None else "size unknown"
    return f"{size}, {_published(file)}"


def _published(file: File) -> str:
    facts = []
    if file.sha256_prefix:
        facts.append(f"SHA-256 that begins with {file.sha256_prefix}")
    if file.sha1:
        facts.append(f"SHA-1 {file.sha1}")
    return ", ".join(facts) or "no hash published"


def mismatch(path: Path, file: File, digest: Digest) -> tuple[str, str] | None:
    """What content of this digest, to lie at `path`, should have and has; None if all is right."""
    wanted = file.sha256
    if not wanted and (wanted := recorded(path)) and digest.sha256 != wanted:
        return (f"SHA-256 {wanted} (the first copy's, recorded in {_record_of(path)}; if the "
                "source has published another since, delete that record)"), digest.sha256
    if wanted and digest.sha256 != wanted:
        return f"SHA-256 {wanted}", digest.sha256
    if file.sha256_prefix and not digest.sha256.startswith(file.sha256_prefix):
        return f"a SHA-256 that begins with {file.sha256_prefix}", digest.sha256
    if file.sha1 and digest.sha1 != file.sha1:
        return f"SHA-1 {file.sha1}", digest.sha1
    # With nothing else to tell them by, the log-in page of a network would pass for the file.
    if not wanted and digest.start.lstrip()[:1] in {b"", b"<"}:
        return "binary content", "a web page" if digest.start.strip() else "an empty file"
    return None


def _record_of(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def recorded(path: Path) -> str | None:
    """The SHA-256 recorded for a file whose source publishes none; None if none is recorded.

    Raises
    ------
    AssetError
        If the record does not hold one.
    """
    record = _record_of(path)
    try:
        text = record.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    if match := re.match(r"([0-9a-f]{64})\s", text):
        return match[1]
    raise AssetError(f"{record} is damaged: it should hold the SHA-256 of {path.name}. Delete both "
                     "to fetch that file anew, or the record alone if you trust the file.")


def keep_record(path: Path, file: File, digest: Digest) -> None:
    """Record the SHA-256 of a file just accepted, if no full one is published, and say so once."""
    if file.sha256 or recorded(path):
        return
    record = _record_of(path)
    part = record.with_name(f".{record.name}.{os.getpid()}.part")
    part.write_text(f"{digest.sha256}  {path.name}\n", encoding="utf-8")
    part.replace(record)
    if file.sha256_prefix or file.sha1:
        trust = f"no full SHA-256, only a {_published(file)}, which this copy has"
    else:
        trust = "no hash at all, so this first copy is taken on trust"
    print(f"{path.name}: its source publishes {trust}. Its SHA-256 {digest.sha256} is recorded in "
          f"{record}; from now on only that content is accepted.", file=sys.stderr)
