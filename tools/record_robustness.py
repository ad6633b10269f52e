"""Write brainkit/records/robustness.csv: every net of the zoo under the same attacks (chapter 10).

    python tools/record_robustness.py                    # all nets that the record lacks
    python tools/record_robustness.py --family resnet-objects vone_resnet-objects --seed 0

Takes hours of one core in all, minutes a net; interrupted, it goes on where it stopped. A net
whose rows are there is left alone: delete them to measure it again. CIFAR-10 and the 92
photographs of Kriegeskorte et al. must be within reach.
"""

from __future__ import annotations

import argparse
import fcntl
import time
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from brainkit import (
    attacks,
    brainscore,
    corruptions,
    data,
    features,
    models,
    neurons,
    objects,
    similarity,
)
from brainkit.data.robustness_record import PROTOCOL, RECORD
from brainkit.models import vonenet
from brainkit.objects import CATEGORIES

ROWS = ["net", "seed", "measure", "at", "value", "n"]


def last_stage(net, images) -> torch.Tensor:
    """Answers (n, units) of a net's last stage, noise averaged over four looks."""
    layer = next(name for name in ("IT.output", "model.IT.output", "stages.2", "model.stages.2")
                 if name in features.layer_names(net))  # fmt: skip
    torch.manual_seed(0)
    looks = [list(features.record(net, layer, images, batch_size=128).values())[-1]
             for _ in range(4 if noisy(net) else 1)]  # fmt: skip
    return torch.stack(looks).mean(0).flatten(1)  # of a recurrent area, its last step


def noisy(net) -> bool:
    return any(isinstance(m, vonenet.Noise) and m.mode for m in net.modules())


def accuracy(net, images, labels, looks: int) -> float:
    """Share named right, of a noisy net by the mean of several looks."""
    right = 0
    for k, (x, y) in enumerate(zip(images.split(128), labels.split(128), strict=True)):
        logits = vonenet.draws(net, x, looks if noisy(net) else 1, seed=k).mean(0)
        right += int((logits.argmax(1) == y).sum())
    return right / len(labels)


@cache
def pictures(kind: str, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The first n test images of a kind, and their labels."""
    if kind == "objects":
        shown = objects.sample(n, "medium", seed=PROTOCOL["objects_seed"])
        return shown.images, shown.labels
    images, labels = data.cifar10_tensors("test")
    return images[:n], labels[:n]


def under_attack(net, kind: str):
    """Rows (measure, at, value, n) for each threat and epsilon."""
    for threat, epsilons in PROTOCOL["epsilons"].items():
        n = PROTOCOL["n"][threat]
        found = attacks.robust_accuracy(
            net, *pictures(kind, n), threat, epsilons, steps=PROTOCOL["steps"],
            restarts=PROTOCOL["restarts"], draws=PROTOCOL["draws"], looks=PROTOCOL["looks"],
            batch_size=n)  # fmt: skip
        for epsilon, value in zip(epsilons, found.accuracy.tolist(), strict=True):
            yield threat, epsilon, value, n


def corrupted(net, kind: str):
    images, labels = pictures(kind, PROTOCOL["n"]["corruptions"])
    for name, severities in corruptions.SEVERITIES.items():
        for severity, strength in enumerate(severities, start=1):
            worse = getattr(corruptions, name)(images, strength)
            yield name, severity, accuracy(net, worse, labels, looks=8), len(labels)


@cache
def brains() -> dict:
    """What chapters 4 and 7 compare nets with."""
    test = objects.sample(1024, variation="medium", seed=4000)
    other = neurons.SimulatedIT(seed=100)
    repeats = other.record(test, repeats=5, seed=1).counts
    shown = data.objects92()
    if shown.images is None:
        raise SystemExit(f"the 92 photographs cannot be had: {shown.why}")
    grey = torch.from_numpy(shown.images).permute(0, 3, 1, 2).float().mean(1, keepdim=True) / 255
    grey = torch.nn.functional.interpolate(grey, 64, mode="bilinear", antialias=True)
    learn = objects.sample(2048, variation="medium", seed=5000)
    asked = objects.sample(2048, variation="medium", seed=7000)
    trials = pd.concat([_trials(k, learn, asked) for k in range(6)])
    return {
        "test": test, "rates": other.rates(test), "repeats": repeats.numpy(),
        "ceiling": brainscore.ceiling(repeats.numpy()),
        "groups": (8 * test.labels + test.exemplars).numpy(),
        "shown": shown, "grey": grey.clamp(0, 1), "learn": learn, "asked": asked,
        "trials": trials, "trials_ceiling": brainscore.i2n_ceiling(trials),
    }  # fmt: skip


def _trials(animal: int, learn, asked, repeats: int = 4) -> pd.DataFrame:
    """Choices of a simulated animal between the true category and another one (chapter 7)."""
    sites = neurons.SimulatedIT(seed=200 + animal, sites=20)
    decoder = brainscore.read_out(
        sites.record(learn, 1, seed=1).counts[0], learn.labels.numpy()
    )
    rng, labels = np.random.default_rng(animal), asked.labels.numpy()
    exemplar, at = (8 * asked.labels + asked.exemplars).numpy(), np.arange(len(asked))
    rows = []
    for counts in sites.record(asked, repeats, seed=2).counts:
        chance = decoder.predict_proba(counts)  # (n, 8)
        foil = (labels + rng.integers(1, 8, len(labels))) % 8
        chosen = np.where(chance[at, foil] > chance[at, labels], foil, labels)
        named = {"truth": labels, "dist_obj": foil, "choice": chosen}
        named = {key: np.take(CATEGORIES, which) for key, which in named.items()}
        rows.append(pd.DataFrame({"stimulus_id": exemplar, **named}))
    return pd.concat(rows)


def brain_like(net):
    b = brains()
    x = last_stage(net, b["test"].images)
    yield "cka", 0, float(similarity.cka(x, b["rates"])), len(x)
    with warnings.catch_warnings():  # a late component may stop short of convergence
        warnings.simplefilter("ignore")
        score = brainscore.neural_predictivity(
            x.numpy(), b["repeats"].mean(0), groups=b["groups"],
            n_components=min(25, x.shape[1]))  # fmt: skip
    yield "predictivity", 0, score.ceiled(b["ceiling"], era="2026").score, len(x)
    rdm = similarity.rdm(last_stage(net, b["grey"]))
    yield "rsa_monkey", 0, similarity.compare_rdms(rdm, b["shown"].monkey), 92
    yield "rsa_human", 0, similarity.compare_rdms(rdm, b["shown"].human), 92
    decoder = brainscore.read_out(
        last_stage(net, b["learn"].images), b["learn"].labels.numpy()
    )
    asked = b["asked"]
    exemplar = (8 * asked.labels + asked.exemplars).numpy()
    chance = decoder.predict_proba(last_stage(net, asked.images))
    chance = np.stack([chance[exemplar == k].mean(0) for k in range(64)])
    agreement = brainscore.i2n(chance, list(CATEGORIES), np.arange(64), b["trials"])
    agreement = agreement.ceiled(b["trials_ceiling"], era="2026").score
    yield "i2n", 0, agreement, len(b["trials"])


def measured(name: str, seed: int) -> pd.DataFrame:
    """All rows of one net."""
    net, kind = models.load(name, seed), name.rpartition("-")[2]
    rows = [("clean", 0, accuracy(net, *pictures(kind, PROTOCOL["n"]["clean"]), looks=8),
             PROTOCOL["n"]["clean"])]  # fmt: skip
    rows += under_attack(net, kind)
    rows += corrupted(net, kind)
    if kind == "objects":
        rows += brain_like(net)
    return pd.DataFrame([(name, seed, *row) for row in rows], columns=ROWS)


def _read() -> pd.DataFrame:
    return pd.read_csv(RECORD, comment="#") if RECORD.exists() else pd.DataFrame(columns=ROWS)


def _add(rows: pd.DataFrame) -> None:
    """Several of these programs may run at once."""
    with Path(f"{RECORD}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        there = _read()
        table = pd.concat([there, rows]) if len(there) else rows
        table = table.sort_values(["net", "seed"], kind="stable")
        part = RECORD.with_suffix(".part")
        header = "# tools/record_robustness.py made it; data.robustness says what it is\n"
        part.write_text(header + table.to_csv(index=False, float_format="%.6g"))
        part.replace(RECORD)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--family", nargs="+")
    parser.add_argument("--seed", nargs="+", type=int)
    options = parser.parse_args()
    shipped = {name: seeds for name, seeds in models.available().items()
               if "_mini-" not in name and name != "live_cnn-objects"}  # fmt: skip
    families = options.family or list(shipped)
    for seed in options.seed or range(5):
        for name in families:
            if seed not in shipped[name]:
                continue
            there = _read()
            if len(there[(there.net == name) & (there.seed == seed)]):
                continue
            start = time.process_time()
            rows = measured(name, seed)
            _add(rows)
            linf = rows[rows.measure == "Linf"].value.round(3).tolist()
            print(name, seed, linf, f"{time.process_time() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
