"""Gabor functions: the standard description of a V1 simple cell's receptive field.

A Gabor is a sinusoidal grating under a Gaussian window (Gabor 1946; Daugman 1985 in two
dimensions; Jones & Palmer 1987 fitted it to simple cells of the cat).
"""

from __future__ import annotations

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


def gabor(size, frequency, orientation, phase, sigma_across, sigma_along=None) -> torch.Tensor:
    """Gabor receptive fields on a square window.

    Every parameter but `size` is a number or a tensor (n,); they broadcast.

    Args:
        size: side of the window in pixels; odd, so that a pixel is the centre.
        frequency: of the grating, cycles per pixel.
        orientation: of the stripes, radians anticlockwise from horizontal (as seen on the page).
        phase: of the grating at the centre, radians; 0 is even (bar), pi/2 is odd (edge).
        sigma_across: width of the window across the stripes, pixels.
        sigma_along: width along the stripes, pixels; as `sigma_across` if not given.

    Returns:
        (n, size, size) float32, the window's integral normalised to one:
        exp(-(u^2/sx^2 + v^2/sy^2)/2) / (2 pi sx sy) * cos(2 pi f u + phase).
    """
    if sigma_along is None:
        sigma_along = sigma_across
    f, angle, phase, sx, sy = _columns(frequency, orientation, phase, sigma_across, sigma_along)
    u, v = _coordinates(size, angle)
    f, phase, sx, sy = (x[:, None, None] for x in (f, phase, sx, sy))
    window = torch.exp(-0.5 * (u**2 / sx**2 + v**2 / sy**2)) / (2 * torch.pi * sx * sy)
    return (window * torch.cos(2 * torch.pi * f * u + phase)).float()


def grating(size, frequency, orientation, phase, contrast=1.0) -> torch.Tensor:
    """Sinusoidal gratings around mid-grey, as an electrophysiologist shows them.

    Args as in `gabor`; `contrast` is Michelson's, 0 to 1.

    Returns:
        (n, 1, size, size) float32 in [0, 1].
    """
    f, angle, phase, contrast = _columns(frequency, orientation, phase, contrast)
    u, _ = _coordinates(size, angle)
    f, phase, contrast = (x[:, None, None] for x in (f, phase, contrast))
    stripes = torch.cos(2 * torch.pi * f * u + phase)
    return (0.5 + 0.5 * contrast * stripes).float()[:, None]
