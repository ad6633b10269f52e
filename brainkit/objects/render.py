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

import functools

import torch

from .exact import rotate, sin_cos, smoothstep
from .shapes import recipes
from .solids import BALL, BOX

LATENTS = ("x", "y", "size", "yaw", "pitch", "roll", "light_azimuth", "light_elevation", "albedo",
           "background")
EDGE = 1.4          # pixels over which a silhouette goes from 0 to 1
CREASE = 1.2        # pixels over which two faces of a box blend
SEAM = 0.03         # depth over which two crossing solids blend, in object radii
THIN = 0.4          # pixels added in quadrature to a silhouette's half-axes: no division by zero
AMBIENT, DIFFUSE = 0.40, 0.60

# The pose of the latents yaw = pitch = 0, the view each category is best recognised from: degrees
# of yaw (front towards the viewer) and pitch (seen from above), by CATEGORIES.
_CANONICAL = ((-32, 12), (-30, 14), (-35, 16), (30, 16), (18, 4), (-15, 8), (-38, 24), (28, 20))


@functools.cache
def solids_of(category, exemplar, device="cpu"):
    """(kinds, at (s,3,1), axes (s,3,3), tone (s,), gloss) of one object, float64."""
    parts = recipes()[category][exemplar]
    def stack(values):
        return torch.tensor(values, dtype=torch.float64, device=device)
    return (tuple(p.kind for p in parts), stack([p.at.tolist() for p in parts])[:, :, None],
            stack([p.axes.tolist() for p in parts]), stack([p.tone for p in parts]),
            tuple(p.gloss for p in parts))


def column(latents, name):
    return latents[:, LATENTS.index(name)]


def pose(category, latents):
    """Rotation matrices (b,3,3), roll · pitch · yaw, from latents (b,L) in degrees."""
    yaw0, pitch0 = _CANONICAL[category]
    sy, cy = sin_cos(column(latents, "yaw") + yaw0)
    sp, cp = sin_cos(column(latents, "pitch") + pitch0)
    sr, cr = sin_cos(column(latents, "roll"))
    # Rx(pitch) Ry(yaw), then Rz(roll) mixes the first two rows.
    zero = torch.zeros_like(sy)
    first = (cy, zero, sy)
    second = (sp * sy, cp, -sp * cy)
    third = (-cp * sy, sp, cp * cy)
    rows = ([cr * a - sr * b for a, b in zip(first, second, strict=True)],
            [sr * a + cr * b for a, b in zip(first, second, strict=True)], third)
    return torch.stack([torch.stack(list(row), -1) for row in rows], -2)


def _reach(kinds, axes):
    """Half extents (b,s,3) along x, y, z of solids with half-axes (b,s,3,3)."""
    magnitude, square = axes.abs(), axes * axes
    ball = (square[..., 0] + square[..., 1] + square[..., 2]).sqrt()
    rod = (square[..., 0] + square[..., 1]).sqrt() + magnitude[..., 2]
    block = magnitude[..., 0] + magnitude[..., 1] + magnitude[..., 2]
    return torch.stack([(ball if k == BALL else block if k == BOX else rod)[:, i]
                        for i, k in enumerate(kinds)], 1)


def extents(category, exemplar, latents):
    """How far an object of unit radius, posed but not placed, reaches: left, right, down, up (b,4).

    In object radii from the object's centre; left and down are negative.
    """
    kinds, at, axes, _, _ = solids_of(category, exemplar, str(latents.device))
    turn = pose(category, latents.double())
    centre, reach = rotate(turn, at)[..., 0], _reach(kinds, rotate(turn, axes))
    low, high = (centre - reach).amin(1), (centre + reach).amax(1)
    return torch.stack([low[:, 0], high[:, 0], low[:, 1], high[:, 1]], 1)


def _shade(tone, nx, ny, nz, light):
    """Brightness of a surface of albedo ``tone`` with unit normal n.

    Lambert's term under the light, and an ambient term that is stronger from above (the sky) and
    from the camera (so that a rounded surface darkens towards its rim and parts stand apart).
    """
    lambert = nx * light[0] + ny * light[1] + nz * light[2]
    lambert = 0.5 * (lambert + (lambert * lambert + 0.01).sqrt()) * 0.995  # a soft max(0, ·)
    return tone * (AMBIENT * (0.48 + 0.16 * ny + 0.36 * nz) + DIFFUSE * lambert)


class Scene:
    """One object under b sets of latents: every number its pixels need, as (b,1,1) tensors."""

    def __init__(self, category, exemplar, latents, size, dtype):
        kinds, at, axes, tone, self.gloss = solids_of(category, exemplar, str(latents.device))
        self.kinds = kinds
        latents = latents.double()
        half = size / 2
        radius = column(latents, "size") * half                         # (b,) pixels
        turn = pose(category, latents) * radius[:, None, None]
        e = rotate(turn, axes)                                           # (b,s,3,3) half-axes
        c = rotate(turn, at)[..., 0]                                     # (b,s,3) centres
        self.reach = _reach(kinds, e)                                    # (b,s,3)
        cx = c[..., 0] + column(latents, "x")[:, None] * half
        cy = c[..., 1] + column(latents, "y")[:, None] * half
        self.cx, self.cy, cz = cx, cy, c[..., 2]
        sa, ca = sin_cos(column(latents, "light_azimuth"))
        se, ce = sin_cos(column(latents, "light_elevation"))
        light = [v[:, None] for v in (ce * sa, se, ce * ca)]
        tone = tone[None] * column(latents, "albedo")[:, None]
        values = {"cx": cx, "cy": cy, "cz": cz, "zmax": self.reach[..., 2], "tone": tone,
                  "lx": light[0], "ly": light[1], "lz": light[2], "radius": radius[:, None]}
        # Halfway between the light and the camera: where a glossy surface mirrors the light.
        hz = 1.0 + light[2]
        norm = (light[0] * light[0] + light[1] * light[1] + hz * hz + 1e-9).sqrt()
        values |= {"hx": light[0] / norm, "hy": light[1] / norm, "hz": hz / norm}
        self.tables = {}
        for flat, make in ((True, _box_numbers), (False, _round_numbers)):
            table = values | make(e, tone, light)
            stacked = torch.stack([v.expand_as(cx) for v in table.values()])
            self.tables[flat] = tuple(table), stacked.to(dtype)          # (k,b,s)

    def numbers(self, s, images=slice(None)):
        """Solid s's numbers for some of the images, by name, each (b,1,1)."""
        names, values = self.tables[self.kinds[s] == BOX]
        return dict(zip(names, values[:, images, s, None, None].unbind(0), strict=True))

    def bounds(self, size, margin=3.0):
        """First row, past-the-last row, first and past-the-last column of each object: (b,4)."""
        half = size / 2
        left = (self.cx - self.reach[..., 0]).amin(1) + half - margin
        right = (self.cx + self.reach[..., 0]).amax(1) + half + margin
        top = half - (self.cy + self.reach[..., 1]).amax(1) - margin
        bottom = half - (self.cy - self.reach[..., 1]).amin(1) + margin
        edges = torch.stack([top.floor(), bottom.ceil(), left.floor(), right.ceil()], 1)
        return edges.clamp(0, size).long()


def _dot2(a, b):
    return a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1]


def _dot3(a, b):
    return _dot2(a, b) + a[..., 2] * b[..., 2]


def _round_numbers(e, tone, light):
    """What ellipsoids and cylinders need, each (b,s). e: half-axes (b,s,3 xyz,3 which)."""
    e1, e2, e3 = e.unbind(-1)
    n = {}
    # The quadric uᵀGu = 1 around the centre; a cylinder's leaves out its axis.
    sq = [_dot3(v, v) for v in (e1, e2, e3)]
    def entry(i, j, third):
        value = e1[..., i] * e1[..., j] / (sq[0] * sq[0]) + e2[..., i] * e2[..., j] / (sq[1] * sq[1])
        return value + e3[..., i] * e3[..., j] / (sq[2] * sq[2]) if third else value
    for prefix, third in (("ball", True), ("rod", False)):
        gxx, gxy, gyy = entry(0, 0, third), entry(0, 1, third), entry(1, 1, third)
        gxz, gyz, gzz = entry(0, 2, third), entry(1, 2, third), entry(2, 2, third)
        gzz = gzz + 1e-5 * (gxx + gyy)  # a cylinder seen end on has no side to enter: keep finite
        n |= {f"{prefix}_{k}": v for k, v in (
            ("gxx", gxx), ("gxy", gxy), ("gyy", gyy), ("gxz", gxz), ("gyz", gyz), ("gzz", gzz),
            ("mx", gxz / gzz), ("my", gyz / gzz), ("inv", 1.0 / gzz))}
    # The silhouette's ellipse, as the inverse of its second moments (widened by THIN).
    def ellipse(vectors):
        xx = sum(v[..., 0] * v[..., 0] for v in vectors) + THIN * THIN
        xy = sum(v[..., 0] * v[..., 1] for v in vectors)
        yy = sum(v[..., 1] * v[..., 1] for v in vectors) + THIN * THIN
        det = xx * yy - xy * xy
        return yy / det, -xy / det, xx / det
    n["ball_qxx"], n["ball_qxy"], n["ball_qyy"] = ellipse((e1, e2, e3))
    qxx, qxy, qyy = n["rod_qxx"], n["rod_qxy"], n["rod_qyy"] = ellipse((e1, e2))
    # A cylinder's outline sweeps its cap along the axis: pixel p is compared with the cap at
    # t = clamp(kx x + ky y, -1, 1) half-axes from the centre.
    ex, ey, ez = e3.unbind(-1)
    kx, ky = qxx * ex + qxy * ey, qxy * ex + qyy * ey
    norm = kx * ex + ky * ey + 1e-6
    n |= {"ex": ex, "ey": ey, "kx": kx / norm, "ky": ky / norm}
    # Its side's strip: |sx x + sy y| = 1 on the two long edges.
    nx, ny = -ey, ex
    width = (nx * e1[..., 0] + ny * e1[..., 1]), (nx * e2[..., 0] + ny * e2[..., 1])
    width = (width[0] * width[0] + width[1] * width[1] + 1e-4).sqrt()
    n |= {"sx": nx / width, "sy": ny / width}
    # The cap that faces the camera: its centre, plane, brightness, and how visible it is.
    sign = torch.where(ez >= 0, 1.0, -1.0).to(ez.dtype)
    slope = sign * torch.clamp(ez.abs(), min=1e-3)
    length = sq[2].sqrt()
    minor = torch.minimum(sq[0], sq[1]).sqrt() * ez.abs() / length
    n |= {"capx": sign * ex, "capy": sign * ey, "cap0": sign * sq[2] / slope,
          "capdx": -ex / slope, "capdy": -ey / slope, "capseen": smoothstep(minor / 0.7),
          "capshade": _shade(tone, *[sign * e3[..., i] / length for i in range(3)], light)}
    return n


def _box_numbers(e, tone, light):
    """What boxes need, each (b,s): three outline strips, three faces, three creases."""
    n = {}
    axes = e.unbind(-1)
    def cross(a, b):
        return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    for i, a in enumerate(axes):  # the pair of outline edges parallel to axis i
        j, k = axes[(i + 1) % 3], axes[(i + 2) % 3]
        length = (_dot2(a, a) + 0.01).sqrt()
        n |= {f"ox{i}": -a[..., 1] / length, f"oy{i}": a[..., 0] / length,
              f"oh{i}": (cross(a, j).abs() + cross(a, k).abs() + 0.07) / length}
    # Face i faces the camera on the side sign_i: entered at z_i = f0 + fx x + fy y.
    planes = []
    for i, a in enumerate(axes):
        sq = _dot3(a, a)
        sign = torch.where(a[..., 2] >= 0, 1.0, -1.0).to(sq.dtype)
        seen = a[..., 2].abs()
        steep = torch.clamp(seen, min=1e-3)
        # Multiplied by `seen` the plane stays finite when the face is seen edge on.
        planes.append((seen, sq, -sign * a[..., 0], -sign * a[..., 1]))
        length = sq.sqrt()
        n |= {f"f0{i}": sq / steep, f"fx{i}": -sign * a[..., 0] / steep,
              f"fy{i}": -sign * a[..., 1] / steep,
              f"shade{i}": _shade(tone, *[sign * a[..., m] / length for m in range(3)], light)}
    for i, j in ((0, 1), (0, 2), (1, 2)):  # pixels from the crease between faces i and j
        (si, *pi), (sj, *pj) = planes[i], planes[j]
        # Entering face is the one met last, so the nearest wins when its plane lies lower.
        d = [sj * a - si * b for a, b in zip(pi, pj, strict=True)]
        norm = (d[1] * d[1] + d[2] * d[2] + 1e-6).sqrt() * -CREASE
        n |= {f"c0{i}{j}": d[0] / norm, f"cx{i}{j}": d[1] / norm, f"cy{i}{j}": d[2] / norm}
    return n


def _box(n, x, y):
    cover = None
    for i in "012":
        edge = n["oh" + i] - (n["ox" + i] * x + n["oy" + i] * y).abs()
        edge = smoothstep(edge * (1 / EDGE) + 0.5)
        cover = edge if cover is None else cover * edge
    ahead = {p: smoothstep(n["c0" + p] + 0.5 + n["cx" + p] * x + n["cy" + p] * y)
             for p in ("01", "02", "12")}
    w0 = ahead["01"] * ahead["02"]
    w1 = (1.0 - ahead["01"]) * ahead["12"]
    w2 = (1.0 - ahead["02"]) * (1.0 - ahead["12"])
    shade = (w0 * n["shade0"] + w1 * n["shade1"] + w2 * n["shade2"]) / (w0 + w1 + w2)
    z = [n["f0" + i] + n["fx" + i] * x + n["fy" + i] * y for i in "012"]
    z = torch.minimum(torch.minimum(z[0], z[1]), z[2])
    return cover, torch.maximum(torch.minimum(z, n["zmax"]), -n["zmax"]), shade


def _outline(qxx, qxy, qyy, x, y):
    """Form p'Qp and the signed distance in pixels from p to the ellipse p'Qp = 1 (inside > 0)."""
    vx, vy = qxx * x + qxy * y, qxy * x + qyy * y
    form = x * vx + y * vy
    return form, (1.0 - form) / (4.0 * (vx * vx + vy * vy) + 1e-6).sqrt()


def _round(n, x, y, kind, gloss):
    if kind == BALL:
        p, (px, py) = "ball_", (x, y)
    else:
        p, t = "rod_", (n["kx"] * x + n["ky"] * y).clamp(-1.0, 1.0)
        px, py = x - t * n["ex"], y - t * n["ey"]
    q = n[p + "qxx"], n[p + "qxy"], n[p + "qyy"]
    form, edge = _outline(*q, px, py)
    cover = smoothstep(edge * (1 / EDGE) + 0.5)
    if kind != BALL:
        strip = n["sx"] * x + n["sy"] * y
        form = strip * strip
    # The nearer root. Outside the outline, in the half pixel where coverage is above 0, the
    # discriminant is negative: a soft max(0, ·) continues the surface smoothly to there.
    inside = 1.0 - form
    inside = 0.5 * (inside + (inside * inside + 0.004).sqrt())
    z = (inside * n[p + "inv"]).sqrt() - (n[p + "mx"] * x + n[p + "my"] * y)
    if kind != BALL:
        z = torch.maximum(torch.minimum(z, n["zmax"]), -n["zmax"])
    gx = n[p + "gxx"] * x + n[p + "gxy"] * y + n[p + "gxz"] * z
    gy = n[p + "gxy"] * x + n[p + "gyy"] * y + n[p + "gyz"] * z
    gz = n[p + "gxz"] * x + n[p + "gyz"] * y + n[p + "gzz"] * z
    inverse = 1.0 / (gx * gx + gy * gy + gz * gz + 1e-12).sqrt()
    gx, gy, gz = gx * inverse, gy * inverse, gz * inverse
    shade = _shade(n["tone"], gx, gy, gz, (n["lx"], n["ly"], n["lz"]))
    if gloss:
        mirror = (gx * n["hx"] + gy * n["hy"] + gz * n["hz"]).clamp(min=0.0)
        for _ in range(4):  # to the 16th power
            mirror = mirror * mirror
        shade = shade + (0.55 * gloss) * mirror
    if kind != BALL:
        _, edge = _outline(*q, x - n["capx"], y - n["capy"])
        cap = smoothstep(edge * (1 / EDGE) + 0.5) * n["capseen"]
        zcap = (n["cap0"] + n["capdx"] * x + n["capdy"] * y)
        zcap = torch.maximum(torch.minimum(zcap, n["zmax"]), -n["zmax"])
        shade, z = shade + cap * (n["capshade"] - shade), z + cap * (zcap - z)
    return cover, z, shade


def paint(scene, x, y, images=slice(None)):
    """Light reflected by the object and its coverage, each (b,h,w), at pixel centres.

    x: (b,1,w) columns, y: (b,h,1) rows, in pixels from the image's centre, y up. The image over a
    background is ``light + (1 - coverage) * background``.
    """
    light = cover = depth = None
    for s, kind in enumerate(scene.kinds):
        n = scene.numbers(s, images)
        dx, dy = x - n["cx"], y - n["cy"]
        if kind == BOX:
            alpha, z, shade = _box(n, dx, dy)
        else:
            alpha, z, shade = _round(n, dx, dy, kind, scene.gloss[s])
        z = z + n["cz"]
        if light is None:
            light, cover, depth = alpha * shade, alpha, z
            continue
        # `front`: how far the new solid lies before what is there. Where alpha is 0 every line
        # below leaves its left side unchanged to the last bit.
        front = smoothstep((z - depth) * (0.5 / (SEAM * n["radius"])) + 0.5)
        hidden = front * alpha
        new = alpha * (1.0 - cover * (1.0 - front))
        light = light * (1.0 - hidden) + new * shade
        cover = cover * (1.0 - hidden) + new
        depth = depth + new / (cover + 1e-6) * (z - depth)
    return light.clamp(0.0, 1.0), cover.clamp(0.0, 1.0)


def grid(size, rows, columns, device, dtype):
    """Pixel-centre coordinates of row and column numbers (b,h), (b,w): x (b,1,w), y (b,h,1)."""
    x = columns.to(device=device, dtype=dtype) + (0.5 - size / 2)
    y = (size / 2 - 0.5) - rows.to(device=device, dtype=dtype)
    return x[:, None, :], y[:, :, None]


