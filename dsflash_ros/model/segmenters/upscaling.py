"""How EoMT's patches become pixels of masks."""

import torch
import torch.nn.functional as F
from torch import nn


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation of the channels of each pixel of (B, D, h, w)."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim, eps=1e-6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class UpscaleBlock(nn.Module):
    """Doubles the resolution of (B, D, h, w)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv1 = nn.ConvTranspose2d(dim, dim, kernel_size=2, stride=2)
        self.act = nn.GELU()
        self.conv2 = nn.Conv2d(dim, dim, kernel_size=3, padding=1, groups=dim, bias=False)
        self.norm = ChannelNorm(dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        double = self._double if x.requires_grad and x.device.type == "cpu" else self.conv1
        return self.norm(self.conv2(self.act(double(x))))

    def _double(self, x: torch.Tensor) -> torch.Tensor:
        """`conv1` as a product with channels last, which has a faster gradient on CPUs.

        Its kernels do not overlap, so that this is the same.
        """
        dim, (batch, _, height, width) = self.conv1.out_channels, x.shape
        weight = self.conv1.weight.permute(2, 3, 1, 0).flatten(0, 2)
        y = F.linear(x.permute(0, 2, 3, 1), weight, self.conv1.bias.repeat(4))
        y = y.view(batch, height, width, 2, 2, dim).permute(0, 1, 3, 2, 4, 5)
        return y.reshape(batch, 2 * height, 2 * width, dim).permute(0, 3, 1, 2)
