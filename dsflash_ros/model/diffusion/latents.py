"""From images to the latents that a diffusion model denoises."""

import torch
import torch.nn.functional as F
from torch import nn

PIXELS_PER_LATENT = 8
"""Along one side, as in Stable Diffusion."""


class PixelLatents(nn.Module):
    """Pixels themselves as latents: scaled down, and `block` x `block` of them in one place.

    For small diffusion models without an autoencoder. Nothing is learned; the latents have a
    deviation of about 1.
    """

    def __init__(self, channels: int) -> None:
        """`channels`: of the latents, 3 * block * block."""
        super().__init__()
        self.block = round((channels / 3) ** 0.5)
        self.channels = 3 * self.block**2

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (B, 3, S, S) in 0..1 to latents (B, channels, S/8, S/8)."""
        small = F.avg_pool2d(images, PIXELS_PER_LATENT // self.block)
        return F.pixel_unshuffle((small - 0.5) * 4, self.block)


class AutoencoderLatents(nn.Module):
    """Latents of Stable Diffusion's autoencoder: the mean of its posterior, scaled."""

    def __init__(self, autoencoder: nn.Module) -> None:
        """`autoencoder`: diffusers' `AutoencoderKL`; only its encoder is kept."""
        super().__init__()
        self.encoder, self.quant = autoencoder.encoder, autoencoder.quant_conv
        self.channels = autoencoder.config.latent_channels
        self.scaling = autoencoder.config.scaling_factor

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (B, 3, S, S) in 0..1 to latents (B, channels, S/8, S/8)."""
        moments = self.encoder(images * 2 - 1)
        moments = moments if self.quant is None else self.quant(moments)
        return moments.chunk(2, dim=1)[0] * self.scaling
