"""Execute every notebook once, for the tests and for the book.

Each notebook is copied to build/src/notebooks, run there by nbmake and kept with its outputs.
It is run again only if its content, brainkit's or the requirements' changed. What a run took
(seconds, peak memory) goes to build/costs.json, which the book's costs page prints.
"""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fingerprint import BUILD, REQUIREMENTS, ROOT, STAMPS, files, fingerprint

STAGE = BUILD / "src" / "notebooks"
FAILED = BUILD / "failed"
TIMEOUT = 900  # seconds a cell may take
_printing = threading.Lock()


def key(notebook: Path) -> str:
    """The fingerprint under which an execution of this notebook is valid."""
    return fingerprint([notebook, *files("brainkit", "book/claims.yml", *REQUIREMENTS)])


def stamp(notebook: Path) -> Path:
    return STAMPS / "notebooks" / f"{notebook.stem}.json"


def is_current(notebook: Path) -> bool:
    """Whether the staged copy is the result of executing exactly these files."""
    staged = STAGE / notebook.name
    if not (staged.exists() and stamp(notebook).exists()):
        return False
    past = json.loads(stamp(notebook).read_text())
    return past["key"] == key(notebook) and past["result"] == fingerprint([staged])


def say(*words: object) -> None:
    with _printing:
        print(*words, flush=True)


def execute(notebook: Path, label: str) -> bool:
    """Run one notebook with nbmake; on success write its stamp. Returns whether it passed."""
    say(f"{label} {notebook.stem} ...")
    staged = STAGE / notebook.name
    stamp(notebook).unlink(missing_ok=True)
    (FAILED / notebook.name).unlink(missing_ok=True)
    shutil.copyfile(notebook, staged)
    valid_for = key(notebook)
    environment = {**os.environ, "BRAINKIT_BOOK": "1"}
    environment.setdefault("OMP_NUM_THREADS", "1")
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    log = BUILD / "logs" / f"{notebook.stem}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with log.open("w") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-q", "--color=no", "-p", "no:cacheprovider",
             "--nbmake", "--overwrite", f"--nbmake-timeout={TIMEOUT}", str(staged)],
            cwd=ROOT, env=environment, stdout=sink, stderr=subprocess.STDOUT,
        )  # fmt: skip
        passed, peak = wait(process)
    seconds = time.monotonic() - started
    if not passed:
        report(notebook, staged, log, label)
        FAILED.mkdir(parents=True, exist_ok=True)
        staged.replace(FAILED / notebook.name)  # never where the book would find it
        return False
    past = {
        "key": valid_for, "result": fingerprint([staged]), "seconds": round(seconds, 1),
        "peak_megabytes": peak, "machine": machine(), "when": time.strftime("%Y-%m-%d"),
    }  # fmt: skip
    stamp(notebook).parent.mkdir(parents=True, exist_ok=True)
    stamp(notebook).write_text(json.dumps(past, indent=1))
    memory = f", {peak} MB at its peak" if peak else ""
    say(f"{label} {notebook.stem} {seconds:.0f} s{memory}")
    return True


def wait(process: subprocess.Popen) -> tuple[bool, int | None]:
    """Wait for nbmake; whether it passed, and the peak memory of the largest of its processes."""
    if not hasattr(os, "wait4"):
        return process.wait() == 0, None
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    unit = 2**20 if sys.platform == "darwin" else 2**10  # macOS counts bytes, Linux kilobytes
    return process.returncode == 0, round(used.ru_maxrss / unit)


def report(notebook: Path, staged: Path, log: Path, label: str) -> None:
    """Say which cell failed, with its source and its error; else show nbmake's own words."""
    lines = [f"{label} {notebook.name} FAILED"]
    try:
        cells = json.loads(staged.read_text(encoding="utf-8"))["cells"]
    except (ValueError, KeyError):
        cells = []  # not a notebook: the log says so
    number = 0
    for position, cell in enumerate(cells, start=1):
        if cell["cell_type"] != "code":
            continue
        number += 1
        errors = [out for out in cell.get("outputs", []) if out["output_type"] == "error"]
        if not errors or "raises-exception" in cell["metadata"].get("tags", []):
            continue
        source = "".join(cell["source"])
        lines.append(f"  in code cell {number} (cell {position} of {len(cells)}):")
        lines += [f"    | {line}" for line in source.splitlines()]
        lines.append(f"  {errors[0]['ename']}: {errors[0]['evalue']}")
        lines += [f"    {line}" for line in plain("\n".join(errors[0]["traceback"])).splitlines()]
        break
    else:
        lines += ["    " + line for line in log.read_text().splitlines()[-60:]]
    lines.append(f"  The notebook as far as it ran: {(FAILED / notebook.name).relative_to(ROOT)}")
    say("\n".join(lines))


def plain(text: str) -> str:
    """The text without terminal colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def machine() -> str:
    """The class of machine, for the costs page: never its name."""
    gpu = shutil.which("nvidia-smi") and subprocess.run(
        ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True
    ).stdout.strip()
    threads = os.environ.get("OMP_NUM_THREADS", "1")
    return f"{gpu or 'CPU'}, {platform.machine()}, {threads} thread{'s' if threads != '1' else ''}"


def write_costs(notebooks: list[Path]) -> None:
    costs = {n.stem: json.loads(stamp(n).read_text()) for n in notebooks if stamp(n).exists()}
    for cost in costs.values():
        del cost["key"], cost["result"]
    (BUILD / "costs.json").write_text(json.dumps(costs, indent=1) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="notebooks to execute, e.g. 02 (default: all)")
    parser.add_argument("--jobs", type=int, default=1, help="how many at once (default: 1)")
    asked = parser.parse_args()
    notebooks = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    STAGE.mkdir(parents=True, exist_ok=True)
    for staged in STAGE.glob("*.ipynb"):  # a notebook that was renamed leaves no ghost chapter
        if not (ROOT / "notebooks" / staged.name).exists():
            staged.unlink()
            stamp(staged).unlink(missing_ok=True)
    chosen = [n for n in notebooks if not asked.names or n.stem.startswith(tuple(asked.names))]
    if asked.names and not chosen:
        known = ", ".join(n.stem for n in notebooks)
        print(f"No notebook begins with {' or '.join(asked.names)}. There are: {known}")
        return 2
    stale = [n for n in chosen if not is_current(n)]
    if not stale:
        print(f"notebooks: all {len(chosen)} are executed and up to date")
    else:
        print(f"notebooks: {len(stale)} of {len(chosen)} to execute", flush=True)
    labels = [f"[{i}/{len(stale)}]" for i in range(1, len(stale) + 1)]
    with ThreadPoolExecutor(max_workers=max(1, asked.jobs)) as pool:
        passed = list(pool.map(execute, stale, labels))
    write_costs(notebooks)
    if not all(passed):
        failed = ", ".join(n.name for n, ok in zip(stale, passed, strict=True) if not ok)
        print(f"notebooks: FAILED: {failed}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
