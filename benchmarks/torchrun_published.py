"""A published-size net trained from a folder of images by several processes: killed and resumed.

    python benchmarks/torchrun_published.py [--family cornet_s] [--processes 2] [--steps 4]
                                            [--batch 4] [--size 224]

Writes a folder of random images, trains the family of the recipe imagenet on it by torchrun and
the real command line, once in one go and once killed after its first checkpoint and started
again, and compares the two nets' files byte by byte and number by number. Prints a table; the
seconds are those of training steps, loading and checkpoints included, evaluation not.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file

from brainkit import recipes
from brainkit.models import zoo


def write_images(folder, n_train, n_val, side):
    random = np.random.default_rng(0)
    for part, n in (("train", n_train), ("val", n_val)):
        for i in range(n):
            path = folder / part / f"class{i % 2}" / f"{i}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(path)


def write_recipe(path, family, batch, size):
    """The shipped recipe, for one epoch of small batches and with the published 1,000 outputs."""
    content = yaml.safe_load((recipes.RECIPES / "imagenet.yml").read_text())
    content["data"] |= {"size": size, "resize": size * 256 // 224}
    content["training"] |= {"batch_size": batch}
    content["families"][family]["options"] = {"n_classes": 1000}
    content["families"][family].setdefault("training", {})["epochs"] = 1
    path.write_text(yaml.safe_dump(content))


def start(top, out, args, every):
    return subprocess.Popen(
        [sys.executable, "-m", "torch.distributed.run", "--standalone",
         f"--nproc_per_node={args.processes}", "-m", "brainkit.training", top / "recipe.yml",
         "--family", args.family, "--data", top / "images", "--out", top / out,
         "--device", args.device, "--workers", "1", "--checkpoint-every", str(every)],
        env={"OMP_NUM_THREADS": "1", **os.environ})  # fmt: skip


def finish(run):
    if run.wait():
        sys.exit("the run failed")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--family", default="cornet_s")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--batch", type=int, default=4, help="images a step, of all processes")
    parser.add_argument("--size", type=int, default=224, help="of the images in pixels")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        write_images(top / "images", args.steps * args.batch, 4, args.size * 256 // 224)
        write_recipe(top / "recipe.yml", args.family, args.batch, args.size)
        finish(start(top, "whole", args, every=args.steps))

        unfinished = top / "parts" / f"{args.family}-seed0.unfinished"
        run = start(top, "parts", args, every=1)
        while not unfinished.exists():
            if run.poll() is not None:
                sys.exit("the run failed")
            time.sleep(0.05)
        run.terminate()
        run.wait()
        done = torch.load(unfinished, weights_only=True)["begun"]["done"]
        size = unfinished.stat().st_size
        finish(start(top, "parts", args, every=1))

        files = [zoo.files(args.family, 0, top / out)[0] for out in ("whole", "parts")]
        whole, parts = map(load_file, files)
        differing = sum(int((whole[key] != parts[key]).sum()) for key in whole)
        numbers = sum(value.numel() for value in whole.values())
        records = [zoo.record(args.family, 0, top / out) for out in ("whole", "parts")]
        print(f"\n{args.family}, {records[0]['parameters']:,} parameters, {args.size} pixels, "
              f"batches of {args.batch}, {args.processes} processes, {records[0]['device']}")
        print("| run | steps | seconds a step | sha256 of the weights |\n|---|--:|--:|---|")
        for run, steps, about in zip(
            ("in one go", f"killed after step {done} and resumed, kept after each"),
            (args.steps, f"{done} + {args.steps - done}"), records, strict=True,
        ):  # fmt: skip
            print(f"| {run} | {steps} | {about['seconds'] / args.steps:.1f} | "
                  f"{about['sha256'][:16]} |")
        print(f"{differing:,} of {numbers:,} numbers differ; the files are "
              f"{'the same' if files[0].read_bytes() == files[1].read_bytes() else 'different'}; "
              f"the checkpoint is of {size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
