"""Make .venv hold what the requirements ask for, and do nothing where it does already.

Runs on the machine's own Python, before anything is installed, so: standard library only, and
a syntax that an old Python can read far enough to be told that it is too old.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / ".installed"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
ASKED = ["requirements.txt", "requirements-nodeps.txt", "pyproject.toml"]


def stop(message):
    sys.exit("\n" + message + "\n")


def wanted():
    """What .venv should be: the requirements' content and the place it was made in."""
    digest = hashlib.sha256(str(VENV).encode())
    for name in ASKED:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def run(*command):
    return subprocess.run([str(part) for part in command], cwd=str(ROOT)).returncode == 0


def create():
    """A virtual environment from the Python that runs this file."""
    print("Making .venv with Python {}.{}.{} ({})".format(*sys.version_info[:3], sys.executable))
    try:
        import ensurepip  # noqa: F401  Debian ships Python without it
        import venv  # noqa: F401
    except ImportError:
        stop(
            "This Python ({}) cannot make virtual environments: its venv or ensurepip module "
            "is missing.\nOn Debian or Ubuntu:  sudo apt-get install python3-venv\n"
            "Elsewhere, install Python from python.org or conda, and name it:\n"
            "    make book PYTHON=/path/to/python".format(sys.executable)
        )
    if not run(sys.executable, "-m", "venv", "--clear", VENV):
        stop("The virtual environment could not be made: see the message above.")


def install():
    """uv installs in half a minute what takes pip several; pip is there where uv is not."""
    python = BIN / "python"
    print("Installing the requirements into .venv (about 6 GB with torch; once)", flush=True)
    has_uv = run(python, "-m", "pip", "install", "-q", "uv")
    for extra in (["-r", "requirements.txt"], ["--no-deps", "-r", "requirements-nodeps.txt"]):
        if has_uv and run(BIN / "uv", "pip", "install", "-q", "--python", python, *extra):
            continue
        print("uv did not manage; trying pip, which is slower", flush=True)
        if not run(python, "-m", "pip", "install", "-q", *extra):
            stop(
                "The requirements could not be installed: see the message above.\n"
                "No network? Everything comes from the Python package index your pip is set to."
            )


def main():
    if sys.version_info < (3, 10):
        stop(
            "The course needs Python 3.10 or newer; {} is {}.{}.\n"
            "Name a newer one:  make book PYTHON=/path/to/python3".format(
                sys.executable, *sys.version_info[:2]
            )
        )
    usable = (BIN / "python").exists() and STAMP.exists()
    if usable and STAMP.read_text().strip() == wanted():
        return
    if not (BIN / "python").exists() or not run(BIN / "python", "-c", "import sys"):
        create()
    install()
    STAMP.write_text(wanted() + "\n")


if __name__ == "__main__":
    main()
