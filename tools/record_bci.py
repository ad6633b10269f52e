"""Write brainkit/records/bci.json: what chapter 11 says about recordings of motor cortex.

The two BCI sessions lie on a host that many machines cannot reach, and may not be shipped; what is
computed from them may. Run it again with `python tools/record_bci.py` where all three assets can be
had. Kept are means, spectra, angles and curves, to four digits; no bin's counts.
"""

from __future__ import annotations

import datetime
import json
from pathlib import Path

from brainkit import bci, data

RECORD = Path(__file__).parents[1] / "brainkit" / "records" / "bci.json"


def rounded(value):
    """To four significant digits, in lists and dicts."""
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def main() -> None:
    record = {
        "what": "Figures computed from three recordings of monkey motor cortex",
        "recorded": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "recipe": "tools/record_bci.py",
        "attribution": (
            "reaching: Perich, Gallego and Miller 2018 (DANDI 000688, CC BY 4.0, as torch_brain "
            "carries it); learning: Golub et al. 2018 (bci_learning, BSD-3-Clause); session: "
            "Hennig et al. 2018 (neural-redundancy-elife2018, MIT). None of their counts is here."
        ),
        "inputs": {file.name: file.sha256 for name in ("m1-reaching", "bci-learning", "bci-session")
                   for file in data.ASSETS[name].files},
        "reaching": bci.summarise_reaching(data.m1_reaching(width=50)),
        "learning": bci.summarise_learning(data.bci_learning()),
        "session": bci.summarise_session(data.bci_session()),
    }
    RECORD.write_text(json.dumps(rounded(record), separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"wrote {RECORD.name} ({RECORD.stat().st_size:,} bytes)")


if __name__ == "__main__":
    main()
