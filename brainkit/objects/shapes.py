"""The 64 objects: 8 categories x 8 exemplars, each a recipe of ellipsoids, cylinders and boxes.

A category is a function that builds an exemplar from a few measures, so that its members share a
plan (four legs and a head) and differ in proportion, parts and tone, as real categories do.
"""

import functools
import math

from .solids import ball, both, box, normalised, rod

CATEGORIES = ("animals", "boats", "cars", "chairs", "faces", "fruits", "planes", "tables")
DARK = 0.08


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
    parts += both(ball((hx + 0.62 * head[0], hy + 0.35 * head[1], 0.72 * head[2]),
                       0.2 * head[1] + 0.03, DARK, gloss=0.6))
    (ex, ey, ez), half, turn = ear
    parts += both(ball((hx + ex, hy + ey, ez), half, 0.75 * face, **turn))
    tail = [(-0.9 * length + px, y + 0.3 * height + py, 0) for px, py in tail]
    parts += [rod(a, b, 0.35 * leg[1] + 0.03, tone) for a, b in zip(tail, tail[1:], strict=False)]
    return parts + [solid for make in extra for solid in make(y)]


def _spots(points, tone, radius, width):
    return lambda y: [s for px, py in points for s in both(
        ball((px, y + py, width), (radius, radius, 0.4 * radius), tone))]


def _animals():
    up = {"roll": 20}
    dog = _animal((0.95, 0.4, 0.36), (0.75, 0.12), (0.32, 0.42, 0.22), (0.3, 0.27, 0.26),
                  (0.24, 0.14, 0.14), 0.72, ((-0.1, 0.02, 0.27), (0.13, 0.26, 0.06), up),
                  [(0, 0), (-0.4, 0.5)])
    cat = _animal((0.85, 0.34, 0.3), (0.55, 0.09), (0.22, 0.3, 0.17), (0.27, 0.27, 0.3),
                  (0.1, 0.1, 0.13), 0.5, ((-0.05, 0.3, 0.17), (0.06, 0.2, 0.11), {}),
                  [(0, 0), (-0.45, 0.25), (-0.5, 0.85)])
    trunk = lambda y: [rod((1.75, y + 0.15, 0), (2.0, y - 0.65, 0), 0.15, 0.55),
                       rod((2.0, y - 0.6, 0), (2.2, y - 1.0, 0), 0.11, 0.55),
                       *both(rod((1.65, y + 0.0, 0.2), (2.05, y - 0.25, 0.24), 0.05, 0.98))]
    elephant = _animal((1.15, 0.78, 0.7), (0.75, 0.25), (0.5, 0.12, 0.4), (0.42, 0.46, 0.42),
                       (0.15, 0.2, 0.18), 0.55, ((-0.15, 0.0, 0.5), (0.4, 0.55, 0.09),
                       {"yaw": -20}), [(0, 0), (-0.2, -0.6)], [trunk])
    horns = lambda y: both(rod((1.2, y + 2.15, 0.1), (1.15, y + 2.5, 0.1), 0.05, 0.3))
    giraffe = _animal((0.85, 0.42, 0.36), (1.35, 0.11), (0.65, 1.85, 0.17), (0.27, 0.19, 0.18),
                      (0.24, 0.12, 0.12), 0.85, ((-0.12, 0.12, 0.24), (0.05, 0.08, 0.17), {}),
                      [(0, 0), (-0.2, -0.6)],
                      [horns, _spots([(-0.45, 0.1), (0.0, -0.05), (0.4, 0.15)], 0.35, 0.17, 0.32)])
    pig = _animal((1.0, 0.58, 0.55), (0.42, 0.14), (0.3, 0.08, 0.36), (0.36, 0.36, 0.36),
                  (0.2, 0.19, 0.19), 0.92, ((-0.02, 0.32, 0.24), (0.07, 0.17, 0.13), {}),
                  [(0, 0), (-0.15, 0.15), (-0.28, 0.05)])
    wool = lambda y: [ball((x, y + 0.2, z), (0.4, 0.4, 0.36), 0.98)
                      for x in (-0.5, 0.0, 0.5) for z in (-0.3, 0.3)]
    sheep = _animal((0.95, 0.55, 0.5), (0.55, 0.1), (0.35, 0.2, 0.22), (0.26, 0.26, 0.22),
                    (0.2, 0.16, 0.15), 0.98, ((-0.08, 0.08, 0.28), (0.07, 0.08, 0.16), {}),
                    [(0, 0), (-0.15, -0.2)], [wool], face=0.22, legs=0.2)
    mane = lambda y: [ball((0.85, y + 0.62, 0), (0.12, 0.55, 0.1), 0.12, roll=-28),
                      ball((-1.12, y - 0.3, 0), (0.14, 0.6, 0.13), 0.12, roll=-14)]
    horse = _animal((1.0, 0.42, 0.36), (1.05, 0.11), (0.5, 0.78, 0.2), (0.3, 0.2, 0.17),
                    (0.3, 0.15, 0.14), 0.45, ((-0.16, 0.22, 0.1), (0.05, 0.14, 0.06), {}),
                    [(0, 0), (-0.2, -0.25)], [mane])
    humps = lambda y: [ball((-0.42, y + 0.42, 0), (0.3, 0.42, 0.24), 0.68),
                       ball((0.3, y + 0.42, 0), (0.3, 0.42, 0.24), 0.68)]
    camel = _animal((1.0, 0.45, 0.4), (1.1, 0.11), (0.62, 0.62, 0.15), (0.28, 0.2, 0.18),
                    (0.25, 0.14, 0.14), 0.68, ((-0.16, 0.16, 0.12), (0.05, 0.1, 0.05), {}),
                    [(0, 0), (-0.15, -0.5)], [humps])
    return dog, cat, elephant, giraffe, pig, sheep, horse, camel


def _hull(length, height, width, tone, deck=0.75, bow=0.45):
    """A hull whose deck lies at y = 0, with a rounded keel, a raked bow and a flat stern."""
    w = width
    return [rod((0, -height, 0), (0, 0, 0), (length, w), tone),
            ball((-0.02 * length, -height, 0), (0.88 * length, 0.75 * height, 0.85 * w), 0.6 * tone),
            rod((0, -0.01, 0), (0, 0.06, 0), (0.94 * length, 0.88 * w), deck),
            box((0.83 * length, -0.35 * height, 0), (bow * w, 0.5 * height, bow * w), tone, yaw=45),
            box((-0.72 * length, -0.45 * height, 0), (0.2 * length, 0.5 * height, 0.72 * w), tone)]


def _boats():
    sail = lambda x, w, h, foot=0.2: [
        box((x, foot + h * (k + 0.5) / 4, 0), (w * (1 - (k + 0.2) / 4.4), h / 8.2, 0.05), 0.98)
        for k in range(4)]
    mast = lambda x, h, r=0.045: rod((x, 0, 0), (x, h, 0), r, 0.35)
    cabin = lambda x, half, y=0.0, tone=0.9: [
        box((x, y + half[1], 0), half, tone),
        box((x, y + 1.2 * half[1], 0), (half[0] + 0.05, 0.32 * half[1], half[2] + 0.05), 0.15),
        box((x, y + 2 * half[1], 0), (half[0] + 0.07, 0.06, half[2] + 0.07), 0.75 * tone)]
    funnel = lambda x, y, r, h: [rod((x, y, 0), (x - 0.08, y + h, 0), r, 0.3),
                                 rod((x - 0.05, y + 0.6 * h, 0), (x - 0.06, y + 0.8 * h, 0),
                                     1.12 * r, 0.95)]
    sloop = [*_hull(1.3, 0.34, 0.42, 0.85), mast(0.15, 2.2), *sail(-0.45, 0.55, 1.7),
             box((0.55, 0.62, 0), (0.28, 0.42, 0.05), 0.9), box((0.42, 1.3, 0), (0.14, 0.3, 0.05), 0.9)]
    tug = [*_hull(1.15, 0.45, 0.5, 0.3), *cabin(0.2, (0.38, 0.42, 0.32)),
           *funnel(-0.4, 0, 0.17, 0.8), mast(-0.05, 1.35)]
    ship = [*_hull(1.9, 0.42, 0.42, 0.4), *cabin(-1.2, (0.25, 0.5, 0.34)),
            *[box((x, 0.26, 0), (0.3, 0.26, 0.36), tone)
              for x, tone in ((-0.5, 0.55), (0.15, 0.9), (0.8, 0.3))],
            box((0.15, 0.72, 0), (0.3, 0.2, 0.36), 0.42)]
    rowing = [*_hull(1.35, 0.3, 0.48, 0.75, deck=0.25),
              *[box((x, 0.08, 0), (0.12, 0.06, 0.46), 0.9) for x in (-0.65, 0.0, 0.6)],
              *both(rod((0.1, 0.15, 0.35), (-0.45, -0.1, 1.25), 0.05, 0.65)),
              *both(box((-0.5, -0.12, 1.32), (0.1, 0.05, 0.2), 0.65, yaw=30))]
    speed = [*_hull(1.6, 0.3, 0.42, 0.98, deck=0.9, bow=0.6),
             box((-0.1, 0.24, 0), (0.34, 0.2, 0.34), DARK, roll=25, gloss=0.3),
             box((-0.55, 0.14, 0), (0.4, 0.12, 0.36), 0.55), box((-1.5, -0.02, 0), (0.14, 0.25, 0.14), 0.1)]
    galleon = [*_hull(1.5, 0.45, 0.46, 0.42), box((-1.1, 0.25, 0), (0.35, 0.3, 0.38), 0.42),
               rod((1.2, 0.05, 0), (1.95, 0.45, 0), 0.05, 0.35)]
    for x, h in ((-0.85, 1.5), (0.0, 1.95), (0.8, 1.6)):
        galleon += [mast(x, h), box((x + 0.1, 0.4 * h, 0), (0.07, 0.19 * h, 0.62), 0.97),
                    box((x + 0.1, 0.78 * h, 0), (0.07, 0.13 * h, 0.45), 0.97)]
    liner = [*_hull(1.9, 0.4, 0.4, 0.2), *cabin(-0.1, (1.15, 0.2, 0.34)),
             *cabin(-0.1, (0.85, 0.17, 0.28), 0.42),
             *[p for x in (-0.7, -0.1, 0.5) for p in funnel(x, 0.75, 0.14, 0.5)]]
    catamaran = [*both(rod((-1.2, -0.1, 0.6), (0.9, -0.1, 0.6), 0.17, 0.95)),
                 *both(ball((0.9, -0.1, 0.6), (0.55, 0.17, 0.17), 0.95)),
                 box((-0.15, 0.08, 0), (0.75, 0.06, 0.6), 0.3), mast(0.1, 2.1),
                 *sail(-0.45, 0.52, 1.6, 0.3)]
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
    return [box((0, y, 0), body, tone, gloss=0.15),
            box((x, deck + tall, 0), (roof, tall, 0.86 * width), 0.1),
            box((x, deck + 2 * tall, 0), (roof + 0.04, 0.07, 0.9 * width), tone),
            # Raked glass before and behind, between pillars of the body's tone.
            *[box((x + s * 0.5 * (half + roof), deck + 0.95 * tall, 0),
                  (0.09, 1.02 * math.hypot(tall, 0.5 * lean), 0.8 * width), 0.16,
                  roll=s * math.degrees(math.atan2(0.5 * lean, tall))) for s in (-1, 1)],
            *[s for p in (-1, 0, 1) for s in both(
                box((x + p * 0.94 * roof, deck + tall, 0.86 * width), (0.06, tall, 0.05), tone))],
            *_wheels(xs, wheel, 0.86 * width),
            *both(ball((length, y + 0.2 * height, 0.68 * width), (0.08, 0.11, 0.13), lamp)),
            box((length, floor + 0.3 * height, 0), (0.07, 0.25 * height, 0.96 * width), 0.3),
            box((-length, floor + 0.3 * height, 0), (0.07, 0.25 * height, 0.96 * width), 0.3),
            *extra]


def _cars():
    saloon = _car((1.5, 0.25, 0.6), 0.75, (-0.12, 0.72, 0.24, 0.62))
    hatch = _car((1.15, 0.28, 0.58), 0.95, (-0.3, 0.72, 0.27, 0.62), (-0.7, 0.72))
    pickup = _car((1.6, 0.26, 0.62), 0.45, (0.3, 0.42, 0.3, 0.38), (-0.95, 0.98), 0.36, 0.3, [
        box((-0.9, 0.86, 0), (0.6, 0.06, 0.5), 0.1), *both(box((-0.9, 0.9, 0.56), (0.7, 0.14, 0.06), 0.45)),
        box((-1.55, 0.9, 0), (0.06, 0.14, 0.6), 0.45)])
    van = _car((1.45, 0.6, 0.6), 0.98, (0.72, 0.58, 0.16, 0.55), (-0.9, 0.9), 0.3, 0.2, [
        box((-0.35, 1.5, 0), (1.08, 0.25, 0.58), 0.98)])
    bus = [box((0, 1.0, 0), (1.9, 0.78, 0.55), 0.85), box((0, 1.3, 0), (1.95, 0.24, 0.6), 0.12),
           *[box((x, 1.3, 0), (0.06, 0.26, 0.65), 0.85) for x in (-1.15, -0.4, 0.35, 1.1)],
           box((0, 0.62, 0), (1.94, 0.07, 0.6), 0.35), *_wheels((-1.2, 1.2), 0.34, 0.47)]
    sports = _car((1.6, 0.19, 0.62), 0.55, (-0.3, 0.55, 0.17, 0.4), (-0.95, 0.95), 0.32, 0.16, [
        box((-1.45, 0.85, 0), (0.16, 0.05, 0.62), 0.55),
        *both(box((-1.45, 0.7, 0.4), (0.06, 0.16, 0.06), 0.3))])
    beetle = [ball((0, 0.55, 0), (1.35, 0.42, 0.58), 0.7, gloss=0.3),
              ball((-0.15, 0.85, 0), (0.82, 0.5, 0.5), 0.7, gloss=0.3),
              box((-0.12, 0.98, 0), (0.5, 0.15, 0.53), 0.12), box((-0.12, 0.98, 0), (0.06, 0.17, 0.57), 0.7),
              box((-0.12, 0.98, 0), (0.8, 0.13, 0.33), 0.12),
              *[s for x in (-0.82, 0.82) for s in both(ball((x, 0.42, 0.5), (0.42, 0.3, 0.16), 0.6))],
              *_wheels((-0.82, 0.82), 0.3, 0.55), *both(ball((1.12, 0.6, 0.4), 0.14, 0.98))]
    lorry = [box((-0.5, 1.15, 0), (1.35, 0.72, 0.58), 0.95), box((0, 0.38, 0), (1.8, 0.1, 0.45), 0.2),
             box((1.4, 0.85, 0), (0.42, 0.5, 0.55), 0.4), box((1.42, 1.05, 0), (0.46, 0.2, 0.6), 0.12),
             *_wheels((-1.3, -0.6, 1.35), 0.32, 0.5), *both(ball((1.82, 0.55, 0.38), 0.11, 0.98))]
    return saloon, hatch, pickup, van, bus, sports, beetle, lorry


def _legs(x, z, bottom, top, radius, tone, splay=0.0):
    return [s for sx in (-1, 1) for s in both(
        rod((sx * (x + splay), bottom, z + splay), (sx * x, top, z), radius, tone))]


def _chairs():
    seat = lambda y, w=0.55, d=0.55, tone=0.7, t=0.07: box((0, y, 0), (w, t, d), tone)
    dining = [seat(0, tone=0.6), *_legs(0.46, 0.46, -0.95, 0, 0.08, 0.5),
              *[box((x, 0.62, -0.5), (0.07, 0.6, 0.06), 0.5) for x in (-0.46, 0.0, 0.46)],
              box((0, 1.15, -0.5), (0.55, 0.16, 0.08), 0.6), box((0, 0.55, -0.5), (0.5, 0.08, 0.06), 0.6)]
    office = [ball((0, 0, 0.02), (0.58, 0.15, 0.56), 0.3), box((0, 0.85, -0.5), (0.5, 0.5, 0.09), 0.3, pitch=-8),
              box((0, 0.3, -0.52), (0.1, 0.35, 0.06), 0.15), rod((0, -0.8, 0), (0, 0, 0), 0.1, 0.75),
              *[rod((0, -0.8, 0), (0.6 * c, -0.9, 0.6 * s), 0.07, 0.75)
                for c, s in ((1, 0), (0.31, 0.95), (-0.81, 0.59), (-0.81, -0.59), (0.31, -0.95))],
              *both(box((0.6, 0.35, 0.05), (0.07, 0.05, 0.3), 0.15)),
              *[s for x in (-0.6, 0.6) for s in [box((x, 0.35, 0.0), (0.09, 0.06, 0.34), 0.15),
                                                 box((x, 0.16, 0.0), (0.06, 0.2, 0.08), 0.15)]]]
    armchair = [box((0, -0.3, 0), (0.62, 0.32, 0.6), 0.6), box((0, 0.1, 0.08), (0.5, 0.14, 0.55), 0.8),
                box((0, 0.45, -0.55), (0.72, 0.75, 0.18), 0.6),
                *[box((x, 0.0, 0.02), (0.16, 0.4, 0.62), 0.6) for x in (-0.7, 0.7)],
                *[rod((x, 0.4, -0.6), (x, 0.4, 0.64), 0.19, 0.68) for x in (-0.7, 0.7)],
                *_legs(0.6, 0.5, -0.85, -0.6, 0.08, 0.2)]
    stool = [rod((0, 0.55, 0), (0, 0.7, 0), 0.46, 0.65), *_legs(0.28, 0.28, -1.2, 0.55, 0.065, 0.8, 0.16),
             box((0, 0.98, -0.42), (0.4, 0.16, 0.06), 0.65), *[rod((x, 0.6, -0.4), (x, 1.0, -0.42), 0.05, 0.8)
                                                            for x in (-0.28, 0.28)],
             *[box((0, -0.55, z), (0.4, 0.05, 0.05), 0.8) for z in (-0.38, 0.38)]]
    throne = [seat(0, 0.6, 0.55, 0.85, 0.12), box((0, 0.95, -0.52), (0.6, 1.05, 0.1), 0.45),
              box((0, 1.0, -0.46), (0.42, 0.8, 0.1), 0.85), *_legs(0.5, 0.45, -0.85, 0, 0.11, 0.45),
              *[box((x, 0.4, 0), (0.1, 0.07, 0.5), 0.45) for x in (-0.6, 0.6)],
              *[rod((x, 0, 0.42), (x, 0.4, 0.42), 0.08, 0.45) for x in (-0.6, 0.6)],
              *[ball((x, 2.1, -0.52), 0.15, 0.85) for x in (-0.5, 0.5)]]
    wing = [*_legs(0.4, 0.4, -0.85, -0.05, 0.055, 0.85, 0.15), ball((0, 0, 0.05), (0.66, 0.16, 0.62), 0.95),
            ball((0, 0.6, -0.48), (0.64, 0.72, 0.14), 0.95, pitch=-12),
            *[ball((x, 0.28, -0.1), (0.1, 0.2, 0.5), 0.95, yaw=0) for x in (-0.6, 0.6)]]
    rocking = [seat(0, tone=0.4), *_legs(0.45, 0.42, -0.7, 0, 0.07, 0.35),
               *[box((x, -0.78, 0.0), (0.06, 0.06, 0.55), 0.35) for x in (-0.45, 0.45)],
               *[box((x, -0.68, z), (0.06, 0.06, 0.3), 0.35, pitch=p) for x in (-0.45, 0.45)
                 for z, p in ((0.75, -25), (-0.75, 25))],
               *[rod((x, 0, -0.48), (x, 1.3, -0.66), 0.055, 0.35) for x in (-0.45, -0.15, 0.15, 0.45)],
               box((0, 1.3, -0.66), (0.56, 0.12, 0.08), 0.4),
               *[rod((x, 0.42, -0.5), (x, 0.42, 0.5), 0.06, 0.4) for x in (-0.52, 0.52)]]
    cantilever = [seat(0, tone=0.15, t=0.06), box((0, 0.75, -0.56), (0.52, 0.3, 0.06), 0.15, pitch=-6),
                  *[s for x in (-0.54, 0.54) for s in (
                      rod((x, -0.05, -0.52), (x, 1.05, -0.6), 0.06, 0.92),
                      rod((x, -0.05, -0.52), (x, -0.05, 0.52), 0.06, 0.92),
                      rod((x, -0.05, 0.52), (x, -0.9, 0.52), 0.06, 0.92),
                      rod((x, -0.9, -0.5), (x, -0.9, 0.55), 0.06, 0.92))],
                  rod((-0.54, -0.9, -0.5), (0.54, -0.9, -0.5), 0.06, 0.92)]
    return dining, office, armchair, stool, throne, wing, rocking, cantilever


@functools.cache
def recipes():
    """All 64 objects: a list (category) of lists (exemplar) of lists of `Solid`, unit radius."""
    from .more_shapes import faces, fruits, planes, tables
    every = (_animals(), _boats(), _cars(), _chairs(), faces(), fruits(), planes(), tables())
    return [[normalised(exemplar) for exemplar in category] for category in every]
