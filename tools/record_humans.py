"""Write brainkit/records/humans.json: what people did in Geirhos' experiments, summarised.

The trials are on a host that many machines cannot reach. Their summary (counts by subject, and
the error consistency of each pair) is small and may be kept: the three experiments recorded are
under CC-BY-4.0. Run it again with `python tools/record_humans.py` where the trials can be had.
"""

from __future__ import annotations

import datetime
import json
from pathlib import Path

from brainkit.data import ASSETS, human_trials
from brainkit.data.humans import summarise

EXPERIMENTS = ("cue-conflict", "edge", "silhouette")  # sketch, stylized: no clear licence
RECORD = Path(__file__).parents[1] / "brainkit" / "records" / "humans.json"


def main() -> None:
    record = {
        "what": "Human responses in three experiments of Geirhos et al., summarised by subject",
        "recorded": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "recipe": "tools/record_humans.py",
        "licence": "CC-BY-4.0",
        "attribution": (
            "Derived from the human trials of Geirhos et al. (ICLR 2019; NeurIPS 2021), "
            "github.com/bethgelab/model-vs-human, raw-data, CC-BY-4.0. Changed: counted by "
            "subject and category, and Cohen's kappa computed for each pair of subjects."
        ),
        "inputs": {
            file.name: file.sha256
            for experiment in EXPERIMENTS
            for file in ASSETS[f"humans-{experiment}"].files
        },
        "experiments": {
            experiment: summarise(experiment, human_trials(experiment))
            for experiment in EXPERIMENTS
        },
    }
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {RECORD} ({RECORD.stat().st_size:,} bytes)")


if __name__ == "__main__":
    main()
