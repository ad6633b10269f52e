"""Weights and images that the numbers in tests/fixtures/models were made with.

Integer hashing only, no random generator and no mathematical library, so they are the same to the
last bit on every machine.
"""

import json
import zlib
from pathlib import Path

import numpy as np
import torch

FIXTURES = Path(__file__).parent / "fixtures/models"


def meta(name):
    return json.loads((FIXTURES / f"{name}_meta.json").read_text(encoding="utf-8"))


def unit(n, salt):
    """n float64 in [-1, 1): murmur3's finaliser of (2654435761 i + salt) mod 2^32."""
    x = (np.arange(n, dtype=np.uint64) * 2654435761 + salt) % 2**32
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor) % 2**32
    return x / 2.0**31 - 1


def entry(key, shape):
    """The float32 array for one key of a state dict."""
    u = unit(int(np.prod(shape)), zlib.crc32(key.encode())).reshape(shape)
    kind = key.rpartition(".")[2]
    if kind == "running_var":
        u = 2 + u
    elif kind in ("running_mean", "bias"):
        u = {"running_mean": 0.1, "bias": 0.05}[kind] * u
    elif len(shape) == 1:  # the gain of a normalisation
        u = 1 + 0.2 * u
    else:
        u = u * np.sqrt(6 / np.prod(shape[1:]))
    return u.astype(np.float32)


def filled(net):
    """The net in eval mode, every entry of its state as `entry` has it."""
    net.load_state_dict({
        key: torch.tensor(0) if key.endswith("num_batches_tracked")
        else torch.from_numpy(entry(key, tuple(value.shape)))
        for key, value in net.state_dict().items()
    })  # fmt: skip
    return net.eval()


def image(batch=2, size=224, channels=3, salt=7):
    """(batch, channels, size, size) float32: noise in blocks of 32, 8 and 1 pixels."""
    total = np.zeros((batch, channels, size, size))
    for k, (block, gain) in enumerate([(32, 1.0), (8, 0.7), (1, 0.5)]):
        side = -(-size // block)
        noise = unit(batch * channels * side**2, salt + 1000 * k)
        noise = noise.reshape(batch, channels, side, side).repeat(block, 2).repeat(block, 3)
        total += gain * noise[:, :, :size, :size]
    return torch.from_numpy(total.astype(np.float32))


def part(maps, channels=8, places=7):
    """The channels and places that the fixtures keep of (b, c, h, w)."""
    kept = (channels, places, places)
    c, h, w = (np.linspace(0, n - 1, k).astype(int)
               for n, k in zip(maps.shape[1:], kept, strict=True))  # fmt: skip
    return maps[:, c][:, :, h][:, :, :, w]


def close(got, want, tolerance=1e-5):
    """Assert equality up to a share of the largest value."""
    want = np.asarray(want)
    got = got.detach().numpy() if isinstance(got, torch.Tensor) else np.asarray(got)
    assert got.shape == want.shape
    assert np.abs(got - want).max() <= tolerance * np.abs(want).max()
