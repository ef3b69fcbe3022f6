"""Relations from objects: a relation stage in which a segment is one token, not many patches.

DSFlash's own stage runs a transformer over patches for every pair of segments. This one pools the
segmenter's features over each segment once, lets the segments of an image attend to one another,
and reads each pair off two of these tokens and of where the two segments touch. Its cost for a pair
is that of a small network.
"""

from collections.abc import Collection

import torch
import torch.nn.functional as F
from torch import nn

from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.layers.transformer import TransformerBlock
from dsflash_ros.model.relaters.by_image import ByImage
from dsflash_ros.model.relaters.neck import PatchNeck, by_length
from dsflash_ros.model.relaters.relater import PairInputs, RelationStage
from dsflash_ros.model.relaters.segment_relations import CELL, SegmentRelations
from dsflash_ros.model.relaters.settings import (
    check_parts,
    check_sizes,
    merged,
    refuse_small_images,
)

PARTS = ("class", "pooled", "contact", "graph", "neck")
"""What a pair's logits may be read from, beside the geometry of the two boxes."""

PATCH = 3
"""Cells along one side of a patch of the neck."""


class ObjectRelations(SegmentRelations):
    """Tokens of segments, a transformer over them, and a gated head for pairs.

    One pass for each unordered pair {a, b} gives the logits of (a, b) and of (b, a), by the gate of
    DSFlash (Eqs. 2 to 6). Beside the parts of `SegmentRelations` there are:

        graph: a transformer over the segments of an image.
        neck: for pairs, what DSFlash's own stage reads its relations from.
    """

    def __init__(
        self,
        channels: int,
        stride: int,
        image_size: int,
        num_classes: int,
        num_predicates: int,
        parts: Collection[str],
        dim: int,
        depth: int,
        heads: int,
        pair_dim: int,
        dropout: float = 0.0,
        neck_sizes: tuple[int, ...] = (),
        text_dims: tuple[int, int] = (0, 0),
    ) -> None:
        """A new stage.

        Args:
            channels, stride: of the segmenter's features.
            image_size: side of the network input, pixels.
            num_classes: of the vocabulary.
            num_predicates: without "no relation".
            parts: those of `PARTS` to use.
            dim, depth, heads: of segments' tokens and of the transformer.
            pair_dim: width of a direction's features.
            dropout: share of what tokens and pairs are made of that training drops.
            neck_sizes: `dim`, `depth` and `heads` of the `PatchNeck`, where that is a part.
            text_dims: of the text embeddings of classes and of predicates; 0 where there are none.
        """
        super().__init__(stride, image_size, parts)
        hidden = 3 * pair_dim
        self.add_tokens(channels, num_classes, dim, text_dims[0])
        depth = depth if "graph" in self.parts else 0
        self.blocks = nn.ModuleList(TransformerBlock(dim, heads, dropout) for _ in range(depth))
        self.add_pairs(channels, dim, hidden, dropout)
        if "neck" in self.parts:
            self.options = frozenset({"pruning"})
            self.neck = PatchNeck(channels, PATCH, self.grid // PATCH, *neck_sizes)
            self.from_neck = nn.Linear(neck_sizes[0], hidden, bias=False)
        self.add_head(hidden, pair_dim, num_predicates, text_dims[1])

    def chunks(
        self, inputs: PairInputs, pairs_at_once: int, pruning: bool = False
    ) -> tuple[torch.Tensor, ...]:
        """See `RelationStage`. All pairs at once, as they share tokens, unless there is a neck."""
        if "neck" not in self.parts or len(inputs.pairs) == 0:
            return super().chunks(inputs, pairs_at_once)
        if pruning:
            return by_length(self._patches(inputs), pairs_at_once)
        return RelationStage.chunks(self, inputs, pairs_at_once)

    def encode(self, inputs: PairInputs, pruning: bool | torch.Tensor = False) -> torch.Tensor:
        """A vector, (n, pair_dim), for each unordered pair. `pruning` is the neck's."""
        by_image = ByImage(inputs.images, len(inputs.prepared))
        tokens = self.tokens(inputs, by_image)
        grown = self.grown(inputs, by_image) if "contact" in self.parts else None
        hidden = self.pair_numbers(tokens, inputs, by_image, grown)
        if "neck" in self.parts:
            inputs = self._patches(inputs)
            patches = self.neck.prepare(inputs.prepared)
            x = self.neck.encode(inputs._replace(prepared=patches), pruning)
            hidden = hidden + self.from_neck(x)
        return self.mix(self.dropout(hidden))

    def _patches(self, inputs: PairInputs) -> PairInputs:
        """The inputs with cells as a map, (B, channels, grid, grid), and coverage of patches."""
        maps = inputs.prepared.transpose(1, 2).unflatten(2, (self.grid, self.grid))
        coverage = inputs.coverage.view(-1, 1, self.grid, self.grid)
        coverage = F.avg_pool2d(coverage, PATCH).flatten(1)
        return inputs._replace(prepared=maps, coverage=coverage)

    def tokens(self, inputs: PairInputs, by_image: ByImage) -> torch.Tensor:
        """One token, (S, dim), for each segment."""
        averages = self.averages(inputs, by_image) if "pooled" in self.parts else None
        x = self.dropout(self.seen_alone(inputs, averages))
        if self.blocks:
            tokens, attended = by_image.lay_out(x), None
            if by_image.taken is not None:
                # an image without segments attends to its empty places: nothing would give NaN
                nothing = ~by_image.taken.any(1, keepdim=True)
                attended = (by_image.taken | nothing)[:, None, None]
            for block in self.blocks:
                tokens = block(tokens, attended)
            x = by_image.pick(tokens)
        return self.norm(x)


SETTINGS = {
    "parts": ["class", "pooled", "contact", "graph"],
    "dim": 192,
    "depth": 3,
    "heads": 4,
    "pair_dim": 128,
    "dropout": 0.0,
}
"""`ModelConfig.relater_settings` of this kind, with their defaults.

The sizes of a neck are `neck_dim`, `neck_depth` and `neck_heads` of the config.
"""


def make_objects(config: ModelConfig, channels: int, stride: int) -> ObjectRelations:
    """The stage for features of these channels and this stride; fresh weights.

    Raises `WeightsError` for settings that cannot be.
    """
    settings = merged("objects", config.relater_settings, SETTINGS)
    check_parts(settings["parts"], PARTS)
    check_sizes(settings)
    if "neck" in settings["parts"]:
        refuse_small_images(config, PATCH * max(stride, CELL))
    counts = config.num_classes, config.num_predicates
    neck = config.neck_dim, config.neck_depth, config.neck_heads
    texts = config.class_text_dim, config.predicate_text_dim
    size = config.image_size
    return ObjectRelations(
        channels, stride, size, *counts, **settings, neck_sizes=neck, text_dims=texts
    )
