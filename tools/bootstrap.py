"""Write the one bootstrap cell into every notebook, from the repository URL in _config.yml.

The cell is the same everywhere: it does nothing where brainkit is installed, and installs it
where it is not (Colab). With --check nothing is written and the exit status says whether all
notebooks are in step.
"""

import argparse
import json
import sys
from pathlib import Path

from fingerprint import ROOT
from made_pages import repository

TAG = "bootstrap"
ID = "bootstrap"


def source() -> str:
    """The cell's source: no pin on torch or numpy, so Colab's own stay as they are."""
    return (
        "# Installs the course where it is missing, as on Colab; elsewhere it only says hello.\n"
        "try:\n"
        "    import brainkit\n"
        "except ImportError:\n"
        f'    %pip install -q "brainkit @ git+{repository()}"\n'
        "    # torchattacks asks for a requests of 2020, so it comes without its dependencies\n"
        '    %pip install -q --no-deps "torchattacks>=3.5.1,<4"\n'
        "    import brainkit\n"
        "\n"
        'print(f"brainkit {brainkit.__version__}")'
    )


def cell() -> dict:
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": ID,
        "metadata": {"tags": [TAG, "hide-input"]},
        "outputs": [],
        "source": source().splitlines(keepends=True),
    }


def in_step(notebook: dict) -> bool:
    """Whether the notebook has exactly one bootstrap cell, and that before all other code."""
    code = [c for c in notebook["cells"] if c["cell_type"] == "code"]
    tagged = [c for c in code if TAG in c["metadata"].get("tags", [])]
    return len(tagged) == 1 and code[0] is tagged[0] and "".join(tagged[0]["source"]) == source()


def with_cell(notebook: dict) -> dict:
    """The notebook with its bootstrap cell renewed, or put before the first code cell."""
    cells = [c for c in notebook["cells"] if TAG not in c["metadata"].get("tags", [])]
    kinds = [c["cell_type"] for c in cells]
    place = kinds.index("code") if "code" in kinds else len(cells)
    return {**notebook, "cells": [*cells[:place], cell(), *cells[place:]]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if out of step")
    check = parser.parse_args().check
    behind: list[Path] = []
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        if in_step(notebook):
            continue
        behind.append(path)
        if not check:
            text = json.dumps(with_cell(notebook), indent=1, ensure_ascii=False)
            path.write_text(text + "\n", encoding="utf-8")
    state = "is out of step: run `make bootstrap`" if check else "is renewed"
    for path in behind:
        print(f"{path.name}: its bootstrap cell {state}")
    return 1 if check and behind else 0


if __name__ == "__main__":
    sys.exit(main())
