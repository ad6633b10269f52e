"""Three kinds of solid, and how a handful of them becomes one object of unit radius.

Object frame: x forward (the animal's nose, the boat's bow), y up, z to the object's right; seen
from +z the front points right. Faces and chairs look along +z. Units are free: an object is
centred and scaled to a bounding sphere of radius 1 when it is built.
"""

import math
from dataclasses import dataclass

import numpy as np

BALL, ROD, BOX = "ellipsoid", "cylinder", "box"
DARK = 0.08  # albedo of tyres, eyes and glass


@dataclass(frozen=True)
class Solid:
    """One ellipsoid, elliptic cylinder or box.

    kind: one of BALL, ROD, BOX. at: (3,) centre. axes: (3,3), whose columns are the half-axes as
    vectors (for a cylinder the third column is half the axis, the first two its radii). tone:
    albedo in [0,1]. gloss: strength of the highlight in [0,1].
    """

    kind: str
    at: np.ndarray
    axes: np.ndarray
    tone: float
    gloss: float = 0.0

    def extent(self, directions):
        """How far the solid reaches along unit vectors (m,3) from the origin: (m,)."""
        along = np.abs(directions @ self.axes)
        if self.kind == BOX:
            reach = along.sum(1)
        elif self.kind == BALL:
            reach = np.sqrt((along**2).sum(1))
        else:
            reach = np.sqrt((along[:, :2] ** 2).sum(1)) + along[:, 2]
        return directions @ self.at + reach


def _turned(yaw=0.0, pitch=0.0, roll=0.0):
    """Rotation matrix: roll about z (nose up), then pitch about x, then yaw about y; degrees."""
    def plane(i, j, degrees):
        m = np.eye(3)
        c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        m[i, i], m[i, j], m[j, i], m[j, j] = c, -s, s, c
        return m
    return plane(2, 0, yaw) @ plane(1, 2, pitch) @ plane(0, 1, roll)


def ball(at, half, tone, gloss=0.0, **turn):
    """Ellipsoid with half-axes ``half`` (a number for a sphere), turned by yaw, pitch, roll."""
    half = np.broadcast_to(np.asarray(half, float), 3)
    return Solid(BALL, np.asarray(at, float), _turned(**turn) * half, tone, gloss)


def box(at, half, tone, gloss=0.0, **turn):
    """Box with half-edges ``half``, turned by yaw, pitch, roll in degrees."""
    return Solid(BOX, np.asarray(at, float), _turned(**turn) * np.asarray(half, float), tone, gloss)


def rod(start, end, radius, tone, gloss=0.0):
    """Cylinder between two points; ``radius`` a number, or two for an elliptic one.

    The first of two radii lies along x for an upright rod, along y for one that lies.
    """
    start, end = np.asarray(start, float), np.asarray(end, float)
    axis = (end - start) / 2
    unit = axis / math.sqrt((axis**2).sum())
    hint = np.array([1.0, 0.0, 0.0] if abs(unit[1]) > 0.7 else [0.0, 1.0, 0.0])
    first = hint - (hint @ unit) * unit
    first /= math.sqrt((first**2).sum())
    radii = np.broadcast_to(np.asarray(radius, float), 2)
    axes = np.stack([first * radii[0], np.cross(unit, first) * radii[1], axis], 1)
    return Solid(ROD, (start + end) / 2, axes, tone, gloss)


def _mirrored(solid, flip):
    flip = np.array(flip)
    return Solid(solid.kind, solid.at * flip, solid.axes * flip[:, None], solid.tone, solid.gloss)


def both(solid):
    """The solid and its mirror image on the other flank (z -> -z), for what looks along x."""
    return [solid, _mirrored(solid, [1.0, 1.0, -1.0])]


def across(solid):
    """The solid and its mirror image on the other side (x -> -x), for what looks along z."""
    return [solid, _mirrored(solid, [-1.0, 1.0, 1.0])]


def _sphere_directions(count=400):
    """Evenly spread unit vectors (Fibonacci lattice): (count,3)."""
    k = np.arange(count) + 0.5
    y, turn = 1 - 2 * k / count, k * math.pi * (3 - math.sqrt(5))
    r = np.sqrt(1 - y * y)
    return np.stack([r * np.cos(turn), y, r * np.sin(turn)], 1)


def normalised(solids):
    """The solids moved to the centre of their bounding box and scaled to bounding radius 1."""
    faces = np.concatenate([np.eye(3), -np.eye(3)])
    reach = np.max([s.extent(faces) for s in solids], 0)  # (6,): +x +y +z -x -y -z
    # Rounded, so that a last-bit difference between two machines' cosines cannot spread.
    centre = np.round((reach[:3] - reach[3:]) / 2, 6)
    moved = [Solid(s.kind, s.at - centre, s.axes, s.tone, s.gloss) for s in solids]
    radius = np.max([s.extent(_sphere_directions()) for s in moved])
    scale = np.round(1 / radius, 6)
    return [Solid(s.kind, np.round(s.at * scale, 9), np.round(s.axes * scale, 9), s.tone, s.gloss)
            for s in moved]
