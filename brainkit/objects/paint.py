"""The renderer: camera rays through solids, in closed form, one elementwise operation at a time.

The camera is orthographic and looks along -z; coordinates are pixels with x right, y up, z towards
the viewer, and the image's centre at the origin. A solid is seen through three closed forms:

- its silhouette: the shadow of an ellipsoid is an ellipse, of a cylinder an ellipse swept along a
  segment, of a box a hexagon. The signed distance to that outline in pixels (exact to first order),
  through a smoothstep, is the solid's coverage of the pixel: an analytic anti-aliased edge;
- its depth, the nearer root of the ray's quadratic, or the plane of the face or cap entered;
- its normal there, for Lambert's law.

Solids are merged one after another by depth. Where two surfaces cross, the nearer one is decided
by a smoothstep too. So the image is a once continuously differentiable function of the latents
apart from a set of measure zero, and automatic differentiation sees occlusion and silhouettes move.
"""

import numpy as np
import torch

from .exact import smoothstep
from .geometry import ABSENT, BLOCK, CYLINDER, GLOSSY, shaded

EDGE = 1.4     # pixels over which a silhouette goes from 0 to 1
_CALL = 6_000  # pixels whose painting costs as much as one more call of the painting functions


def _box(n, x, y):
    """Coverage, depth from the centre and brightness of boxes at pixels x, y from their centres."""
    edge = _bound(n, x, y)
    for i in "012":
        edge = torch.minimum(edge, n["oh" + i] - (n["ox" + i] * x + n["oy" + i] * y).abs())
    cover = smoothstep(edge * (1 / EDGE) + 0.5)
    a01, a02, a12 = (smoothstep((n["c0" + p] + n["cx" + p] * x) + n["cy" + p] * y)
                     for p in ("01", "02", "12"))
    # The face entered: 0 if ahead of 1 and 2, 1 if ahead of 2 and not behind 0, else 2.
    w0, w1 = a01 * a02, a12 - a01 * a12
    w2 = (a02 - 1.0) * (a12 - 1.0)
    shade = (w0 * n["shade0"] + w1 * n["shade1"] + w2 * n["shade2"]) / (w0 + w1 + w2)
    z = [(n["f0" + i] + n["fx" + i] * x) + n["fy" + i] * y for i in "012"]
    z = torch.minimum(torch.minimum(z[0], z[1]), z[2])
    return cover, torch.maximum(torch.minimum(z, n["zmax"]), -n["zmax"]), shade


def _bound(n, x, y):
    """Pixels inside the solid's bounding rectangle."""
    return torch.minimum(n["rx"] - x.abs(), n["ry"] - y.abs())


def _outline(n, x, y):
    """Form p'Qp and the signed distance in pixels from p to the ellipse p'Qp = 1 (inside > 0)."""
    vx, vy = n["qxx"] * x + n["qxy"] * y, n["qxy"] * x + n["qyy"] * y
    form = x * vx + y * vy
    return form, (1.0 - form) / (4.0 * (vx * vx + vy * vy) + 1e-6).sqrt()


def _round(n, x, y, kind):
    """The same of ellipsoids and cylinders."""
    px, py = x, y
    if kind == CYLINDER:
        t = (n["kx"] * x + n["ky"] * y).clamp(-1.0, 1.0)
        px, py = x - t * n["ex"], y - t * n["ey"]
    form, edge = _outline(n, px, py)
    edge = torch.minimum(edge, _bound(n, x, y))
    cover = smoothstep(edge * (1 / EDGE) + 0.5)
    if kind == CYLINDER:
        strip = n["sx"] * x + n["sy"] * y
        form = strip * strip
    # The nearer root. Outside the outline, in the half pixel where coverage is above 0, the
    # discriminant is negative: a soft max(0, ·) continues the surface smoothly to there.
    outside = (form - 1.0).clamp(max=4.0)
    inside = (outside * outside + 0.004).sqrt() - outside  # twice max(0, 1 - form), softly
    z = (inside * n["inv"]).sqrt() - (n["mx"] * x + n["my"] * y)
    if kind == CYLINDER:
        z = torch.maximum(torch.minimum(z, n["zmax"]), -n["zmax"])
    gx = n["gxx"] * x + n["gxy"] * y + n["gxz"] * z
    gy = n["gxy"] * x + n["gyy"] * y + n["gyz"] * z
    gz = n["gxz"] * x + n["gyz"] * y + n["gzz"] * z
    inverse = 1.0 / (gx * gx + gy * gy + gz * gz + 1e-12).sqrt()
    gx, gy, gz = gx * inverse, gy * inverse, gz * inverse
    shade = shaded(n["tone"], gx, gy, gz, (n["lx"], n["ly"], n["lz"]))
    if kind == GLOSSY:
        mirror = (gx * n["hx"] + gy * n["hy"] + gz * n["hz"]).clamp(min=0.0)
        for _ in range(4):  # to the 16th power
            mirror = mirror * mirror
        shade = shade + n["gloss"] * mirror
    if kind == CYLINDER:
        _, edge = _outline(n, x - n["capx"], y - n["capy"])
        cap = smoothstep(edge * (1 / EDGE) + 0.5) * n["capseen"]
        zcap = (n["cap0"] + n["capdx"] * x + n["capdy"] * y)
        zcap = torch.maximum(torch.minimum(zcap, n["zmax"]), -n["zmax"])
        shade, z = shade + cap * (n["capshade"] - shade), z + cap * (zcap - z)
    return cover, z, shade


def _merge(light, cover, depth, alpha, z, shade, n):
    """Add a solid to what is painted. Where its coverage is 0 nothing changes, to the last bit."""
    step = z + n["cz"] - depth
    behind = alpha * smoothstep(step * n["seam"] + 0.5)  # 0 where it lies before what is there
    hides = alpha - behind                          # of what is there
    shows = alpha - behind * cover                  # of the new solid
    light = light - light * hides + shows * shade
    cover = cover - cover * hides + shows
    return light, cover, depth + shows / (cover + 1e-6) * step


def _batches(heights, widths):
    """Which rectangles to paint together: lists of indices, to do few calls on little area.

    Those painted together share one height and width. From the largest to the smallest, the list is
    cut where two calls on tighter rectangles cost less than one.
    """
    order = np.argsort(-heights * widths, kind="stable")
    pending = [order] if len(order) else []
    while pending:
        part = pending.pop()
        count = np.arange(1, len(part))
        tall = [np.maximum.accumulate(side[part]) for side in (heights, widths)]
        rest = [np.maximum.accumulate(side[part[::-1]])[::-1] for side in (heights, widths)]
        front, back = tall[0] * tall[1], rest[0] * rest[1]
        costs = front[:-1] * count + back[1:] * count[::-1] + _CALL
        if len(part) > 1 and costs.min() < front[-1] * len(part):
            at = int(costs.argmin()) + 1
            pending += [part[:at], part[at:]]
        else:
            yield part


def paint(scene, under):
    """Images and masks (b,size,size) of a scene's objects over backgrounds ``under``.

    Solid by solid, in the recipes' order; which solids of which images go through the closed forms
    together is a matter of speed alone. Differentiable in forward and in reverse mode.
    """
    size, device, dtype = under.shape[-1], under.device, under.dtype
    steps = torch.arange(size, device=device)
    canvas = [torch.zeros(under.numel(), dtype=dtype, device=device) for _ in range(3)]
    for s in range(scene.kinds.shape[1]):
        top, bottom, left, right = scene.edges[:, s].T
        seen = (bottom > top) & (right > left)
        for kind in set(scene.kinds[:, s].tolist()) - {ABSENT}:
            mine = np.flatnonzero((scene.kinds[:, s] == kind) & seen)
            for batch in _batches((bottom - top)[mine], (right - left)[mine]):
                which = mine[batch]
                height, width = (bottom - top)[which].max(), (right - left)[which].max()
                images, row, column = torch.from_numpy(np.stack([
                    which, np.minimum(top[which], size - height),
                    np.minimum(left[which], size - width)])).to(device)
                rows, columns = row[:, None] + steps[:height], column[:, None] + steps[:width]
                here = (((images * size)[:, None] + rows) * size)[:, :, None] + columns[:, None, :]
                n = scene.numbers(kind, s, images)
                x = columns.to(dtype)[:, None, :] + (0.5 - size / 2) - n["cx"]
                y = (size / 2 - 0.5) - rows.to(dtype)[:, :, None] - n["cy"]
                surface = _box(n, x, y) if kind == BLOCK else _round(n, x, y, kind)
                flat = here.reshape(-1)
                old = [part.index_select(0, flat).view(here.shape) for part in canvas]
                for part, value in zip(canvas, _merge(*old, *surface, n), strict=True):
                    part.index_copy_(0, flat, value.reshape(-1))
    light, cover, _ = canvas
    cover = cover.clamp(0.0, 1.0).view_as(under)
    return (under - under * cover + light.view_as(under)).clamp(0.0, 1.0), cover
