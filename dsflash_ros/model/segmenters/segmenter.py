"""What a segmenter is."""

from typing import NamedTuple

import torch

MASK_STRIDE = 4
"""Pixels of the network input along one side of a pixel of the mask logits."""


class Segmentation(NamedTuple):
    """What EoMT says of a batch of images of side S.

    Attributes:
        mask_logits: (B, Q, S/4, S/4).
        class_logits: (B, Q, classes + 1); the last is "no object".
        features: (B, 4 * D, S/16, S/16); patch tokens after four blocks, for the relation stage
            (DSFlash section 3.1).
    """

    mask_logits: torch.Tensor
    class_logits: torch.Tensor
    features: torch.Tensor
