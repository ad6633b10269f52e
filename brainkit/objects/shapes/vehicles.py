"""Recipes of the boats, the cars and the planes."""

import math

from ..solids import DARK, ball, both, box, rod


def _hull(length, height, width, tone, deck=0.75, bow=0.45):
    """A hull whose deck lies at y = 0, with a rounded keel, a raked bow and a flat stern."""
    w = width
    return [
        rod((0, -height, 0), (0, 0, 0), (length, w), tone),
        ball((-0.02 * length, -height, 0), (0.88 * length, 0.75 * height, 0.85 * w), 0.6 * tone),
        rod((0, -0.01, 0), (0, 0.06, 0), (0.94 * length, 0.88 * w), deck),
        box((0.83 * length, -0.35 * height, 0), (bow * w, 0.5 * height, bow * w), tone, yaw=45),
        box((-0.72 * length, -0.45 * height, 0), (0.2 * length, 0.5 * height, 0.72 * w), tone),
    ]


def boats():
    def sail(x, w, h, foot=0.2):
        return [
            box((x, foot + h * (k + 0.5) / 4, 0), (w * (1 - (k + 0.2) / 4.4), h / 8.2, 0.05), 0.98)
            for k in range(4)
        ]

    def mast(x, h, r=0.045):
        return rod((x, 0, 0), (x, h, 0), r, 0.35)

    def cabin(x, half, y=0.0, tone=0.9):
        return [
            box((x, y + half[1], 0), half, tone),
            box((x, y + 1.2 * half[1], 0), (half[0] + 0.05, 0.32 * half[1], half[2] + 0.05), 0.15),
            box((x, y + 2 * half[1], 0), (half[0] + 0.07, 0.06, half[2] + 0.07), 0.75 * tone),
        ]

    def funnel(x, y, r, h):
        return [
            rod((x, y, 0), (x - 0.08, y + h, 0), r, 0.3),
            rod((x - 0.05, y + 0.6 * h, 0), (x - 0.06, y + 0.8 * h, 0), 1.12 * r, 0.95),
        ]

    sloop = [
        *_hull(1.3, 0.34, 0.42, 0.85),
        mast(0.15, 2.2),
        *sail(-0.45, 0.55, 1.7),
        box((0.55, 0.62, 0), (0.28, 0.42, 0.05), 0.9),
        box((0.42, 1.3, 0), (0.14, 0.3, 0.05), 0.9),
    ]
    tug = [
        *_hull(1.15, 0.45, 0.5, 0.3),
        *cabin(0.2, (0.38, 0.42, 0.32)),
        *funnel(-0.4, 0, 0.17, 0.8),
        mast(-0.05, 1.35),
    ]
    ship = [
        *_hull(1.9, 0.42, 0.42, 0.4),
        *cabin(-1.2, (0.25, 0.5, 0.34)),
        *[
            box((x, 0.26, 0), (0.3, 0.26, 0.36), tone)
            for x, tone in ((-0.5, 0.55), (0.15, 0.9), (0.8, 0.3))
        ],
        box((0.15, 0.72, 0), (0.3, 0.2, 0.36), 0.42),
    ]
    rowing = [
        *_hull(1.35, 0.3, 0.48, 0.75, deck=0.25),
        *[box((x, 0.08, 0), (0.12, 0.06, 0.46), 0.9) for x in (-0.65, 0.0, 0.6)],
        *both(rod((0.1, 0.15, 0.35), (-0.45, -0.1, 1.25), 0.05, 0.65)),
        *both(box((-0.5, -0.12, 1.32), (0.1, 0.05, 0.2), 0.65, yaw=30)),
    ]
    speed = [
        *_hull(1.6, 0.3, 0.42, 0.98, deck=0.9, bow=0.6),
        box((-0.1, 0.24, 0), (0.34, 0.2, 0.34), DARK, roll=25, gloss=0.3),
        box((-0.55, 0.14, 0), (0.4, 0.12, 0.36), 0.55),
        box((-1.5, -0.02, 0), (0.14, 0.25, 0.14), 0.1),
    ]
    galleon = [
        *_hull(1.5, 0.45, 0.46, 0.42),
        box((-1.1, 0.25, 0), (0.35, 0.3, 0.38), 0.42),
        rod((1.2, 0.05, 0), (1.95, 0.45, 0), 0.05, 0.35),
    ]
    for x, h in ((-0.85, 1.5), (0.0, 1.95), (0.8, 1.6)):
        galleon += [
            mast(x, h),
            box((x + 0.1, 0.4 * h, 0), (0.07, 0.19 * h, 0.62), 0.97),
            box((x + 0.1, 0.78 * h, 0), (0.07, 0.13 * h, 0.45), 0.97),
        ]
    liner = [
        *_hull(1.9, 0.4, 0.4, 0.2),
        *cabin(-0.1, (1.15, 0.2, 0.34)),
        *cabin(-0.1, (0.85, 0.17, 0.28), 0.42),
        *[p for x in (-0.7, -0.1, 0.5) for p in funnel(x, 0.75, 0.14, 0.5)],
    ]
    catamaran = [
        *both(rod((-1.2, -0.1, 0.6), (0.9, -0.1, 0.6), 0.17, 0.95)),
        *both(ball((0.9, -0.1, 0.6), (0.55, 0.17, 0.17), 0.95)),
        box((-0.15, 0.08, 0), (0.75, 0.06, 0.6), 0.3),
        mast(0.1, 2.1),
        *sail(-0.45, 0.52, 1.6, 0.3),
    ]
    return sloop, tug, ship, rowing, speed, galleon, liner, catamaran


def _wheels(xs, radius, z, width=0.12):
    parts = []
    for x in xs:
        parts += both(rod((x, radius, z - width), (x, radius, z + width), radius, DARK))
        parts += both(rod((x, radius, z), (x, radius, z + width + 0.05), 0.5 * radius, 0.8))
    return parts


def _car(body, tone, cabin, xs=(-0.85, 0.85), wheel=0.3, floor=0.2, extra=(), lamp=0.98):
    """body: half length, height, width. cabin: (x, half length, height, roof half length)."""
    length, height, width = body
    y = floor + height
    x, half, tall, roof = cabin
    deck, lean = y + height, half - roof
    return [
        box((0, y, 0), body, tone, gloss=0.15),
        box((x, deck + tall, 0), (roof, tall, 0.86 * width), 0.1),
        box((x, deck + 2 * tall, 0), (roof + 0.04, 0.07, 0.9 * width), tone),
        # Raked glass before and behind, between pillars of the body's tone.
        *[
            box(
                (x + s * 0.5 * (half + roof), deck + 0.95 * tall, 0),
                (0.09, 1.02 * math.hypot(tall, 0.5 * lean), 0.8 * width),
                0.16,
                roll=s * math.degrees(math.atan2(0.5 * lean, tall)),
            )
            for s in (-1, 1)
        ],
        *[
            s
            for p in (-1, 0, 1)
            for s in both(
                box((x + p * 0.94 * roof, deck + tall, 0.86 * width), (0.06, tall, 0.05), tone)
            )
        ],
        *_wheels(xs, wheel, 0.86 * width),
        *both(ball((length, y + 0.2 * height, 0.68 * width), (0.08, 0.11, 0.13), lamp)),
        box((length, floor + 0.3 * height, 0), (0.07, 0.25 * height, 0.96 * width), 0.3),
        box((-length, floor + 0.3 * height, 0), (0.07, 0.25 * height, 0.96 * width), 0.3),
        *extra,
    ]


def cars():
    saloon = _car((1.5, 0.25, 0.6), 0.75, (-0.12, 0.72, 0.24, 0.62))
    hatch = _car((1.15, 0.28, 0.58), 0.95, (-0.3, 0.72, 0.27, 0.62), (-0.7, 0.72))
    pickup = _car(
        (1.6, 0.26, 0.62),
        0.45,
        (0.3, 0.42, 0.3, 0.38),
        (-0.95, 0.98),
        0.36,
        0.3,
        [
            box((-0.9, 0.86, 0), (0.6, 0.06, 0.5), 0.1),
            *both(box((-0.9, 0.9, 0.56), (0.7, 0.14, 0.06), 0.45)),
            box((-1.55, 0.9, 0), (0.06, 0.14, 0.6), 0.45),
        ],
    )
    van = _car(
        (1.45, 0.6, 0.6),
        0.98,
        (0.72, 0.58, 0.16, 0.55),
        (-0.9, 0.9),
        0.3,
        0.2,
        [box((-0.35, 1.5, 0), (1.08, 0.25, 0.58), 0.98)],
    )
    bus = [
        box((0, 1.0, 0), (1.9, 0.78, 0.55), 0.85),
        box((0, 1.3, 0), (1.95, 0.24, 0.6), 0.12),
        *[box((x, 1.3, 0), (0.06, 0.26, 0.65), 0.85) for x in (-1.15, -0.4, 0.35, 1.1)],
        box((0, 0.62, 0), (1.94, 0.07, 0.6), 0.35),
        *_wheels((-1.2, 1.2), 0.34, 0.47),
    ]
    sports = _car(
        (1.6, 0.19, 0.62),
        0.55,
        (-0.3, 0.55, 0.17, 0.4),
        (-0.95, 0.95),
        0.32,
        0.16,
        [
            box((-1.45, 0.85, 0), (0.16, 0.05, 0.62), 0.55),
            *both(box((-1.45, 0.7, 0.4), (0.06, 0.16, 0.06), 0.3)),
        ],
    )
    beetle = [
        ball((0, 0.55, 0), (1.35, 0.42, 0.58), 0.7, gloss=0.3),
        ball((-0.15, 0.85, 0), (0.82, 0.5, 0.5), 0.7, gloss=0.3),
        box((-0.12, 0.98, 0), (0.5, 0.15, 0.53), 0.12),
        box((-0.12, 0.98, 0), (0.06, 0.17, 0.57), 0.7),
        box((-0.12, 0.98, 0), (0.8, 0.13, 0.33), 0.12),
        *[s for x in (-0.82, 0.82) for s in both(ball((x, 0.42, 0.5), (0.42, 0.3, 0.16), 0.6))],
        *_wheels((-0.82, 0.82), 0.3, 0.55),
        *both(ball((1.12, 0.6, 0.4), 0.14, 0.98)),
    ]
    lorry = [
        box((-0.5, 1.15, 0), (1.35, 0.72, 0.58), 0.95),
        box((0, 0.38, 0), (1.8, 0.1, 0.45), 0.2),
        box((1.4, 0.85, 0), (0.42, 0.5, 0.55), 0.4),
        box((1.42, 1.05, 0), (0.46, 0.2, 0.6), 0.12),
        *_wheels((-1.3, -0.6, 1.35), 0.32, 0.5),
        *both(ball((1.82, 0.55, 0.38), 0.11, 0.98)),
    ]
    return saloon, hatch, pickup, van, bus, sports, beetle, lorry


def _plane(
    length,
    radius,
    span,
    chord,
    sweep,
    tone,
    wing_y=0.0,
    wing_x=0.0,
    tail=(0.42, 0.5),
    engines=(),
    extra=(),
    wing_tone=None,
    thick=0.065,
):
    wt = 0.9 * tone if wing_tone is None else wing_tone
    back = -0.86 * length
    t, th = tail
    return [
        rod((-0.72 * length, 0, 0), (0.7 * length, 0, 0), radius, tone),
        ball((0.7 * length, 0, 0), (0.3 * length, radius, radius), tone),
        ball(
            (-0.7 * length, 0.15 * radius, 0), (0.34 * length, 0.85 * radius, 0.85 * radius), tone
        ),
        ball(
            (0.72 * length, 0.5 * radius, 0),
            (0.16 * length, 0.62 * radius, 0.6 * radius),
            DARK,
            gloss=0.4,
        ),
        *both(
            box(
                (wing_x - 0.5 * span * sweep, wing_y, 0.5 * span),
                (chord, thick, 0.53 * span),
                wt,
                yaw=-math.degrees(math.atan(sweep)),
            )
        ),
        *both(box((back - 0.25 * t, 0.1, 0.5 * t), (0.5 * chord, 0.045, 0.6 * t), wt, yaw=-30)),
        box((back - 0.12, 0.5 * th + 0.1, 0), (0.17 * length, 0.55 * th, 0.05), wt, roll=25),
        *[
            s
            for x, y, z, r in engines
            for s in both(rod((x - 0.22, y, z), (x + 0.25, y, z), r, 0.5 * tone))
        ],
        *extra,
    ]


def planes():
    def prop(x, y, z, r):
        return [box((x, y, z), (0.03, r, 0.06), 0.12, pitch=35), ball((x, y, z), 0.1, 0.2)]

    airliner = _plane(
        1.5, 0.27, 1.35, 0.3, 0.55, 0.95, -0.08, 0.25, engines=[(0.15, -0.22, 0.55, 0.13)]
    )
    fighter = _plane(
        1.4,
        0.22,
        0.85,
        0.45,
        0.9,
        0.45,
        0,
        0.1,
        tail=(0.4, 0.5),
        extra=[*both(rod((-1.2, 0, 0.15), (0.2, 0, 0.15), 0.14, 0.38))],
    )
    biplane = _plane(
        1.0,
        0.24,
        1.15,
        0.3,
        0.0,
        0.6,
        -0.18,
        0.3,
        extra=[
            box((0.38, 0.5, 0), (0.27, 0.05, 1.2), 0.85),
            *[
                s
                for z in (0.45, 0.95)
                for s in both(rod((0.38, -0.18, z), (0.38, 0.5, z), 0.04, 0.3))
            ],
            *prop(1.02, 0, 0, 0.45),
            *both(rod((0.45, -0.55, 0.25), (0.45, -0.55, 0.33), 0.16, DARK)),
        ],
        wing_tone=0.85,
    )
    propeller = _plane(
        1.1,
        0.25,
        1.25,
        0.28,
        0.0,
        0.98,
        0.2,
        0.3,
        extra=[
            *prop(1.12, 0, 0, 0.42),
            *both(rod((0.4, -0.5, 0.3), (0.4, -0.5, 0.38), 0.14, DARK)),
            *both(rod((0.4, -0.45, 0.32), (0.35, -0.1, 0.1), 0.05, 0.3)),
        ],
        wing_tone=0.5,
    )
    glider = _plane(1.15, 0.22, 1.75, 0.24, 0.05, 0.98, 0.1, 0.3, tail=(0.4, 0.5))
    delta = [
        *_plane(1.6, 0.22, 0.75, 0.5, 1.3, 0.9, -0.05, -0.1, tail=(0.1, 0.5)),
        *both(box((-0.75, -0.06, 0.45), (0.5, 0.045, 0.42), 0.85)),
    ]
    seaplane = _plane(
        1.2,
        0.27,
        1.25,
        0.3,
        0.0,
        0.8,
        0.28,
        0.2,
        extra=[
            *both(ball((0.2, -0.6, 0.45), (0.85, 0.15, 0.14), 0.4)),
            *both(rod((0.45, -0.55, 0.45), (0.4, 0, 0.15), 0.05, 0.3)),
            *both(rod((-0.1, -0.55, 0.45), (-0.1, 0, 0.15), 0.05, 0.3)),
            *prop(1.22, 0, 0, 0.42),
        ],
        wing_tone=0.4,
    )
    bomber = _plane(
        1.3,
        0.26,
        1.5,
        0.32,
        0.08,
        0.35,
        0.05,
        0.2,
        tail=(0.6, 0.55),
        engines=[(0.45, 0.05, 0.55, 0.15), (0.38, 0.05, 1.05, 0.15)],
        extra=[
            *[
                s
                for x, z in ((0.74, 0.55), (0.67, 1.05))
                for s in both(box((x, 0.05, z), (0.03, 0.27, 0.05), 0.1, pitch=30))
            ]
        ],
    )
    return airliner, fighter, biplane, propeller, glider, delta, seaplane, bomber
