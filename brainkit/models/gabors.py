"""Gabor functions: the standard description of a V1 simple cell's receptive field.

A Gabor is a sinusoidal grating under a Gaussian window (Gabor 1946; Daugman 1985 in two
dimensions; Jones & Palmer 1987 fitted it to simple cells of the cat).
"""

from __future__ import annotations

import operator
import warnings

import torch

__all__ = ["gabor", "grating"]


def _coordinates(size: int, orientation: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Distance across and along the stripes, in pixels, each (n, size, size)."""
    steps = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    row, column = torch.meshgrid(steps, steps, indexing="ij")
    angle = orientation[:, None, None]
    across = row * torch.cos(angle) + column * torch.sin(angle)
    along = -row * torch.sin(angle) + column * torch.cos(angle)
    return across, along


def _columns(*values) -> list[torch.Tensor]:
    """Broadcast numbers and (n,) tensors to (n,) float64 tensors."""
    tensors = [torch.as_tensor(value, dtype=torch.float64).reshape(-1) for value in values]
    try:
        return list(torch.broadcast_tensors(*tensors))
    except RuntimeError:
        lengths = [len(tensor) for tensor in tensors]
        raise ValueError(
            f"parameters of lengths {lengths} do not fit together; give one number, "
            "or as many as there are filters, for each"
        ) from None


def _side(size, odd: bool) -> int:
    try:
        side = operator.index(size)
    except TypeError:
        side = 0
    if side < 1 or (odd and side % 2 == 0):
        kind = "a positive odd integer, so that a pixel is the centre" if odd else (
            "a positive integer")
        raise ValueError(f"size={size!r}: give the window's side in pixels, {kind}")
    return side


def _within(name: str, values: torch.Tensor, allowed: torch.Tensor, what: str) -> None:
    if not bool((allowed & values.isfinite()).all()):
        found = ", ".join(f"{value:g}" for value in values.detach().unique()[:4].tolist())
        raise ValueError(f"{name} must be {what}; found {found}")


def _check_grating(frequency: torch.Tensor, orientation: torch.Tensor, phase: torch.Tensor) -> None:
    for name, values in (("frequency", frequency), ("orientation", orientation), ("phase", phase)):
        _within(name, values, values == values, "finite")
    # Sampling is by rows and by columns: oblique stripes may be finer than upright ones.
    along = torch.maximum(orientation.cos().abs(), orientation.sin().abs())
    beyond = (frequency.abs() * along).detach().amax() if len(frequency) else torch.zeros(())
    if beyond > 0.5 + 1e-9:
        warnings.warn(
            f"frequency reaches {float(beyond):.3g} cycles per pixel along a row or column; above "
            "0.5 pixels cannot show the stripes asked for, but show coarser ones (aliases)",
            stacklevel=3,
        )


def gabor(size, frequency, orientation, phase, sigma_across, sigma_along=None) -> torch.Tensor:
    """Gabor receptive fields on a square window.

    Every parameter but `size` is a number or a tensor (n,); they broadcast.

    Args:
        size: side of the window in pixels; odd, so that a pixel is the centre.
        frequency: of the grating, cycles per pixel; a warning tells of more than 0.5 by row or by
            column.
        orientation: of the stripes, radians anticlockwise from horizontal (as seen on the page).
        phase: of the grating at the centre, radians; 0 is even (bar), pi/2 is odd (edge).
        sigma_across: width of the window across the stripes, pixels.
        sigma_along: width along the stripes, pixels; as `sigma_across` if not given.

    Returns:
        (n, size, size) float32, the window's integral normalised to one:
        exp(-(u^2/sx^2 + v^2/sy^2)/2) / (2 pi sx sy) * cos(2 pi f u + phase).

    Raises:
        ValueError: an even or senseless size, a width that is not positive, a parameter that is
            not finite, or parameters whose lengths do not fit together.
    """
    size = _side(size, odd=True)
    if sigma_along is None:
        sigma_along = sigma_across
    f, angle, phase, sx, sy = _columns(frequency, orientation, phase, sigma_across, sigma_along)
    _check_grating(f, angle, phase)
    for name, sigma in (("sigma_across", sx), ("sigma_along", sy)):
        _within(name, sigma, sigma > 0, "positive and finite, in pixels")
    u, v = _coordinates(size, angle)
    f, phase, sx, sy = (x[:, None, None] for x in (f, phase, sx, sy))
    window = torch.exp(-0.5 * (u**2 / sx**2 + v**2 / sy**2)) / (2 * torch.pi * sx * sy)
    return (window * torch.cos(2 * torch.pi * f * u + phase)).float()


def grating(size, frequency, orientation, phase, contrast=1.0) -> torch.Tensor:
    """Sinusoidal gratings around mid-grey, as an electrophysiologist shows them.

    Args as in `gabor`, but `size` may be even, as an image's is: the centre then lies between
    pixels. `contrast` is Michelson's, 0 to 1.

    Returns:
        (n, 1, size, size) float32 in [0, 1].

    Raises:
        ValueError: a senseless size, a contrast outside [0, 1], a parameter that is not finite,
            or parameters whose lengths do not fit together.
    """
    size = _side(size, odd=False)
    f, angle, phase, contrast = _columns(frequency, orientation, phase, contrast)
    _check_grating(f, angle, phase)
    _within("contrast", contrast, (contrast >= 0) & (contrast <= 1), "within [0, 1]")
    u, _ = _coordinates(size, angle)
    f, phase, contrast = (x[:, None, None] for x in (f, phase, contrast))
    stripes = torch.cos(2 * torch.pi * f * u + phase)
    return (0.5 + 0.5 * contrast * stripes).float()[:, None]
