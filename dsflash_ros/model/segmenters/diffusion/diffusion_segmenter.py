"""Queries that find segments in the features of a frozen diffusion model (SPADE, section 3.2)."""

from collections.abc import Mapping

import torch
from torch import nn

from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.diffusion.diffusion_encoder import DiffusionEncoder, side_by_side
from dsflash_ros.model.segmenters.diffusion.diffusion_settings import DiffusionSettings
from dsflash_ros.model.segmenters.diffusion.feature_pyramid import FeaturePyramid
from dsflash_ros.model.segmenters.mask2former.mask2former_recipe import Mask2FormerRecipe
from dsflash_ros.model.segmenters.mask2former.query_decoder import QueryDecoder
from dsflash_ros.model.segmenters.segmenter import Segmentation, Segmenter

FEATURE_STRIDE = 16
"""Of the features for the relation stage; DSFlash's and the package's stages pool finer ones."""


class DiffusionSegmenter(Segmenter):
    """A UNet that never learns here, a feature pyramid, and Mask2Former's decoder.

    The relation stage gets the UNet's own maps, side by side.
    """

    rounding = 1e-2
    """Rounding may carry a pixel over the threshold of the mask that a query looks through."""

    def __init__(
        self,
        backbone: DiffusionEncoder,
        settings: DiffusionSettings,
        num_classes: int,
        num_queries: int,
        text_dim: int = 0,
    ) -> None:
        """A new one around an encoder, which becomes a part of it and is frozen.

        `num_classes`: without "no object". `num_queries`: segments that it can find in an image.
        `text_dim`: of the classes' text embeddings; 0 makes a closed head.
        """
        super().__init__()
        self.backbone = backbone.requires_grad_(False)
        self.pyramid = FeaturePyramid(backbone.channels, backbone.strides, settings.dim)
        self.decoder = QueryDecoder(settings, num_queries, num_classes, text_dim)
        self.feature_channels = sum(backbone.channels)
        self.feature_stride = FEATURE_STRIDE
        self.recipe = Mask2FormerRecipe()

    def train(self, mode: bool = True) -> "DiffusionSegmenter":
        """Training mode for all but the encoder."""
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, images: torch.Tensor) -> Segmentation:
        """Segment images, (B, 3, S, S) float32, RGB in 0..1, of sides that 64 divides."""
        maps = self._see(images)
        (found,) = self.decoder(*self.pyramid(maps))
        return Segmentation(*found, self._features(maps, images))

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """The UNet's maps at the features' stride: (B, all channels, S/16, S/16)."""
        return self._features(self._see(images), images)

    @property
    def class_head(self) -> nn.Module:
        """See `Segmenter`."""
        return self.decoder.class_head

    # Training: see `Segmenter`

    def configure_training(self, settings: Mapping[str, object]) -> None:
        """Take `weight_decay`; see `Mask2FormerRecipe`."""
        self.recipe = Mask2FormerRecipe.from_settings(settings)

    def parameter_groups(self, lr: float) -> list[dict[str, object]]:
        """What learns: all but the encoder. Norms and embeddings do not decay."""
        return self.recipe.parameter_groups(self, lr)

    def training_predictions(
        self, images: torch.Tensor, progress: float, generator: torch.Generator | None = None
    ) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Predictions before each decoder layer and at the end."""
        return self.decoder(*self.pyramid(self._see(images)), every=True)

    # Starting points: see `Segmenter`

    @property
    def encoder(self) -> DiffusionEncoder:
        """The UNet and what it needs to see; a calibration's file fits it."""
        return self.backbone

    # Parts of a pass

    @torch.no_grad()
    def _see(self, images: torch.Tensor) -> list[torch.Tensor]:
        return self.backbone(images)

    def _features(self, maps: list[torch.Tensor], images: torch.Tensor) -> torch.Tensor:
        return side_by_side(maps, images.shape[-1] // FEATURE_STRIDE)


def make_diffusion(config: ModelConfig) -> DiffusionSegmenter:
    """The diffusion segmenter of a config, with fresh random weights.

    Raises `MissingExtraError` without diffusers.
    """
    return DiffusionSegmenter(
        DiffusionEncoder(config.backbone),
        DiffusionSettings.from_dict(config.segmenter_settings),
        config.num_classes,
        config.num_queries,
        config.class_text_dim,
    )
