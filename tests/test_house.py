"""The house itself: what must hold of the files before anything is run."""

import json
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
URL = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"]

sys.path.insert(0, str(ROOT / "tools"))
import bootstrap  # noqa: E402  a tool, not a package

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.stem)


def tracked():
    """The text files under version control (or, in a tarball, the ones that would be)."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
        )
        names = [n for n in listed.stdout.decode().split("\0") if n]
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout: there is no list of tracked files")
    binary = {".png", ".jpg", ".safetensors", ".npz", ".gz", ".ico", ".pdf"}
    paths = (ROOT / n for n in names if Path(n).suffix not in binary)
    return [p for p in paths if p.is_file()]


def cells(path, kind=None):
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [c for c in found if kind in (None, c["cell_type"])]


def source(cell):
    return "".join(cell["source"])


@each_notebook
class TestNotebook:
    def test_bootstrap_cell_is_the_common_one(self, path):
        assert bootstrap.in_step(json.loads(path.read_text())), "run `make bootstrap`"

    def test_is_committed_without_outputs(self, path):
        for cell in cells(path, "code"):
            assert not cell["outputs"]
            assert cell["execution_count"] is None

    def test_is_in_the_contents(self, path):
        assert f"notebooks/{path.stem}" in (ROOT / "_toc.yml").read_text()

    def test_code_fits_the_page(self, path):
        for cell in cells(path, "code"):
            for line in source(cell).splitlines():
                assert len(line) <= 88, f"{len(line)} columns: {line}"

    def test_markdown_is_plain(self, path):
        """Colab shows MyST's roles and directives as they are written."""
        for cell in cells(path, "markdown"):
            text = re.sub(r"```(python|text|bash).*?```|`[^`]*`", "", source(cell), flags=re.DOTALL)
            odd = re.findall(r"^\s*(?:```|:::+)\s*\{.*|\{[a-z:]+\}`", text, re.MULTILINE)
            assert not odd, f"MyST in a notebook: {odd}"

    def test_markdown_links_lead_somewhere(self, path):
        for cell in cells(path, "markdown"):
            for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", source(cell)):
                if not re.match(r"https?:|mailto:|attachment:", target):
                    assert (path.parent / target).exists(), f"dead link: {target}"

    def test_headings_are_in_order(self, path):
        text = re.sub(r"```.*?```", "", "\n".join(map(source, cells(path, "markdown"))), flags=re.S)
        levels = [len(marks) for marks in re.findall(r"^(#+) ", text, re.MULTILINE)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(b <= a + 1 for a, b in pairwise(levels)), levels

    def test_runs_on_any_machines_python_kernel(self, path):
        assert json.loads(path.read_text())["metadata"]["kernelspec"]["name"] == "python3"

    def test_every_cell_has_its_own_id(self, path):
        ids = [c["id"] for c in cells(path)]
        assert len(set(ids)) == len(ids)


def test_contents_list_only_what_is_there():
    listed = re.findall(r"(?:file|root): (\S+)", (ROOT / "_toc.yml").read_text())
    assert listed
    for name in listed:
        assert list(ROOT.glob(f"{name}.*")), f"_toc.yml lists {name}, which does not exist"


def test_repository_url_stands_in_one_place():
    """Beside the notebooks' first cell, which is written from _config.yml and tested above."""
    owner_and_name = URL.split("github.com/")[1]
    holders = [p for p in tracked() if owner_and_name in p.read_text(encoding="utf-8")]
    assert {p for p in holders if p.suffix != ".ipynb"} == {ROOT / "_config.yml"}


def test_no_registry_hosts_nor_paths_of_a_machine():
    hosts = (
        "pypi" + ".org",
        "files.python" + "hosted",
        "registry." + "npmjs",
        "download.pytorch.org/" + "whl",
    )
    words = "|".join(map(re.escape, hosts)) + r"|/(?:work|tmp|root|Users)/\w|/home/(?!runner)\w"
    for path in tracked():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            assert not re.search(words, line), (
                f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
            )


def test_package_pins_nothing():
    """An upper bound in brainkit would tear Colab's own torch or numpy apart."""
    text = (ROOT / "pyproject.toml").read_text()
    asked = re.findall(
        r'^\s+"([\w-]+)([^"]*)",$', text.split("dependencies = [")[1].split("]")[0], re.M
    )
    assert len(asked) > 10
    for name, bounds in asked:
        assert re.fullmatch(r">=[\d.]+", bounds), f"{name}{bounds}: lower bounds only"
        assert name != "torchattacks", "its pin on requests must not reach the user's environment"


@each_workflow
class TestWorkflow:
    def test_actions_are_pinned_by_hash(self, path):
        used = re.findall(r"uses: (\S+)(.*)", path.read_text())
        assert used
        for action, comment in used:
            assert action.startswith("./") or re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action), action
            assert action.startswith("./") or re.fullmatch(r" +# v[\d.]+", comment), (
                f"{action}: say its version"
            )

    def test_permissions_are_few_and_jobs_end(self, path):
        workflow = yaml.safe_load(path.read_text())
        assert workflow["permissions"] in ({}, {"contents": "read"}), (
            "grant more to single jobs only"
        )
        for name, job in workflow["jobs"].items():
            if "uses" not in job:
                assert job.get("timeout-minutes", 999) <= 120, f"{name} has no limit of time"

    def test_untrusted_code_keeps_no_token(self, path):
        for job in yaml.safe_load(path.read_text())["jobs"].values():
            for step in job.get("steps", []):
                if "actions/checkout" in step.get("uses", ""):
                    assert step["with"]["persist-credentials"] is False

    def test_own_machines_run_no_pull_requests(self, path):
        workflow = yaml.safe_load(path.read_text())
        triggers = workflow[True]  # YAML reads the key `on` as true
        if "GPU_RUNNER" in path.read_text():
            assert "pull_request" not in triggers
        assert "pull_request_target" not in triggers


def test_ci_only_runs_make_test():
    lines = [line for line in (ROOT / ".ci/run").read_text().splitlines() if "make" in line]
    assert [line for line in lines if not line.startswith("#")] == ["exec make test"]


def test_execute_names_the_failing_cell(tmp_path):
    """A notebook that fails is named with its cell, source and error, and leaves no stamp."""
    notebook = {
        "cells": [
            {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# Trial"},
            {"cell_type": "code", "id": "b", "metadata": {}, "outputs": [], "execution_count": None,
             "source": "ratio = 1 / 0"},
        ],
        "metadata": {"kernelspec": {"display_name": "", "language": "python", "name": "python3"}},
        "nbformat": 4, "nbformat_minor": 5,
    }  # fmt: skip
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks/01_trial.ipynb").write_text(json.dumps(notebook))
    (tmp_path / "tools").mkdir()
    for name in ("execute.py", "fingerprint.py"):
        (tmp_path / "tools" / name).write_text((ROOT / "tools" / name).read_text())
    command = [sys.executable, "tools/execute.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    for word in ("01_trial.ipynb FAILED", "code cell 1", "ratio = 1 / 0", "ZeroDivisionError"):
        assert word in done.stdout
    assert not list((tmp_path / "build/stamps").rglob("*.json"))
    assert not list((tmp_path / "build/src/notebooks").iterdir())
    assert (tmp_path / "build/failed/01_trial.ipynb").exists()

    notebook["cells"][1]["source"] = "ratio = 1 / 2"
    (tmp_path / "notebooks/01_trial.ipynb").write_text(json.dumps(notebook))
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode == 0
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert "up to date" in again.stdout
