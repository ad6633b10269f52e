"""The cards of the nets that brainkit ships, from the records of the runs that made them."""

from pathlib import Path

import yaml

from brainkit import claims
from brainkit.models import zoo

RECIPES = Path(zoo.__file__).with_name("recipes")
FORMATS = {"int8": "eight bits a weight", "float16": "float16", "float32": "float32"}
TABLES = {  # the test set that a table's accuracy is of, by the data a net was trained on
    "objects": ("medium", "Accuracy at medium variation"),
    "cifar10": ("test", "Accuracy on CIFAR-10's test photographs"),
}


def described() -> dict[str, str]:
    """What each family is, in a sentence, as the recipes say it."""
    families = {}
    for path in sorted(RECIPES.glob("*.yml")):
        recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
        families |= {name: family["what"] for name, family in recipe["families"].items()}
    return families


def text(directory: Path | None = None) -> str:
    """Tables of all shipped nets by their data, then each family's card, in the recipes' order."""
    shipped, what = zoo.available(directory), described()
    if not shipped:
        return "No net is shipped yet.\n"
    names = [name for name in what if name in shipped]
    names += [name for name in shipped if name not in what]
    records = {name: [zoo.record(name, seed, directory) for seed in shipped[name]]
               for name in names}
    tables = []
    for source, (level, title) in TABLES.items():
        own = {n: runs for n, runs in records.items() if runs[0]["data"]["source"] == source}
        tables += [_table(own, level, title)] if own else []
    return "\n".join([*tables, *(_card(n, r, what.get(n, "")) for n, r in records.items())])


def _mean(runs: list[dict], level: str) -> str:
    values = [run["accuracy"][level]["value"] for run in runs]
    mean = f"{sum(values) / len(values):.1%}"
    if len(values) < 2:
        return mean
    low, high = claims.interval(values)
    return f"{mean} [{low:.1%}, {high:.1%}]"


def _table(records: dict[str, list[dict]], level: str, title: str) -> str:
    rows = [f"| Net | {title} | Parameters | MMAC | Seeds |",
            "|---|---|--:|--:|--:|"]
    for name, runs in records.items():
        first = runs[0]
        rows.append(f"| [{name}](#{_label(name)}) | {_mean(runs, level)} | "
                    f"{first['parameters']:,} | {first['macs'] / 1e6:.1f} | {len(runs)} |")
    return "\n".join(rows) + "\n"


def _label(name: str) -> str:
    return "net-" + name.replace("_", "-")


def _formats(runs: list[dict]) -> str:
    """How the nets of a family are stored; those that lost too much by it are stored wider."""
    first = runs[0]["format"]
    others = [f"seed {run['seed']}: {FORMATS[run['format']]}" for run in runs
              if run["format"] != first]
    return FORMATS[first] + (f" ({', '.join(others)})" if others else "")


def _aligned(to: str, weight: float, images: int, wrong: bool = False, **_) -> str:
    """The second loss of an aligned net, in a sentence."""
    whose = ", each of another image (the control)" if wrong else ""
    what = (f"1 - CKA of its last stage with the responses of a simulated IT{whose}"
            if to == "simulated IT" else
            f"the harmonisation loss with the objects' smoothed masks{whose}")
    return f"Plus {weight:g} times {what}, on {images:,} of the training images."


def _data(data: dict) -> tuple[str, str]:
    """What a net was trained on, and what its accuracy is of."""
    if data["source"] == "cifar10":
        return "CIFAR-10's 50,000 training photographs", "its 10,000 test photographs"
    train, test = data["train"], data["test"]
    return (f"{train['n']:,} rendered objects at {train['variation']} variation, seed "
            f"{train['seed']}",
            f"{test['n']:,} new images (seed {test['seed']}) a level")


def _card(name: str, runs: list[dict], what: str) -> str:
    first = runs[0]
    data, training = first["data"], dict(first["training"])
    if training.get("untrained"):
        how = "Not trained: the start of the others."
    elif "unlabelled" in training:
        how = (f"Features from the first {training['unlabelled']} images without labels; the "
               "labels of all for a linear read-out.")
    else:
        smoothing = training["label_smoothing"]
        how = (f"{training['epochs']} epochs in batches of {training['batch_size']}, "
               f"{training['optimiser']}, learning rate up to {training['lr']:g} "
               f"({training['schedule']}), weight decay {training['weight_decay']:g}"
               + (", mirrored half of the time" if training["flip"] else "")
               + (f", labels smoothed by {smoothing:g}" if smoothing else "") + ".")
    if "against" in first:
        attack = first["against"]
        how += (f" Trained on attacked images: PGD, {attack['epsilon'] * 255:g}/255, "
                f"{attack['steps']} steps.")
    if "align" in first:
        how += " " + _aligned(**first["align"])
    devices = sorted({f"{run['device']}, torch {run['torch']}" for run in runs})
    seconds = sum(run["seconds"] for run in runs) / len(runs)
    seen, asked = _data(data)
    accuracy = "; ".join(f"{level} {_mean(runs, level)}" for level in first["accuracy"])
    options = f" with {first['options']}" if first["options"] else ""
    hashes = "<br>".join(f"{run['seed']}: `{run['sha256'][:16]}…`" for run in runs)
    rows = {
        "Load it": f'`brainkit.models.load("{name}", seed={runs[0]["seed"]})`',
        "Architecture": f"`{first['architecture']}`{options}, {first['parameters']:,} parameters, "
                        f"{first['macs'] / 1e6:.1f} MMAC an image, {first['layers']} layers",
        "Data": seen,
        "Training": how,
        "Made": f"{seconds:.0f} s a net on {', '.join(devices)}; {first['date']}",
        "Accuracy": f"{accuracy}, on {asked}; mean over {len(runs)} seeds with its 95 % t interval",
        "File": f"safetensors, {_formats(runs)}, {first['bytes'] / 1e3:.0f}\u00a0kB"
                + (", without the Gabors, which their settings give" if "vone" in name else "")
                + "; MIT licence",
        "SHA-256 by seed": hashes,
    }
    lines = [f"({_label(name)})=", f"### {name}", "", what, "", "| | |", "|---|---|"]
    lines += [f"| {key} | {value} |" for key, value in rows.items()]
    return "\n".join(lines) + "\n"

