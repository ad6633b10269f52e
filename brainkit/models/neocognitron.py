"""The Neocognitron (Fukushima 1980): simple and complex cells, stacked, learned without labels.

Fukushima took Hubel and Wiesel's hierarchy at its word. Each stage is a layer of S-cells, which
detect a feature at every position, and a layer of C-cells, which pool S-cells of one feature
over neighbouring positions, so that the response survives a small shift. Each stage's S-cells
look at the C-cells of the stage before.

What is kept of the original: fixed oriented cells in the first stage; the later stages' features
learned by competition, where the cell that answers a patch best, and it alone, moves towards it;
S-cells that divide by the patch's own strength (Fukushima's inhibitory V-cells) and fire only
above a threshold of similarity; C-cells that pool under a Gaussian. What is new is size, and
that learning takes all patches of a batch at once.

    net = neocognitron()
    net.learn(images)                  # features, no labels
    net.fit_read_out(images, labels)   # one linear layer
    logits = net(images)
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from brainkit._inputs import check_images, pair
from brainkit.models.gabors import gabor

__all__ = ["CCells", "Neocognitron", "SCells", "neocognitron"]

_EPSILON = 1e-6


class Contrast(nn.Module):
    """What the retina passes on: each pixel less the mean of its surroundings.

    The surroundings are a Gaussian window; uniform regions come out as zero, whatever their
    brightness. Fukushima's later nets begin with this layer, in on- and off-centre planes.
    """

    def __init__(self, sigma: float = 3.0):
        super().__init__()
        self.sigma = sigma

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (n, c, h, w) -> (n, c, h, w)
        rows, columns = (_gaussian(length, 1, self.sigma).to(x) for length in x.shape[-2:])
        return x - rows @ x @ columns.T


class SCells(nn.Conv2d):
    """A layer of S-cells: each of its planes looks for one feature, at every position.

    The response is the patch's strength times how far its similarity to the feature (the cosine
    of the angle between them) exceeds a threshold: |x| max(0, cos(x, w) - threshold) / (1 -
    threshold). Dividing by |x| is what shunting inhibition by the V-cells did; in this form:
    Fukushima 2003, Neurocomputing 51, 161.

    Attributes:
        templates: (planes, channels, k, k), each of unit length: the convolution's weight. It
            requires no gradient, because none trains it.
    """

    def __init__(self, planes: int, channels: int, size: int, threshold: float):
        super().__init__(channels, planes, size, bias=False)
        if not 0 <= threshold < 1:
            raise ValueError(f"threshold={threshold} is a cosine that must be exceeded: 0 <= x < 1")
        self.threshold = threshold
        self.size = size
        nn.init.zeros_(self.weight.requires_grad_(False))

    @property
    def templates(self) -> torch.Tensor:
        return self.weight

    @property
    def learned(self) -> bool:
        return bool(self.templates.any())

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (n, c, h, w) -> (n, planes, h, w)
        # Repeating the border, not padding with zeros: an image's rim is no edge.
        x = F.pad(x, (self.size // 2,) * 4, mode="replicate")
        excitation = F.conv2d(x, self.weight)
        energy = x.square().sum(1, keepdim=True)  # (n, 1, h + k - 1, w + k - 1)
        window = torch.ones(1, 1, self.size, self.size, dtype=x.dtype, device=x.device)
        strength = (F.conv2d(energy, window) + _EPSILON).sqrt()  # |x| of each patch
        return F.relu(excitation - self.threshold * strength) / (1 - self.threshold)


class CCells(nn.Module):
    """A layer of C-cells: the S-cells of one plane, pooled under a Gaussian, then thinned out.

    A C-cell is the root of a weighted mean of squares, between a mean and a maximum: any S-cell
    in its field can drive it.
    """

    def __init__(self, sigma: float, stride: int):
        super().__init__()
        self.sigma, self.stride = sigma, stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (n, c, h, w) -> (n, c, h/s, w/s)
        # A Gaussian is separable, and a product with a matrix for rows and for columns is several
        # times as fast on a CPU as convolving each plane.
        rows, columns = (
            _gaussian(length, self.stride, self.sigma).to(x) for length in x.shape[-2:]
        )
        return (rows @ x.square() @ columns.T + _EPSILON**2).sqrt()


class Neocognitron(nn.Module):
    """Three stages of S- and C-cells, and a linear read-out.

    Layers, for recording and in order: `retina`, `S1`, `C1`, `S2`, `C2`, `S3`, `C3`, `read_out`.
    """

    def __init__(
        self,
        n_classes: int = 8,
        orientations: int = 8,
        planes: tuple[int, int] = (32, 64),
        thresholds: tuple[float, float, float] = (0.3, 0.5, 0.5),
    ):
        super().__init__()
        self.retina = Contrast()  # (n, 1, 64, 64)
        self.S1 = SCells(2 * orientations, 1, 7, thresholds[0])  # (n, 16, 64, 64)
        self.C1 = CCells(sigma=1.5, stride=2)  # (n, 16, 32, 32)
        self.S2 = SCells(planes[0], 2 * orientations, 5, thresholds[1])  # (n, 32, 32, 32)
        self.C2 = CCells(sigma=1.5, stride=2)  # (n, 32, 16, 16)
        self.S3 = SCells(planes[1], planes[0], 5, thresholds[2])  # (n, 64, 16, 16)
        self.C3 = CCells(sigma=2.0, stride=4)  # (n, 64, 4, 4)
        self.read_out = nn.Linear(planes[1] * 4 * 4, n_classes)
        nn.init.zeros_(self.read_out.weight)
        self.S1.templates.copy_(_oriented_cells(orientations, self.S1.size))

    @property
    def stages(self) -> tuple[tuple[str, nn.Module], ...]:
        names = ("retina", "S1", "C1", "S2", "C2", "S3", "C3")
        return tuple((name, getattr(self, name)) for name in names)

    def _before(self, images: torch.Tensor, stop: str) -> torch.Tensor:
        """What the layer called `stop` is given."""
        x = images
        for name, layer in self.stages:
            if name == stop:
                return x
            x = layer(x)
        return x

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Responses of the last C-cells, (n, planes * 16), unit length for each image."""
        if not (self.S2.learned and self.S3.learned):
            raise RuntimeError("this Neocognitron has learned no features yet: call learn(images)")
        return F.normalize(self._before(images, "read_out").flatten(1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:  # (n, 1, 64, 64) -> (n, 8)
        if not torch.jit.is_scripting():
            check_images(images, 1, 64, dtype=self.read_out.weight.dtype)
        return self.read_out(self.features(images))

    @torch.no_grad()
    def learn(
        self, images: torch.Tensor, n_patches: int = 8192, rounds: int = 8, seed: int = 0
    ) -> Neocognitron:
        """Learn the features of stages 2 and 3 by competition, without labels.

        Args:
            images: (n, 1, h, w) in [0, 1]; a few hundred are enough.
            n_patches: how many patches compete in each stage.
            rounds: passes over them.
            seed: of the patches and of the cells' starting points.

        Returns:
            The net itself.

        Raises:
            ValueError: images of another shape, or outside [0, 1].
        """
        check_images(images, 1, dtype=self.S1.templates.dtype)
        generator = torch.Generator().manual_seed(seed)
        for name in ("S2", "S3"):
            layer = getattr(self, name)
            below = torch.cat([self._before(x, name) for x in images.split(128)])
            patches = _patches(below, layer.size, n_patches, generator)
            layer.templates.copy_(
                compete(patches, len(layer.templates), rounds, generator).view_as(layer.templates)
            )
        return self

    @torch.no_grad()
    def fit_read_out(
        self, images: torch.Tensor, labels: torch.Tensor, ridge: float = 1e-2
    ) -> Neocognitron:
        """Fit the linear read-out to labels: ridge regression on one-hot targets, closed form.

        Args:
            images: (n, 1, 64, 64) in [0, 1].
            labels: (n,), class indices.
            ridge: strength of the penalty, as a share of the features' mean variance.

        Returns:
            The net itself.

        Raises:
            TypeError, ValueError: images or labels that are none, or do not fit together.
        """
        images, labels = pair((images, labels))
        check_images(images[:1], 1, 64, dtype=self.read_out.weight.dtype)
        x = torch.cat([self.features(batch) for batch in images.split(128)]).double()
        classes = self.read_out.out_features
        y = F.one_hot(labels, classes).double() - 1 / classes
        mean = x.mean(0)
        x = x - mean
        covariance = x.T @ x
        penalty = ridge * covariance.diagonal().mean() * torch.eye(len(covariance))
        weights = torch.linalg.solve(covariance + penalty, x.T @ (y - y.mean(0)))
        self.read_out.weight.copy_(weights.T)
        self.read_out.bias.copy_(y.mean(0) - mean @ weights)
        return self


def _gaussian(length: int, stride: int, sigma: float) -> torch.Tensor:
    """(length / stride, length): each row a Gaussian around one output's place, of sum one."""
    centres = torch.arange(0, length, stride) + (stride - 1) / 2
    distance = torch.arange(length) - centres[:, None]
    return F.normalize(torch.exp(-0.5 * (distance / sigma) ** 2), p=1, dim=1)


def neocognitron(n_classes: int = 8, **options) -> Neocognitron:
    """A Neocognitron that has learned nothing yet. Options as `Neocognitron`'s."""
    return Neocognitron(n_classes, **options)


def compete(
    patches: torch.Tensor, cells: int, rounds: int, generator: torch.Generator
) -> torch.Tensor:
    """Competitive learning: each patch is won by one cell, which moves towards what it has won.

    With all patches taken at once this is spherical k-means (Dhillon & Modha 2001). A cell that
    wins nothing starts again at the patch that is served worst, as Fukushima planted a new cell
    where no cell answered.

    Args:
        patches: (n, d), not zero.
        cells: how many features to learn.
        rounds: passes over the patches.
        generator: decides where the cells start.

    Returns:
        (cells, d), each of unit length.
    """
    if len(patches) < cells:
        raise ValueError(f"{cells} cells compete for {len(patches)} patches; give more images")
    patches = F.normalize(patches)
    templates = patches[torch.randperm(len(patches), generator=generator)[:cells]].clone()
    for _ in range(rounds):
        similarity, winner = (patches @ templates.T).max(1)  # (n,), (n,)
        won = torch.zeros_like(templates).index_add_(0, winner, patches)
        idle = torch.bincount(winner, minlength=cells) == 0
        worst = similarity.argsort()[: int(idle.sum())]
        won[idle] = patches[worst]
        templates = F.normalize(won)
    return templates


def _patches(maps: torch.Tensor, size: int, n: int, generator: torch.Generator) -> torch.Tensor:
    """Random patches (n, c * size * size) of maps (m, c, h, w), the stronger the likelier."""
    h, w = maps.shape[-2:]
    inner = maps[:, :, size // 2 : h - size // 2, size // 2 : w - size // 2]
    energy = inner.square().sum(1).flatten()  # (m * h' * w',)
    # Fukushima's cells learn where the response is largest; patches are drawn by their strength.
    key = torch.rand(len(energy), generator=generator).log() / (energy + 1e-12)
    chosen = key.topk(min(n, len(energy))).indices
    hh, ww = inner.shape[-2:]
    image, rest = chosen // (hh * ww), chosen % (hh * ww)
    row, column = rest // ww, rest % ww
    steps = torch.arange(size)
    # (n, size, size, c) by advanced indexing, then back to (c, size, size) order
    patch = maps[image[:, None, None], :, (row[:, None] + steps)[:, :, None],
                 (column[:, None] + steps)[:, None, :]]  # fmt: skip
    return patch.permute(0, 3, 1, 2).flatten(1)


def _oriented_cells(orientations: int, size: int) -> torch.Tensor:
    """Fixed S-cells of the first stage: odd Gabors of both polarities, unit length, zero mean."""
    angle = torch.arange(orientations) * (torch.pi / orientations)
    cells = gabor(size, 0.14, angle.repeat(2), torch.tensor([0.5, -0.5]).repeat_interleave(
        orientations) * torch.pi, sigma_across=1.6, sigma_along=2.4)  # fmt: skip
    cells = cells - cells.mean((1, 2), keepdim=True)
    return F.normalize(cells.flatten(1)).view(2 * orientations, 1, size, size)
