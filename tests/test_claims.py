"""The machinery of the claims; tests/pages/test_course_claims.py holds the course's own."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from brainkit import _html, claims

ROOT = Path(__file__).parents[1]

ENTRY = {"id": "shape-bias", "sentence": "Nets decide by shape in {value:.0%} of the images.",
         "notebook": "02_x", "quantity": "shape bias", "direction": "< 0.5", "images": 100,
         "interval": 0.95}
EXACT = {"id": "same-as-torch", "sentence": "Ours and torch's agree.", "notebook": "01_x",
         "quantity": "largest difference", "direction": "<= 1e-5", "exact": True}
PAIR = {"id": "humans-above", "sentence": "{humans:.2f} against {net:.2f}", "notebook": "02_x",
        "quantity": "accuracy", "direction": "humans > net", "subjects": 4, "interval": 0.95}


@pytest.fixture
def listed(monkeypatch, tmp_path):
    """A claims.yml with three claims; returns what is displayed as (html, text, metadata)."""
    path = tmp_path / "claims.yml"
    path.write_text(yaml.safe_dump([ENTRY, EXACT, PAIR]))
    shown = []
    monkeypatch.setattr(claims, "LIST", path)
    monkeypatch.setattr(_html, "publish", lambda *a: shown.append(a))
    return shown


# --- reading the list -------------------------------------------------------------------------

@pytest.mark.parametrize(("change", "message"), [
    ({"sentence": None}, r"Missing: \['sentence'\]"),
    ({"colour": "red"}, r"unknown: \['colour'\]"),
    ({"seeds": 5}, "one of seeds"),
    ({"id": "Shape Bias"}, "lower-case"),
    ({"interval": None}, "an estimate needs `interval`"),
    ({"direction": "rather small"}, "cannot read 'rather small'"),
])
def test_a_malformed_entry_is_named(tmp_path, change, message):
    path = tmp_path / "claims.yml"
    path.write_text(yaml.safe_dump([{**ENTRY, **change}]))
    with pytest.raises(ValueError, match=message):
        claims.load(path)


def test_an_id_is_listed_once(tmp_path):
    path = tmp_path / "claims.yml"
    path.write_text(yaml.safe_dump([ENTRY, ENTRY]))
    with pytest.raises(ValueError, match="lists 'shape-bias' twice"):
        claims.load(path)


@pytest.mark.parametrize(("direction", "value", "interval", "expected"), [
    ("> 0", 0.1, None, True), ("> 0", 0.1, (0.05, 0.2), True), ("> 0", 0.1, (-0.05, 0.2), False),
    ("< 0.5", 0.4, (0.3, 0.5), False), ("<= 0.5", 0.4, (0.3, 0.5), True),
    (">= -1e-3", 0.0, None, True), ("> 0", 0, None, False),
    ("between 0.9 and 1", 0.95, (0.91, 0.99), True),
    ("between 0.9 and 1", 0.95, (0.89, 0.99), False),
    ("a > b", {"a": 2, "b": 1}, None, True),
    ("a > b", {"a": 2, "b": 1}, {"a": (1.4, 2.5), "b": (0.5, 1.5)}, False),
    ("a > b", {"a": 2, "b": 1}, {"a": (1.6, 2.5), "b": (0.5, 1.5)}, True),
    ("a < 3", {"a": 2, "b": 9}, None, True),
])
def test_a_direction_holds_with_its_whole_interval(direction, value, interval, expected):
    assert claims.holds(direction, value, interval) is expected


def test_a_direction_speaks_of_recorded_names():
    with pytest.raises(ValueError, match="speaks of 'c'"):
        claims.holds("a > c", {"a": 1, "b": 2})


# --- recording --------------------------------------------------------------------------------

def test_record_shows_the_claim_and_keeps_the_number(listed):
    claims.record("shape-bias", 0.312, (0.28, 0.34), n=1280, note="one *net*")
    ((card, text, metadata),) = listed
    assert 'id="claim-shape-bias"' in card
    assert "Nets decide by shape in 31% of the images." in card
    assert "0.312 [0.280, 0.340]" in card
    assert "n = 1280 images" in text
    assert "one <em>net</em>" in card
    assert "does not bear it out" not in card
    assert metadata["brainkit_claim"] == {
        "id": "shape-bias", "value": {"value": 0.312}, "interval": {"value": [0.28, 0.34]},
        "n": 1280, "unit": "", "note": "one *net*", "shown": {"value": "0.312 [0.280, 0.340]"},
        "standin": False}
    json.dumps(metadata)


def test_a_run_against_the_claim_is_shown_not_raised(listed):
    claims.record("shape-bias", np.float32(0.5), (0.4, 0.6), n=100)
    assert "does not bear it out" in listed[0][0]


def test_a_standin_is_not_a_measurement(listed):
    claims.record("shape-bias", 0.312, (0.28, 0.34), n=2, standin=True)  # too few is no error here
    ((card, _, metadata),) = listed
    assert "Not measured in this run" in card
    assert metadata["brainkit_claim"]["standin"] is True


def test_several_numbers(listed):
    claims.record("humans-above", {"humans": 0.9, "net": 0.4},
                  {"humans": (0.8, 0.95), "net": (0.3, 0.5)}, n=4)
    assert "0.90 against 0.40" in listed[0][0]
    assert "humans: 0.90 [0.80, 0.95], net: 0.40 [0.30, 0.50]" in listed[0][0]


@pytest.mark.parametrize(("arguments", "message"), [
    (("shape-bais", 1), "not in book/claims.yml.* Did you mean shape-bias"),
    (("shape-bias", 0.3), "needs interval="),
    (("shape-bias", 0.3, (0.2, 0.4), 99), "100 images or more; got n=99"),
    (("shape-bias", 0.3, (0.4, 0.2), 100), "does not hold its own value"),
    (("shape-bias", float("nan"), None, 100), "not finite"),
    (("humans-above", {"humans": 1}, {"net": (0, 1)}, 4), "intervals for"),
    (("humans-above", 0.3, (0.2, 0.4), 4), "asks for 'humans'"),
])
def test_record_says_what_is_wrong(listed, arguments, message):
    with pytest.raises(ValueError, match=message):
        claims.record(*arguments)
    assert not listed


def test_without_the_book_a_claim_is_still_shown(listed, monkeypatch, tmp_path):
    monkeypatch.setattr(claims, "LIST", tmp_path / "nowhere.yml")
    claims.record("my-own-number", 3.14159)
    assert listed[0][1].startswith("my own number\n3.14")


def test_the_number_is_printed_as_precisely_as_it_is_known():
    assert claims._shown(0.61803, (0.55, 0.69), "") == "0.62 [0.55, 0.69]"
    assert claims._shown(61.803, (55, 69), "ms") == "62 [55, 69] ms"
    assert claims._shown(2e-7, None, "") == "2e-07"
    assert claims._shown(60000, None, "") == "60,000"


def notebook(path, *outputs):
    cells = [{"cell_type": "code", "metadata": {}, "source": "",
              "outputs": [{"output_type": "display_data", "data": {}, "metadata": m}
                          for m in outputs]}, {"cell_type": "markdown", "source": ""}]
    path.write_text(json.dumps({"cells": cells}))
    return path


def test_read_gives_back_what_was_recorded(listed, tmp_path):
    claims.record("same-as-torch", 1e-7)
    claims.record("shape-bias", 0.3, (0.2, 0.4), 100)
    path = notebook(tmp_path / "01_x.ipynb", *(metadata for *_, metadata in listed), {})
    found = claims.read(path)
    assert list(found) == ["same-as-torch", "shape-bias"]
    assert found["shape-bias"]["interval"] == {"value": [0.2, 0.4]}
    with pytest.raises(ValueError, match="records the claim 'same-as-torch' twice"):
        claims.read(notebook(path, listed[0][2], listed[0][2]))


def test_metadata_survives_a_kernel(tmp_path):
    """Through a real kernel's display, as nbmake would store it."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(
        "from pathlib import Path\nfrom brainkit import claims\nclaims.LIST = Path('nowhere')\n"
        "claims.record('a-number', 2.5, (2, 3), n=5)")])
    nbclient.NotebookClient(book, timeout=120).execute()
    nbformat.write(book, tmp_path / "x.ipynb")
    assert claims.read(tmp_path / "x.ipynb")["a-number"]["n"] == 5


def test_the_claims_page_lists_numbers_and_links(listed, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(ROOT / "tools")
    import claims_page

    claims.record("shape-bias", 0.3, (0.2, 0.4), 100)
    notebook(tmp_path / "02_x.ipynb", listed[0][2])
    text = claims_page.text(tmp_path)
    assert "Nets decide by shape in 30% of the images." in text
    assert "0.30 [0.20, 0.40]" in text
    assert 'href="../notebooks/02_x.html#claim-shape-bias"' in text
    assert "not run yet" in text


def test_the_claims_page_as_a_command(tmp_path):
    subprocess.run([sys.executable, ROOT / "tools/claims_page.py", "--notebooks", tmp_path,
                    "--out", tmp_path / "out/claims.md"], check=True)
    assert (tmp_path / "out/claims.md").read_text().startswith("# Results and claims\n")


# --- intervals --------------------------------------------------------------------------------

def test_intervals_cover_as_often_as_they_say():
    rng = np.random.default_rng(0)
    samples = rng.normal(1, 2, (1000, 5))
    covered = [low <= 1 <= high for low, high in map(claims.interval, samples)]
    assert 0.93 < np.mean(covered) < 0.97  # 3 standard errors of 1000 draws
    covered = [low <= 1 <= high for low, high in
               (claims.bootstrap(s, resamples=300) for s in rng.normal(1, 2, (150, 40)))]
    assert 0.87 < np.mean(covered) <= 1


@pytest.mark.filterwarnings("ignore")  # scipy warns as well
def test_bootstrap_repeats_itself_and_refuses_what_it_cannot_judge():
    values = np.random.default_rng(1).random(50)
    assert claims.bootstrap(values, np.median) == claims.bootstrap(values, np.median)
    with pytest.raises(ValueError, match="no uncertainty"):
        claims.bootstrap([1, 1, 1])
    with pytest.raises(ValueError, match="undefined"):
        claims.bootstrap([0, 0, 0, 0, 1], np.median)


def _pairs(both, first, second, neither):
    return ([1] * (both + first) + [0] * (second + neither),
            [1] * both + [0] * first + [1] * second + [0] * neither)


def test_paired_interval_gives_a_published_example():
    # Bentur et al. 2009 in Fagerland, Lydersen & Laake, Statistical Analysis of Contingency
    # Tables (2017), chapter 8: -0.507 to -0.026
    assert claims.paired(*_pairs(1, 1, 7, 12)) == pytest.approx((-0.507, -0.026), abs=5e-4)


def test_paired_interval_turns_with_its_series_and_has_a_width_where_all_agree():
    a, b = _pairs(5, 9, 2, 4)
    low, high = claims.paired(a, b)
    assert claims.paired(b, a) == pytest.approx((-high, -low))
    low, high = claims.paired([1] * 20, [1] * 20)
    assert low == -high < -0.1
    low, high = claims.paired([1] * 20, [0] * 20)
    assert low < 0.8
    assert high == pytest.approx(1)


def test_paired_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    chances = np.array([0.3, 0.4, 0.1, 0.2])  # both, first only, second only, neither
    covered = []
    for table in rng.multinomial(20, chances, 1000):
        low, high = claims.paired(*_pairs(*table))
        covered.append(low <= 0.3 <= high)
    assert 0.93 < np.mean(covered) < 0.985


@pytest.mark.parametrize(("call", "message"), [
    (lambda: claims.interval([1]), "2 or more finite values"),
    (lambda: claims.interval([1, 2], level=95), "a fraction such as 0.95"),
    (lambda: claims.interval("123"), "got the text '123'"),
    (lambda: claims.bootstrap([1, 2, 3], level=1.0), "a fraction such as 0.95"),
    (lambda: claims.paired([1, 0], [1, 0, 1]), "got 2 and 3 values"),
    (lambda: claims.paired([1, 0.5], [1, 0]), "0 or 1"),
    (lambda: claims.holds("> 0", 1, (2, -1)), "is not \\(low, high\\)"),
])
def test_intervals_name_what_is_wrong_with_their_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
