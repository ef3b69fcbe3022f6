"""Mask2Former's decoder: queries that look, again and again, where their own masks are."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from dsflash_ros.model.layers.attention import attention
from dsflash_ros.model.layers.named_logits import make_logits
from dsflash_ros.model.segmenters.mask2former.decoder_settings import DecoderSettings
from dsflash_ros.model.segmenters.mask2former.mask2former_settings import HEADS
from dsflash_ros.model.segmenters.mask2former.sine_positions import sine_positions

Prediction = tuple[torch.Tensor, torch.Tensor]
"""(mask_logits, class_logits), as in `Segmentation`."""


class QueryDecoder(nn.Module):
    """Queries attend to the maps in turn, from the coarsest to the finest and again.

    Each layer lets a query see only what the mask that it predicts by then covers.
    """

    def __init__(
        self,
        settings: DecoderSettings,
        num_queries: int,
        num_classes: int,
        text_dim: int = 0,
    ) -> None:
        """`num_classes`: without "no object". `text_dim`: of their text embeddings, 0: none."""
        super().__init__()
        dim, layers = settings.dim, range(settings.decoder_layers)
        self.query_features = nn.Embedding(num_queries, dim)
        self.query_positions = nn.Embedding(num_queries, dim)
        self.level_embedding = nn.Embedding(3, dim)
        self.layers = nn.ModuleList(DecoderLayer(dim, settings.decoder_ffn) for _ in layers)
        self.norm = nn.LayerNorm(dim)
        self.class_head = make_logits(dim, num_classes, text_dim, none_first=False)
        self.mask_head = nn.Sequential(
            nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim)
        )

    def forward(
        self, mask_features: torch.Tensor, maps: Sequence[torch.Tensor], every: bool = False
    ) -> list[Prediction]:
        """What the queries find, in the end or, with `every`, before each layer, too.

        Args:
            mask_features: (B, dim, H/4, W/4).
            maps: (B, dim, h, w), of strides 32, 16 and 8.
        """
        levels = self._levels(maps)
        # A product with scaled features is the scaled product, at a fraction of the cost.
        small = [
            F.interpolate(mask_features.detach(), image.shape[-2:], mode="bilinear").flatten(2)
            for image in maps
        ]
        queries = self.query_features.weight.expand(len(mask_features), -1, -1)
        places = self.query_positions.weight
        predictions = []
        for index, layer in enumerate(self.layers):
            level = index % len(levels)
            if every:
                predictions.append(self._predict(queries, mask_features))
            seen = self._seen(queries, small[level])
            queries = layer(queries, places, *levels[level], seen)
        return [*predictions, self._predict(queries, mask_features)]

    def _levels(self, maps: Sequence[torch.Tensor]) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Tokens (B, N, dim) of each map, and their positions, (N, dim)."""
        levels = []
        for image, level in zip(maps, self.level_embedding.weight, strict=True):
            positions = sine_positions(*image.shape[-2:], image.shape[1], image.device)
            tokens = image.flatten(2).transpose(1, 2) + level
            levels.append((tokens, positions.flatten(0, 1).to(image.dtype)))
        return levels

    @torch.no_grad()
    def _seen(self, queries: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Which tokens of a map each query sees, (B, Q, N) bool.

        `features` are the mask features at the map's size, (B, dim, N). A query whose mask is empty
        sees all: attention to nothing would be no number.
        """
        inside = self.mask_head(self.norm(queries)) @ features >= 0
        return inside | ~inside.any(2, keepdim=True)

    def _predict(self, queries: torch.Tensor, mask_features: torch.Tensor) -> Prediction:
        queries = self.norm(queries)
        mask_logits = torch.einsum("bqc,bchw->bqhw", self.mask_head(queries), mask_features)
        return mask_logits, self.class_head(queries)


class DecoderLayer(nn.Module):
    """Masked attention to a map, attention among queries, a feed-forward network.

    Each is normalised after its residual.
    """

    def __init__(self, dim: int, ffn: int) -> None:
        super().__init__()
        self.cross = QueryAttention(dim)
        self.cross_norm = nn.LayerNorm(dim)
        self.mutual = QueryAttention(dim)
        self.mutual_norm = nn.LayerNorm(dim)
        self.linear1 = nn.Linear(dim, ffn)
        self.linear2 = nn.Linear(ffn, dim)
        self.norm = nn.LayerNorm(dim)
        for linear in (self.linear1, self.linear2):
            nn.init.xavier_uniform_(linear.weight)

    def forward(
        self,
        queries: torch.Tensor,
        places: torch.Tensor,
        tokens: torch.Tensor,
        positions: torch.Tensor,
        seen: torch.Tensor,
    ) -> torch.Tensor:
        """Queries (B, Q, dim) to queries.

        Args:
            queries: without positions.
            places: (Q, dim), their positions.
            tokens, positions: of a map, (B, N, dim) and (N, dim).
            seen: (B, Q, N) bool.
        """
        found = self.cross(queries + places, tokens + positions, tokens, seen)
        queries = self.cross_norm(queries + found)
        placed = queries + places
        queries = self.mutual_norm(queries + self.mutual(placed, placed, queries))
        return self.norm(queries + self.linear2(self.linear1(queries).relu()))


class QueryAttention(nn.Module):
    """Multi-head attention with separate keys and values."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.inputs = nn.Linear(dim, 3 * dim)
        self.output = nn.Linear(dim, dim)
        nn.init.xavier_uniform_(self.inputs.weight)
        nn.init.zeros_(self.inputs.bias)
        nn.init.zeros_(self.output.bias)

    def forward(
        self,
        queries: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        seen: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """What (B, Q, dim) gather from (B, N, dim); `seen`, (B, Q, N) bool, says from which."""
        weights, biases = self.inputs.weight.chunk(3), self.inputs.bias.chunk(3)
        heads = [
            F.linear(x, weight, bias).unflatten(2, (HEADS, -1)).transpose(1, 2)
            for x, weight, bias in zip((queries, keys, values), weights, biases, strict=True)
        ]
        mixed = attention(*heads, None if seen is None else seen.unsqueeze(1))
        return self.output(mixed.transpose(1, 2).flatten(2))
