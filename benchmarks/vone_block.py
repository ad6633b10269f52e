"""How fast a VOneBlock is beside what it replaces, two dense three-channel convolutions.

    python benchmarks/vone_block.py [--threads 1] [--batch 8] [--device cuda]

A dense bank convolves all three channels with each of the 512 filters, twice; a filter reads one
channel, though, and only the complex cells need the second of a pair. VOneBlock therefore
convolves each channel with the filters that read it: a quarter of the multiplications. Large
images are taken one at a time, so that what follows the convolution finds its answers in the
cache. Prints the ratio of the times of both, whole (with rectification, energy and gain), in one
run, forward and with the gradient of the images, and the largest difference of their outputs
relative to the largest output.
"""

import argparse
import time

import torch
import torch.nn.functional as F

from brainkit.models.vonenet import VOneBlock


def dense(block, x):
    """The block's rates by two dense convolutions."""
    first, second = (F.conv2d(x, bank.weight, None, block.stride, bank.weight.shape[-1] // 2)
                     for bank in (block.simple_conv_q0, block.simple_conv_q1))
    n = block.simple_channels
    energy = (first[:, n:].square() + second[:, n:].square()) / 2
    return block.k_exc * torch.cat([first[:, :n].relu(), energy.add(1e-12).sqrt()], 1)


def gradient(function, x):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(function(x).square().mean(), x)[0]


def seconds(function, device, repeats=3):
    """The least of some runs, after one to warm up."""
    times = []
    for _ in range(repeats + 1):
        if device == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        function()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times[1:])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=8)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    block = VOneBlock(noise=None).to(args.device)
    x = torch.rand(args.batch, 3, 224, 224, device=args.device) * 2 - 1
    with torch.no_grad():
        ours, theirs = block(x), dense(block, x)
        error = ((ours - theirs).abs().max() / theirs.abs().max()).item()
        fast = seconds(lambda: block(x), args.device)
        slow = seconds(lambda: dense(block, x), args.device)
    print(f"forward: {slow / fast:.2f} times as fast ({fast / args.batch * 1e3:.0f} ms an image); "
          f"largest difference {error:.1e}")
    fast = seconds(lambda: gradient(block, x), args.device, 2)
    slow = seconds(lambda: gradient(lambda z: dense(block, z), x), args.device, 2)
    print(f"forward and gradient by the images: {slow / fast:.2f} times as fast")


if __name__ == "__main__":
    main()
