import math

from .solids import ball, both, box, rod

DARK = 0.08


def _face(shape, skin, hair, parts=(), eye=0.13, nose=(0.11, 0.2, 0.2), mouth=(0.28, 0.06),
          brow=0.2, hairline=(1.08, 0.85, 1.02), neck=0.4):
    w, h, d = shape
    top = [] if hair is None else [
        ball((0, 0.38 * h, -0.22 * d), (hairline[0] * w, hairline[1] * h, hairline[2] * d), hair)]
    z = 0.8 * d
    return [ball((0, 0, 0), shape, skin), *top,
            rod((0, -1.35 * h, -0.12), (0, -0.6 * h, -0.08), neck, 0.92 * skin),
            *_across(ball((0.36 * w, 0.1 * h, z), (eye * 1.35, eye, 0.13), 0.99)),
            *_across(ball((0.36 * w, 0.1 * h, z + 0.1), (0.62 * eye, 0.75 * eye, 0.1), 0.03)),
            *_across(box((0.38 * w, 0.34 * h, 0.84 * d), (brow, 0.045, 0.1), min(0.2, 0.5 * skin))),
            ball((0, -0.14 * h, 0.95 * d), nose, skin),
            ball((0, -0.52 * h, 0.8 * d), (*mouth, 0.12), 0.15),
            *_across(ball((0.98 * w, 0.02 * h, -0.05), (0.09, 0.2, 0.13), 0.9 * skin)),
            *parts]


def _across(solid):
    """The solid and its mirror image in the plane x = 0: faces look along +z."""
    import numpy as np
    flip = np.array([-1.0, 1.0, 1.0])
    return [solid, type(solid)(solid.kind, solid.at * flip, solid.axes * flip[:, None], solid.tone,
                               solid.gloss)]


def faces():
    bun = _face((0.72, 0.92, 0.75), 0.85, 0.12, [ball((0, 1.25, -0.35), 0.3, 0.12)])
    bald = _face((0.78, 0.9, 0.78), 0.7, None, brow=0.24, nose=(0.14, 0.2, 0.22))
    long_hair = _face((0.68, 0.9, 0.72), 0.92, 0.4, [
        *_across(ball((0.68, -0.35, -0.2), (0.22, 1.0, 0.35), 0.4))], mouth=(0.2, 0.09))
    beard = _face((0.78, 0.92, 0.76), 0.78, 0.22, [
        ball((0, -0.68, 0.22), (0.66, 0.52, 0.55), 0.22), ball((0, -0.5, 0.8), (0.2, 0.05, 0.1), 0.6)],
        nose=(0.13, 0.22, 0.22))
    glasses = _face((0.7, 0.95, 0.74), 0.8, 0.55, [
        *_across(rod((0.28, 0.09, 0.66), (0.28, 0.09, 0.84), 0.25, 0.05)),
        *_across(rod((0.28, 0.09, 0.7), (0.28, 0.09, 0.9), 0.17, 0.95)),
        *_across(ball((0.28, 0.09, 0.9), (0.08, 0.09, 0.06), 0.03)),
        box((0, 0.12, 0.82), (0.1, 0.035, 0.05), 0.05)])
    hat = _face((0.72, 0.9, 0.74), 0.88, None, [
        rod((0, 0.5, -0.05), (0, 0.58, -0.05), 1.05, 0.25), rod((0, 0.5, -0.05), (0, 1.15, -0.05), 0.68, 0.25),
        rod((0, 0.6, -0.05), (0, 0.74, -0.05), 0.72, 0.9)], nose=(0.12, 0.17, 0.18))
    child = _face((0.85, 0.85, 0.8), 0.95, 0.7, eye=0.17, nose=(0.09, 0.1, 0.12), mouth=(0.18, 0.06),
                  brow=0.15, neck=0.3)
    dark = _face((0.74, 0.92, 0.76), 0.42, 0.05, [
        ball((0, 0.62, -0.1), (0.85, 0.62, 0.8), 0.05)], mouth=(0.3, 0.1), nose=(0.16, 0.17, 0.18))
    return bun, bald, long_hair, beard, glasses, hat, child, dark


def fruits():
    stem = lambda y, dx=0.08, h=0.3, r=0.05: rod((0, y, 0), (dx, y + h, 0), r, 0.15)
    leaf = lambda x, y, turn=25: ball((x, y, 0), (0.3, 0.06, 0.16), 0.3, roll=turn)
    apple = [*[ball((0.16 * c, 0, 0.16 * s), (0.75, 0.74, 0.75), 0.6, gloss=0.5)
               for c, s in ((1, 0), (-0.5, 0.87), (-0.5, -0.87))], stem(0.6), leaf(0.35, 0.95)]
    # A tube along an arc: cylinders of growing, then falling radius, with balls at the joints.
    arc = [(math.sin(math.radians(t)), 0.6 - math.cos(math.radians(t)), 0)
           for t in (-70, -46, -23, 0, 23, 46, 70)]
    radii = (0.19, 0.25, 0.28, 0.28, 0.25, 0.19)
    banana = [rod(a, b, r, 0.95) for a, b, r in zip(arc, arc[1:], radii, strict=False)]
    banana += [ball(a, r, 0.95) for a, r in zip(arc[1:], (0.22, 0.265, 0.28, 0.265, 0.22),
                                                strict=False)]
    banana += [rod(arc[-1], (1.02, 0.7, 0), 0.09, 0.35), ball(arc[-1], 0.19, 0.95),
               ball(arc[0], 0.185, 0.5)]
    pear = [ball((0, -0.3, 0), (0.68, 0.64, 0.68), 0.85, gloss=0.3),
            ball((0, 0.18, 0), (0.47, 0.92, 0.47), 0.85, gloss=0.3), stem(1.0, 0.1, 0.35),
            leaf(0.35, 1.2, 15)]
    grapes = [ball((0.52 * x, -0.48 * row, 0.52 * z), 0.3, 0.32, gloss=0.6)
              for row, spots in enumerate((
                  [(-1, -0.4), (0, -0.7), (1, -0.4), (-0.5, 0.5), (0.5, 0.5)],
                  [(-0.55, -0.35), (0.55, -0.35), (0, 0.55), (-0.95, 0.3), (0.95, 0.3)],
                  [(-0.4, -0.2), (0.4, -0.2), (0, 0.45)], [(0, 0)])) for x, z in spots]
    grapes += [stem(0.1, 0.1, 0.55, 0.07), leaf(0.4, 0.5)]
    pineapple = [ball((0, -0.25, 0), (0.55, 0.8, 0.55), 0.55),
                 *[ball((0.5 * c * (1 - abs(y) ** 2 * 0.35), 0.6 * y - 0.25, 0.5 * s * (1 - abs(y) ** 2 * 0.35)),
                        0.14, 0.85) for y in (-0.7, 0.0, 0.7)
                   for c, s in ((0.92, 0.38), (0.38, 0.92), (-0.38, 0.92), (-0.92, 0.38))],
                 *[ball((dx, 0.9, dz), (0.09, 0.5, 0.09), 0.3, roll=-dx * 110, pitch=dz * 110)
                   for dx, dz in ((0, 0), (0.25, 0), (-0.25, 0), (0, 0.25), (0, -0.25))]]
    cherries = [ball((-0.5, -0.5, 0), 0.48, 0.3, gloss=0.8), ball((0.5, -0.55, 0.1), 0.48, 0.3, gloss=0.8),
                rod((-0.5, -0.1, 0), (0.1, 0.95, 0), 0.055, 0.6), rod((0.5, -0.15, 0.1), (0.1, 0.95, 0), 0.055, 0.6),
                leaf(0.4, 0.95, 10)]
    lemon = [ball((0, 0, 0), (0.85, 0.6, 0.6), 0.95, gloss=0.3), ball((0.82, 0, 0), (0.2, 0.16, 0.16), 0.9),
             ball((-0.82, 0, 0), (0.2, 0.2, 0.2), 0.9), leaf(-0.95, 0.25, 50)]
    melon = [ball((0, 0, 0), (1.0, 0.78, 0.78), 0.42, gloss=0.3),
             *[rod((x, 0, 0), (x + 0.09, 0, 0), r, 0.85) for x, r in (
                 (-0.72, 0.6), (-0.4, 0.745), (-0.045, 0.8), (0.31, 0.77), (0.63, 0.65))],
             rod((-0.95, 0.05, 0), (-1.2, 0.2, 0), 0.06, 0.2)]
    return apple, banana, pear, grapes, pineapple, cherries, lemon, melon


def _plane(length, radius, span, chord, sweep, tone, wing_y=0.0, wing_x=0.0, tail=(0.42, 0.5),
           engines=(), extra=(), wing_tone=None, thick=0.065):
    wt = 0.9 * tone if wing_tone is None else wing_tone
    back = -0.86 * length
    t, th = tail
    return [rod((-0.72 * length, 0, 0), (0.7 * length, 0, 0), radius, tone),
            ball((0.7 * length, 0, 0), (0.3 * length, radius, radius), tone),
            ball((-0.7 * length, 0.15 * radius, 0), (0.34 * length, 0.85 * radius, 0.85 * radius), tone),
            ball((0.72 * length, 0.5 * radius, 0), (0.16 * length, 0.62 * radius, 0.6 * radius), DARK, gloss=0.4),
            *both(box((wing_x - 0.5 * span * sweep, wing_y, 0.5 * span), (chord, thick, 0.53 * span), wt,
                      yaw=-_angle(sweep))),
            *both(box((back - 0.25 * t, 0.1, 0.5 * t), (0.5 * chord, 0.045, 0.6 * t), wt, yaw=-30)),
            box((back - 0.12, 0.5 * th + 0.1, 0), (0.17 * length, 0.55 * th, 0.05), wt, roll=25),
            *[s for x, y, z, r in engines for s in both(rod((x - 0.22, y, z), (x + 0.25, y, z), r, 0.5 * tone))],
            *extra]


def _angle(sweep):
    return math.degrees(math.atan(sweep))


def planes():
    prop = lambda x, y, z, r: [box((x, y, z), (0.03, r, 0.06), 0.12, pitch=35), ball((x, y, z), 0.1, 0.2)]
    airliner = _plane(1.5, 0.27, 1.35, 0.3, 0.55, 0.95, -0.08, 0.25, engines=[(0.15, -0.22, 0.55, 0.13)])
    fighter = _plane(1.4, 0.22, 0.85, 0.45, 0.9, 0.45, 0, 0.1, tail=(0.4, 0.5), extra=[
        *both(rod((-1.2, 0, 0.15), (0.2, 0, 0.15), 0.14, 0.38))])
    biplane = _plane(1.0, 0.24, 1.15, 0.3, 0.0, 0.6, -0.18, 0.3, extra=[
        box((0.38, 0.5, 0), (0.27, 0.05, 1.2), 0.85),
        *[s for z in (0.45, 0.95) for s in both(rod((0.38, -0.18, z), (0.38, 0.5, z), 0.04, 0.3))],
        *prop(1.02, 0, 0, 0.45), *both(rod((0.45, -0.55, 0.25), (0.45, -0.55, 0.33), 0.16, DARK))], wing_tone=0.85)
    propeller = _plane(1.1, 0.25, 1.25, 0.28, 0.0, 0.98, 0.2, 0.3, extra=[
        *prop(1.12, 0, 0, 0.42), *both(rod((0.4, -0.5, 0.3), (0.4, -0.5, 0.38), 0.14, DARK)),
        *both(rod((0.4, -0.45, 0.32), (0.35, -0.1, 0.1), 0.05, 0.3))], wing_tone=0.5)
    glider = _plane(1.15, 0.22, 1.75, 0.24, 0.05, 0.98, 0.1, 0.3, tail=(0.4, 0.5))
    delta = [*_plane(1.6, 0.22, 0.75, 0.5, 1.3, 0.9, -0.05, -0.1, tail=(0.1, 0.5)),
             *both(box((-0.75, -0.06, 0.45), (0.5, 0.045, 0.42), 0.85))]
    seaplane = _plane(1.2, 0.27, 1.25, 0.3, 0.0, 0.8, 0.28, 0.2, extra=[
        *both(ball((0.2, -0.6, 0.45), (0.85, 0.15, 0.14), 0.4)),
        *both(rod((0.45, -0.55, 0.45), (0.4, 0, 0.15), 0.05, 0.3)), *both(rod((-0.1, -0.55, 0.45), (-0.1, 0, 0.15), 0.05, 0.3)),
        *prop(1.22, 0, 0, 0.42)], wing_tone=0.4)
    bomber = _plane(1.3, 0.26, 1.5, 0.32, 0.08, 0.35, 0.05, 0.2, tail=(0.6, 0.55),
                    engines=[(0.45, 0.05, 0.55, 0.15), (0.38, 0.05, 1.05, 0.15)], extra=[
        *[s for x, z in ((0.74, 0.55), (0.67, 1.05)) for s in both(box((x, 0.05, z), (0.03, 0.34, 0.05), 0.8, pitch=30))]])
    return airliner, fighter, biplane, propeller, glider, delta, seaplane, bomber


def _posts(x, z, height, radius, tone, splay=0.0):
    return [s for sx in (-1, 1) for s in both(
        rod((sx * (x + splay), -height, z + splay), (sx * x, 0, z), radius, tone))]


def tables():
    dining = [box((0, 0, 0), (1.2, 0.08, 0.75), 0.7), *_posts(1.05, 0.6, 1.0, 0.09, 0.55),
              *[box((0, -0.16, z), (1.05, 0.1, 0.05), 0.5) for z in (-0.6, 0.6)]]
    pedestal = [rod((0, -0.06, 0), (0, 0.06, 0), 1.0, 0.9), rod((0, -1.0, 0), (0, 0, 0), 0.12, 0.6),
                rod((0, -1.1, 0), (0, -0.98, 0), 0.5, 0.6)]
    coffee = [box((0, 0, 0), (1.15, 0.07, 0.65), 0.35), *_posts(1.0, 0.5, 0.6, 0.08, 0.3),
              box((0, -0.4, 0), (1.0, 0.05, 0.5), 0.45)]
    desk = [box((0, 0, 0), (1.2, 0.07, 0.62), 0.65), *[box((0.78, y, 0.04), (0.34, 0.15, 0.54), 0.55) for y in (-0.24, -0.56, -0.86)],
            *[box((0.78, y, 0.6), (0.1, 0.04, 0.06), 0.1) for y in (-0.24, -0.56, -0.86)],
            box((-1.08, -0.5, 0), (0.06, 0.5, 0.55), 0.55), box((-0.2, -0.35, -0.5), (0.85, 0.25, 0.05), 0.5)]
    trestle = [box((0, 0, 0), (1.35, 0.06, 0.6), 0.9),
               *[s for x in (-0.95, 0.95) for s in both(rod((x, -1.0, 0.55), (x, 0, 0.1), 0.07, 0.55))],
               *[box((x, -0.6, 0), (0.05, 0.05, 0.36), 0.55) for x in (-0.95, 0.95)],
               rod((-0.95, -0.6, 0), (0.95, -0.6, 0), 0.06, 0.55)]
    bar = [rod((0, 0.55, 0), (0, 0.67, 0), 0.72, 0.25), rod((0, -1.3, 0), (0, 0.55, 0), 0.08, 0.95),
           rod((0, -1.38, 0), (0, -1.28, 0), 0.48, 0.8), rod((0, -0.72, 0), (0, -0.66, 0), 0.3, 0.95)]
    picnic = [*[box((0, 0, z), (1.3, 0.06, 0.17), 0.75) for z in (-0.38, 0.0, 0.38)],
              *both(box((0, -0.45, 1.0), (1.3, 0.06, 0.18), 0.75)),
              *[s for x in (-0.9, 0.9) for s in [*both(rod((x, -0.95, 0.95), (x, 0, 0.3), 0.08, 0.5)),
                                                 box((x, -0.52, 0), (0.06, 0.06, 1.0), 0.5)]]]
    oval = [rod((0, -0.06, 0), (0, 0.06, 0), (1.25, 0.8), 0.5, gloss=0.2), *_posts(0.6, 0.38, 0.95, 0.07, 0.95, 0.22)]
    return dining, pedestal, coffee, desk, trestle, bar, picnic, oval
