"""Made assets and archives for the tests of the ladder, and the fixtures that register them."""

import functools
import hashlib
import http.server
import io
import tarfile
import threading
import zipfile

import pytest

from brainkit.data import catalogue, packages, web

CONTENT = b"forty-two units of motor cortex\n"


def sha(content):
    return hashlib.sha256(content).hexdigest()


def made(name="made", files=None, package=None, url=None, member=None, mirror=None):
    """An asset of made files, {name: content}."""
    files = files or {"made.bin": CONTENT}
    fill = {"url": url, "member": member, "mirror": mirror}
    return catalogue.Asset(
        name, "a made asset", "CC0",
        tuple(
            catalogue.File(
                n, len(c), sha(c), **{key: v and v.format(name=n) for key, v in fill.items()}
            )
            for n, c in files.items()
        ),
        package,
    )


def leftovers(cache):
    """What lies in a cache besides locks."""
    return sorted(
        p.name for p in cache.rglob("*") if p.is_file() and p.suffix != ".lock"
    )


def wheel(folder, members, name="carrier"):
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n"
                                          "Tag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


def sdist(folder, members, name="carrier"):
    path = folder / f"{name}-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for member, content in members.items():
            info = tarfile.TarInfo(member)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def carried(path, client="pip", spec="carrier==1.0"):
    return catalogue.Package(client, spec, path.name, path.stat().st_size, sha(path.read_bytes()))


@pytest.fixture
def asset(monkeypatch, tmp_path):
    """A function that registers a made asset; the cache is fresh and there is no mirror."""
    monkeypatch.setenv("BRAINKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("BRAINKIT_MIRROR", raising=False)
    monkeypatch.setattr(web, "_unreachable", {})
    monkeypatch.setattr(packages, "_unreachable", {})

    def register(**fields):
        new = made(**fields)
        monkeypatch.setitem(catalogue.ASSETS, new.name, new)
        return new

    return register


@pytest.fixture
def served(tmp_path):
    """A folder served over HTTP on this machine: (folder, base URL, list of paths asked for)."""
    folder, asked = tmp_path / "served", []
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            asked.append(self.path)

        def do_GET(self):
            if self.path == "/broken.bin":  # promises more than it sends
                self.send_response(200)
                self.send_header("Content-Length", str(len(CONTENT)))
                self.end_headers()
                self.wfile.write(CONTENT[:10])
            else:
                super().do_GET()

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()
    thread.join()
