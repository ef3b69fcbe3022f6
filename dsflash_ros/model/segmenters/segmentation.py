"""What a segmenter finds, in PyTorch's tensors or NumPy's arrays. Imports no torch."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from dsflash_ros.model.array_types import Array

MASK_STRIDE = 4
"""Pixels of the network input along one side of a pixel of the mask logits."""


class Segmentation(NamedTuple):
    """What a segmenter finds in a batch of B images of side S, with Q queries.

    Attributes:
        mask_logits: (B, Q, S/4, S/4).
        class_logits: (B, Q, classes + 1); the last is "no object".
        features: (B, channels, S/stride, S/stride), for the relation stage; channels and stride
            are the segmenter's `feature_channels` and `feature_stride`.
    """

    mask_logits: "Array"
    class_logits: "Array"
    features: "Array"
