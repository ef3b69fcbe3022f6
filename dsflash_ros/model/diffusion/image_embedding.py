"""An image as one vector, by CLIP's image encoder."""

import torch
import torch.nn.functional as F
from torch import nn

from dsflash_ros.model.layers.pixels import NormalisedPixels

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


class ImageEmbedding(nn.Module):
    """CLIP's projected embedding of whole images, normalised to length 1."""

    def __init__(self, encoder: nn.Module) -> None:
        """`encoder`: transformers' `CLIPVisionModelWithProjection`."""
        super().__init__()
        self.encoder = encoder
        self.side = encoder.config.image_size
        self.dim = encoder.config.projection_dim
        self.normalise = NormalisedPixels(CLIP_MEAN, CLIP_STD)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (B, 3, S, S) in 0..1 to (B, dim)."""
        if images.shape[-1] != self.side:
            images = F.interpolate(images, (self.side,) * 2, mode="area")
        pixels = self.normalise(images).to(self.encoder.visual_projection.weight.dtype)
        return F.normalize(self.encoder(pixels).image_embeds, dim=1)
