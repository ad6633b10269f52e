"""Write brainkit/records/brainscore_2019.csv, from the table published with CORnet-S.

The table is on a host that many machines cannot reach; what the chapters show of it is a few
numbers for each net. Run it again with `python tools/record_brainscore.py` where it can be had.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from brainkit.data import ASSETS, fetch
from brainkit.data.scores import selected

RECORD = Path(__file__).parents[1] / "brainkit" / "records" / "brainscore_2019.csv"


def main() -> None:
    asset = ASSETS["brainscore-2019"]
    table = selected(pd.read_csv(fetch(asset.name)))
    head = [
        "# Facts from data.csv of github.com/dicarlolab/neurips2019 (Kubilius et al. 2019),",
        f"# sha256 {asset.files[0].sha256}; selected by tools/record_brainscore.py.",
    ]
    rows = table.to_csv(index=False, float_format="%.6g")
    RECORD.write_text("\n".join(head) + "\n" + rows, encoding="utf-8")
    print(f"wrote {len(table)} nets")


if __name__ == "__main__":
    main()
