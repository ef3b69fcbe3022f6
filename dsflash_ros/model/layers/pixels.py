"""Normalisation of pixels."""

import torch
from torch import nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class ImageNetPixels(nn.Module):
    """Images (B, 3, H, W) in 0..1 to mean 0 and deviation 1, as ImageNet's pixels have them.

    Computes in float32 even where the model does not: bfloat16 would shift pixels by grey levels.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", _per_channel(IMAGENET_MEAN), persistent=False)
        self.register_buffer("std", _per_channel(IMAGENET_STD), persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return (images - self.mean) / self.std

    def _apply(self, *args, **kwargs):
        """Go with the model to another device, but not to another number format."""
        super()._apply(*args, **kwargs)
        self.mean = _per_channel(IMAGENET_MEAN, self.mean.device)
        self.std = _per_channel(IMAGENET_STD, self.std.device)
        return self


def _per_channel(values: tuple[float, ...], device: torch.device | None = None) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32, device=device).view(1, 3, 1, 1)
