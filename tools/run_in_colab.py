"""Execute notebooks with what Colab's image has, and write a report of those that fail.

    python run_in_colab.py NOTEBOOKS EXECUTED

For the weekly workflow: it uses no other file of this repository, because a learner in Colab has
none either. The notebooks' own first cell installs the course.
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError


def run(path: Path, executed: Path) -> str:
    """Execute one notebook; what went wrong, or nothing."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=1800, kernel_name="python3")
    try:
        client.execute(cwd=str(executed))
        return ""
    except (CellExecutionError, CellTimeoutError) as error:
        return str(error)
    finally:
        nbformat.write(notebook, executed / path.name)


def main(source: str, target: str) -> int:
    executed = Path(target)
    lines = []
    for path in sorted(Path(source).glob("[0-9][0-9]_*.ipynb")):
        print(f"{path.name} ...", flush=True)
        wrong = run(path, executed)
        print(wrong or "passed", flush=True)
        if wrong:
            # The end of a traceback says what happened; the issue needs no more of it.
            lines += [f"## {path.name}", "", "```text", wrong[-3000:], "```", ""]
    (executed / "report.md").write_text("\n".join(lines) or "Every notebook passed.\n")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
