"""Content hashes: what decides whether a notebook, the book or a test has to run again.

Content and not modification times, so that a fresh checkout with a restored cache knows what
it has, and `touch` costs nothing.
"""

import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
STAMPS = BUILD / "stamps"
REQUIREMENTS = ["requirements.txt", "requirements-nodeps.txt", "pyproject.toml"]
_IGNORED = {"__pycache__", ".ipynb_checkpoints", ".pytest_cache", ".ruff_cache", ".DS_Store"}


def files(*places: str | Path) -> list[Path]:
    """Every file under the places (files or folders, relative to the root), in a fixed order."""
    found: set[Path] = set()
    for place in places:
        path = ROOT / place
        inside = path.rglob("*") if path.is_dir() else [path]
        found |= {p for p in inside if p.is_file() and not _IGNORED & set(p.parts)}
    return sorted(found)


def fingerprint(paths: Iterable[Path], *extra: str) -> str:
    """One hash over names and contents of the files, the Python version, and the extra words."""
    digest = hashlib.sha256(f"{sys.version_info[:2]}|{'|'.join(extra)}".encode())
    for path in paths:
        name = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name
        digest.update(f"\0{name}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
