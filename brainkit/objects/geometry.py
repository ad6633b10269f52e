"""Where every solid of an object lies, as the numbers its pixels need.

The camera is orthographic and looks along -z; coordinates are pixels with x right, y up, z towards
the viewer, and the image's centre at the origin. All is done in float64, on (b,s) tensors: b images
by s solids, the shorter recipes padded to the longest.
"""

import functools

import numpy as np
import torch

from .exact import rotate, sin_cos, smoothstep
from .shapes import recipes
from .solids import BALL, BOX, ROD

LATENTS = ("x", "y", "size", "yaw", "pitch", "roll", "light_azimuth", "light_elevation", "albedo",
           "background")
EXEMPLARS = 8
SEAM = 0.03         # depth over which two crossing solids blend, in object radii
CREASE = 1.2        # pixels over which two faces of a box blend
THIN = 0.4          # pixels added in quadrature to a silhouette's half-axes: no division by zero
AMBIENT, DIFFUSE = 0.50, 0.62
ABSENT, PLAIN, GLOSSY, CYLINDER, BLOCK = -1, 0, 1, 2, 3

# The pose of the latents yaw = pitch = 0, the view each category is best recognised from: degrees
# of yaw (front towards the viewer) and pitch (seen from above), by CATEGORIES.
_CANONICAL = ((-32, 12), (-30, 14), (-35, 16), (30, 16), (18, 4), (-15, 8), (-38, 24), (28, 20))


@functools.cache
def _tables():
    """The 64 recipes as arrays: kinds (64,s), at (64,s,3,1), axes (64,s,3,3), tone, gloss (64,s).
    """
    objects = [exemplar for category in recipes() for exemplar in category]
    shape = len(objects), max(map(len, objects))
    kinds, tone, gloss = np.full(shape, ABSENT), np.zeros(shape), np.zeros(shape)
    at, axes = np.zeros((*shape, 3, 1)), np.broadcast_to(np.eye(3), (*shape, 3, 3)).copy()
    codes = {ROD: CYLINDER, BOX: BLOCK}
    for k, solids in enumerate(objects):
        for s, solid in enumerate(solids):
            kinds[k, s] = GLOSSY if solid.kind == BALL and solid.gloss else codes.get(solid.kind,
                                                                                      PLAIN)
            at[k, s, :, 0], axes[k, s], tone[k, s], gloss[k, s] = (solid.at, solid.axes, solid.tone,
                                                                   solid.gloss)
    return kinds, at, axes, tone, gloss


def column(latents, name):
    return latents[:, LATENTS.index(name)]


def _pose(labels, latents):
    """Rotation matrices (b,3,3), roll · pitch · yaw, from latents (b,L) in degrees."""
    yaw0, pitch0 = latents.new_tensor(_CANONICAL)[labels].unbind(1)
    angles = torch.stack([column(latents, "yaw") + yaw0, column(latents, "pitch") + pitch0,
                          column(latents, "roll")])
    (sy, sp, sr), (cy, cp, cr) = sin_cos(angles)
    # Rx(pitch) Ry(yaw), then Rz(roll) mixes the first two rows.
    first, second = (cy, torch.zeros_like(sy), sy), (sp * sy, cp, -sp * cy)
    rows = ([cr * a - sr * b for a, b in zip(first, second, strict=True)],
            [sr * a + cr * b for a, b in zip(first, second, strict=True)],
            (-cp * sy, sp, cp * cy))
    return torch.stack([torch.stack(list(row), -1) for row in rows], -2)


def _posed(codes, latents, radius=None):
    """Kinds (b,s) as an array, and centres (b,s,3), half-axes (b,s,3,3), reach (b,s,3), tone and
    gloss (b,s) as tensors, of objects with codes (b,2), posed but not placed."""
    rows = codes[:, 0] * EXEMPLARS + codes[:, 1]
    kinds, *arrays = (table[rows] for table in _tables())
    kinds = kinds[:, :max(1, (kinds != ABSENT).sum(1).max())]
    at, axes, tone, gloss = (torch.from_numpy(a[:, :kinds.shape[1]]).to(latents.device)
                             for a in arrays)
    turn = _pose(torch.from_numpy(codes[:, 0]).to(latents.device), latents)
    if radius is not None:
        turn = turn * radius[:, None, None]
    centre, e = rotate(turn, at)[..., 0], rotate(turn, axes)
    magnitude, square = e.abs(), e * e
    ball = (square[..., 0] + square[..., 1] + square[..., 2]).sqrt()
    rod = (square[..., 0] + square[..., 1]).sqrt() + magnitude[..., 2]
    block = magnitude[..., 0] + magnitude[..., 1] + magnitude[..., 2]
    kind = torch.from_numpy(kinds).to(latents.device)[..., None]
    reach = torch.where(kind == BLOCK, block, torch.where(kind == CYLINDER, rod, ball))
    return kinds, centre, e, reach, tone, gloss


def extents(codes, latents):
    """How far objects of unit radius, posed but not placed, reach: left, right, down, up (b,4).

    In object radii from the object's centre; left and down are negative.
    """
    kinds, centre, _, reach, _, _ = _posed(codes, latents)
    absent = torch.from_numpy(kinds == ABSENT)[..., None]
    low = (centre - reach).masked_fill(absent, torch.inf).amin(1)
    high = (centre + reach).masked_fill(absent, -torch.inf).amax(1)
    return torch.stack([low[:, 0], high[:, 0], low[:, 1], high[:, 1]], 1)


def shaded(tone, nx, ny, nz, light):
    """Brightness of a surface of albedo ``tone`` with unit normal n.

    Lambert's term under the light, and an ambient term that is stronger from above (the sky) and
    from the camera (so that a rounded surface darkens towards its rim and parts stand apart).
    """
    lambert = nx * light[0] + ny * light[1] + nz * light[2]
    # A soft max(0, ·).
    lambert = (lambert + (lambert * lambert + 0.01).sqrt()) * (0.4975 * DIFFUSE)
    ambient = ny * (AMBIENT * 0.16) + nz * (AMBIENT * 0.36) + AMBIENT * 0.48
    return tone * (ambient + lambert)


class Scene:
    """b objects, posed, placed and lit: every number that their pixels need.

    kinds: (b,s) array, which closed form each solid takes. edges: (b,s,4) array, the rows and
    columns between which it can be seen, first and past the last.
    """

    def __init__(self, codes, latents, size, dtype):
        latents = latents.double()
        half = size / 2
        radius = column(latents, "size") * half                          # (b,) pixels
        self.kinds, c, e, reach, tone, gloss = _posed(codes, latents, radius)
        cx = c[..., 0] + column(latents, "x")[:, None] * half            # (b,s)
        cy = c[..., 1] + column(latents, "y")[:, None] * half
        # A silhouette ends at its bounding rectangle, so that what lies a pixel farther is
        # untouched to the last bit and a solid need be painted on its own rectangle only.
        rx, ry = [(reach[..., i] * reach[..., i] + THIN * THIN).sqrt() for i in (0, 1)]
        edges = (half - cy - ry - 1.0, half - cy + ry + 1.0, cx - rx + half - 1.0,
                 cx + rx + half + 1.0)
        edges = torch.stack([v.detach() for v in edges], -1).cpu().numpy()
        edges[..., 0::2] = np.floor(edges[..., 0::2])
        self.edges = np.ceil(edges).clip(0, size).astype(np.int64)
        (sa, se), (ca, ce) = sin_cos(torch.stack([column(latents, "light_azimuth"),
                                                  column(latents, "light_elevation")]))
        light = [v[:, None] for v in (ce * sa, se, ce * ca)]
        tone = tone * column(latents, "albedo")[:, None]
        # Halfway between the light and the camera: where a glossy surface mirrors the light.
        hz = 1.0 + light[2]
        norm = (light[0] * light[0] + light[1] * light[1] + hz * hz + 1e-9).sqrt()
        common = {"cx": cx, "cy": cy, "cz": c[..., 2], "rx": rx, "ry": ry, "zmax": reach[..., 2],
                  "seam": -0.5 / (SEAM * radius[:, None])}
        lit = {"tone": tone, "lx": light[0], "ly": light[1], "lz": light[2]}
        shiny = {"hx": light[0] / norm, "hy": light[1] / norm, "hz": hz / norm,
                 "gloss": 0.55 * gloss}
        ball, rod = _quadric(e, True), _quadric(e, False)
        tables = {PLAIN: lit | ball, GLOSSY: lit | shiny | ball,
                  CYLINDER: lit | rod | _rod_numbers(e, rod, tone, light),
                  BLOCK: _box_numbers(e, tone, light)}
        self.tables = {}
        for kind, table in tables.items():
            if (self.kinds == kind).any():
                table = common | table
                stacked = torch.stack([v.expand_as(cx) for v in table.values()], -1)
                self.tables[kind] = tuple(table), stacked.to(dtype)      # (b,s,k)

    def numbers(self, kind, s, images):
        """The numbers, by name, of solid s, which is of one kind in these images: each (b,1,1)."""
        names, values = self.tables[kind]
        values = values[:, s].index_select(0, images)
        return dict(zip(names, values[:, None, None].unbind(-1), strict=True))


def _dot2(a, b):
    return a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1]


def _dot3(a, b):
    return _dot2(a, b) + a[..., 2] * b[..., 2]


def _quadric(e, whole):
    """The quadric u'Gu = 1 around an ellipsoid's centre, or (``whole`` false) a cylinder's axis,
    and the ellipse p'Qp = 1 of its silhouette or cap. e: half-axes (b,s,3 xyz,3 which)."""
    vectors = e.unbind(-1)[:3 if whole else 2]
    squares = [_dot3(v, v) * _dot3(v, v) for v in vectors]
    def moment(i, j, by=None):
        terms = [v[..., i] * v[..., j] for v in vectors]
        terms = terms if by is None else [t / sq for t, sq in zip(terms, by, strict=True)]
        return sum(terms[1:], terms[0])
    gxx, gxy, gyy = (moment(i, j, squares) for i, j in ((0, 0), (0, 1), (1, 1)))
    gxz, gyz, gzz = (moment(i, 2, squares) for i in range(3))
    gzz = gzz + 1e-5 * (gxx + gyy)  # a cylinder seen end on has no side to enter: keep finite
    # The silhouette's ellipse is the inverse of the second moments, widened by THIN.
    xx, xy, yy = moment(0, 0) + THIN * THIN, moment(0, 1), moment(1, 1) + THIN * THIN
    det = xx * yy - xy * xy
    return {"gxx": gxx, "gxy": gxy, "gyy": gyy, "gxz": gxz, "gyz": gyz, "gzz": gzz,
            "mx": gxz / gzz, "my": gyz / gzz, "inv": 0.5 / gzz,
            "qxx": yy / det, "qxy": -xy / det, "qyy": xx / det}


def _rod_numbers(e, n, tone, light):
    """What cylinders need beyond their quadric, each (b,s): sweep, strip and cap."""
    e1, e2, e3 = e.unbind(-1)
    ex, ey, ez = e3.unbind(-1)
    sq = [_dot3(v, v) for v in (e1, e2, e3)]
    # The outline sweeps the cap along the axis: pixel p is compared with the cap at
    # t = clamp(kx x + ky y, -1, 1) half-axes from the centre.
    kx, ky = n["qxx"] * ex + n["qxy"] * ey, n["qxy"] * ex + n["qyy"] * ey
    norm = kx * ex + ky * ey + 1e-6
    # The side's strip: |sx x + sy y| = 1 on the two long edges.
    nx, ny = -ey, ex
    width = nx * e1[..., 0] + ny * e1[..., 1], nx * e2[..., 0] + ny * e2[..., 1]
    width = (width[0] * width[0] + width[1] * width[1] + 1e-4).sqrt()
    # The cap that faces the camera: its centre, plane, brightness, and how visible it is.
    sign = torch.where(ez >= 0, 1.0, -1.0).to(ez.dtype)
    slope = sign * torch.clamp(ez.abs(), min=1e-3)
    length = sq[2].sqrt()
    minor = torch.minimum(sq[0], sq[1]).sqrt() * ez.abs() / length
    return {"ex": ex, "ey": ey, "kx": kx / norm, "ky": ky / norm,
            "sx": nx / width, "sy": ny / width,
            "capx": sign * ex, "capy": sign * ey, "cap0": sign * sq[2] / slope,
            "capdx": -ex / slope, "capdy": -ey / slope, "capseen": smoothstep(minor / 0.7),
            "capshade": shaded(tone, *[sign * e3[..., i] / length for i in range(3)], light)}


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
              f"shade{i}": shaded(tone, *[sign * a[..., m] / length for m in range(3)], light)}
    for i, j in ((0, 1), (0, 2), (1, 2)):  # pixels from the crease between faces i and j
        (si, *pi), (sj, *pj) = planes[i], planes[j]
        # Entering face is the one met last, so the nearest wins when its plane lies lower.
        d = [sj * a - si * b for a, b in zip(pi, pj, strict=True)]
        norm = (d[1] * d[1] + d[2] * d[2] + 1e-6).sqrt() * -CREASE
        n |= {f"c0{i}{j}": d[0] / norm + 0.5, f"cx{i}{j}": d[1] / norm, f"cy{i}{j}": d[2] / norm}
    return n
