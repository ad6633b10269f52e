"""Run a test command, or recall that it passed on exactly these files.

    python tools/remember.py NAME -- COMMAND...

A pass is remembered in build/stamps/tests under the content of everything the tests read, the
environment included; a failure never is. `make retest` forgets them.
"""

import json
import shutil
import subprocess
import sys
import time

from fingerprint import BUILD, REQUIREMENTS, ROOT, STAMPS, files, fingerprint

HOUSE = ["brainkit", "tests", "tools", "notebooks", "book", "_config.yml", "_toc.yml", ".github",
         ".ci", "conftest.py", "Makefile", "README.md", "CITATION.cff", *REQUIREMENTS]  # fmt: skip


def browser() -> str:
    """The browser's path, if any: page tests that were skipped must run once one is installed."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), "none")


def main() -> int:
    name, _, *command = sys.argv[1:]
    inputs = files(*HOUSE)
    if name == "pages":
        inputs += files(BUILD / "html")
    now = fingerprint(inputs, browser(), *command)
    stamp = STAMPS / "tests" / f"{name}.json"
    if stamp.exists() and (past := json.loads(stamp.read_text()))["fingerprint"] == now:
        print(f"{name} tests: unchanged since they passed on {past['when']}: {past['summary']}")
        return 0

    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    last = ""
    for line in process.stdout:
        print(line, end="", flush=True)
        last = line.strip(" =\n") or last
    if process.wait() == 0:
        stamp.parent.mkdir(parents=True, exist_ok=True)
        when = time.strftime("%d %B %Y, %H:%M")
        stamp.write_text(json.dumps({"fingerprint": now, "when": when, "summary": last}))
    else:
        stamp.unlink(missing_ok=True)
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
