"""What a relation stage is."""

from typing import NamedTuple

import torch


class PairInputs(NamedTuple):
    """What the neck needs of a batch of images; see `RelationStage.forward`.

    Attributes:
        patches: (B, P, dim) float32.
        coverage: (S, P) float32.
        boxes: (S, 4) float32.
        images: (S,) int64.
    """

    patches: torch.Tensor
    coverage: torch.Tensor
    boxes: torch.Tensor
    images: torch.Tensor
