"""Notebooks are committed without outputs: clean them, or with --check only say which are not."""

import argparse
import subprocess
import sys
from pathlib import Path

from fingerprint import ROOT


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, only say")
    check = parser.parse_args().check
    notebooks = sorted(map(str, (ROOT / "notebooks").glob("*.ipynb")))
    if not notebooks:
        return 0
    # --keep-id: cell ids are how nbformat 4.5 tells cells apart; a strip must not renumber them.
    command = [str(Path(sys.executable).parent / "nbstripout"), "--keep-id"]
    command += ["--verify"] * check + notebooks
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        print((done.stdout + done.stderr).strip())
        print("Notebooks are committed without outputs: `make bootstrap` cleans them.")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
