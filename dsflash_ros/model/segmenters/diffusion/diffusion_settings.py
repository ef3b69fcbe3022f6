"""What a diffusion segmenter's `ModelConfig.segmenter_settings` can be. Imports no torch."""

from dataclasses import dataclass
from typing import ClassVar

from dsflash_ros.errors import WeightsError
from dsflash_ros.model.diffusion.architectures import DIFFUSION_ARCHITECTURES
from dsflash_ros.model.segmenters.mask2former.decoder_settings import DecoderSettings

SIDES = 64
"""What divides the side of the network input: the UNet halves latents of 8 pixels three times."""


@dataclass(frozen=True, kw_only=True)
class DiffusionSettings(DecoderSettings):
    """Sizes of what stands behind the UNet; `dim` is that of the feature pyramid, too."""

    SEGMENTER: ClassVar[str] = "diffusion"


def check_diffusion(backbone: str, image_size: int) -> None:
    """Raise `WeightsError` for an unknown diffusion model, or a size that it cannot take."""
    if backbone not in DIFFUSION_ARCHITECTURES:
        raise WeightsError(
            f"the segmenter 'diffusion' has no backbone {backbone!r}, "
            f"but {' or '.join(DIFFUSION_ARCHITECTURES)}"
        )
    if image_size % SIDES or image_size < 2 * SIDES:
        raise WeightsError(
            f"image_size must be a multiple of {SIDES}, {2 * SIDES} or more, got {image_size}"
        )
