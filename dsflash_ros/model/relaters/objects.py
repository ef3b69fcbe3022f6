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

from dsflash_ros.errors import WeightsError
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.layers.transformer import TransformerBlock
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
from dsflash_ros.model.relaters.neck import PatchNeck, by_length
from dsflash_ros.model.relaters.relater import PairInputs
from dsflash_ros.model.relaters.settings import merged, refuse_small_images

CELL = 16
"""Least pixels along one side of a cell."""

PARTS = ("class", "pooled", "contact", "graph", "neck")
"""What a pair's logits may be read from, beside the geometry of the two boxes."""

PATCH = 3
"""Cells along one side of a patch of the neck."""

CONTACT_DIM = 64
"""Channels that the features have where two segments touch."""


class ObjectRelations(GatedRelations):
    """Tokens of segments, a transformer over them, and a gated head for pairs.

    One pass for each unordered pair {a, b} gives the logits of (a, b) and of (b, a), by the gate of
    DSFlash (Eqs. 2 to 6). The parts:

        class: a segment's class probabilities (DSFormer's semantic token).
        pooled: the features, averaged over the segment.
        contact: for pairs, the features averaged where the two segments, each grown by a cell,
            overlap, and how large that is and where.
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
            text_dims: of the text embeddings of classes and of predicates; 0 where there are none.
            neck_sizes: `dim`, `depth` and `heads` of the `PatchNeck`, where that is a part.
        """
        super().__init__()
        self.window = -(-CELL // stride)  # features along one side of a cell
        self.cell = self.window * stride
        self.grid = image_size // self.cell
        self.parts = frozenset(parts)
        hidden = 3 * pair_dim
        self.place = nn.Linear(PLACE_NUMBERS, dim)
        if "class" in self.parts:
            self.class_embedding = nn.Linear(text_dims[0] or num_classes, dim, bias=False)
            if text_dims[0]:
                self.register_buffer("class_names", torch.zeros(num_classes, text_dims[0]))
        if "pooled" in self.parts:
            self.pooled = nn.Sequential(nn.LayerNorm(channels), nn.Linear(channels, dim))
        depth = depth if "graph" in self.parts else 0
        self.blocks = nn.ModuleList(TransformerBlock(dim, heads, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)
        self.first, self.second = nn.Linear(dim, hidden), nn.Linear(dim, hidden, bias=False)
        self.geometry = nn.Linear(PAIR_NUMBERS + 4, hidden, bias=False)
        if "contact" in self.parts:
            self.local = nn.Linear(channels, CONTACT_DIM)
            self.contact = nn.Linear(CONTACT_DIM + 7, hidden, bias=False)
            self.register_buffer("centres", cell_centres(self.grid), persistent=False)
        if "neck" in self.parts:
            self.options = frozenset({"pruning"})
            self.neck = PatchNeck(channels, PATCH, self.grid // PATCH, *neck_sizes)
            self.from_neck = nn.Linear(neck_sizes[0], hidden, bias=False)
        self.mix = nn.Sequential(nn.LayerNorm(hidden), nn.GELU(), nn.Linear(hidden, pair_dim))
        self.add_gate(pair_dim, num_predicates, text_dims[1])

    def prepare(self, features: torch.Tensor) -> torch.Tensor:
        """The features of each cell, (B, grid * grid, channels)."""
        if self.window > 1:
            features = F.avg_pool2d(features, self.window)
        return features[..., : self.grid, : self.grid].flatten(2).transpose(1, 2)

    def chunks(
        self, inputs: PairInputs, pairs_at_once: int, pruning: bool = False
    ) -> tuple[torch.Tensor, ...]:
        """See `RelationStage`. All pairs at once, as they share tokens, unless there is a neck."""
        if "neck" not in self.parts or len(inputs.pairs) == 0:
            return super().chunks(inputs, max(1, len(inputs.pairs)))
        if pruning:
            return by_length(self._patches(inputs), pairs_at_once)
        return super().chunks(inputs, pairs_at_once)

    def encode(self, inputs: PairInputs, pruning: bool | torch.Tensor = False) -> torch.Tensor:
        """A vector, (n, pair_dim), for each unordered pair. `pruning` is the neck's."""
        by_image = ByImage(inputs.images, len(inputs.prepared))
        tokens = self.tokens(inputs, by_image)
        a, b = inputs.pairs.unbind(1)
        boxes = (inputs.boxes[inputs.pairs] + 1) / 2
        geometry = torch.cat((pair_geometry(boxes), edges(boxes.flip(1))), dim=1)
        hidden = self.first(tokens)[a] + self.second(tokens)[b]
        numbers, weights = [geometry.to(hidden.dtype)], [self.geometry.weight]
        if "contact" in self.parts:
            numbers.append(self._contact_numbers(boxes, inputs, by_image).to(hidden.dtype))
            weights.append(self.contact.weight)
        hidden = hidden + F.linear(torch.cat(numbers, dim=1), torch.cat(weights, dim=1))
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
        dtype = self.place.weight.dtype
        x = self.place(place_of(inputs.boxes, inputs.coverage).to(dtype))
        if "class" in self.parts:
            classes = inputs.class_probabilities.to(dtype)
            if hasattr(self, "class_names"):
                classes = classes @ self.class_names
            x = x + self.class_embedding(classes)
        if "pooled" in self.parts:
            shares = inputs.coverage / inputs.coverage.sum(1, keepdim=True).clamp(min=1e-6)
            laid_out = by_image.lay_out(shares.to(inputs.prepared.dtype))
            x = x + self.pooled(by_image.pick(laid_out @ inputs.prepared))
        x = self.dropout(x)
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

    def name_classes(self, embeddings: torch.Tensor) -> None:
        """See `RelationStage`."""
        if hasattr(self, "class_names"):
            self.class_names = embeddings.to(self.class_names)

    def _contact_numbers(
        self, boxes: torch.Tensor, inputs: PairInputs, by_image: ByImage
    ) -> torch.Tensor:
        """What is known of the places where pairs touch; zeros for pairs that do not.

        `boxes` is (n, 2, 4) in 0..1, of the n pairs; the result is (n, CONTACT_DIM + 7).
        """
        grown = grow(inputs.coverage, self.grid)
        laid_out = by_image.lay_out(grown)
        shared = by_image.pick_pairs(laid_out @ laid_out.transpose(1, 2), inputs.pairs)
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
    _check(settings)
    if "neck" in settings["parts"]:
        refuse_small_images(config, PATCH * max(stride, CELL))
    counts = config.num_classes, config.num_predicates
    neck = config.neck_dim, config.neck_depth, config.neck_heads
    texts = config.class_text_dim, config.predicate_text_dim
    size = config.image_size
    return ObjectRelations(
        channels, stride, size, *counts, **settings, neck_sizes=neck, text_dims=texts
    )


def _check(settings: dict) -> None:
    parts, dropout = settings["parts"], settings["dropout"]
    if not isinstance(parts, list) or any(part not in PARTS for part in parts):
        raise WeightsError(
            f"relater_settings: parts must be a list of some of {', '.join(PARTS)}, got {parts!r}"
        )
    if settings["dim"] % settings["heads"]:
        raise WeightsError(
            f"relater_settings: dim {settings['dim']} must be a multiple of heads "
            f"{settings['heads']}"
        )
    if not isinstance(dropout, (int, float)) or not 0 <= dropout < 1:
        raise WeightsError(f"relater_settings: dropout must be from 0 to below 1, got {dropout!r}")
