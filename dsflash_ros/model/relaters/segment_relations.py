"""What relation stages share in which a segment is one token: tokens, and what is read of pairs."""

from collections.abc import Collection

import torch
import torch.nn.functional as F
from torch import nn

from dsflash_ros.model.relaters.box_geometry import (
    LEAST_SIZE,
    PAIR_NUMBERS,
    PLACE_NUMBERS,
    edges,
    pair_geometry,
    place_of,
)
from dsflash_ros.model.relaters.by_image import ByImage
from dsflash_ros.model.relaters.coverage import cell_centres, grow
from dsflash_ros.model.relaters.gated import GatedRelations
from dsflash_ros.model.relaters.relater import PairInputs

CELL = 16
"""Least pixels along one side of a cell."""

CONTACT_DIM = 64
"""Channels that the features have where two segments touch."""


class SegmentRelations(GatedRelations):
    """Base of relation stages that pool the features over each segment once.

    A subclass calls `add_tokens`, `add_pairs` and `add_head` in its `__init__`, and has `encode`.
    What happens to tokens between these two is its own. The parts that it may have:

        class: a segment's class probabilities (DSFormer's semantic token).
        pooled: the features, averaged over the segment.
        contact: for pairs, the features averaged where the two segments, each grown by a cell,
            overlap, and how large that is and where.
    """

    def __init__(self, stride: int, image_size: int, parts: Collection[str]) -> None:
        """A stage for features of this stride; `image_size` is that of the network input."""
        super().__init__()
        self.window = -(-CELL // stride)  # features along one side of a cell
        self.cell = self.window * stride
        self.grid = image_size // self.cell
        self.parts = frozenset(parts)

    def add_tokens(self, channels: int, num_classes: int, dim: int, text_dim: int = 0) -> None:
        """Make what gives tokens of `dim` numbers.

        `text_dim`: of the text embeddings that classes are known by; 0: by their numbers.
        """
        self.place = nn.Linear(PLACE_NUMBERS, dim)
        if "class" in self.parts:
            self.class_embedding = nn.Linear(text_dim or num_classes, dim, bias=False)
            if text_dim:
                self.register_buffer("class_names", torch.zeros(num_classes, text_dim))
        if "pooled" in self.parts:
            self.pooled = nn.Sequential(nn.LayerNorm(channels), nn.Linear(channels, dim))

    def add_pairs(self, channels: int, dim: int, hidden: int, dropout: float) -> None:
        """Make what reads `hidden` numbers of a pair from two tokens of `dim`."""
        self.norm = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)
        self.first, self.second = nn.Linear(dim, hidden), nn.Linear(dim, hidden, bias=False)
        self.geometry = nn.Linear(PAIR_NUMBERS + 4, hidden, bias=False)
        if "contact" in self.parts:
            self.local = nn.Linear(channels, CONTACT_DIM)
            self.contact = nn.Linear(CONTACT_DIM + 7, hidden, bias=False)
            self.register_buffer("centres", cell_centres(self.grid), persistent=False)

    def add_head(self, hidden: int, pair_dim: int, num_predicates: int, text_dim: int = 0) -> None:
        """Make what reads the predicates of a pair from its `hidden` numbers.

        `text_dim` is that of `add_gate`.
        """
        self.mix = nn.Sequential(nn.LayerNorm(hidden), nn.GELU(), nn.Linear(hidden, pair_dim))
        self.add_gate(pair_dim, num_predicates, text_dim)

    def name_classes(self, embeddings: torch.Tensor) -> None:
        """See `RelationStage`."""
        if hasattr(self, "class_names"):
            # a copy: a checkpoint cannot hold the segmenter's own tensor under two names
            self.class_names = embeddings.to(self.class_names, copy=True)

    def prepare(self, features: torch.Tensor) -> torch.Tensor:
        """The features of each cell, (B, grid * grid, channels)."""
        if self.window > 1:
            features = F.avg_pool2d(features, self.window)
        return features[..., : self.grid, : self.grid].flatten(2).transpose(1, 2)

    def chunks(self, inputs: PairInputs, pairs_at_once: int, **options) -> tuple[torch.Tensor, ...]:
        """See `RelationStage`. All pairs at once, as they share tokens."""
        return super().chunks(inputs, max(1, len(inputs.pairs)))

    def averages(self, inputs: PairInputs, by_image: ByImage) -> torch.Tensor:
        """The features, averaged over each segment, (S, channels)."""
        shares = inputs.coverage / inputs.coverage.sum(1, keepdim=True).clamp(min=1e-6)
        laid_out = by_image.lay_out(shares.to(inputs.prepared.dtype))
        return by_image.pick(laid_out @ inputs.prepared)

    def seen_alone(self, inputs: PairInputs, averages: torch.Tensor | None) -> torch.Tensor:
        """One token, (S, dim), for each segment, from nothing but itself.

        `averages` is what the method of this name gives, None for a stage without "pooled".
        """
        dtype = self.place.weight.dtype
        x = self.place(place_of(inputs.boxes, inputs.coverage).to(dtype))
        if "class" in self.parts:
            classes = inputs.class_probabilities.to(dtype)
            if hasattr(self, "class_names"):
                classes = classes @ self.class_names
            x = x + self.class_embedding(classes)
        if "pooled" in self.parts:
            x = x + self.pooled(averages)
        return x

    def grown(self, inputs: PairInputs, by_image: ByImage) -> tuple[torch.Tensor, torch.Tensor]:
        """Coverage of segments that have grown by a cell, and how far two of them overlap then.

        The first is (S, grid * grid), the second (B, places, places) in cells: 0 for two segments
        that do not touch.
        """
        grown = grow(inputs.coverage, self.grid)
        laid_out = by_image.lay_out(grown)
        return grown, laid_out @ laid_out.transpose(1, 2)

    def pair_numbers(
        self,
        tokens: torch.Tensor,
        inputs: PairInputs,
        by_image: ByImage,
        grown: tuple[torch.Tensor, torch.Tensor] | None,
    ) -> torch.Tensor:
        """What is known of each pair, (n, hidden): of its tokens, (S, dim), boxes and contact.

        `grown` is what the method of this name gives, None for a stage without contact.
        """
        a, b = inputs.pairs.unbind(1)
        boxes = (inputs.boxes[inputs.pairs] + 1) / 2
        geometry = torch.cat((pair_geometry(boxes), edges(boxes.flip(1))), dim=1)
        hidden = self.first(tokens)[a] + self.second(tokens)[b]
        numbers, weights = [geometry.to(hidden.dtype)], [self.geometry.weight]
        if "contact" in self.parts:
            numbers.append(self._contact(boxes, inputs, by_image, *grown).to(hidden.dtype))
            weights.append(self.contact.weight)
        return hidden + F.linear(torch.cat(numbers, dim=1), torch.cat(weights, dim=1))

    def _contact(
        self,
        boxes: torch.Tensor,
        inputs: PairInputs,
        by_image: ByImage,
        grown: torch.Tensor,
        overlaps: torch.Tensor,
    ) -> torch.Tensor:
        """What is known of the places where pairs touch; zeros for pairs that do not.

        `boxes` is (n, 2, 4) in 0..1, of the n pairs; the result is (n, CONTACT_DIM + 7).
        """
        shared = by_image.pick_pairs(overlaps, inputs.pairs)
        touching = (shared > 0).nonzero().squeeze(1)
        pairs, shared = inputs.pairs[touching], shared[touching].unsqueeze(1)
        both = grown[pairs[:, 0]] * grown[pairs[:, 1]] / shared
        pairs_by_image = ByImage(inputs.images[pairs[:, 0]], len(inputs.prepared))
        local = self.local(inputs.prepared)
        weights = pairs_by_image.lay_out(both.to(local.dtype))
        features = pairs_by_image.pick(weights @ local)
        where = both @ self.centres.to(both.dtype)
        boxes = boxes[touching]
        # where in each of the two boxes: 0 to 1 from one edge to the other
        sizes = (boxes[..., 2:] - boxes[..., :2]).clamp(min=LEAST_SIZE)
        inside = ((where.unsqueeze(1) - boxes[..., :2]) / sizes).clamp(-2, 3).flatten(1)
        sums = inputs.coverage.sum(1)[pairs].clamp(min=0.1)
        sizes = torch.cat((shared, shared / sums), dim=1).log() / 4
        found = torch.cat((features.to(where.dtype), inside, sizes), dim=1)
        count = inputs.pairs.shape[0]  # len() would fix it in exported models
        return found.new_zeros(count, found.shape[1]).index_add(0, touching, found)
