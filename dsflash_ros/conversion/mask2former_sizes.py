"""What the tensors of a Mask2Former of another code base tell of its sizes."""

from collections.abc import Mapping

import torch

from dsflash_ros.conversion.layouts import Layout
from dsflash_ros.errors import WeightsError
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.segmenters.mask2former.deformable_attention import POINTS
from dsflash_ros.model.segmenters.mask2former.mask2former_settings import HEADS

TRAINED_AT = 1024
"""Side of the square crops that the published COCO models learned from."""

_SWINS = {
    (96, 6): "swin_tiny",
    (96, 18): "swin_small",
    (128, 18): "swin_base",
    (192, 18): "swin_large",
}
"""By the width of the first stage and the blocks of the third."""


def config_of_mask2former(
    layout: Layout, tensors: Mapping[str, torch.Tensor], image_size: int | None = None
) -> ModelConfig:
    """The sizes that the tensors' shapes tell; all classes count as things.

    `image_size`: None: `TRAINED_AT`, as tensors do not tell it. Raises `WeightsError` when tensors
    that tell sizes are missing, or for sizes that there are not here.
    """
    found = _Shapes(layout, tensors)
    classes, dim = found.shape("decoder.class_head.weight")
    levels = [
        found.shape(f"pixel_decoder.layers.{index}.attention.weights.bias")[0] / (HEADS * POINTS)
        for index in range(found.count("pixel_decoder.layers.{}.attention.weights.bias"))
    ]
    if levels != sorted(levels) or not set(levels) <= {1, 2, 3}:
        raise WeightsError(
            f"its encoder layers attend to {levels} maps with {HEADS} heads of {POINTS} points; "
            "they must attend to 1, 2 or 3, in this order"
        )
    light = not found.has("pixel_decoder.embedding.conv.weight")
    gated = found.has("pixel_decoder.recalibration.linear.weight")
    settings = {
        **{f"p{number}": levels.count(number) for number in (1, 2, 3)},
        "pixel_embedding": "light" if light else "conv",
        "recalibration": "released" if gated else "none",
        "dim": dim,
        "encoder_ffn": found.shape("pixel_decoder.layers.0.linear1.bias")[0],
        "decoder_ffn": found.shape("decoder.layers.0.linear1.bias")[0],
        "decoder_layers": found.count("decoder.layers.{}.linear1.bias"),
    }
    return ModelConfig(
        segmenter="mask2former",
        backbone=found.backbone(),
        image_size=image_size or TRAINED_AT,
        num_things=classes - 1,
        num_stuff=0,
        num_queries=found.shape("decoder.query_features.weight")[0],
        segmenter_settings=settings,
    )


class _Shapes:
    """Shapes of tensors by our names."""

    def __init__(self, layout: Layout, tensors: Mapping[str, torch.Tensor]) -> None:
        self._layout, self._tensors = layout, tensors

    def has(self, name: str) -> bool:
        return self._layout.sources(name)[0] in self._tensors

    def shape(self, name: str) -> torch.Size:
        source = self._layout.sources(name)[0]
        if source not in self._tensors:
            raise WeightsError(
                f"the tensor {source} is missing, which tells the size of a Mask2Former in "
                f"{self._layout.name}"
            )
        shape = self._tensors[source].shape
        if len(shape) != (1 if name.endswith("bias") else 2):
            raise WeightsError(f"the tensor {source} is {tuple(shape)}, which tells no size")
        return shape

    def count(self, name: str) -> int:
        """How many tensors there are, of numbers 0, 1, ..."""
        number = 0
        while self.has(name.format(number)):
            number += 1
        return number

    def backbone(self) -> str:
        if self.has("backbone.timm_model.layer1.0.conv1.weight"):
            blocks = self.count("backbone.timm_model.layer3.{}.conv1.weight")
            if blocks == 6:
                return "resnet50"
            raise WeightsError(
                f"its backbone is a ResNet with {blocks} blocks of stride 16; only ResNet-50, "
                "which has 6, is known here"
            )
        width = self.shape("backbone.timm_model.patch_embed.proj.bias")[0]
        blocks = self.count("backbone.timm_model.layers.2.blocks.{}.norm1.weight")
        if (width, blocks) not in _SWINS:
            known = ", ".join(f"{name} {sizes}" for sizes, name in _SWINS.items())
            raise WeightsError(
                f"its backbone is a Swin of width {width} with {blocks} blocks in its third "
                f"stage; known are {known}"
            )
        return _SWINS[width, blocks]
