"""How fast the objects are rendered, and what the analytic edges save against supersampling.

    python benchmarks/objects.py [--device cuda] [--n 2048]

Prints images per CPU second on one core (per second on a GPU), background and mask included; the
same for tangents; and, for the images of one set over a gray background, the time and the error of
one analytic sample per pixel beside plain supersampling, against 8 x 8 samples per pixel.
"""

import argparse
import time

import torch
import torch.nn.functional as F

from brainkit import objects


def clock(device):
    """Seconds: CPU time of this process, or wall time once the GPU has finished."""
    if device == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def timed(function, device):
    start = clock(device)
    result = function()
    return result, clock(device) - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--n", type=int, default=2048, help="images to time")
    args = parser.parse_args()
    torch.set_num_threads(1)
    device = args.device

    _, first = timed(lambda: objects.sample(64, device=device), device)
    print(f"first 64 images, recipes and textures included: {first:.2f} s")
    for variation in objects.VARIATIONS:
        for n in (64, args.n):
            _, seconds = timed(lambda v=variation, n=n: objects.sample(n, v, device=device), device)
            print(f"sample({n}, {variation!r}): {n / seconds:.0f} images/s")
    some = objects.sample(64, device=device)
    _, seconds = timed(lambda: objects.tangents(some), device)
    print(f"tangents, {len(objects.CONTINUOUS)} latents: {64 / seconds:.1f} images/s")

    def image(times):
        """64-pixel images from times x times samples per pixel, without soft edges' help."""
        drawn = objects.render(some.labels, some.exemplars, some.latents, size=64 * times,
                               background="gray", device=device).images
        return F.avg_pool2d(drawn, times)

    reference = image(8)
    for times in (1, 2, 4):
        drawn, seconds = timed(lambda k=times: image(k), device)
        error = (drawn - reference).square().mean().sqrt().item()
        print(f"{times} x {times} samples per pixel: {64 / seconds:6.0f} images/s, "
              f"RMS error {error:.4f}")


if __name__ == "__main__":
    main()
