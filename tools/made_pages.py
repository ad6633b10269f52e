"""The parts of the book that are computed: costs, claims, assets, links to the repository.

Each function returns MyST text. build_book.py writes them to book/_made/ in the stage, and the
pages in book/ include them, so the prose stays by hand and no measured number is ever typed.
"""

import importlib
import json
from typing import Any

import yaml
from fingerprint import BUILD, ROOT


def read_yaml(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def repository() -> str:
    """The repository's URL, which _config.yml alone states."""
    return read_yaml("_config.yml")["repository"]["url"].rstrip("/")


def title(stem: str) -> str:
    """A notebook's first heading."""
    cells = json.loads((ROOT / "notebooks" / f"{stem}.ipynb").read_text(encoding="utf-8"))["cells"]
    lines = (line for cell in cells for line in "".join(cell["source"]).splitlines())
    return next((line[2:].strip() for line in lines if line.startswith("# ")), stem)


def costs() -> str:
    """A table of what each notebook took, as tools/execute.py measured it."""
    path = BUILD / "costs.json"
    measured = json.loads(path.read_text()) if path.exists() else {}
    measured = {k: v for k, v in measured.items() if (ROOT / "notebooks" / f"{k}.ipynb").exists()}
    if not measured:
        return "No notebook has been executed yet: `make notebooks` measures them.\n"
    rows = ["| Notebook | Time | Peak memory | Machine | Measured |", "|---|--:|--:|---|---|"]
    for stem, cost in sorted(measured.items()):
        memory = f"{cost['peak_megabytes']}\u00a0MB" if cost["peak_megabytes"] else "not measured"
        link = f"[{title(stem)}](../notebooks/{stem}.ipynb)"
        rows.append(
            f"| {link} | {cost['seconds']:.0f} s | {memory} | {cost['machine']} | {cost['when']} |"
        )
    total = sum(cost["seconds"] for cost in measured.values())
    return "\n".join(rows) + f"\n\nAll of them together: {total / 60:.1f} minutes.\n"


def claims() -> str:
    """The claims with the numbers this build's runs produced."""
    try:
        page = importlib.import_module("claims_page")
    except ModuleNotFoundError:
        return "No claim has been recorded yet.\n"
    return page.text()


def assets() -> str:
    """The assets brainkit.data knows: what each is, how big, whose, under which licence."""
    try:
        registry = importlib.import_module("brainkit.data").ASSETS
    except (ModuleNotFoundError, AttributeError):
        return "No data set is needed yet.\n"
    rows = ["| Name | What it is | Chapter | Size | Licence |", "|---|---|---|--:|---|"]
    for name, asset in registry.items():
        if asset.size is None:
            size = "unknown"
        else:
            large = asset.size > 1e5
            size = f"{asset.size / 1e6:.1f}\u00a0MB" if large else f"{asset.size / 1e3:.0f}\u00a0kB"
        used = ", ".join(map(str, asset.chapters)) or ("none" if asset.optional else "later")
        rows.append(
            f"| `{name}` | [{asset.what}]({asset.home}) | {used} | {size} | {asset.licence} |"
        )
    return "\n".join(rows) + "\n"


def fetch() -> str:
    """The commands that bring what the chapters use."""
    registry = importlib.import_module("brainkit.data").ASSETS
    names = [name for name, asset in registry.items() if asset.chapters]
    half = (len(names) + 1) // 2
    module = ".venv/bin/python -m brainkit.data"
    listed = " \\\n    ".join([" ".join(names[:half]), " ".join(names[half:])])
    return f"```bash\n{module} list\n{module} fetch {listed}\n```\n"


def nets() -> str:
    """The cards of the shipped nets."""
    return importlib.import_module("model_cards").text()


def clone() -> str:
    """How to get the course; with the next, the only commands that name the repository."""
    url = repository()
    return f"```bash\ngit clone {url}\ncd {url.rsplit('/', 1)[-1]}\nmake book\n```\n"


def pip_install() -> str:
    """How to get the package alone."""
    return f'```bash\npip install "brainkit @ git+{repository()}"\n```\n'


def all_pages() -> dict[str, str]:
    return {
        "costs.md": costs(),
        "claims.md": claims(),
        "assets.md": assets(),
        "nets.md": nets(),
        "fetch.md": fetch(),
        "clone.md": clone(),
        "pip.md": pip_install(),
    }
