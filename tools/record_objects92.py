"""Write brainkit/records/objects92.npz: the RDMs of chapter 4, without the images.

The images and the published RDMs come in an archive of 95 MB, which not every machine can fetch.
What is kept are the RDMs of monkey and human IT (MIT licence, as the RSA toolbox carries them) and
those of the nets, made by the very cells of the chapter. Run it again with
`python tools/record_objects92.py` where the assets can be had, after a change of those cells.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from scipy.spatial.distance import squareform
from scipy.stats import rankdata

from brainkit import data
from brainkit.data.kriegeskorte import CATEGORIES

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "brainkit" / "records" / "objects92.npz"
NOTEBOOK = ROOT / "notebooks" / "04_measuring_brain_likeness.ipynb"
CELLS = ("brains", "nets", "zoo")  # ids of the cells that make the dict `rdms`


def run(cells) -> dict:
    """The variables that some cells of the chapter leave behind."""
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    left = {"np": np}
    for cell in notebook["cells"]:
        if cell["id"] in cells:
            exec("".join(cell["source"]), left)
    return left


def ranks(rdm) -> np.ndarray:
    """(4186,) uint8: the ranks of the dissimilarities in 256 steps."""
    place = rankdata(squareform(rdm, checks=False))
    return np.round(255 * (place - 1) / (len(place) - 1)).astype(np.uint8)


def main() -> None:
    shown = data.objects92()
    if shown.images is None:
        raise SystemExit(f"the images cannot be had: {shown.why}")
    rdms = run(CELLS)["rdms"]
    half = {name: np.stack([squareform(r, checks=False) for r in np.reshape(rdm, (-1, 92, 92))])
            for name, rdm in (("monkey", shown.monkey), ("human", shown.human),
                              ("subjects", shown.subjects))}  # fmt: skip
    np.savez_compressed(
        RECORD,
        category=np.array([CATEGORIES.index(c) for c in shown.categories], dtype=np.uint8),
        monkey=half["monkey"][0].astype(np.float32), human=half["human"][0].astype(np.float32),
        subjects=half["subjects"].reshape(4, 2, -1).astype(np.float16),
        names=np.array(list(rdms)), nets=np.stack([ranks(r) for r in rdms.values()]))
    print(f"wrote {len(rdms)} nets' RDMs ({RECORD.stat().st_size:,} bytes)")


if __name__ == "__main__":
    main()
