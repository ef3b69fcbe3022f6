"""From the finest maps to mask features: Mask2Former's way, and PRO-SCALE's light one."""

import torch
import torch.nn.functional as F
from torch import nn

GROUPS = 32
"""Of every group normalisation."""


class PixelEmbedding(nn.Module):
    """Adds the map of stride 8, scaled up, to that of stride 4, and mixes neighbours.

    `light` mixes by max pooling (section 3.1.1), `conv` by a 3x3 convolution. Normalisation, ReLU
    and a 1x1 convolution follow.
    """

    def __init__(self, channels: int, dim: int, light: bool) -> None:
        """`channels`: of the backbone's map of stride 4."""
        super().__init__()
        self.lateral = nn.Sequential(
            nn.Conv2d(channels, dim, 1, bias=False), nn.GroupNorm(GROUPS, dim)
        )
        self.conv = None if light else nn.Conv2d(dim, dim, 3, padding=1, bias=False)
        self.norm = nn.GroupNorm(GROUPS, dim)
        self.project = nn.Conv2d(dim, dim, 1)
        for conv in (self.lateral[0], self.conv, self.project):
            if conv is not None:
                nn.init.kaiming_uniform_(conv.weight, a=1)
        nn.init.zeros_(self.project.bias)

    def forward(self, finest: torch.Tensor, encoded: torch.Tensor) -> torch.Tensor:
        """The backbone's map (B, channels, h, w) and the encoder's (B, dim, h/2, w/2) to mask
        features, (B, dim, h, w).
        """
        lateral = self.lateral(finest)
        mixed = lateral + F.interpolate(encoded, lateral.shape[-2:], mode="bilinear")
        mixed = max_pool_3x3(mixed) if self.conv is None else self.conv(mixed)
        return self.project(self.norm(mixed).relu())


def max_pool_3x3(x: torch.Tensor) -> torch.Tensor:
    """`max_pool2d` with kernel 3, stride 1 and padding 1.

    On CPUs that takes as long as a convolution; maxima of neighbours, and of these, first along one
    side and then along the other, are the same numbers in an eighth of the time.
    """
    if x.device.type != "cpu":
        return F.max_pool2d(x, 3, stride=1, padding=1)
    for dim in (2, 3):
        last = x.shape[dim] - 1
        if not last:
            continue
        two = torch.maximum(x.narrow(dim, 0, last), x.narrow(dim, 1, last))
        three = torch.maximum(two.narrow(dim, 0, last - 1), two.narrow(dim, 1, last - 1))
        x = torch.cat((two.narrow(dim, 0, 1), three, two.narrow(dim, last - 1, 1)), dim)
    return x
