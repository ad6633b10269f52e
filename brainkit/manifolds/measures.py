"""Are attacks within a net's manifold? The four questions, each answered beside its null.

Direction (how much of a change lies in the subspace), position (how unusual the changed point
is), cause (which part of the change flips the decision) and search (how far to the border when
confined to a subspace); and, for stimuli whose manifold is known, the true tangent space. All work
on one layer of one net and on one number an image; over seeds and layers the caller decides.

Sources: the questions are those of this course's investigation; cause is the static analogue of
Sadtler et al. 2014 (within- and outside-manifold perturbations), search confines the attack of
Moosavi-Dezfooli et al. 2016 (arXiv 1511.04599), position uses the descriptors of Hendrycks and
Gimpel 2017 (late components), Ma et al. 2018 (local dimension) and Lee et al. 2018 (Mahalanobis).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from brainkit.attacks.gradient import margin
from brainkit.manifolds.tails import Tail
from brainkit.models.vonenet import fixed_noise, silent_part_once

__all__ = ["PARTS", "auroc", "cause", "index", "natural_steps", "smallest_flip",
           "span", "taken", "tangent_energy"]  # fmt: skip


def natural_steps(
    images: Tensor, labels: Tensor, pool: Tensor, pool_labels: Tensor, lengths: Tensor, same: bool
) -> Tensor:
    """Steps towards the nearest other image, of the same class or of another: the natural null.

    Args:
        images, labels: (n, c, h, w) and (n,).
        pool, pool_labels: images to go towards, (m, c, h, w) and (m,); none of `images`.
        lengths: (n,) L2 lengths that the steps get, such as an attack's.
        same: towards an image of the same class, or of any other.

    Returns:
        (n, c, h, w): images + steps, not clipped.

    Raises ValueError if an image has no partner in the pool.
    """
    distance = torch.cdist(images.flatten(1), pool.flatten(1))  # (n, m)
    allowed = (labels[:, None] == pool_labels[None]) == same
    distance = distance.masked_fill(~allowed | (distance == 0), torch.inf)
    if distance.amin(1).isinf().any():
        raise ValueError("an image has no partner of that kind in the pool: give a larger pool")
    step = pool[distance.argmin(1)] - images
    return images + step * (lengths / step.flatten(1).norm(dim=1)).reshape(-1, 1, 1, 1)


def index(attack: np.ndarray, random: np.ndarray, natural: np.ndarray, resamples: int = 1000,
          seed: int = 0) -> float:  # fmt: skip
    """Where an attack's energy lies between random changes (0) and natural ones (1).

    Args: (n,) each, one number an image. Returns (attack - random) / (natural - random) of their
    means, or nan where the 95 % bootstrap interval of the denominator over images holds 0: there
    is then no scale to place the attack on.
    """
    gap = natural - random
    picks = np.random.default_rng(seed).integers(len(gap), size=(resamples, len(gap)))
    low, high = np.quantile(gap[picks].mean(1), [0.025, 0.975])
    if low <= 0 <= high:
        return float("nan")
    return float((attack.mean() - random.mean()) / gap.mean())


def auroc(changed: np.ndarray, clean: np.ndarray) -> float:
    """How well a score tells changed points (m,) from held-out clean ones (n,): 0.5 is not at all.

    The chance that a changed point scores higher than a clean one.
    """
    changed, clean = np.asarray(changed, float), np.asarray(clean, float)
    if not (np.isfinite(changed).all() and np.isfinite(clean).all()):
        raise ValueError("scores must be finite")
    truth = np.r_[np.ones(len(changed)), np.zeros(len(clean))]
    return float(roc_auc_score(truth, np.r_[changed, clean]))


# Of each image's displacement d with its parts within (P d) and outside (d - P d) the subspace.
PARTS = (
    "whole",  # d
    "within",  # P d
    "outside",  # d - P d
    "within, full length",  # P d, as long as d
    "outside, full length",  # (d - P d), as long as d
    "random within",  # a random direction of the subspace, as long as P d
    "random outside",  # a random direction of its complement, as long as d - P d
    "random within, full length",  # as long as d
    "random outside, full length",
)


def cause(
    tail: Tail, points: Tensor, labels: Tensor, changes: Tensor, subspace, seed: int = 0,
    known: dict[str, Tensor] | None = None, parts: Sequence[str] = PARTS,
) -> dict[str, Tensor]:
    """Which part of a displacement flips the decision, when the rest of the net sees it alone.

    Args:
        tail: the net from the layer on.
        points: (n, units) clean answers of the layer; of a stochastic net (draws, n, units), and
            the mean of its logits over draws decides.
        labels: (n,).
        changes: (n, units), the displacement by an attack.
        subspace: a `Subspace` of the layer.
        known: what this returned of the same changes and another subspace: "clean" and "whole"
            are taken from it.
        parts: which of `PARTS` are asked for; the whole always is.

    Returns:
        For each of the parts, (n,) booleans: no longer named right. "clean" is among them: what was
        wrong without any change, and belongs into no rate.
    """
    points = points if points.ndim == 3 else points[None]
    within = _tensor(subspace.within(changes), changes)
    outside = changes - within
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(changes.shape, generator=generator).to(changes)
    inside = _tensor(subspace.within(noise), changes)
    beyond = noise - inside
    whole = changes.norm(dim=1, keepdim=True)
    each = {
        "whole": changes, "within": within, "outside": outside,
        "within, full length": _long(within, whole),
        "outside, full length": _long(outside, whole),
        "random within": _long(inside, within.norm(dim=1, keepdim=True)),
        "random outside": _long(beyond, outside.norm(dim=1, keepdim=True)),
        "random within, full length": _long(inside, whole),
        "random outside, full length": _long(beyond, whole),
    }  # fmt: skip

    @torch.no_grad()
    def wrong(change) -> Tensor:
        return margin(_logits(tail, points, change), labels) >= 0

    each["clean"] = torch.zeros_like(changes)
    found = {name: known[name] for name in ("clean", "whole")} if known else {}
    names = dict.fromkeys(("clean", "whole", *parts))
    return {name: found[name] if name in found else wrong(each[name]) for name in names}


def smallest_flip(
    tail: Tail, points: Tensor, labels: Tensor, subspace=None, inside: bool = True,
    steps: int = 20, overshoot: float = 1.02,
) -> Tensor:
    """The length of the shortest change found that flips the decision, confined to a subspace.

    Newton's steps on the margin along its gradient's part in the subspace (or in its complement),
    from the clean point, until the net errs: an upper bound of the distance to the border.

    Args:
        tail, points, labels: as `cause`'s; of a stochastic net, the mean of its logits is flipped.
        subspace: a `Subspace`; None: free.
        inside: confined to the subspace; or to its complement.
        steps: how many at most.
        overshoot: how far beyond the linear guess each step goes.

    Returns:
        (n,) L2 lengths; 0 where the clean point is named wrong, infinite where no step flipped it.
    """
    points = points if points.ndim == 3 else points[None]
    total = torch.zeros_like(points[0])
    found = torch.full((len(labels),), torch.inf, dtype=points.dtype)
    left = torch.arange(len(labels))  # images that are flipped are left out of further steps

    def confined(gradient: Tensor) -> Tensor:
        if subspace is None:
            return gradient
        part = _tensor(subspace.within(gradient), gradient)
        return part if inside else gradient - part

    for step in range(steps + 1):
        change = total[left].requires_grad_()
        logits = _logits(tail, taken(points, left), change, left, len(labels))
        lack = margin(logits, labels[left])  # > 0: flipped
        done = (lack >= 0) & found[left].isinf()
        found[left[done]] = total[left[done]].norm(dim=1)
        done = found[left].isfinite()
        if step == steps or done.all():
            break
        (gradient,) = torch.autograd.grad(lack.sum(), change)
        direction = confined(gradient)
        square = direction.square().sum(1, keepdim=True).clamp_min(1e-20)
        # From where it is: just past the border that the linear guess sees.
        move = overshoot * (-lack.detach()[:, None] + 1e-4) / square * direction
        total[left] += torch.where(done[:, None], 0, move)
        left = left[~done]
    return found


def span(tangents: Tensor) -> Tensor:
    """Orthonormal bases (n, units, t) of the spans of vectors (n, t, units), one set an image.

    Directions that the vectors hold twice, or not at all, are zero in the basis.
    """
    u, s, _ = torch.linalg.svd(tangents.transpose(1, 2), full_matrices=False)
    return u * (s > 1e-6 * s[:, :1])[:, None, :]


def tangent_energy(changes: Tensor, bases: Tensor) -> Tensor:
    """Share of each change's squared length in its own image's basis: (n,).

    Args: changes (n, units) and bases (n, units, t) as `span` returns them. A random direction has
    the share t / units on average.
    """
    inside = torch.einsum("nu,nut->nt", changes, bases)
    return inside.square().sum(1) / changes.square().sum(1)


def taken(points: Tensor, at: Tensor) -> Tensor:
    """Of points (draws, n, units) those at the places; expanded over draws, if they were."""
    if points.stride(0) == 0:
        return points[0, at].expand(len(points), -1, -1)
    return points[:, at]


def _logits(tail: Tail, points: Tensor, change: Tensor, places: Tensor | None = None, of: int = 0
            ) -> Tensor:  # fmt: skip
    """Mean logits (n, classes) over draws; noise in the tail itself is the same at each call."""
    logits, shape = 0, (len(change), *getattr(tail, "shape", change.shape[1:]))
    # Before the noise all draws are one, an expanded tensor: what follows is computed but once.
    same = len(points) > 1 and points.stride(0) == 0
    with silent_part_once(tail):
        state = (points[0] + change).reshape(shape) if same else None
        for draw, clean in enumerate(points):
            with fixed_noise(draw, places, of):
                here = state if same else (clean + change).reshape(shape)
                logits = logits + tail(here) / len(points)
    return logits


def _long(vectors: Tensor, length: Tensor) -> Tensor:
    return vectors * (length / vectors.norm(dim=1, keepdim=True).clamp_min(1e-20))


def _tensor(found, like: Tensor) -> Tensor:
    return torch.as_tensor(found, dtype=like.dtype, device=like.device)
