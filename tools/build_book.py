"""Build the book from the executed notebooks: stage, build with warnings as errors, say where.

The stage, build/src, holds copies of _config.yml, _toc.yml and book/, the pages that are made
rather than written (costs, claims, assets), and the notebooks that tools/execute.py executed.
Sphinx reads nothing else, so neither .venv nor a stray README can end up in the book.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import made_pages
from fingerprint import BUILD, REQUIREMENTS, ROOT, STAMPS, files, fingerprint

STAGE = BUILD / "src"
HTML = BUILD / "html"
DOCTREES = BUILD / "doctrees"
STAMP = STAMPS / "book.json"
# A change in one of these touches every page, so Sphinx starts afresh; else it redoes what changed
# (and copies no style sheet where no page changed).
WHOLE = ["_config.yml", "_toc.yml", "book/_ext", "book/_static", "tools", *REQUIREMENTS]


def stage() -> None:
    """Bring the stage in step with the sources, and leave alone what is the same already."""
    wanted = {Path(name): ROOT / name for name in ("_config.yml", "_toc.yml")}
    wanted |= {p.relative_to(ROOT): p for p in files("book")}
    made = {Path("book/_made") / name: text for name, text in made_pages.all_pages().items()}
    for name, source in wanted.items():
        write(STAGE / name, source.read_bytes())
    for name, text in made.items():
        write(STAGE / name, text.encode())
    keep = {STAGE / name for name in [*wanted, *made]}
    for path in STAGE.rglob("*"):
        if path.is_file() and path not in keep and path.parent != STAGE / "notebooks":
            path.unlink()


def write(path: Path, content: bytes) -> None:
    """Write only what differs: Sphinx goes by modification times."""
    if not (path.exists() and path.read_bytes() == content):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def build(afresh: bool) -> bool:
    """Run Sphinx on the stage; whether it found nothing to complain of."""
    if afresh:
        shutil.rmtree(HTML, ignore_errors=True)
        shutil.rmtree(DOCTREES, ignore_errors=True)
    programs = Path(sys.executable).parent
    subprocess.run(
        [programs / "jupyter-book", "config", "sphinx", STAGE],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    command = [
        programs / "sphinx-build", "-b", "html", "-d", DOCTREES, "-W", "-n", "--keep-going", "-q",
        STAGE, HTML,
    ]  # fmt: skip
    # The generated conf.py names our extension but, unlike jupyter-book build, not its folder.
    environment = {**os.environ, "PYTHONPATH": str(STAGE / "book" / "_ext")}
    return subprocess.run(command, env=environment).returncode == 0


def front_door() -> None:
    """index.html: the book's pages lie in folders, so the root leads to the first of them."""
    first = f"{made_pages.read_yaml('_toc.yml')['root']}.html"
    (HTML / "index.html").write_text(
        '<!DOCTYPE html>\n<html lang="en-GB"><head><meta charset="utf-8">'
        f'<meta http-equiv="refresh" content="0; url={first}"><title>To the course</title></head>'
        f'<body><h1>To the course</h1><p><a href="{first}">The first page</a></p></body></html>\n'
    )
    (HTML / ".nojekyll").write_text("")  # or GitHub Pages drops every folder that begins with _


def main() -> int:
    page = HTML / "index.html"
    past = json.loads(STAMP.read_text()) if STAMP.exists() and page.exists() else {}
    notebooks = files("build/src/notebooks")
    # brainkit: the made pages ask it for claims and assets
    read = [*files(*WHOLE, "book", "brainkit", "build/costs.json"), *notebooks]
    now = fingerprint(read)
    if past.get("now") != now:
        whole = fingerprint(files(*WHOLE), *[str(p) for p in [*files("book"), *notebooks]])
        STAMP.unlink(missing_ok=True)
        print("book: building", flush=True)
        stage()
        if not build(afresh=past.get("whole") != whole):
            # Sphinx forgets a page's warnings once it is built; with the stamp gone the next run
            # starts afresh and finds them again.
            print("book: FAILED: every warning above is an error; the stage is build/src")
            return 1
        front_door()
        STAMP.parent.mkdir(parents=True, exist_ok=True)
        STAMP.write_text(json.dumps({"now": now, "whole": whole}))
    else:
        print("book: up to date")
    print(f"\nOpen {page.relative_to(ROOT)} in a browser (it needs no server), or serve it:")
    print("    python3 -m http.server -d build/html 8000    then http://localhost:8000\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
