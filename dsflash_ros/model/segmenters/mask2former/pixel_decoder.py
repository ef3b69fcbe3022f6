"""The transformer encoder of Mask2Former, whose tokens PRO-SCALE adds stage by stage."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from dsflash_ros.model.segmenters.mask2former.deformable_attention import (
    DeformableAttention,
    Shapes,
    places_in,
)
from dsflash_ros.model.segmenters.mask2former.mask2former_settings import Mask2FormerSettings
from dsflash_ros.model.segmenters.mask2former.pixel_embedding import GROUPS, PixelEmbedding
from dsflash_ros.model.segmenters.mask2former.sine_positions import sine_positions


class PixelDecoder(nn.Module):
    """A backbone's maps to mask features and to maps for the decoder.

    Tokens of stride 32 pass p1 layers; joined by those of stride 16, p2 layers; joined by those of
    stride 8, p3 layers (Eqs. 1 to 3). In these each token attends to all that are there.
    """

    def __init__(self, channels: Sequence[int], settings: Mask2FormerSettings) -> None:
        """`channels`: of the backbone's maps at strides 4, 8, 16 and 32."""
        super().__init__()
        dim = settings.dim
        # from here on the coarsest map comes first
        self.projections = nn.ModuleList(
            nn.Sequential(nn.Conv2d(inputs, dim, 1), nn.GroupNorm(GROUPS, dim))
            for inputs in reversed(channels[1:])
        )
        for conv, _ in self.projections:
            nn.init.xavier_uniform_(conv.weight)
            nn.init.zeros_(conv.bias)
        self.level_embedding = nn.Parameter(torch.randn(3, dim))
        self.recalibration = None
        if settings.recalibration != "none":
            self.recalibration = Recalibration(dim, settings.recalibration == "released")
        self.stages = nn.ModuleList(
            nn.ModuleList(EncoderLayer(dim, settings.encoder_ffn, levels) for _ in range(layers))
            for levels, layers in enumerate(settings.layers, 1)
        )
        self.embedding = PixelEmbedding(channels[0], dim, settings.pixel_embedding == "light")

    def forward(
        self, pyramid: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        """Maps (B, channels, h, w) at strides 4, 8, 16 and 32 to mask features, (B, dim, H/4, W/4),
        and maps (B, dim, h, w) at strides 32, 16 and 8.
        """
        finest, *others = pyramid
        maps = [
            project(image)
            for project, image in zip(self.projections, reversed(others), strict=True)
        ]
        encoded = self.encode(maps)
        return self.embedding(finest, encoded[-1]), encoded

    def encode(self, maps: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        """The three stages: projected maps (B, dim, h, w), the coarsest first, to encoded ones."""
        shapes = [tuple(image.shape[-2:]) for image in maps]
        positions = self._positions(maps, shapes)
        tokens = maps[0].new_zeros(len(maps[0]), 0, maps[0].shape[1])
        for level, stage in enumerate(self.stages):
            new = maps[level].flatten(2).transpose(1, 2)
            if self.recalibration is not None and level < 2:
                new = new * self.recalibration(maps[2], shapes[level])
            tokens = torch.cat((tokens, new), dim=1)
            known = shapes[: level + 1]
            places = places_in(known, tokens.device)
            for layer in stage:
                tokens = layer(tokens, positions[:, : tokens.shape[1]], places, known)
        split = tokens.split([height * width for height, width in shapes], dim=1)
        return tuple(
            part.transpose(1, 2).unflatten(2, shape)
            for part, shape in zip(split, shapes, strict=True)
        )

    def _positions(self, maps: Sequence[torch.Tensor], shapes: Shapes) -> torch.Tensor:
        """Positions and levels of all tokens, (1, K, dim); queries alone have them."""
        dim = maps[0].shape[1]
        positions = [
            sine_positions(height, width, dim, maps[0].device).flatten(0, 1).to(maps[0].dtype)
            + level
            for (height, width), level in zip(shapes, self.level_embedding, strict=True)
        ]
        return torch.cat(positions).unsqueeze(0)


class EncoderLayer(nn.Module):
    """Deformable attention and a feed-forward network, each normalised after its residual."""

    def __init__(self, dim: int, ffn: int, levels: int) -> None:
        super().__init__()
        self.attention = DeformableAttention(dim, levels)
        self.norm1 = nn.LayerNorm(dim)
        self.linear1 = nn.Linear(dim, ffn)
        self.linear2 = nn.Linear(ffn, dim)
        self.norm2 = nn.LayerNorm(dim)
        for linear in (self.linear1, self.linear2):
            nn.init.xavier_uniform_(linear.weight)

    def forward(
        self, tokens: torch.Tensor, positions: torch.Tensor, places: torch.Tensor, shapes: Shapes
    ) -> torch.Tensor:
        """Tokens (B, K, dim) to tokens; see `DeformableAttention.forward`."""
        gathered = self.attention(tokens + positions, tokens, places, shapes)
        tokens = self.norm1(tokens + gathered)
        return self.norm2(tokens + self.linear2(self.linear1(tokens).relu()))


class Recalibration(nn.Module):
    """How much of each coarser token is kept, as the finest map sees it (Eq. 4).

    The code that PRO-SCALE's published weights were trained with takes tokens, channels last, for
    an image with channels first, so that its gates mix places and channels. `released` does the
    same, for these weights.
    """

    temperature = 0.1

    def __init__(self, dim: int, released: bool) -> None:
        super().__init__()
        self.released = released
        self.linear = nn.Linear(dim, 1)

    def forward(self, finest: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
        """Gates in 0..1, (B, h * w, 1), of a map of shape (h, w), from `finest`, (B, dim, H, W)."""
        if self.released:
            tokens = finest.flatten(2).transpose(1, 2)
            resized = F.interpolate(tokens.reshape(finest.shape), shape, mode="bilinear")
            logits = self.linear(resized.reshape(len(resized), -1, resized.shape[1]))
        else:  # the linear layer before the scaling is the same for less
            weight = self.linear.weight[:, :, None, None]
            logits = F.interpolate(F.conv2d(finest, weight), shape, mode="bilinear")
            logits = logits.flatten(2).transpose(1, 2) + self.linear.bias
        return (self.temperature * logits).sigmoid()
