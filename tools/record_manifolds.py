"""Measure the manifolds of the zoo's nets: a table a net in build/STUDY, then the released one.

    python tools/record_manifolds.py investigation        # chapter 14, every net that is not done
    python tools/record_manifolds.py survey               # chapter 12
    python tools/record_manifolds.py survey --family resnet-objects vone_resnet-objects --seed 0 1
    python tools/record_manifolds.py survey --gather      # all that is done into one table

The investigation takes a minute or two of a core for a net without noise, five to ten for a noisy
one. Interrupted, it goes on with the net that it was at, and several may run at once. CIFAR-10 must
be within reach for the nets of photographs, which are left for last. The released tables are
brainkit/records/investigation.csv.gz and survey.csv.gz.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import pandas as pd
import torch

from brainkit import models
from brainkit.manifolds.investigation import investigate
from brainkit.manifolds.survey import survey

ROOT = Path(__file__).parents[1]
STUDIES = {"investigation": investigate, "survey": survey}


def nets() -> list[tuple[str, int]]:
    """All nets of the zoo that the course compares: seed by seed, objects before photographs."""
    zoo = {name: seeds for name, seeds in models.available().items()
           if name.endswith(("-objects", "-cifar10")) and "_mini-" not in name
           and name != "live_cnn-objects"}  # fmt: skip
    return sorted(((name, seed) for name, seeds in zoo.items() for seed in seeds),
                  key=lambda net: (net[0].endswith("cifar10"), net[1], net[0]))  # fmt: skip


def gather(study: str) -> None:
    """The released table: every net's rows, in the order of `nets`."""
    done, target = ROOT / "build" / study, ROOT / f"brainkit/records/{study}.csv.gz"
    parts = [done / f"{name}-seed{seed}.csv" for name, seed in nets()]
    there = [part for part in parts if part.exists()]
    if len(there) < len(parts):
        print(f"{len(parts) - len(there)} of {len(parts)} nets are not done yet")
    table = pd.concat([pd.read_csv(part, keep_default_na=False) for part in there])
    # mtime=0, or the same table would give another file each time.
    table.to_csv(target, index=False, compression={"method": "gzip", "mtime": 0})
    print(f"{len(table)} rows of {len(there)} nets, {target.stat().st_size / 1e6:.1f} MB: {target}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--family", nargs="+")
    parser.add_argument("--seed", nargs="+", type=int)
    parser.add_argument("--gather", action="store_true")
    options = parser.parse_args()
    if options.gather:
        return gather(options.study)
    done = ROOT / "build" / options.study
    done.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # small nets: run two of these programs instead
    for name, seed in nets():
        if options.family and name not in options.family:
            continue
        if options.seed is not None and seed not in options.seed:
            continue
        target, claim = (done / f"{name}-seed{seed}.{end}" for end in ("csv", "claim"))
        if target.exists() or (claim.exists() and time.time() - claim.stat().st_mtime < 1800):
            continue
        claim.touch()  # another of these programs passes on to the next net
        start = time.process_time()
        rows = STUDIES[options.study](name, seed)
        part = target.with_suffix(".part")
        rows.to_csv(part, index=False, float_format="%.5g")
        part.replace(target)
        claim.unlink()
        print(name, seed, len(rows), f"{time.process_time() - start:.0f} s", flush=True)
    return None


if __name__ == "__main__":
    main()
