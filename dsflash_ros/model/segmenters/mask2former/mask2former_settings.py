"""What a Mask2Former's `ModelConfig.segmenter_settings` can be. Imports no torch."""

from dataclasses import dataclass
from typing import ClassVar

from dsflash_ros.errors import WeightsError
from dsflash_ros.model.segmenters.mask2former.decoder_settings import DecoderSettings

BACKBONES = ("swin_tiny", "swin_small", "swin_base", "swin_large", "resnet50", "lite0")
"""What `ModelConfig.backbone` can be; the first is the default."""

CHOICES = {
    "pixel_embedding": ("light", "conv"),
    "recalibration": ("paper", "released", "none"),
    "feature_stride": (16, 8),
}
"""The values of those settings that have only a few."""

STRIDE = 32
"""Pixels of the network input along one side of a pixel of the coarsest map."""

HEADS = 8
"""Of every attention."""


@dataclass(frozen=True)
class Mask2FormerSettings(DecoderSettings):
    """Sizes of a Mask2Former, and how its encoder is scaled.

    With (p1, p2, p3) = (0, 0, 6), `conv` and `none` it is Mask2Former itself.

    Attributes:
        p1, p2, p3: encoder layers on the maps of stride 32; of strides 32 and 16; and of all three.
        pixel_embedding: `light`, PRO-SCALE's max pooling, or `conv`, Mask2Former's 3x3 convolution.
        recalibration: how the finest map weighs the tokens of the others: `paper` (Eq. 4),
            `released` (as the published weights learned it, see `Recalibration`) or `none`.
        encoder_ffn: hidden width of the encoder's feed-forward networks.
        feature_stride: of the features for the relation stage, 16 or 8.
    """

    SEGMENTER: ClassVar[str] = "mask2former"
    LEAST: ClassVar[dict[str, int]] = {"p1": 0, "p2": 0, "p3": 0}

    p1: int = 3
    p2: int = 3
    p3: int = 3
    pixel_embedding: str = "light"
    recalibration: str = "paper"
    encoder_ffn: int = 1024
    feature_stride: int = 16

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            value = getattr(self, name)
            if type(value) is not type(choices[0]) or value not in choices:
                raise WeightsError(
                    f"segmenter_settings: {name} must be {' or '.join(map(str, choices))}, "
                    f"got {value!r}"
                )
        super().__post_init__()
        if not sum(self.layers):
            raise WeightsError("segmenter_settings: one of p1, p2, p3 must be 1 or more")

    @property
    def layers(self) -> tuple[int, int, int]:
        """(p1, p2, p3)."""
        return self.p1, self.p2, self.p3


def check_input(backbone: str, image_size: int) -> None:
    """Raise `WeightsError` for an unknown backbone, or an image size that it cannot take."""
    if backbone not in BACKBONES:
        raise WeightsError(
            f"the segmenter 'mask2former' has no backbone {backbone!r}, "
            f"but {' or '.join(BACKBONES)}"
        )
    if image_size % STRIDE or image_size < 2 * STRIDE:
        raise WeightsError(
            f"image_size must be a multiple of {STRIDE}, {2 * STRIDE} or more, got {image_size}"
        )
