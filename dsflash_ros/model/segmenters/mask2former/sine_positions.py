"""Sine and cosine positions of the pixels of a map."""

import math

import torch


def sine_positions(
    height: int, width: int, dim: int, device: torch.device | None = None
) -> torch.Tensor:
    """Positions (height, width, dim) float32: y in the first half of the channels, x in the second.

    Coordinates 1..length are scaled to 0..2 pi; even channels are sines, odd ones cosines, of
    wavelengths up to 10000 * 2 pi.
    """
    half = dim // 2
    pairs = torch.arange(half, device=device) // 2
    wavelength = 10000 ** (2 * pairs.float() / half)

    def along(length: int) -> torch.Tensor:
        steps = torch.arange(1, length + 1, dtype=torch.float32, device=device)
        angle = (steps / (length + 1e-6) * (2 * math.pi)).unsqueeze(1) / wavelength
        return torch.stack((angle[:, ::2].sin(), angle[:, 1::2].cos()), dim=2).flatten(1)

    y = along(height).unsqueeze(1).expand(-1, width, -1)
    x = along(width).expand(height, -1, -1)
    return torch.cat((y, x), dim=2)
