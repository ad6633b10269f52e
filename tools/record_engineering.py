"""Write brainkit/records/engineering.csv: nets trained against their sensitivity (chapter 13).

    python tools/record_engineering.py                    # all that the record lacks
    python tools/record_engineering.py --net within outside --seed 0

A net takes two or three minutes of a core; interrupted, it goes on with the net that it was at. A
net whose rows are there is left alone: delete them to measure it again.
"""

from __future__ import annotations

import argparse
import time
from functools import cache
from itertools import product

import pandas as pd
import torch
from sklearn.linear_model import RidgeCV

from brainkit import attacks, corruptions, features, manifolds, models, objects, training
from brainkit.attacks.gradient import evaluating, margin
from brainkit.data.engineering_record import ENGINEERING, RECORD
from brainkit.models import small
from brainkit.models.vonenet import fixed_noise

ROWS = ["net", "seed", "measure", "at", "value", "n"]
LATENTS = {"x": "x", "y": "y", "size": "size of the object", "yaw": "yaw", "pitch": "pitch",
           "roll": "roll"}  # fmt: skip


@cache
def pictures(n: int, seed: int) -> objects.ObjectSet:
    return objects.sample(n, "medium", seed=seed)


def tested(n: int) -> objects.ObjectSet:
    """The first n test images."""
    return pictures(max(ENGINEERING["n"].values()), ENGINEERING["test_seed"])[:n]


@cache
def training_set() -> objects.ObjectSet:
    return objects.sample(**ENGINEERING["train"])


def trained(condition: str, seed: int, settings: dict | None = None) -> torch.nn.Module:
    """A plain net from scratch, with the penalty of a condition."""
    settings = settings or ENGINEERING
    given, data = settings["conditions"][condition], training_set()
    torch.manual_seed(seed)
    net = small.resnet()
    terms = []
    if given:
        terms = [manifolds.Insensitivity(data.images, data.labels, **given, **settings["term"])]
    training.fit(net, data, **settings["training"], seed=seed, terms=terms, progress=False)
    return net.requires_grad_(False)


def slopes(net, layer: str, images, labels, draws: int):
    """Margins (n,), and their gradients by a layer's answers (n, units), means over noise."""
    total, lack = 0.0, 0.0
    for k in range(draws):
        with fixed_noise(k):
            given = images.detach().requires_grad_()
            found = features.record(net, [layer, ""], given, grad=True, keep_mode=True)
            one = margin(found[""], labels)
            here = next(a for name, a in found.items() if name)
            (gradient,) = torch.autograd.grad(one.sum(), here)
        total, lack = total + gradient.flatten(1) / draws, lack + one.detach() / draws
    return lack, total


def sensitivities(net):
    """Rows (measure, at, value, n) for each layer, with a subspace of its own."""
    shown = tested(ENGINEERING["n"]["sensitivity"])
    fit = pictures(ENGINEERING["fit"], ENGINEERING["fit_seed"]).images
    with evaluating(net):
        draws = ENGINEERING["draws"] if attacks.is_stochastic(net, fit[:8]) else 1
        layers = manifolds.main_layers(net)
        seen = manifolds.responses(net, layers, fit, draws)
        for at, layer in enumerate(layers):
            answers = seen[layer]
            space = manifolds.fit_subspace(answers, ENGINEERING["term"]["share"])
            scale = (answers - answers.mean(0)).square().sum(1).mean()
            lack, gradient = slopes(net, layer, shown.images, shown.labels, draws)
            whole = gradient.square().sum(1)
            inside = torch.as_tensor(space.within(gradient)).square().sum(1)
            parts = {"within": scale * inside, "outside": scale * (whole - inside)}
            right = lack < 0
            for name, part in parts.items():
                yield name, at, part.median().item(), len(part)
                far = -lack[right] / part[right].sqrt()
                yield f"distance {name}", at, far.median().item(), int(right.sum())
            by_chance = scale * whole * space.size / space.units
            yield "random", at, by_chance.median().item(), len(whole)
            yield "size", at, space.size, len(fit)


def accuracies(net):
    n = ENGINEERING["n"]
    yield "clean", 0, training.evaluate(net, tested(n["clean"])).value, n["clean"]
    run = attacks.robust_accuracy(net, tested(n["Linf"]), threat="Linf",
                                  epsilons=ENGINEERING["epsilons"], steps=ENGINEERING["steps"],
                                  batch_size=n["Linf"])  # fmt: skip
    for epsilon, value in zip(ENGINEERING["epsilons"], run.accuracy.tolist(), strict=True):
        yield "Linf", epsilon, value, n["Linf"]
    shown = tested(n["corruptions"])
    for name, severities in corruptions.SEVERITIES.items():
        for severity, strength in enumerate(severities, start=1):
            worse = getattr(corruptions, name)(shown.images, strength)
            yield name, severity, training.evaluate(net, (worse, shown.labels)).value, len(shown)


def traits(net):
    """What can be read from the pooled features, and how sure the net is."""
    learn = pictures(ENGINEERING["fit"], ENGINEERING["fit_seed"])
    shown = tested(ENGINEERING["n"]["clean"])
    seen, asked = (manifolds.responses(net, ["pool"], s.images)["pool"] for s in (learn, shown))
    for latent, name in LATENTS.items():
        reader = RidgeCV(alphas=[10.0**k for k in range(-4, 5)])
        reader.fit(seen.numpy(), learn.latent(latent).numpy())
        value = reader.score(asked.numpy(), shown.latent(latent).numpy())
        yield name, 0, float(value), len(shown)
    with torch.no_grad():
        chance, answer = net(shown.images).softmax(1).max(1)
    right = (answer == shown.labels).float()
    yield "confidence", 0, chance.mean().item(), len(shown)
    yield "calibration", 0, (chance.mean() - right.mean()).item(), len(shown)


def measured(name: str, seed: int) -> pd.DataFrame:
    """All rows of one net."""
    if name in ENGINEERING["conditions"]:
        net = trained(name, seed)
        rows = [*accuracies(net), *traits(net), *sensitivities(net)]
    else:
        rows = [*sensitivities(models.load(name, seed))]
    return pd.DataFrame([(name, seed, *row) for row in rows], columns=ROWS)


def _read() -> pd.DataFrame:
    return pd.read_csv(RECORD, comment="#") if RECORD.exists() else pd.DataFrame(columns=ROWS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--net", nargs="+")
    parser.add_argument("--seed", nargs="+", type=int)
    options = parser.parse_args()
    every = [*ENGINEERING["conditions"], *ENGINEERING["zoo"]]
    first = ("none", "pixels within", "pixels outside")  # the main question
    wanted = [*product(ENGINEERING["seeds"], first),
              *product(ENGINEERING["zoo_seeds"], ENGINEERING["zoo"]),
              *product(ENGINEERING["seeds"], [c for c in ENGINEERING["conditions"]
                                              if c not in first])]  # fmt: skip
    for seed, name in wanted:
        if (options.net and name not in options.net) or (
                options.seed and seed not in options.seed):  # fmt: skip
            continue
        there = _read()
        if len(there[(there.net == name) & (there.seed == seed)]):
            continue
        start = time.process_time()
        rows = measured(name, seed)
        there = _read()
        table = pd.concat([there, rows]) if len(there) else rows
        order = {net: k for k, net in enumerate(every)}
        table = table.sort_values("net", key=lambda s: s.map(order), kind="stable")
        table = table.sort_values("seed", kind="stable")
        part = RECORD.with_suffix(".part")
        header = "# tools/record_engineering.py made it; data.engineering says what it is\n"
        part.write_text(header + table.to_csv(index=False, float_format="%.6g"))
        part.replace(RECORD)
        found = rows[rows.measure.isin(["clean", "Linf"])].value.round(3).tolist()
        print(name, seed, found, f"{time.process_time() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
