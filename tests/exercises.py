"""The exercises of the notebooks, and how an answer to one is put to its check.

An exercise is a code cell tagged `exercise:ch01.convolve` (the stub), a Markdown cell tagged
`solution:ch01.convolve` (the answer in a ```python fence) and a call `checks.ch01.convolve(...)`
in a later cell. Its planted wrong answers stand in tests/mutants/ch01.py.
"""

import importlib
import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from brainkit import checks

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


@dataclass
class Exercise:
    """Where it stands and what belongs to it; `call` is the notebook's own line with the check."""

    name: str
    notebook: str
    stubs: list = field(default_factory=list)
    solutions: list = field(default_factory=list)
    call: str | None = None

    def check(self, source):
        """The check's Result for an answer, run as the notebook would run it."""
        space = {"torch": torch, "np": np, "nn": nn, "F": F, "math": math, "checks": checks,
                 "__name__": "__main__"}
        space |= getattr(mutants(self.name), "NAMESPACE", {})
        exec(compile(source, f"<{self.name}>", "exec"), space)
        return eval(self.call, space)


def exercises(folder=NOTEBOOKS):
    """All exercises by name, in the order of the notebooks."""
    found = {}
    for path in sorted(folder.glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        sources = ["".join(cell["source"]) for cell in cells]
        for cell, source in zip(cells, sources, strict=True):
            for tag in cell["metadata"].get("tags", []):
                kind, _, name = tag.partition(":")
                if kind not in ("exercise", "solution"):
                    continue
                exercise = found.setdefault(name, Exercise(name, path.name))
                if kind == "exercise":
                    exercise.stubs.append(source)
                else:
                    exercise.solutions += fences(source)
        for name, exercise in found.items():
            if exercise.notebook == path.name:
                exercise.call = call(name, [s for c, s in zip(cells, sources, strict=True)
                                            if c["cell_type"] == "code"])
    return found


def fences(markdown):
    """The contents of its ```python fences."""
    return re.findall(r"^```python\n(.*?)^```", markdown, re.DOTALL | re.MULTILINE)


def call(name, sources):
    """The expression in which a notebook calls the check of `name`; None without one."""
    for source in sources:
        for line in source.splitlines():
            if m := re.match(rf"\s*(checks\.{re.escape(name)}\(.*\))\s*(#.*)?$", line):
                return m[1]
    return None


def mutants(name):
    """The module of planted wrong answers of the chapter of `name`; None where there is none."""
    try:
        return importlib.import_module(f"mutants.{name.partition('.')[0]}")
    except ModuleNotFoundError:
        return None
