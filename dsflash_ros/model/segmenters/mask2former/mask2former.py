"""Mask2Former and PRO-SCALE as a segmenter."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import nn

from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.layers.pixels import NormalisedPixels
from dsflash_ros.model.segmenters.mask2former import mask2former_untrained
from dsflash_ros.model.segmenters.mask2former.mask2former_recipe import Mask2FormerRecipe
from dsflash_ros.model.segmenters.mask2former.mask2former_settings import Mask2FormerSettings
from dsflash_ros.model.segmenters.mask2former.pixel_decoder import PixelDecoder
from dsflash_ros.model.segmenters.mask2former.pyramids import Pyramid, make_pyramid
from dsflash_ros.model.segmenters.mask2former.query_decoder import QueryDecoder
from dsflash_ros.model.segmenters.mask2former.warm_start import fitted_state
from dsflash_ros.model.segmenters.segmenter import Segmentation, Segmenter


class Mask2Former(Segmenter):
    """A backbone, a pixel decoder that mixes its maps, and queries that find masks in them."""

    rounding = 1e-2
    """Rounding may carry a pixel over the threshold of the mask that a query looks through."""

    def __init__(
        self,
        backbone: Pyramid,
        settings: Mask2FormerSettings,
        num_classes: int,
        num_queries: int,
        text_dim: int = 0,
    ) -> None:
        """A new one around a backbone, which becomes a part of it.

        `num_classes`: without "no object". `num_queries`: segments that it can find in an image.
        `text_dim`: of the classes' text embeddings; 0 makes a closed head.
        """
        super().__init__()
        self.settings = settings
        self.backbone = backbone
        self.pixel_decoder = PixelDecoder(backbone.channels, settings)
        self.decoder = QueryDecoder(settings, num_queries, num_classes, text_dim)
        self.normalise = NormalisedPixels(*backbone.pixels)
        self.feature_channels = 4 * settings.dim
        self.feature_stride = settings.feature_stride
        self.recipe = Mask2FormerRecipe()

    def forward(self, images: torch.Tensor) -> Segmentation:
        """Segment images, (B, 3, H, W) float32, RGB in 0..1, of sides that 32 divides."""
        mask_features, maps = self._see(images)
        (found,) = self.decoder(mask_features, maps)
        return Segmentation(*found, self._features(mask_features, maps))

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Mask features and encoded maps, all at the features' stride: (B, 4 * dim, h, w)."""
        return self._features(*self._see(images))

    # Training: see `Segmenter` and `mask2former_recipe`

    def configure_training(self, settings: Mapping[str, object]) -> None:
        """Take `backbone_lr_factor` and `weight_decay`; see `Mask2FormerRecipe`."""
        self.recipe = Mask2FormerRecipe.from_settings(settings)

    def parameter_groups(self, lr: float) -> list[dict[str, object]]:
        """A backbone that learns slowly, and the rest; norms and embeddings do not decay."""
        return self.recipe.parameter_groups(self, lr)

    def training_predictions(
        self, images: torch.Tensor, progress: float, generator: torch.Generator | None = None
    ) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Predictions before each decoder layer and at the end."""
        if not self.backbone.draws:
            return self.decoder(*self._see(images), every=True)
        # The backbone drops paths with the global generator; resumed runs have to draw the same.
        devices = [images.device] if images.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            device = images.device if generator is None else generator.device
            seed = torch.randint(2**31, (), generator=generator, device=device)
            torch.manual_seed(int(seed))
            return self.decoder(*self._see(images), every=True)

    # Starting points: see `Segmenter`

    @property
    def class_head(self) -> nn.Module:
        """See `Segmenter`."""
        return self.decoder.class_head

    @property
    def encoder(self) -> Pyramid:
        """The backbone."""
        return self.backbone

    def adapt_state(
        self, state: dict[str, torch.Tensor], same_classes: bool
    ) -> dict[str, torch.Tensor]:
        """See `warm_start`; of other classes the class head is left out."""
        return fitted_state(self, state, same_classes)

    def make_decisive(self, noise: torch.Tensor) -> None:
        """See `mask2former_untrained`."""
        mask2former_untrained.make_decisive(self, noise)

    # Parts of a pass

    def _see(self, images: torch.Tensor) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        """Mask features, and the encoded maps of strides 32, 16 and 8."""
        pixels = self.normalise(images).to(self.decoder.norm.weight.dtype)
        return self.pixel_decoder(self.backbone(pixels))

    def _features(
        self, mask_features: torch.Tensor, maps: tuple[torch.Tensor, ...]
    ) -> torch.Tensor:
        coarse, middle, fine = maps
        pooled = F.avg_pool2d(mask_features, self.feature_stride // 4)
        if self.feature_stride == 16:
            fine = F.avg_pool2d(fine, 2)
        size = pooled.shape[-2:]
        scaled = [
            image if image.shape[-2:] == size else F.interpolate(image, size, mode="bilinear")
            for image in (fine, middle, coarse)
        ]
        return torch.cat((pooled, *scaled), dim=1)


def make_mask2former(config: ModelConfig) -> Mask2Former:
    """The Mask2Former of a config, with fresh random weights."""
    return Mask2Former(
        make_pyramid(config.backbone),
        Mask2FormerSettings.from_dict(config.segmenter_settings),
        config.num_classes,
        config.num_queries,
        config.class_text_dim,
    )
