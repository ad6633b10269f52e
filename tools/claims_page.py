"""The table of claims, from book/claims.yml and the executed notebooks.

The book's build takes `text()`; by hand:
    python tools/claims_page.py --notebooks build/src/notebooks --out build/src/book/claims.md
"""

import argparse
from pathlib import Path

from brainkit import _html, claims

ROOT = Path(__file__).parents[1]
EXECUTED = ROOT / "build" / "src" / "notebooks"


def text(notebooks: Path = EXECUTED) -> str:
    """The claims with the numbers the executed notebooks recorded, as an HTML table."""
    listed = claims.load()
    if not listed:
        return "No claim is listed yet.\n"
    recorded: dict = {}
    for path in sorted(notebooks.glob("*.ipynb")):
        recorded |= claims.read(path)
    rows = "".join(_row(claim, recorded.get(claim.id)) for claim in listed.values())
    head = "".join(f'<th scope="col">{name}</th>'
                   for name in ("Claim", "Measured [interval]", "n", "It must be", "Chapter"))
    return (
        '<div class="bk-table" role="region" tabindex="0" aria-label="All claims" '
        'style="overflow-x:auto"><table class="table bk-claims"><caption>Every claim, and the '
        "number the run behind this page produced. The interval is taken over what the column n "
        f"counts.</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>\n"
    )


def _row(claim: claims.Claim, found: dict | None) -> str:
    chapter = claim.notebook.partition("_")[0].lstrip("0")
    # Raw HTML, since MyST resolves no link to an anchor which a notebook's output makes.
    link = (f'<a href="../notebooks/{claim.notebook}.html#claim-{claim.id}" aria-label="Chapter '
            f'{chapter}: {claim.id}">{chapter}</a>')
    if found is None:
        sentence, shown, n = "", "not run yet", "–"
    elif found["standin"]:
        sentence, shown, n = "", "not measured: data or weights out of reach", "–"
    else:
        sentence = claim.sentence.format(**found["value"])
        shown = "<br>".join(_html.escape(s if k == "value" else f"{k}: {s}")
                            for k, s in found["shown"].items())
        n = "exact" if claim.over == "exact" else f"{found['n']:,} {claim.over}"
    level = "" if claim.level is None else f" ({claim.level:.0%} interval)"
    return (f'<tr><th scope="row" style="font-weight:normal;text-align:left">'
            f"{_html.inline(sentence)}{'<br>' if sentence else ''}"
            f'<small style="color:var(--bk-muted,#57606a)">{_html.inline(claim.quantity)}</small>'
            f"</th><td>{shown}</td><td>{n}</td>"
            f"<td>{_html.escape(claim.direction)}{level}</td><td>{link}</td></tr>")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notebooks", type=Path, default=EXECUTED, help="executed notebooks")
    parser.add_argument("--out", type=Path, required=True, help="the page to write")
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(f"# Results and claims\n\n{text(options.notebooks)}", encoding="utf-8")
