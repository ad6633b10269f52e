"""Each claim of the course, against the run that made the book and the page that prints it."""

import html
import re
from pathlib import Path

import pytest

from brainkit import claims

ROOT = Path(__file__).parents[2]
EXECUTED, PAGES = ROOT / "build/src/notebooks", ROOT / "build/html/notebooks"
LISTED = claims.load()


def executed(stem):
    path = EXECUTED / f"{stem}.ipynb"
    if not path.exists():
        pytest.skip(f"{path.relative_to(ROOT)} has not been executed yet (make book)")
    return path


@pytest.mark.parametrize("claim", LISTED.values(), ids=list(LISTED))
class TestClaim:
    def test_names_a_notebook(self, claim):
        assert (ROOT / "notebooks" / f"{claim.notebook}.ipynb").exists()

    def test_was_recorded_and_holds(self, claim):
        found = claims.read(executed(claim.notebook)).get(claim.id)
        assert found, f"{claim.notebook} does not record {claim.id}"
        if found["standin"]:
            pytest.skip(f"{claim.id}: its data or weights were out of reach, a stand-in was shown")
        assert claims.holds(claim.direction, found["value"], found["interval"]), (
            f"{claim.id} must be {claim.direction}; the run gave {found['shown']}")
        if claim.over != "exact":
            assert found["interval"]
            assert found["n"] >= claim.n

    def test_is_what_the_page_prints(self, claim):
        found = claims.read(executed(claim.notebook)).get(claim.id)
        page = PAGES / f"{claim.notebook}.html"
        if not page.exists():
            pytest.skip(f"{page.relative_to(ROOT)} is not built yet (make book)")
        assert found, f"{claim.notebook} does not record {claim.id}"
        text = page.read_text(encoding="utf-8")
        card = re.search(rf'id="claim-{claim.id}".*?</div>', text, re.DOTALL)
        assert card, "the page has no card of this claim"
        for shown in found["shown"].values():
            assert shown in html.unescape(card[0])


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda p: p.stem)
def test_every_recorded_claim_is_listed(path):
    for name in claims.read(executed(path.stem)):
        assert name in LISTED, f"{path.name} records {name!r}, which book/claims.yml does not list"
        assert LISTED[name].notebook == path.stem
