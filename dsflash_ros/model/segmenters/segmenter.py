"""What a segmenter is."""

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import nn

from dsflash_ros.errors import WeightsError
from dsflash_ros.model.layers.named_logits import OpenLogits
from dsflash_ros.model.segmenters.segmentation import MASK_STRIDE, Segmentation

__all__ = ["MASK_STRIDE", "PretrainedPart", "Segmentation", "Segmenter"]


class PretrainedPart(Protocol):
    """A part of a segmenter that can start from weights of timm's.

    Attributes:
        timm_name: the model's name in timm.
        timm_model: that model, as far as it is used here.
        heads: how the names of a classifier's tensors start, which are not.
    """

    timm_name: str
    timm_model: nn.Module
    heads: tuple[str, ...]

    def fit_names(self, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """A published state dict under timm's names. Raises `WeightsError` when it is none."""

    def fit_positions(self, tensors: dict[str, torch.Tensor]) -> None:
        """Scale learned positions, where there are some, to this part's grid."""


class Segmenter(nn.Module):
    """Base of all segmenters.

    A subclass sets the attributes and has `forward`; the rest is optional.

    Attributes:
        class_head: the layer whose outputs are the class logits.
        feature_channels: channels of the features.
        feature_stride: pixels of the network input along one side of a pixel of the features.
        options: names of the fields of `Options` that `forward` and `features` take as arguments.
        rounding: how far the logits of masks and classes may move, as a share of their standard
            deviation, when the same model is computed in float32 by other kernels.
    """

    class_head: nn.Module
    feature_channels: int
    feature_stride: int
    rounding: float = 1e-4
    options: frozenset[str] = frozenset()

    def forward(self, images: torch.Tensor, **options) -> Segmentation:
        """Segment images, (B, 3, S, S) float32, RGB in 0..1, padded below and to the right with
        zeros.
        """
        raise NotImplementedError

    def features(self, images: torch.Tensor, **options) -> torch.Tensor:
        """The features alone, the same numbers as `forward`'s."""
        return self(images, **options).features

    # Open vocabulary

    def name_classes(self, embeddings: torch.Tensor) -> None:
        """Tell these classes apart from now on: (classes, D) text embeddings, of length 1.

        Raises `WeightsError` for a segmenter with a closed head.
        """
        if not isinstance(self.class_head, OpenLogits):
            raise WeightsError("the classes of this segmenter are fixed: its head is closed")
        self.class_head.set_names(embeddings)

    # Training

    def configure_training(self, settings: Mapping[str, object]) -> None:
        """Take from the training's settings, by name, what this segmenter's own recipe needs.

        Raises `ConfigError` for a value that does not suit this segmenter.
        """

    def parameter_groups(self, lr: float) -> list[dict[str, object]]:
        """An optimizer's parameter groups: all parameters, each once.

        Each group has `params`, its peak `lr`, a `name`, and `backbone`: whether its parameters are
        pretrained and warm up after the others.
        """
        return [{"params": list(self.parameters()), "lr": lr, "name": "all", "backbone": False}]

    def training_predictions(
        self, images: torch.Tensor, progress: float, generator: torch.Generator | None = None
    ) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """What the set loss is computed on: (mask_logits, class_logits), as in `Segmentation`.

        Args:
            images: as for `forward`.
            progress: 0..1, the share of the run's steps that are done.
            generator: draws what is random; on the images' device.
        """
        found = self(images)
        return [(found.mask_logits, found.class_logits)]

    def training_metrics(self, progress: float) -> dict[str, float]:
        """What of the recipe is worth a curve, at this share of the run."""
        return {}

    # Starting points

    @property
    def encoder(self) -> PretrainedPart | None:
        """The part that can start from weights of timm's; None where there is none."""
        return None

    def adapt_state(
        self, state: dict[str, torch.Tensor], same_classes: bool
    ) -> dict[str, torch.Tensor]:
        """A state dict of another segmenter of this kind, made to fit this one.

        The other one may have been built for another image size, or, where `same_classes` is False,
        for other classes. Tensors that cannot be made to fit stay as they are. Raises
        `WeightsError` where weights for other classes cannot be used.
        """
        if not same_classes:
            raise WeightsError(
                "they were trained for other classes, which this segmenter cannot use"
            )
        return state

    def make_decisive(self, noise: torch.Tensor) -> None:
        """Change untrained weights so that the thresholds let some segments pass.

        For `random` weights, which try the machinery. `noise`, (1, 3, S, S), is a smooth image.
        """
