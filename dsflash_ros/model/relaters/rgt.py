"""SPADE's relation graph transformer as a relation stage: segments see those near them apart from
the rest.

Tokens of segments and what is read of pairs are those of the stage `objects`, so that the two
differ in nothing but what happens between tokens.
"""

from collections.abc import Collection

import torch
import torch.nn.functional as F
from torch import nn

from dsflash_ros.errors import WeightsError
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.relaters.by_image import ByImage
from dsflash_ros.model.relaters.graph_layers import GraphBlock, neighbours_and_others, normalised
from dsflash_ros.model.relaters.relater import PairInputs, PairOutput
from dsflash_ros.model.relaters.segment_relations import SegmentRelations
from dsflash_ros.model.relaters.settings import check_parts, check_sizes, merged

PARTS = ("neighbours", "others", "gcn")
"""What a block may have beside its MLP: attention to either set, and the graph convolution."""


class GraphRelations(SegmentRelations):
    """Tokens of segments, SPADE's relation graph transformer over them, a gated head for pairs.

    Two segments are neighbours when their masks, grown by a cell, overlap, or when the segmenter's
    features, averaged over them, are alike (section 3.2). Those of the segmenter are frozen; tokens
    learn, and a graph of their cosines would change its meaning from step to step.

    All pairs are scored. Eq. 13 selects pairs by the cosine of their nodes: `pair_loss` is of these
    cosines (Eq. 14), but no pair is left out.
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
        similarity: float = 0.4,
        pair_loss: float = 0.0,
        text_dims: tuple[int, int] = (0, 0),
    ) -> None:
        """A new stage.

        Args:
            channels, stride: of the segmenter's features.
            image_size: side of the network input, pixels.
            num_classes: of the vocabulary.
            num_predicates: without "no relation".
            parts: those of `PARTS` to use.
            dim, depth, heads: of segments' tokens and of the blocks; each set has `heads` heads.
            pair_dim: width of a direction's features.
            dropout: share of what tokens and pairs are made of that training drops.
            similarity: segments whose features have a cosine above this are alike.
            pair_loss: see `RelationStage`.
            text_dims: of the text embeddings of classes and of predicates; 0 where there are none.
        """
        super().__init__(stride, image_size, ("class", "pooled", "contact"))
        self.similarity, self.pair_loss = similarity, pair_loss
        hidden = 3 * pair_dim
        self.add_tokens(channels, num_classes, dim, text_dims[0])
        self.blocks = nn.ModuleList(GraphBlock(dim, heads, parts, dropout) for _ in range(depth))
        self.add_pairs(channels, dim, hidden, dropout)
        self.add_head(hidden, pair_dim, num_predicates, text_dims[1])

    def relate(self, inputs: PairInputs) -> PairOutput:
        """See `RelationStage`."""
        by_image = ByImage(inputs.images, len(inputs.prepared))
        grown = self.grown(inputs, by_image)
        nodes = self.nodes(inputs, by_image, grown[1])
        output = super().relate(inputs, nodes=nodes, by_image=by_image, grown=grown)
        if not self.pair_loss:
            return output
        a, b = inputs.pairs.unbind(1)
        return output._replace(relatedness=F.cosine_similarity(nodes[a], nodes[b]))

    def encode(
        self,
        inputs: PairInputs,
        nodes: torch.Tensor,
        by_image: ByImage,
        grown: tuple[torch.Tensor, torch.Tensor],
    ) -> torch.Tensor:
        """A vector, (n, pair_dim), for each unordered pair, from the nodes of its segments."""
        return self.mix(self.dropout(self.pair_numbers(nodes, inputs, by_image, grown)))

    def nodes(self, inputs: PairInputs, by_image: ByImage, overlaps: torch.Tensor) -> torch.Tensor:
        """Segments that have seen one another, (S, dim). `overlaps` is what `grown` gives."""
        averages = self.averages(inputs, by_image)
        near, far = neighbours_and_others(
            by_image.lay_out(averages.detach()), overlaps, self.similarity, by_image.taken
        )
        members, graph = torch.stack((near, far), dim=1), normalised(near)
        x = by_image.lay_out(self.dropout(self.seen_alone(inputs, averages)))
        for block in self.blocks:
            x = block(x, members, graph)
        return self.norm(by_image.pick(x))


SETTINGS = {
    "parts": list(PARTS),
    "dim": 192,
    "depth": 2,
    "heads": 4,
    "pair_dim": 128,
    "dropout": 0.0,
    "similarity": 0.4,
    "pair_loss": 0.6,
}
"""`ModelConfig.relater_settings` of this kind, with their defaults.

SPADE has 8 blocks. Two have as many weights as the transformer of `objects`.
"""


def make_rgt(config: ModelConfig, channels: int, stride: int) -> GraphRelations:
    """The stage for features of these channels and this stride; fresh weights.

    Raises `WeightsError` for settings that cannot be.
    """
    settings = merged("rgt", config.relater_settings, SETTINGS)
    check_parts(settings["parts"], PARTS)
    check_sizes(settings)
    _check_numbers(settings["similarity"], settings["pair_loss"])
    counts = config.num_classes, config.num_predicates
    texts = config.class_text_dim, config.predicate_text_dim
    return GraphRelations(channels, stride, config.image_size, *counts, **settings, text_dims=texts)


def _check_numbers(similarity: object, pair_loss: object) -> None:
    if not isinstance(similarity, (int, float)) or not -1 <= similarity <= 1:
        raise WeightsError(
            f"relater_settings: similarity must be a cosine, -1 to 1, got {similarity!r}"
        )
    if not isinstance(pair_loss, (int, float)) or not 0 <= pair_loss < float("inf"):
        raise WeightsError(f"relater_settings: pair_loss must be 0 or more, got {pair_loss!r}")
