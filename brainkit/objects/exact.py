"""Arithmetic that gives the same bits on every machine, in every batch, on any number of threads.

IEEE 754 fixes the result of one ``+ - * / sqrt`` to the last bit. It does not fix sums of many
terms (their order changes with threads and vector width) nor library functions such as ``sin``
(they change with vector width, and between machines). The renderer therefore uses the first kind
only, one operation at a time, and what it needs beyond that is built here.
"""

import math

import numpy as np
import torch

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def bits(*keys):
    """64 random bits for each combination of integer keys (arrays broadcast): uint64 array.

    A counter-based generator: the splitmix64 finaliser (Steele, Lea and Flood 2014) folded over
    the keys. The value depends on the keys alone, so image 17 of a set can be drawn without
    drawing images 0 to 16, and no library's stream of random numbers enters.
    """
    state = np.uint64(0)
    with np.errstate(over="ignore"):  # wrapping round at 2**64 is the point
        for key in keys:
            state = (state ^ np.asarray(key).astype(np.uint64)) + _GOLDEN
            state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            state = state ^ (state >> np.uint64(31))
    return state


def uniform(*keys):
    """Uniform numbers in [0, 1), float64, one for each combination of integer keys."""
    return (bits(*keys) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def permutation(count, *keys):
    """A random order of 0 .. count-1 for each combination of keys: (..., count) int64."""
    keys = [np.asarray(key)[..., None] for key in keys]
    return np.argsort(bits(*keys, np.arange(count)), axis=-1, kind="stable")


def sin_cos(degrees):
    """Sine and cosine of angles in degrees, by Taylor polynomials on -45 .. 45 degrees.

    Differentiable any number of times, accurate to 1e-15 in float64.
    """
    quarter = torch.round(degrees.detach() / 90.0)
    t = (degrees - 90.0 * quarter) * (math.pi / 180.0)
    square = t * t
    sine = torch.full_like(t, 1.0 / math.factorial(17))
    cosine = torch.full_like(t, 1.0 / math.factorial(16))
    for k in range(7, -1, -1):  # Horner's scheme, alternating series
        sign = -1.0 if k % 2 else 1.0
        sine = sine * square + sign / math.factorial(2 * k + 1)
        cosine = cosine * square + sign / math.factorial(2 * k)
    sine = sine * t
    turn = torch.remainder(quarter, 4.0)
    odd = (turn == 1) | (turn == 3)
    first, second = torch.where(odd, cosine, sine), torch.where(odd, sine, cosine)
    return (torch.where(turn >= 2, -first, first),
            torch.where((turn == 1) | (turn == 2), -second, second))


def smoothstep(t):
    """0 below 0, 1 above 1, 3t² - 2t³ between: once continuously differentiable."""
    t = t.clamp(0.0, 1.0)
    return t * t * (t * -2.0 + 3.0)


def rotate(matrix, vectors):
    """``matrix @ vectors`` written out: (b,3,3) and (b,s,3,k) -> (b,s,3,k), no reduction."""
    m, v = matrix[:, None, :, :, None], vectors[:, :, None]  # (b,1,3,3,1), (b,s,1,3,k)
    return m[..., 0, :] * v[..., 0, :] + m[..., 1, :] * v[..., 1, :] + m[..., 2, :] * v[..., 2, :]
