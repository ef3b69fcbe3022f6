"""What a backend is."""

from abc import ABC, abstractmethod

import torch

from dsflash_ros.model.relaters.relater import PairInputs
from dsflash_ros.model.segmenters.segmenter import Segmentation
from dsflash_ros.pipeline.options import Options


class Backend(ABC):
    """Runs the two parts of a model. What it is given and what it gives lies on its device.

    Attributes:
        device: where it runs.
        precision: the numbers that it computes with, as in `float32`.
        cell, grid: of the relation stage, see `RelationStage`.
        segmenter_options, relater_options: names of the options that each part understands; the
            others have no effect.
    """

    device: torch.device
    precision: str
    cell: int
    grid: int
    segmenter_options: frozenset[str]
    relater_options: frozenset[str]

    @abstractmethod
    def segment(self, images: torch.Tensor, options: Options) -> Segmentation:
        """Run the segmenter on images, (B, 3, S, S) float32, RGB in 0..1."""

    @abstractmethod
    def prepare(self, features: torch.Tensor) -> torch.Tensor:
        """What all pairs share: `PairInputs.prepared` of the segmenter's features."""

    @abstractmethod
    def relate(self, inputs: PairInputs, options: Options) -> torch.Tensor:
        """Logits of both directions of each pair, (n, 2, 1 + predicates)."""
