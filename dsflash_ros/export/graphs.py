"""The two graphs of an exported model, as modules: tensors in, tensors out."""

import torch
from torch import nn

from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.relaters.pair_inputs import PairInputs
from dsflash_ros.model.relaters.relater import RelationStage

SEGMENTER_OUTPUTS = ("mask_logits", "class_logits", "features")

_SEGMENTS, _PAIRS, _KEPT = 7, 19, 5
"""Sizes of examples. No size of a model may be the same, or tracing would take one for another."""


class SegmenterGraph(nn.Module):
    """From the uint8 image to a `Segmentation`."""

    def __init__(self, model: DSFlash) -> None:
        super().__init__()
        self.segmenter = model.segmenter

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """`images` is (1, S, S, 3) uint8 RGB."""
        found = self.segmenter(images.permute(0, 3, 1, 2).float() / 255)
        return found.mask_logits, found.class_logits, found.features


class RelationGraph(nn.Module):
    """From features and segments of one image to the logits of its pairs."""

    def __init__(self, model: DSFlash) -> None:
        super().__init__()
        self.relations = model.relations

    def forward(
        self,
        features: torch.Tensor,
        coverage: torch.Tensor,
        boxes: torch.Tensor,
        class_ids: torch.Tensor,
        class_probabilities: torch.Tensor,
        pairs: torch.Tensor,
        kept: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Logits, (n, 2, 1 + predicates), of n pairs.

        `features` is (1, channels, h, w), `kept` see `kept_patches`; the rest see `PairInputs`.
        """
        inputs = PairInputs(
            self.relations.prepare(features),
            coverage,
            boxes,
            class_ids,
            class_probabilities,
            torch.zeros_like(class_ids),
            pairs,
        )
        if kept is None:
            return self.relations.relate(inputs).logits
        return self.relations.relate(inputs, pruning=kept).logits


def example_relation_inputs(model: DSFlash, features: torch.Tensor) -> dict[str, torch.Tensor]:
    """Inputs to trace the relation stage with, by name, of an image with these features."""
    stage, classes = model.relations, model.config.num_classes
    segment = torch.arange(_SEGMENTS)
    low = torch.rand(_SEGMENTS, 2) - 1
    inputs = {
        "features": features,
        "coverage": torch.rand(_SEGMENTS, stage.grid**2),
        "boxes": torch.cat((low, low + 0.5), dim=1),
        "class_ids": segment % classes,
        "class_probabilities": torch.rand(_SEGMENTS, classes).softmax(1),
        "pairs": torch.combinations(segment)[:_PAIRS],
    }
    if cells_of_patch(stage):
        inputs["kept"] = torch.arange(_KEPT).expand(_PAIRS, -1) - 1  # one place is empty
    return inputs


def dynamic_axes(names: list[str]) -> dict[str, dict[int, str]]:
    """The axes of these inputs of the relation stage that have any length, with their names."""
    axes = {"features": {}, "pairs": {0: "pairs"}, "kept": {0: "pairs", 1: "patches"}}
    return {name: axes.get(name, {0: "segments"}) for name in names}


def cells_of_patch(stage: RelationStage) -> int:
    """Cells along one side of a patch that pruning leaves out; 0 for a stage without patches."""
    if "pruning" not in stage.options:
        return 0
    neck = getattr(stage, "neck", None)
    grid = getattr(neck, "grid", stage.grid)
    return stage.grid // grid
