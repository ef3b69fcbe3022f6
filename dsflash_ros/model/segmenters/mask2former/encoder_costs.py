"""What an encoder costs, counted as PRO-SCALE counts it.

Its GFLOPs are multiply-adds, not twice as many. Sampling, softmax and scaling are left out; each
element of a normalisation counts as 5. With that, its tables come out at one image size each.
"""

from collections.abc import Sequence

from dsflash_ros.model.segmenters.mask2former.deformable_attention import POINTS
from dsflash_ros.model.segmenters.mask2former.mask2former_settings import (
    HEADS,
    Mask2FormerSettings,
)

_NORMALISED = 5
"""Operations for each element of a normalisation."""


def encoder_cost(
    settings: Mask2FormerSettings, channels: Sequence[int], height: int, width: int
) -> int:
    """Multiply-adds of a pixel decoder for an image of height x width pixels, multiples of 32.

    `channels`: of the backbone's maps at strides 4, 8, 16 and 32.
    """
    dim = settings.dim
    finest, *others = (height // stride * (width // stride) for stride in (4, 8, 16, 32))
    total = sum(
        pixels * dim * (inputs + _NORMALISED)
        for pixels, inputs in zip(others, channels[1:], strict=True)
    )
    tokens = 0
    for levels, layers in enumerate(settings.layers, 1):
        tokens += others[3 - levels]
        total += layers * tokens * layer_cost(settings, levels)
    if settings.recalibration != "none":
        total += (others[1] + others[2]) * dim
    lateral = channels[0] + _NORMALISED
    mixed = _NORMALISED + (9 * dim if settings.pixel_embedding == "conv" else 0)
    return total + finest * dim * (lateral + mixed + dim)


def layer_cost(settings: Mask2FormerSettings, levels: int) -> int:
    """Multiply-adds of an encoder layer for each token, which attends to so many maps."""
    dim = settings.dim
    attention = 2 * dim + 3 * HEADS * levels * POINTS  # values and output; offsets and weights
    return dim * (attention + 2 * settings.encoder_ffn + 2 * _NORMALISED)
