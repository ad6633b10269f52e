"""Write brainkit/records/autoattack.csv: the zoo's nets judged by AutoAttack and by us.

    OMP_NUM_THREADS=1 python tools/record_autoattack.py [family ...]

For each `*-objects` family (the smallest ones left out), seed 0: the clean accuracy, that of
`robust_accuracy` (40 steps, 2 restarts) and AutoAttack's, on the same images and epsilon, Linf
1/255. A stochastic net costs some thirty times as much an image ("rand": 20 draws a gradient), so
it is judged on the first 16 images only. A row is written as each net is done, and rows that are
there are not made again; within a net the batches done are kept in build/autoattack.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path

from brainkit import attacks, models, objects

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "brainkit/records/autoattack.csv"
STATE = ROOT / "build/autoattack"
EPSILON, THREAT, SEED = 1 / 255, "Linf", 0
COLUMNS = ["net", "seed", "threat", "epsilon", "n", "clean", "ours", "autoattack", "version",
           "seconds"]  # fmt: skip
HEAD = [
    "# Accuracy of seed 0 of each family on objects.sample(32, 'medium', seed=4000), clean and",
    "# under attack; made by tools/record_autoattack.py. Accuracies are shares of n images.",
]


def families() -> list[str]:
    return [name for name in models.available() if name.endswith("-objects")
            and not name.endswith("_mini-objects") and name != "live_cnn-objects"]  # fmt: skip


def rows() -> list[dict]:
    if not RECORD.exists():
        return []
    lines = [line for line in RECORD.read_text(encoding="utf-8").splitlines()
             if not line.startswith("#")]  # fmt: skip
    return list(csv.DictReader(lines))


def judged(name: str) -> dict:
    model = models.load(name, SEED)
    given = objects.sample(32, "medium", seed=4000)
    images, labels = given.images, given.labels
    if stochastic := attacks.is_stochastic(model, images):
        images, labels = images[:16], labels[:16]
    ours = attacks.robust_accuracy(model, images, labels, THREAT, [0, EPSILON], steps=40,
                                   restarts=2)  # fmt: skip
    start = time.perf_counter()
    found = attacks.autoattack(model, images, labels, EPSILON, THREAT,
                               batch_size=4 if stochastic else 32,
                               checkpoint=STATE / f"{name}.pt")  # fmt: skip
    seconds = time.perf_counter() - start
    print(ours, found, f"{seconds:.0f} s", sep="\n", flush=True)
    return {
        "net": name, "seed": SEED, "threat": THREAT, "epsilon": f"{EPSILON:.6f}",
        "n": len(images), "clean": f"{ours.accuracy[0]:.4f}", "ours": f"{ours.accuracy[1]:.4f}",
        "autoattack": f"{found.interval.value:.4f}", "version": found.version,
        "seconds": f"{seconds:.0f}",
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("families", nargs="*", help="all of the zoo's if none is named")
    for name in parser.parse_args().families or families():
        done = rows()
        if name in [row["net"] for row in done]:
            continue
        print(f"--- {name}", flush=True)
        done = sorted([*done, judged(name)], key=lambda row: row["net"])
        part = RECORD.with_suffix(".part")
        with part.open("w", encoding="utf-8", newline="") as file:
            file.write("\n".join(HEAD) + "\n")
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(done)
        part.replace(RECORD)


if __name__ == "__main__":
    main()
