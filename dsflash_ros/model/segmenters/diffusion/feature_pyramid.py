"""A feature pyramid network (Lin et al., CVPR 2017) on a UNet's maps."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

STRIDES = (32, 16, 8)
"""Of the pyramid's maps, pixels of the network input."""

GROUPS = 8
"""Of the normalisations."""


class FeaturePyramid(nn.Module):
    """Maps of strides 32, 16 and 8, each of which knows the coarser ones, and mask features.

    The UNet's finest map has stride 8; where none has stride 32, the next one is halved.
    """

    def __init__(self, channels: Sequence[int], strides: Sequence[int], dim: int) -> None:
        """`channels` and `strides` of the UNet's maps, coarsest first; `dim` of the pyramid."""
        super().__init__()
        self.sources = [_sources(strides, stride) for stride in STRIDES]
        widths = [sum(channels[index] for index in level) for level in self.sources]
        self.lateral = nn.ModuleList(_normed(width, dim, 1) for width in widths)
        self.smooth = nn.ModuleList(_normed(dim, dim, 3) for _ in STRIDES)
        self.fine = nn.Sequential(_normed(dim, dim, 3), nn.ReLU(), nn.Conv2d(dim, dim, 1))

    def forward(
        self, maps: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        """The UNet's maps to mask features, (B, dim, S/4, S/4), and maps of `STRIDES`."""
        finest = maps[-1].shape[-1]
        found: list[torch.Tensor] = []
        above = None
        for stride, level, lateral in zip(STRIDES, self.sources, self.lateral, strict=True):
            own = torch.cat([maps[index] for index in level], dim=1)
            own = lateral(F.adaptive_avg_pool2d(own, finest * STRIDES[-1] // stride))
            above = own if above is None else own + _enlarged(above)
            found.append(above)
        smooth = tuple(part(image).relu() for part, image in zip(self.smooth, found, strict=True))
        return self.fine(_enlarged(above)), smooth


def _sources(strides: Sequence[int], stride: int) -> list[int]:
    """The maps that a level of the pyramid is made of: of its stride, else of the next finer."""
    nearest = max(own for own in strides if own <= stride)
    return [index for index, own in enumerate(strides) if own == nearest]


def _normed(before: int, after: int, size: int) -> nn.Sequential:
    convolution = nn.Conv2d(before, after, size, padding=size // 2, bias=False)
    return nn.Sequential(convolution, nn.GroupNorm(GROUPS, after))


def _enlarged(maps: torch.Tensor) -> torch.Tensor:
    return F.interpolate(maps, scale_factor=2.0, mode="bilinear")
