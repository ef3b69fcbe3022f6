"""DSFormer's relation stage, from its description, as what DSFlash is measured against."""

import torch
import torch.nn.functional as F
from torch import nn

from dsflash_ros.model.relaters.neck import PatchNeck

CHANNELS, STRIDE = 256, 4
"""Of the features that it takes, of a ResNet's first stage."""

PATCH, GRID = 8, 16
"""Features along one side of a patch, and patches along one side of the image."""

SIDE = STRIDE * PATCH * GRID
"""Pixels along one side of its image."""


class DSFormerStage(PatchNeck):
    """A pass for each *directed* pair, which pools its two masks anew (DSFlash 2.3, supplement 9).

    It is of DSFlash's own neck and blocks, so that what is measured is the difference in method and
    not that of two implementations. Unlike DSFlash it has a finer grid, a semantic token from the
    two classes, no gate, and all tokens pass all of the last block.
    """

    def __init__(self, num_classes: int = 133, num_predicates: int = 56, dim: int = 384) -> None:
        """Fresh weights; sizes as in the paper's comparison."""
        super().__init__(CHANNELS, PATCH, GRID, dim, depth=6, heads=8)
        self.num_classes = num_classes
        self.semantics = nn.Embedding(num_classes**2, dim)
        self.head = nn.Sequential(
            nn.Linear(dim, 2 * dim), nn.ReLU(), nn.Linear(2 * dim, 1 + num_predicates)
        )

    def forward(
        self,
        features: torch.Tensor,
        masks: torch.Tensor,
        boxes: torch.Tensor,
        class_ids: torch.Tensor,
        pairs_at_once: int,
    ) -> torch.Tensor:
        """Logits of all directed pairs of S segments, (S, S, 1 + predicates); 0 with themselves.

        Args:
            features: (1, `CHANNELS`, `SIDE` / `STRIDE`, `SIDE` / `STRIDE`).
            masks: (S, `SIDE`, `SIDE`) bool.
            boxes: (S, 4), scaled to -1..1.
            class_ids: (S,) int64.
            pairs_at_once: bounds the memory.
        """
        patches = self.prepare(features)
        count = len(masks)
        pairs = (~torch.eye(count, dtype=torch.bool, device=masks.device)).nonzero()
        logits = patches.new_zeros(count, count, self.head[-1].out_features)
        for chunk in pairs.split(pairs_at_once):
            subject, object_ = chunk.unbind(1)
            embedding = self.mask_embedding(_pooled(masks[subject]), _pooled(masks[object_]))
            both = torch.cat((boxes[subject], boxes[object_]), dim=1).to(patches.dtype)
            classes = class_ids[subject] * self.num_classes + class_ids[object_]
            extra = (
                self.class_token.expand(len(chunk), -1),
                self.semantics(classes),
                self.location(both),
            )
            tokens = torch.cat((torch.stack(extra, 1), patches + embedding.to(patches.dtype)), 1)
            shift = F.pad(self.positions.to(tokens.dtype), (0, 0, len(extra), 0))
            for block in self.blocks:
                tokens = block(tokens + shift)
            logits[subject, object_] = self.head(tokens[:, 0])
        return logits


def _pooled(masks: torch.Tensor) -> torch.Tensor:
    """Shares of patches, (n, `GRID`²), patch by patch (supplement, algorithm 1)."""
    window = SIDE // GRID
    rows = torch.stack(masks.split(window, dim=1), dim=1)
    patches = torch.stack(rows.split(window, dim=3), dim=2)
    return patches.float().flatten(-2).mean(-1).flatten(1)
