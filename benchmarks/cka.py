"""How fast `similarity.cka_map` is beside torch-cka, and where the two differ.

    python benchmarks/cka.py [--images 256] [--batch 64] [--side 64] [--threads 1] [--layers all]

Both compare the same layers of a ResNet-18 and a ResNet-34 (random weights: the time is the same)
on the same images in the same batches, in one run. torch-cka 0.21 makes the Gram matrix of the
second net's layer and three HSICs anew for each pair of layers and batch; `cka_map` centres one
Gram matrix for each layer and takes all pairs' HSIC in one product. Where torch-cka is not
installed, a re-implementation of what it does stands in for it, and the output says so.

Then some small cases in which torch-cka is wrong, each with the value by the definition (the
unbiased HSIC of Song et al. 2012 with n x n matrices, float64).
"""

import argparse
import contextlib
import io
import time
import warnings
from copy import deepcopy

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchvision.models import resnet18, resnet34

from brainkit.similarity import cka_map

try:
    from torch_cka import CKA
except ImportError:
    CKA = None


class StandIn:
    """What torch-cka 0.21 does for each batch and pair of layers, written anew."""

    def __init__(self, model1, model2, model1_layers, model2_layers):
        self.models, self.answers = (model1.eval(), model2.eval()), ({}, {})
        for model, layers, answers in zip(
            self.models, (model1_layers, model2_layers), self.answers, strict=True
        ):
            for name, module in model.named_modules():
                if name in layers:
                    module.register_forward_hook(
                        lambda m, i, out, name=name, answers=answers: answers.update({name: out})
                    )
        self.hsic_matrix = torch.zeros(len(model1_layers), len(model2_layers), 3)

    @staticmethod
    def hsic(K, L):
        n, ones = len(K), torch.ones(len(K), 1)
        value = torch.trace(K @ L)
        value += ((ones.T @ K @ ones @ ones.T @ L @ ones) / ((n - 1) * (n - 2))).item()
        value -= ((ones.T @ K @ L @ ones) * 2 / (n - 2)).item()
        return (value / (n * (n - 3))).item()

    @staticmethod
    def gram(answer):
        x = answer.flatten(1)
        return (x @ x.T).fill_diagonal_(0)

    def compare(self, loader1, loader2):
        sums = self.hsic_matrix
        for (x1, *_), (x2, *_) in zip(loader1, loader2, strict=True):
            self.models[0](x1), self.models[1](x2)
            for i, first in enumerate(self.answers[0].values()):
                K = self.gram(first)
                sums[i, :, 0] += self.hsic(K, K)
                for j, second in enumerate(self.answers[1].values()):
                    L = self.gram(second)
                    sums[i, j, 1] += self.hsic(K, L)
                    sums[i, j, 2] += self.hsic(L, L)
        self.hsic_matrix = sums[..., 1] / (sums[..., 0].sqrt() * sums[..., 2].sqrt())


def theirs(model_a, model_b, layers_a, layers_b, images, batch, shuffle=False):
    loader = DataLoader(TensorDataset(images), batch, shuffle=shuffle)
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        tool = (CKA or StandIn)(
            model_a, model_b, model1_layers=layers_a, model2_layers=layers_b
        )
        # It asserts that its map holds no NaN, once the map is made.
        with contextlib.suppress(AssertionError):
            tool.compare(loader, loader)
    return tool.hsic_matrix.detach()


def by_definition(x, y):
    """Debiased CKA of (n, p) and (n, q)."""
    K, L = (z.double() @ z.double().T for z in (x - x.mean(0), y - y.mean(0)))
    n, one = len(K), torch.ones(len(K), dtype=torch.float64)
    K, L = (M - M.diag().diag() for M in (K, L))

    def hsic(A, B):
        return ((A @ B).trace() + (one @ A @ one) * (one @ B @ one) / (n - 1) / (n - 2)
                - 2 / (n - 2) * (one @ A @ B @ one))  # fmt: skip

    return float(hsic(K, L) / (hsic(K, K) * hsic(L, L)).sqrt())


def compare_speed(args):
    torch.manual_seed(0)
    nets = resnet18().eval(), resnet34().eval()
    kinds = (nn.Conv2d,)
    if args.layers == "all":  # that run once in a pass, so that both have the same rows
        kinds = (nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d, nn.AdaptiveAvgPool2d, nn.Linear)
    layers = [[name for name, module in net.named_modules() if isinstance(module, kinds)]
              for net in nets]  # fmt: skip
    # Smooth, and normalised: more alike ones give torch-cka NaN, by cancellation in float32.
    images = nn.functional.interpolate(torch.randn(args.images, 3, 4, 4), args.side,
                                       mode="bicubic")  # fmt: skip
    with torch.no_grad():
        nets[0](images[:4])
    # Seconds of processor time, which other programs on the machine do not count to.
    with torch.no_grad():
        start = time.process_time()
        for net in nets:
            for part in images.split(args.batch):
                net(part)
    forward = time.process_time() - start
    start = time.process_time()
    ours = cka_map(*nets, *layers, images, args.batch)
    middle = time.process_time()
    other = theirs(*nets, *layers, images, args.batch)
    end = time.process_time()
    print(f"{len(layers[0])} x {len(layers[1])} layers, {args.images} images of {args.side} "
          f"pixels, batches of {args.batch}, {args.threads} thread(s)")
    print(f"cka_map {middle - start:.1f} s (the nets alone {forward:.1f} s), torch-cka "
          f"{end - middle:.1f} s: {(end - middle) / (middle - start):.1f} times as fast")
    # An in-place ReLU overwrites what torch-cka has recorded of a normalisation.
    kept = [torch.tensor(["bn" not in name for name in names]) for names in layers]
    difference = (ours - other).abs()
    print("largest difference of the two maps where torch-cka's records are not overwritten: "
          f"{difference[kept[0]][:, kept[1]].max():.1e}; elsewhere: {difference.max():.1e}")


class Repeats(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(12, 12)

    def forward(self, x):
        return self.layer(self.layer(x).relu()).relu()


def show_faults():
    torch.manual_seed(0)
    x = torch.randn(64, 12)
    net = nn.Sequential(nn.Linear(12, 12), nn.ReLU(inplace=True), nn.Linear(12, 12)).eval()
    nested = nn.Sequential(nn.Sequential(nn.Linear(12, 12), nn.Tanh(), nn.Linear(12, 3)))
    repeats, shifted = Repeats(), nn.Sequential(nn.Linear(12, 12))
    nn.init.constant_(shifted[0].bias, 3000.0)
    with torch.no_grad():
        steps = repeats.layer(x), repeats.layer(repeats.layer(x).relu())
        cases = {
            "overwritten by an in-place ReLU ('0' of Linear, ReLU)":
                (net, net, ["0"], ["2"], net[0](x), net[2](net[0](x).relu()), {}),
            "rows by time of answer, names by order in the net: row '0' of '0', '0.0'":
                (nested, nested, ["0", "0.0"], ["0.0"], nested(x), nested[0][0](x), {}),
            "a layer that runs twice: its first answer with the input's":
                (repeats, net, ["layer"], ["0"], steps[0], net[0](x), {}),
            "a large common mean (3000), in float32":
                (shifted, net, ["0"], ["2"], shifted[0](x), net[2](net[0](x).relu()), {}),
            "a shuffling loader, a net with its copy":
                (net, deepcopy(net), ["2"], ["2"], x, x, {"shuffle": True}),
            "a last batch of 3 (64 = 61 + 3)":
                (net, net, ["0"], ["2"], net[0](x), net[2](net[0](x).relu()), {"batch": 61}),
        }  # fmt: skip
    for what, (a, b, layers_a, layers_b, first, second, options) in cases.items():
        options = {"batch": 64, "shuffle": False} | options
        try:
            other = f"{float(theirs(a, b, layers_a, layers_b, x, **options)[0, 0]):.4f}"
        except ZeroDivisionError:  # n - 3
            other = "ZeroDivisionError"
        loader = DataLoader(TensorDataset(x), options["batch"], shuffle=options["shuffle"])
        ours = float(cka_map(a, b, layers_a, layers_b, loader)[0, 0])
        print(f"{what}: torch-cka {other}, cka_map {ours:.4f}, by definition "
              f"{by_definition(first, second):.4f}")
    print(f"hooks left on that net by torch-cka: {len(net[0]._forward_hooks)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--layers", default="all", choices=["all", "conv"])
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print("beside " + ("torch-cka as installed" if CKA else
                       "a re-implementation of torch-cka's algorithm: it is not installed"))
    compare_speed(args)
    show_faults()


if __name__ == "__main__":
    main()
