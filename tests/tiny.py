"""A small untrained net and images for it: what holds of every net is quickest tested on these."""

import torch
from torch import nn


def net(seed=0, classes=8):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = nn.Sequential(nn.Conv2d(1, 8, 3, 2), nn.ReLU(), nn.Flatten(),
                             nn.Linear(128, classes))  # fmt: skip
    return made.eval().requires_grad_(False)


def images(n=24, low=0.0, high=1.0, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return low + (high - low) * torch.rand(n, 1, 10, 10, generator=generator)


class Noisy(nn.Module):
    def __init__(self, inner, size=0.3):
        super().__init__()
        self.inner, self.size = inner, size

    def forward(self, x):
        return self.inner(x + self.size * torch.randn_like(x))
