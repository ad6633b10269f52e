"""How fast a folded net answers beside the net as it was trained.

    python benchmarks/folded.py [--batch 128]

`brainkit.models._folded.fold` is what the investigation of chapter 14 asks its nets through: batch
normalisation multiplied into the convolutions, channels kept together in memory. Prints for some
families of the zoo, in one run, the ratio of the times forward, and with the gradient of the
images, and the largest difference of the logits (sums taken in another order).
"""

import argparse
import time

import torch

from brainkit import models
from brainkit.models._folded import fold
from brainkit.models.vonenet import fixed_noise

NETS = ("resnet", "cornet_s", "noise_resnet", "vone_resnet", "vone_cornet_s")


def seconds(function, repeats=5):
    """The least of some runs, after one to warm up."""
    times = []
    for _ in range(repeats + 1):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times[1:])


def gradient(net, images):
    x = images.clone().requires_grad_()
    return torch.autograd.grad(net(x).logsumexp(1).sum(), x)[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=128)
    batch = parser.parse_args().batch
    torch.set_num_threads(1)
    images = torch.rand(batch, 1, 64, 64)
    for name in NETS:
        net = models.load(f"{name}-objects", 0).eval().requires_grad_(False)
        folded = fold(models.load(f"{name}-objects", 0))
        with fixed_noise(0), torch.no_grad():
            apart = (net(images) - folded(images)).abs().max()
            forward = seconds(lambda n=net: n(images)) / seconds(lambda n=folded: n(images))
        back = (seconds(lambda n=net: gradient(n, images))
                / seconds(lambda n=folded: gradient(n, images)))  # fmt: skip
        print(f"{name}: {forward:.1f} times as fast, with the gradient {back:.1f} times; logits "
              f"differ by {apart:.0e}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
