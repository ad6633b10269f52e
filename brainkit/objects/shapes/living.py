"""Recipes of the animals, the faces and the fruits."""

import itertools
import math

from ..solids import DARK, across, ball, both, box, rod


def _animal(body, leg, neck, head, snout, tone, ear, tail, extra=(), face=None, legs=None):
    """body: half length, height, width. leg: length, radius. neck: dx, dy, radius from shoulder
    to head. head, snout: half-axes. ear: at (relative to head), half-axes. tail: points."""
    length, height, width = body
    y = leg[0] + 0.75 * height
    shoulder = (0.72 * length, y + 0.25 * height)
    hx, hy = shoulder[0] + neck[0], shoulder[1] + neck[1]
    face = tone if face is None else face
    legs = tone if legs is None else legs
    parts = [ball((0, y, 0), body, tone)]
    for x in (-0.68 * length, 0.62 * length):
        parts += both(rod((x, 0, 0.58 * width), (x, y, 0.58 * width), leg[1], legs))
    parts.append(rod((*shoulder, 0), (hx, hy, 0), neck[2], tone))
    parts.append(ball((hx, hy, 0), head, face))
    sx = hx + head[0] + 0.35 * snout[0]
    parts.append(ball((sx, hy - 0.35 * head[1], 0), snout, face))
    parts.append(ball((sx + 0.85 * snout[0], hy - 0.25 * head[1], 0), 0.45 * snout[1], DARK))
    parts += both(
        ball(
            (hx + 0.62 * head[0], hy + 0.35 * head[1], 0.72 * head[2]),
            0.2 * head[1] + 0.03,
            DARK,
            gloss=0.6,
        )
    )
    (ex, ey, ez), half, turn = ear
    parts += both(ball((hx + ex, hy + ey, ez), half, 0.75 * face, **turn))
    tail = [(-0.9 * length + px, y + 0.3 * height + py, 0) for px, py in tail]
    parts += [rod(a, b, 0.35 * leg[1] + 0.03, tone) for a, b in itertools.pairwise(tail)]
    return parts + [solid for make in extra for solid in make(y)]


def _spots(points, tone, radius, width):
    return lambda y: [
        s
        for px, py in points
        for s in both(ball((px, y + py, width), (radius, radius, 0.4 * radius), tone))
    ]


def animals():
    up = {"roll": 20}
    dog = _animal(
        (0.95, 0.4, 0.36),
        (0.75, 0.12),
        (0.32, 0.42, 0.22),
        (0.3, 0.27, 0.26),
        (0.24, 0.14, 0.14),
        0.72,
        ((-0.1, 0.02, 0.27), (0.13, 0.26, 0.06), up),
        [(0, 0), (-0.4, 0.5)],
    )
    cat = _animal(
        (0.85, 0.34, 0.3),
        (0.55, 0.09),
        (0.22, 0.3, 0.17),
        (0.27, 0.27, 0.3),
        (0.1, 0.1, 0.13),
        0.5,
        ((-0.05, 0.3, 0.17), (0.06, 0.2, 0.11), {}),
        [(0, 0), (-0.45, 0.25), (-0.5, 0.85)],
    )

    def trunk(y):
        return [
            rod((1.75, y + 0.15, 0), (2.0, y - 0.65, 0), 0.15, 0.55),
            rod((2.0, y - 0.6, 0), (2.2, y - 1.0, 0), 0.11, 0.55),
            *both(rod((1.65, y + 0.0, 0.2), (2.05, y - 0.25, 0.24), 0.05, 0.98)),
        ]

    elephant = _animal(
        (1.15, 0.78, 0.7),
        (0.75, 0.25),
        (0.5, 0.12, 0.4),
        (0.42, 0.46, 0.42),
        (0.15, 0.2, 0.18),
        0.55,
        ((-0.15, 0.0, 0.5), (0.4, 0.55, 0.09), {"yaw": -20}),
        [(0, 0), (-0.2, -0.6)],
        [trunk],
    )

    def horns(y):
        return both(rod((1.2, y + 2.15, 0.1), (1.15, y + 2.5, 0.1), 0.05, 0.3))

    giraffe = _animal(
        (0.85, 0.42, 0.36),
        (1.35, 0.11),
        (0.65, 1.85, 0.17),
        (0.27, 0.19, 0.18),
        (0.24, 0.12, 0.12),
        0.85,
        ((-0.12, 0.12, 0.24), (0.05, 0.08, 0.17), {}),
        [(0, 0), (-0.2, -0.6)],
        [horns, _spots([(-0.45, 0.1), (0.0, -0.05), (0.4, 0.15)], 0.35, 0.17, 0.32)],
    )
    pig = _animal(
        (1.0, 0.58, 0.55),
        (0.42, 0.14),
        (0.3, 0.08, 0.36),
        (0.36, 0.36, 0.36),
        (0.2, 0.19, 0.19),
        0.92,
        ((-0.02, 0.32, 0.24), (0.07, 0.17, 0.13), {}),
        [(0, 0), (-0.15, 0.15), (-0.28, 0.05)],
    )

    def wool(y):
        return [
            ball((x, y + 0.2, z), (0.4, 0.4, 0.36), 0.98)
            for x in (-0.5, 0.0, 0.5)
            for z in (-0.3, 0.3)
        ]

    sheep = _animal(
        (0.95, 0.55, 0.5),
        (0.55, 0.1),
        (0.35, 0.2, 0.22),
        (0.26, 0.26, 0.22),
        (0.2, 0.16, 0.15),
        0.98,
        ((-0.08, 0.08, 0.28), (0.07, 0.08, 0.16), {}),
        [(0, 0), (-0.15, -0.2)],
        [wool],
        face=0.22,
        legs=0.2,
    )

    def mane(y):
        return [
            ball((0.85, y + 0.62, 0), (0.12, 0.55, 0.1), 0.12, roll=-28),
            ball((-1.12, y - 0.3, 0), (0.14, 0.6, 0.13), 0.12, roll=-14),
        ]

    horse = _animal(
        (1.0, 0.42, 0.36),
        (1.05, 0.11),
        (0.5, 0.78, 0.2),
        (0.3, 0.2, 0.17),
        (0.3, 0.15, 0.14),
        0.45,
        ((-0.16, 0.22, 0.1), (0.05, 0.14, 0.06), {}),
        [(0, 0), (-0.2, -0.25)],
        [mane],
    )

    def humps(y):
        return [
            ball((-0.42, y + 0.42, 0), (0.3, 0.42, 0.24), 0.68),
            ball((0.3, y + 0.42, 0), (0.3, 0.42, 0.24), 0.68),
        ]

    camel = _animal(
        (1.0, 0.45, 0.4),
        (1.1, 0.11),
        (0.62, 0.62, 0.15),
        (0.28, 0.2, 0.18),
        (0.25, 0.14, 0.14),
        0.68,
        ((-0.16, 0.16, 0.12), (0.05, 0.1, 0.05), {}),
        [(0, 0), (-0.15, -0.5)],
        [humps],
    )
    return dog, cat, elephant, giraffe, pig, sheep, horse, camel


def _face(
    shape,
    skin,
    hair,
    parts=(),
    eye=0.13,
    nose=(0.11, 0.2, 0.2),
    mouth=(0.28, 0.06),
    brow=0.2,
    hairline=(1.08, 0.85, 1.02),
    neck=0.4,
):
    w, h, d = shape
    top = (
        []
        if hair is None
        else [
            ball(
                (0, 0.38 * h, -0.22 * d), (hairline[0] * w, hairline[1] * h, hairline[2] * d), hair
            )
        ]
    )
    z = 0.8 * d
    return [
        ball((0, 0, 0), shape, skin),
        *top,
        rod((0, -1.35 * h, -0.12), (0, -0.6 * h, -0.08), neck, 0.92 * skin),
        *across(ball((0.36 * w, 0.1 * h, z), (eye * 1.35, eye, 0.13), 0.99)),
        *across(ball((0.36 * w, 0.1 * h, z + 0.1), (0.62 * eye, 0.75 * eye, 0.1), 0.03)),
        *across(box((0.38 * w, 0.34 * h, 0.84 * d), (brow, 0.045, 0.1), min(0.2, 0.5 * skin))),
        ball((0, -0.14 * h, 0.95 * d), nose, skin),
        ball((0, -0.52 * h, 0.8 * d), (*mouth, 0.12), 0.15),
        *across(ball((0.98 * w, 0.02 * h, -0.05), (0.09, 0.2, 0.13), 0.9 * skin)),
        *parts,
    ]


def faces():
    bun = _face((0.72, 0.92, 0.75), 0.85, 0.12, [ball((0, 1.25, -0.35), 0.3, 0.12)])
    bald = _face((0.78, 0.9, 0.78), 0.7, None, brow=0.24, nose=(0.14, 0.2, 0.22))
    long_hair = _face(
        (0.68, 0.9, 0.72),
        0.92,
        0.4,
        [*across(ball((0.68, -0.35, -0.2), (0.22, 1.0, 0.35), 0.4))],
        mouth=(0.2, 0.09),
    )
    beard = _face(
        (0.78, 0.92, 0.76),
        0.78,
        0.22,
        [
            ball((0, -0.68, 0.22), (0.66, 0.52, 0.55), 0.22),
            ball((0, -0.5, 0.8), (0.2, 0.05, 0.1), 0.6),
        ],
        nose=(0.13, 0.22, 0.22),
    )
    glasses = _face(
        (0.7, 0.95, 0.74),
        0.8,
        0.55,
        [
            *across(rod((0.28, 0.09, 0.66), (0.28, 0.09, 0.84), 0.25, 0.05)),
            *across(rod((0.28, 0.09, 0.7), (0.28, 0.09, 0.9), 0.17, 0.95)),
            *across(ball((0.28, 0.09, 0.9), (0.08, 0.09, 0.06), 0.03)),
            box((0, 0.12, 0.82), (0.1, 0.035, 0.05), 0.05),
        ],
    )
    hat = _face(
        (0.72, 0.9, 0.74),
        0.88,
        None,
        [
            rod((0, 0.5, -0.05), (0, 0.58, -0.05), 1.05, 0.25),
            rod((0, 0.5, -0.05), (0, 1.15, -0.05), 0.68, 0.25),
            rod((0, 0.6, -0.05), (0, 0.74, -0.05), 0.72, 0.9),
        ],
        nose=(0.12, 0.17, 0.18),
    )
    child = _face(
        (0.85, 0.85, 0.8),
        0.95,
        0.7,
        eye=0.17,
        nose=(0.09, 0.1, 0.12),
        mouth=(0.18, 0.06),
        brow=0.15,
        neck=0.3,
    )
    dark = _face(
        (0.74, 0.92, 0.76),
        0.42,
        0.05,
        [ball((0, 0.62, -0.1), (0.85, 0.62, 0.8), 0.05)],
        mouth=(0.3, 0.1),
        nose=(0.16, 0.17, 0.18),
    )
    return bun, bald, long_hair, beard, glasses, hat, child, dark


def fruits():
    def stem(y, dx=0.08, h=0.3, r=0.05):
        return rod((0, y, 0), (dx, y + h, 0), r, 0.15)

    def leaf(x, y, turn=25):
        return ball((x, y, 0), (0.3, 0.06, 0.16), 0.3, roll=turn)

    apple = [
        *[
            ball((0.16 * c, 0, 0.16 * s), (0.75, 0.74, 0.75), 0.6, gloss=0.5)
            for c, s in ((1, 0), (-0.5, 0.87), (-0.5, -0.87))
        ],
        stem(0.6),
        leaf(0.35, 0.95),
    ]
    # A tube along an arc: cylinders of growing, then falling radius, with balls at the joints.
    arc = [
        (math.sin(math.radians(t)), 0.6 - math.cos(math.radians(t)), 0)
        for t in (-70, -46, -23, 0, 23, 46, 70)
    ]
    radii = (0.19, 0.25, 0.28, 0.28, 0.25, 0.19)
    banana = [rod(a, b, r, 0.95) for a, b, r in zip(arc, arc[1:], radii, strict=False)]
    banana += [
        ball(a, r, 0.95) for a, r in zip(arc[1:], (0.22, 0.265, 0.28, 0.265, 0.22), strict=False)
    ]
    banana += [
        rod(arc[-1], (1.02, 0.7, 0), 0.09, 0.35),
        ball(arc[-1], 0.19, 0.95),
        ball(arc[0], 0.185, 0.5),
    ]
    pear = [
        ball((0, -0.3, 0), (0.68, 0.64, 0.68), 0.85, gloss=0.3),
        ball((0, 0.18, 0), (0.47, 0.92, 0.47), 0.85, gloss=0.3),
        stem(1.0, 0.1, 0.35),
        leaf(0.35, 1.2, 15),
    ]
    grapes = [
        ball((0.52 * x, -0.48 * row, 0.52 * z), 0.3, 0.32, gloss=0.6)
        for row, spots in enumerate(
            (
                [(-1, -0.4), (0, -0.7), (1, -0.4), (-0.5, 0.5), (0.5, 0.5)],
                [(-0.55, -0.35), (0.55, -0.35), (0, 0.55), (-0.95, 0.3), (0.95, 0.3)],
                [(-0.4, -0.2), (0.4, -0.2), (0, 0.45)],
                [(0, 0)],
            )
        )
        for x, z in spots
    ]
    grapes += [stem(0.1, 0.1, 0.55, 0.07), leaf(0.4, 0.5)]
    pineapple = [
        ball((0, -0.25, 0), (0.55, 0.8, 0.55), 0.55),
        *[
            ball(
                (
                    0.5 * c * (1 - abs(y) ** 2 * 0.35),
                    0.6 * y - 0.25,
                    0.5 * s * (1 - abs(y) ** 2 * 0.35),
                ),
                0.14,
                0.85,
            )
            for y in (-0.7, 0.0, 0.7)
            for c, s in ((0.92, 0.38), (0.38, 0.92), (-0.38, 0.92), (-0.92, 0.38))
        ],
        *[
            ball((dx, 0.9, dz), (0.09, 0.5, 0.09), 0.3, roll=-dx * 110, pitch=dz * 110)
            for dx, dz in ((0, 0), (0.25, 0), (-0.25, 0), (0, 0.25), (0, -0.25))
        ],
    ]
    cherries = [
        ball((-0.5, -0.5, 0), 0.48, 0.3, gloss=0.8),
        ball((0.5, -0.55, 0.1), 0.48, 0.3, gloss=0.8),
        rod((-0.5, -0.1, 0), (0.1, 0.95, 0), 0.055, 0.6),
        rod((0.5, -0.15, 0.1), (0.1, 0.95, 0), 0.055, 0.6),
        leaf(0.4, 0.95, 10),
    ]
    lemon = [
        ball((0, 0, 0), (0.85, 0.6, 0.6), 0.95, gloss=0.3),
        ball((0.82, 0, 0), (0.2, 0.16, 0.16), 0.9),
        ball((-0.82, 0, 0), (0.2, 0.2, 0.2), 0.9),
        leaf(-0.95, 0.25, 50),
    ]
    melon = [
        ball((0, 0, 0), (1.0, 0.78, 0.78), 0.42, gloss=0.3),
        *[
            rod((x, 0, 0), (x + 0.09, 0, 0), r, 0.85)
            for x, r in ((-0.72, 0.6), (-0.4, 0.745), (-0.045, 0.8), (0.31, 0.77), (0.63, 0.65))
        ],
        rod((-0.95, 0.05, 0), (-1.2, 0.2, 0), 0.06, 0.2),
    ]
    return apple, banana, pear, grapes, pineapple, cherries, lemon, melon
