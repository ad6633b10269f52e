"""How fast several draws of a noisy net are beside passing the images through it each time.

    python benchmarks/noisy_draws.py [--draws 16] [--batch 64]

What comes before the noise gives every draw the same answer; `vonenet.draws`, `attacks.Averaged`
and the measures of the manifolds compute it once. Prints for each noisy family of the zoo, in one
run, the ratio of the times forward, and with the gradient of the images, and the largest
difference of the answers (none) and of the gradients (sums taken in another order).
"""

import argparse
import time

import torch

from brainkit import attacks, models, objects
from brainkit.models.vonenet import draws, fixed_noise

NETS = ("vone_resnet", "vone_resnet_simple", "vone_cornet_s", "noise_resnet")


def seconds(function, repeats=3):
    """The least of some runs, after one to warm up."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times[1:])


@torch.no_grad()
def one_by_one(net, images, n):
    answers = []
    for k in range(n):
        with fixed_noise(k):
            answers.append(net(images))
    return torch.stack(answers)


def gradient(ask, images):
    x = images.clone().requires_grad_()
    with fixed_noise(0):
        return torch.autograd.grad(ask(x).square().sum(), x)[0]


def compare(name, images, n):
    net = models.load(f"{name}-objects", seed=0).eval()
    mean = attacks.Averaged(net, n)

    def each(x):
        return sum(net(x) for _ in range(n)) / n

    forward = seconds(lambda: one_by_one(net, images, n))
    forward /= seconds(lambda: draws(net, images, n))
    backward = seconds(lambda: gradient(each, images))
    backward /= seconds(lambda: gradient(mean, images))
    apart = (one_by_one(net, images, n) - draws(net, images, n)).abs().max()
    wrong = (gradient(each, images) - gradient(mean, images)).abs().max()
    print(f"{name}: {n} draws {forward:.1f} times as fast, with the gradient {backward:.1f} times; "
          f"answers differ by {apart:.1g}, gradients by {wrong:.1g}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=16)
    parser.add_argument("--batch", type=int, default=64)
    args = parser.parse_args()
    torch.set_num_threads(1)
    images, n = objects.sample(args.batch, "medium", seed=0).images, args.draws
    for name in NETS:
        compare(name, images, n)


if __name__ == "__main__":
    main()
