"""Normalisation of pixels."""

import torch
from torch import nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


Colours = tuple[float, float, float]
"""A value of red, green and blue."""


class NormalisedPixels(nn.Module):
    """Images (B, 3, H, W) in 0..1 to mean 0 and deviation 1, given those of a training set.

    Computes in float32 even where the model does not: bfloat16 would shift pixels by grey levels.
    """

    def __init__(self, mean: Colours, std: Colours) -> None:
        super().__init__()
        self._values = {"mean": mean, "std": std}
        for name, values in self._values.items():
            self.register_buffer(name, _per_channel(values), persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return (images - self.mean) / self.std

    def _apply(self, *args, **kwargs):
        """Go with the model to another device, but not to another number format."""
        super()._apply(*args, **kwargs)
        for name, values in self._values.items():
            setattr(self, name, _per_channel(values, getattr(self, name).device))
        return self


class ImageNetPixels(NormalisedPixels):
    """Normalised as ImageNet's pixels are."""

    def __init__(self) -> None:
        super().__init__(IMAGENET_MEAN, IMAGENET_STD)


def _per_channel(values: Colours, device: torch.device | None = None) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32, device=device).view(1, 3, 1, 1)
