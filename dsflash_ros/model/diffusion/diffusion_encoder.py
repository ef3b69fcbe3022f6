"""A diffusion model's UNet as an encoder of images (SPADE Eq. 4)."""

import torch
import torch.nn.functional as F
from torch import nn

from dsflash_ros.errors import missing_extra
from dsflash_ros.model.diffusion.architectures import DIFFUSION_ARCHITECTURES
from dsflash_ros.model.diffusion.captioner import Captioner
from dsflash_ros.model.diffusion.image_embedding import ImageEmbedding
from dsflash_ros.model.diffusion.latents import (
    PIXELS_PER_LATENT,
    AutoencoderLatents,
    PixelLatents,
)


class DiffusionEncoder(nn.Module):
    """The UNet at t = 0 on an image's own latents, told of the image by the captioner.

    Its maps are those at the end of each up block: every third of the twelve blocks of Stable
    Diffusion's decoder. Also a `PretrainedPart`.

    Attributes:
        architecture: its name in `DIFFUSION_ARCHITECTURES`.
        channels, strides: of the maps, coarsest first; strides in pixels of the network input.
    """

    heads: tuple[str, ...] = ()

    def __init__(self, architecture: str) -> None:
        """A new one with random weights. Raises `MissingExtraError` without diffusers."""
        try:
            from diffusers import AutoencoderKL, UNet2DConditionModel
            from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection
        except ImportError as error:
            raise missing_extra("diffusion", error) from error
        super().__init__()
        self.architecture, sizes = architecture, DIFFUSION_ARCHITECTURES[architecture]
        self.timm_name = f"diffusion model {architecture}"
        self.unet = UNet2DConditionModel(**sizes.unet)
        if sizes.autoencoder:
            self.latents = AutoencoderLatents(AutoencoderKL(**sizes.autoencoder))
        else:
            self.latents = PixelLatents(sizes.unet["in_channels"])
        image_encoder = CLIPVisionModelWithProjection(CLIPVisionConfig(**sizes.image_encoder))
        self.embedding = ImageEmbedding(image_encoder)
        nothing = torch.zeros(sizes.tokens, sizes.unet["cross_attention_dim"])
        self.captioner = Captioner(nothing, self.embedding.dim)
        widths = sizes.unet["block_out_channels"]
        self.channels = widths[::-1]
        doublings = [*range(len(widths) - 2, -1, -1), 0]  # the last up block enlarges nothing
        self.strides = [PIXELS_PER_LATENT << doubling for doubling in doublings]

    @property
    def timm_model(self) -> "DiffusionEncoder":
        """See `PretrainedPart`: the file that a calibration writes holds all of this."""
        return self

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Images (B, 3, S, S) in 0..1, of sides that 64 divides, to maps (B, channels, h, w)."""
        return self.see(self.latents(images.to(self.unet.dtype)), self.embedding(images))

    def see(self, latents: torch.Tensor, embeddings: torch.Tensor) -> list[torch.Tensor]:
        """The maps, from latents and from the images' embeddings."""
        maps: list[torch.Tensor] = []
        hooks = [
            block.register_forward_hook(lambda block, inputs, output: maps.append(output))
            for block in self.unet.up_blocks
        ]
        try:
            self.unet(latents, 0, self.captioner(embeddings))
        finally:
            for hook in hooks:
                hook.remove()
        return maps

    def fit_names(self, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """A calibration's file has our names."""
        return tensors

    def fit_positions(self, tensors: dict[str, torch.Tensor]) -> None:
        """There are none that depend on the image's size."""


def side_by_side(maps: list[torch.Tensor], side: int) -> torch.Tensor:
    """Maps scaled to one side and normalised over their channels: (B, all channels, side, side)."""
    scaled = []
    for image in maps:
        if image.shape[-1] > side:
            image = F.adaptive_avg_pool2d(image, side)
        elif image.shape[-1] < side:
            image = F.interpolate(image, (side, side), mode="bilinear")
        normed = F.layer_norm(image.movedim(1, 3), image.shape[1:2])
        scaled.append(normed.movedim(3, 1))
    return torch.cat(scaled, dim=1)
