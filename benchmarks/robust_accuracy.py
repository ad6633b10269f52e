"""How fast robust_accuracy is beside one run of torchattacks' PGD for each epsilon.

    OMP_NUM_THREADS=1 python benchmarks/robust_accuracy.py [--images 64] [--steps 20]

Five epsilons under Linf, the same images and number of steps, for a plain net of the zoo and one
trained against attacks. A run for each epsilon attacks every image at each to the end;
robust_accuracy halves the interval in which an image's threshold lies, and leaves an image as soon
as it is fooled. Prints the ratio of the times of both in one run, and both accuracies: a faster
attack counts for something only where it is no weaker.
"""

import argparse
import time

import torch
import torchattacks

from brainkit import attacks, models, objects

EPSILONS = (1 / 1020, 1 / 510, 1 / 255, 2 / 255, 4 / 255)
NETS = ("resnet-objects", "adversarial_resnet-objects")


def plain(net, images, labels, steps):
    """The right answers (e, n) after a run for each epsilon."""
    right = []
    for epsilon in EPSILONS:
        attack = torchattacks.PGD(net, eps=epsilon, alpha=2.5 * epsilon / steps, steps=steps)
        attacked = [attack(*part) for part in zip(images.split(128), labels.split(128),
                                                  strict=True)]
        with torch.no_grad():
            right.append(net(torch.cat(attacked)).argmax(1) == labels)
    return torch.stack(right)


def timed(function, *arguments, **settings):
    start = time.perf_counter()
    result = function(*arguments, **settings)
    return result, time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    given = objects.sample(args.images, "medium", seed=4000)
    images, labels = given.images, given.labels
    print(f"{args.images} images, {args.steps} steps, Linf at "
          f"{', '.join(f'{255 * e:g}' for e in EPSILONS)} grey levels")
    for name in NETS:
        net = models.load(name)
        attacks.fgsm(net, images, labels, 0.01)  # to warm up
        ours, fast = timed(attacks.robust_accuracy, net, images, labels, "Linf", EPSILONS,
                           steps=args.steps)
        theirs, slow = timed(plain, net, images, labels, args.steps)
        print(f"{name}: torchattacks {slow:.1f} s, brainkit {fast:.1f} s: "
              f"{slow / fast:.1f} times as fast")
        for who, accuracy in (("torchattacks", theirs.double().mean(1)),
                              ("brainkit", ours.accuracy)):
            print(f"  {who:12}", " ".join(f"{a:6.1%}" for a in accuracy))


if __name__ == "__main__":
    main()
