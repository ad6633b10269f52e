"""Sets of rendered objects: drawing them, rendering given ones, and their tangents."""

import itertools
import warnings
from dataclasses import dataclass, replace
from dataclasses import fields as _fields

import numpy as np
import torch
from torch.autograd import forward_ad
from tqdm.auto import tqdm

from . import backgrounds
from .arguments import SEED_MAX, code, integer, known, many, span
from .exact import permutation, uniform
from .geometry import EXEMPLARS, LATENTS, Scene, column, extents
from .paint import paint
from .shapes import CATEGORIES

CONTINUOUS = LATENTS[:-1]  # every latent but the background's seed: what an image varies with
MARGIN = 1.0 / 16          # of the half image that stays free around every sampled object

# Range of each latent by level of variation: uniform between the two ends.
VARIATIONS = {
    "none": {"x": (0, 0), "y": (0, 0), "size": (0.8, 0.8), "yaw": (0, 0), "pitch": (0, 0),
             "roll": (0, 0), "light_azimuth": (-35, -35), "light_elevation": (45, 45),
             "albedo": (0.9, 0.9)},
    "medium": {"x": (-0.3, 0.3), "y": (-0.3, 0.3), "size": (0.8 / 1.3, 0.8 * 1.3),
               "yaw": (-45, 45), "pitch": (-45, 45), "roll": (-45, 45),
               "light_azimuth": (-55, 55), "light_elevation": (20, 65), "albedo": (0.75, 1.0)},
    "high": {"x": (-0.6, 0.6), "y": (-0.6, 0.6), "size": (0.8 / 1.6, 0.8 * 1.6),
             "yaw": (-90, 90), "pitch": (-90, 90), "roll": (-90, 90),
             "light_azimuth": (-80, 80), "light_elevation": (5, 75), "albedo": (0.6, 1.0)},
}
CANONICAL = {**{name: low for name, (low, _) in VARIATIONS["none"].items()}, "background": 0}
# What `render` accepts.
LIMITS = {"x": (-2, 2), "y": (-2, 2), "size": (0.05, 4), "yaw": (-360, 360), "pitch": (-360, 360),
          "roll": (-360, 360), "light_azimuth": (-360, 360), "light_elevation": (-90, 90),
          "albedo": (0, 1), "background": (0, backgrounds.SEEDS - 1)}
# Pixels of the images painted at once: few calls of torch, in what the cache holds.
_CHUNK = {"cpu": 1_048_576, "cuda": 16_777_216}


@dataclass
class ObjectSet:
    """n rendered objects and everything that made them.

    images: (n,1,size,size) float32 in [0,1]. labels: (n,) long, index into CATEGORIES.
    exemplars: (n,) long, 0 to 7 within the category. latents: (n,10) float32, columns named by
    `latent_names`. masks: (n,1,size,size) float32 in [0,1], the part of each pixel that the object
    covers. background: the kind of background. Index it like an array: ``objects[3]``,
    ``objects[:100]``, ``objects[objects.labels == 0]`` are ObjectSets (an integer gives n = 1).
    """

    images: torch.Tensor
    labels: torch.Tensor
    exemplars: torch.Tensor
    latents: torch.Tensor
    masks: torch.Tensor
    background: str = "mixed"
    latent_names = LATENTS

    def __len__(self):
        return len(self.labels)

    def latent(self, name):
        """The column (n,) of one latent by its name."""
        return self.latents[:, known(name, LATENTS, "latent")]

    def _map(self, function):
        return replace(self, **{f.name: function(value) for f in _fields(self)
                                if torch.is_tensor(value := getattr(self, f.name))})

    def __getitem__(self, index):
        if isinstance(index, int | np.integer):
            if not -len(self) <= index < len(self):
                raise IndexError(f"image {index} of a set of {len(self)}")
            index = slice(index, index + 1) if index != -1 else slice(index, None)
        return self._map(lambda value: value[index])

    def to(self, device):
        """The same set with every tensor on ``device``."""
        return self._map(lambda value: value.to(device))


def _paint_all(codes, latents, size, background, dtype, bar=None):
    """Images and masks (n,1,size,size) of objects with codes (n,2), on the latents' device."""
    device = latents.device
    images = torch.empty(len(codes), 1, size, size, dtype=dtype, device=device)
    masks = torch.empty_like(images)
    seeds = latents[:, -1].long().cpu().numpy()
    # Images of one exemplar side by side: their solids take the same closed forms.
    order = np.lexsort((codes[:, 1], codes[:, 0]))
    together = max(1, _CHUNK.get(device.type, _CHUNK["cpu"]) // size**2)
    for start in range(0, len(codes), together):
        some = order[start:start + together]
        here = torch.from_numpy(some).to(device)
        under = backgrounds.draw(seeds[some], background, size)[:, 0].to(device, dtype)
        image, mask = paint(Scene(codes[some], latents[here], size, dtype), under)
        images[here, 0], masks[here, 0] = image, mask
        if bar is not None:
            bar.update(len(some))
    return images, masks


def _draw_latents(codes, ranges, seed, first, fixed=()):
    """Latents (n,10) float32 of images first, first + 1, ... with codes (n,2); ``fixed`` names
    those that the caller gave a single value."""
    index = np.arange(first, first + len(codes))[:, None]
    u = torch.from_numpy(uniform(seed, 1, index, np.arange(len(LATENTS))[None]))
    at = {name: k for k, name in enumerate(LATENTS)}
    latents = torch.zeros(len(codes), len(LATENTS), dtype=torch.float64)
    for name, (low, high) in ranges.items():
        latents[:, at[name]] = low + (high - low) * u[:, at[name]]
    latents[:, -1] = torch.floor(u[:, -1] * backgrounds.SEEDS)
    left, right, down, up = extents(codes, latents).unbind(1)
    # No larger than what fits into the frame at this pose ...
    room = 1.0 - MARGIN
    largest = 2 * room / torch.maximum(right - left, up - down)
    low, high = ranges["size"]
    spread = (torch.clamp(largest, max=high) - low).clamp(min=0.0)
    size = latents[:, at["size"]] = torch.minimum(low + spread * u[:, at["size"]], largest)
    # ... and no farther out than where it is still whole in the frame.
    for name, before, after in (("x", left, right), ("y", down, up)):
        first_whole, last_whole = -room - size * before, room - size * after
        if name in fixed:
            asked = torch.full_like(size, ranges[name][0])
            latents[:, at[name]] = asked.clamp(first_whole, last_whole)
            continue
        low = torch.clamp(first_whole, min=ranges[name][0])
        high = torch.clamp(last_whole, max=ranges[name][1])
        value = low + (high - low) * u[:, at[name]]
        latents[:, at[name]] = torch.where(high >= low, value, -size * (before + after) / 2)
    return latents.float()


def _codes(n, categories, seed):
    """Labels and exemplars (n,2): rounds in which every category comes once, in random order;
    over eight rounds every exemplar of every category comes once."""
    each = len(categories)
    rounds = -(-n // each)
    order = permutation(each, seed, 2, np.arange(rounds))                       # (rounds, each)
    block = np.arange(-(-rounds // EXEMPLARS))
    pick = permutation(EXEMPLARS, seed, 3, block[:, None], np.arange(each)[None])  # (blocks,each,8)
    r = np.arange(rounds)[:, None]
    exemplar = pick[r // EXEMPLARS, order, r % EXEMPLARS]
    labels = np.asarray(categories)[order]
    return np.stack([labels.ravel(), exemplar.ravel()], 1)[:n].astype(np.int64)


def sample(n, variation="high", seed=0, size=64, categories=None, background="mixed",
           device="cpu", progress=False, latents=None):
    """Draw and render n objects on natural backgrounds.

    After HvM, the stimuli on which monkey IT and human behaviour were measured (Majaj, Hong,
    Solomon and DiCarlo 2015): 8 categories x 8 exemplars at three levels of variation. Every object
    lies whole in the frame: where a drawn size or position would cut it, the range narrows.

    variation: "none" (HvM's 0: centred, canonical pose), "medium" (its 3: position ±0.3, size by up
    to 1.3 either way, angles ±45°) or "high" (its 6: ±0.6, 1.6, ±90°). `VARIATIONS` holds every
    range. seed: an integer from 0 to 2**64 - 1. size: pixels per side, 8 or more. categories: some
    of CATEGORIES, all when None. background: one of `backgrounds.KINDS`. progress: show a bar.
    latents: a dict that fixes a latent or gives another range: ``{"yaw": 0, "size": (0.5, 0.6)}``.
    A fixed x, y or size is honoured only as far as the object stays whole in the frame: elsewhere
    the nearest value takes its place, and a warning counts the images. (A range of x or y that
    nowhere fits centres the object.) Read the values used from ``.latent(name)``, or use `render`,
    which does not narrow.

    The latents: ``x`` (right) and ``y`` (up), the object's centre in half images; ``size``, the
    diameter of its bounding sphere in images; ``yaw``, ``pitch``, ``roll`` in degrees from the
    category's canonical view; ``light_azimuth`` (0 from the camera, positive from the right) and
    ``light_elevation`` in degrees; ``albedo``, a factor on the object's brightness; ``background``,
    the integer seed of the background.

    Each block of len(categories) images from the start (0-7, 8-15, ... for all eight) holds each
    category once, each block of 8 x len(categories) each exemplar once, in random order: take n a
    multiple for a balanced set. Image i depends on i and on the other arguments alone:
    ``sample(100)`` equals ``sample(1000)[:100]`` to the last bit, on any number of threads.

    Returns an `ObjectSet`. Raises ValueError for unknown names and senseless ranges.
    """
    ranges = dict(list(VARIATIONS.values())[known(variation, VARIATIONS, "variation")])
    given = {} if latents is None else latents
    if not isinstance(given, dict):
        raise ValueError(f"latents is a {type(given).__name__}: give a dict of names, such as "
                         '{"yaw": 0}; `render` takes tensors')
    for name, value in given.items():
        known(name, CONTINUOUS, "latent")
        ranges[name] = span(name, value, LIMITS[name])
    fixed = [name for name in given if ranges[name][0] == ranges[name][1]]
    size = _side(size)
    known(background, backgrounds.KINDS, "background")
    n = integer("n", n, 0, None, "the number of images, 0 or more")
    seed = integer("seed", seed, 0, SEED_MAX, "a non-negative integer up to 2**64 - 1")
    chosen = CATEGORIES if categories is None else many(categories)
    chosen = [code(c, CATEGORIES, "category") for c in chosen]
    if not chosen or len(set(chosen)) < len(chosen):
        raise ValueError("categories: give one or more, each once")
    codes = _codes(n, chosen, seed)
    values = torch.cat([torch.empty(0, len(LATENTS))] + [
        _draw_latents(codes[k:k + 1024], ranges, seed, k, fixed)
        for k in range(0, len(codes), 1024)])
    _warn_of_narrowing({name: ranges[name][0] for name in fixed}, values)
    with tqdm(total=n, desc=f"{variation} variation", unit="image", disable=not progress) as bar:
        return _whole(codes, values, size, background, device, torch.float32, bar)


def _warn_of_narrowing(fixed, latents):
    """Say in how many images a fixed latent did not fit; fixed: {name: value}."""
    moved = {name: column(latents, name) != torch.tensor(value) for name, value in fixed.items()}
    words = [f"{name}={fixed[name]:g} in {int(where.sum())}"
             for name, where in moved.items() if where.any()]
    if words:
        warnings.warn(f"{', '.join(words)} of {len(latents)} images would have cut the object: it "
                      "has the nearest value that keeps it whole in the frame, which `.latent(name)"
                      "` tells. `render` takes any value", UserWarning, stacklevel=3)


def _whole(codes, latents, size, background, device, dtype, bar=None):
    latents = latents.to(device)
    with torch.no_grad():
        images, masks = _paint_all(codes, latents, size, background, dtype, bar)
    return _as_set(images, masks, codes, latents, background)


def _as_set(images, masks, codes, latents, background):
    labels, exemplars = torch.tensor(codes.T, device=latents.device)
    return ObjectSet(images, labels, exemplars, latents, masks, background)


def _side(size):
    return integer("size", size, 8, None, "the pixels per side, an integer of 8 or more")


def _as_latents(latents, dtype=torch.float32):
    """Latents as a tensor (b,10): from a dict of names (the rest canonical), a tensor, or None."""
    if latents is None:
        latents = {}
    if isinstance(latents, dict):
        for name in latents:
            known(name, LATENTS, "latent")
        columns = [torch.as_tensor(latents.get(name, CANONICAL[name])).reshape(-1)
                   for name in LATENTS]
        count = max(len(c) for c in columns)
        wrong = {name: len(c) for name, c in zip(LATENTS, columns, strict=True)
                 if len(c) not in (1, count)}
        if wrong:
            raise ValueError(f"latents of unequal lengths: {wrong}, expected 1 or {count}")
        device = next((c.device for c in columns if c.device.type != "cpu"), None)
        latents = torch.stack([c.to(device=device, dtype=torch.float64).expand(count)
                               for c in columns], 1)
        latents = latents.to(dtype)
    latents = torch.as_tensor(latents)
    if latents.ndim == 1:
        latents = latents[None]
    if latents.ndim != 2 or latents.shape[1] != len(LATENTS):
        raise ValueError(f"latents of shape {tuple(latents.shape)}: expected (b, {len(LATENTS)}), "
                         f"columns {', '.join(LATENTS)}")
    for k, (name, (low, high)) in enumerate(LIMITS.items()):
        values = latents[:, k].detach()
        if not bool(((values >= low) & (values <= high)).all()):
            raise ValueError(f"latent {name} outside [{low}, {high}]: found "
                             f"{values.min().item():g} to {values.max().item():g}")
    return latents


def _as_codes(category, exemplar, count):
    """(b,2) codes from names, indices or sequences of them, and the common length b."""
    labels = [code(v, CATEGORIES, "category") for v in many(category)]
    exemplars = [code(v, range(EXEMPLARS), "exemplar") for v in many(exemplar)]
    b = max(len(labels), len(exemplars), count)
    for what, got in (("categories", len(labels)), ("exemplars", len(exemplars)),
                      ("latents", count)):
        if got not in (1, b):
            raise ValueError(f"{got} {what}, expected 1 or {b}")
    return np.array(list(itertools.islice(zip(itertools.cycle(labels), itertools.cycle(exemplars)),
                                          b)), dtype=np.int64)


def render(category, exemplar, latents=None, size=64, background="mixed", device=None,
           dtype=torch.float32):
    """Render given objects: the images of a point, or of b points, of the latent space.

    category: a name or index, or b of them. exemplar: 0 to 7, or b of them. latents: a dict of
    latent names to numbers or (b,) tensors (those missing take their canonical values), a tensor
    (b,10) with the columns of `ObjectSet.latent_names`, or None. See `sample` for their units; an
    object may reach out of the frame. dtype: float32, or float64 for finite differences.

    A sampled set's own labels, exemplars, latents and background give its images again, bitwise.
    Latents that require gradients give images that are differentiable by them (the background's
    seed apart): silhouettes and occlusions have soft edges, so their motion counts.

    Returns an `ObjectSet` of b images. Raises ValueError for unknown names, latents of the wrong
    shape and latents out of range.
    """
    size = _side(size)
    known(background, backgrounds.KINDS, "background")
    latents = _as_latents(latents, torch.float64 if dtype == torch.float64 else torch.float32)
    device = latents.device if device is None else torch.device(device)
    codes = _as_codes(category, exemplar, len(latents))
    latents = latents.expand(len(codes), -1).to(device)
    if not (latents.requires_grad and torch.is_grad_enabled()):
        return _whole(codes, latents, size, background, device, dtype)
    under = backgrounds.draw(latents[:, -1].detach().long().cpu().numpy(), background, size)
    images, masks = paint(Scene(codes, latents, size, dtype), under[:, 0].to(device, dtype))
    return _as_set(images[:, None], masks[:, None], codes, latents, background)


def tangents(objects, exemplars=None, latents=None, names=None, size=64, background="mixed",
             dtype=torch.float32):
    """Derivative of each image by each continuous latent: the tangent space of the manifold.

    objects: an `ObjectSet`, or labels (b,) followed by ``exemplars`` (b,) and ``latents`` (b,10).
    names: which latents, in which order; all of ``CONTINUOUS`` when None (every column but the
    background's seed). size and background are taken from an ObjectSet.

    Returns (b, len(names), 1, size, size): change of pixel value per unit of the latent (per half
    image for x and y, per image for size, per degree for angles, per unit for albedo). Exact
    derivatives by forward-mode differentiation of the renderer. They hold the object's motion over
    the background, the motion of its parts' boundaries over each other and its shading; the
    background itself stays fixed, and pixels far from the object have derivative 0.
    """
    if isinstance(objects, ObjectSet):
        if exemplars is not None or latents is not None:
            raise ValueError("an ObjectSet brings its own exemplars and latents")
        exemplars, latents, background = objects.exemplars, objects.latents, objects.background
        size, objects = objects.images.shape[-1], objects.labels
    elif exemplars is None or latents is None:
        raise ValueError("give an ObjectSet, or labels, exemplars and latents")
    size = _side(size)
    known(background, backgrounds.KINDS, "background")
    columns = [known(name, CONTINUOUS, "latent")
               for name in (CONTINUOUS if names is None else many(names))]
    if not columns:
        raise ValueError("names: give one or more latents, or None for all")
    latents = _as_latents(latents).detach()
    codes = _as_codes(objects, exemplars, len(latents))
    latents = latents.expand(len(codes), -1).double()
    out = latents.new_zeros((len(codes), len(columns), 1, size, size), dtype=dtype)
    # One pass gives every latent's derivative: each image stands in the batch once per latent.
    repeat = len(columns)
    direction = torch.eye(len(LATENTS), dtype=latents.dtype, device=latents.device)[columns]
    # Large chunks: forward mode costs torch far more per call than per pixel.
    together = max(1, 2 * _CHUNK["cpu"] // (repeat * size**2))
    for start in range(0, len(codes), together):
        mine = latents[start:start + together]
        under = backgrounds.draw(mine[:, -1].long().cpu().numpy(), background, size)[:, 0]
        under = under.to(latents.device, dtype).repeat_interleave(repeat, 0)
        with torch.no_grad(), forward_ad.dual_level():
            point = forward_ad.make_dual(mine.repeat_interleave(repeat, 0),
                                         direction.repeat(len(mine), 1))
            codes_here = codes[start:start + together].repeat(repeat, 0)
            images, _ = paint(Scene(codes_here, point, size, dtype), under)
            change = forward_ad.unpack_dual(images).tangent
        out[start:start + together] = change.view(len(mine), repeat, 1, size, size)
    return out
