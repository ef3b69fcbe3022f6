"""DSFlash's relation stage: from features and two masks to predicates in both directions."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.layers.transformer import TransformerBlock
from dsflash_ros.model.relaters.gated import GatedRelations
from dsflash_ros.model.relaters.relater import PairInputs

PATCHES = 3
"""Pixels of the features along one side of a cell: kernel and stride of the patch embedding."""


class DSFlashRelations(GatedRelations):
    """Mask embedding, neck and gated head (DSFlash sections 3.2 to 3.4).

    One pass for each unordered pair of segments {a, b} gives the logits of (a, b) and of (b, a).
    """

    options = frozenset({"pruning"})

    def __init__(
        self,
        channels: int,
        cell: int,
        grid: int,
        num_predicates: int,
        dim: int = 384,
        depth: int = 6,
        heads: int = 8,
    ) -> None:
        """A new stage.

        Args:
            channels: of the segmenter's features.
            cell, grid: see `RelationStage`.
            num_predicates: without "no relation".
            dim, depth, heads: width, blocks and attention heads of the neck.
        """
        super().__init__()
        self.cell, self.grid = cell, grid
        self.patch_embed = nn.Conv2d(channels, dim, kernel_size=PATCHES, stride=PATCHES)
        self.mask_embedding = MaskEmbedding(dim)
        self.class_token = nn.Parameter(torch.rand(dim))
        self.location = nn.Sequential(nn.Linear(8, dim // 2), nn.ReLU(), nn.Linear(dim // 2, dim))
        self.blocks = nn.ModuleList(TransformerBlock(dim, heads) for _ in range(depth))
        self.add_gate(dim, num_predicates)
        self.register_buffer("positions", sine_positions(grid, dim), persistent=False)

    def prepare(self, features: torch.Tensor) -> torch.Tensor:
        """Patch tokens, (B, grid * grid, dim); a patch is a cell."""
        return self.patch_embed(features).flatten(2).transpose(1, 2)

    def chunks(
        self, inputs: PairInputs, pairs_at_once: int, pruning: bool = False
    ) -> tuple[torch.Tensor, ...]:
        """See `RelationStage`. After pruning, pairs with as many patches go together.

        So little of a chunk is padding.
        """
        if not pruning or len(inputs.pairs) == 0:
            return super().chunks(inputs, pairs_at_once)
        lengths = _touched(inputs.coverage, inputs.pairs).sum(1)
        return lengths.argsort(stable=True).split(pairs_at_once)

    def encode(self, inputs: PairInputs, pruning: bool = False) -> torch.Tensor:
        """Class tokens x, (n, dim), of all pairs (Eq. 1).

        `pruning`: leave out each pair's patches that neither mask touches (section 3.4).
        """
        coverage, boxes = inputs.coverage, inputs.boxes
        tokens = inputs.prepared
        a, b = inputs.pairs.unbind(1)
        embedding = self.mask_embedding(coverage[a], coverage[b])
        tokens = tokens[inputs.images[a]] + embedding.to(tokens.dtype)
        positions, attended = self.positions.to(tokens.dtype), None
        if pruning:
            touched = _touched(coverage, inputs.pairs)
            tokens, positions, attended = _prune(tokens, positions, touched)
        location = self.location(torch.cat((boxes[a], boxes[b]), dim=1).to(tokens.dtype))
        extra = torch.stack((self.class_token.expand_as(location), location), dim=1)
        return self.neck(torch.cat((extra, tokens), dim=1), positions, attended)

    def neck(
        self, tokens: torch.Tensor, positions: torch.Tensor, attended: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The class token, (n, dim), after all blocks; each adds the positions to the patches."""
        shift = F.pad(positions, (0, 0, tokens.shape[1] - positions.shape[1], 0))
        for block in self.blocks[:-1]:
            tokens = block(tokens + shift, attended)
        return self.blocks[-1](tokens + shift, attended, queries=1)[:, 0]

    @torch.inference_mode()
    def make_decisive(
        self, features: torch.Tensor, inputs: PairInputs, spread: float = 2.0
    ) -> None:
        """Make where a pair lies count, and centre and spread the logits."""
        self.patch_embed.weight.mul_(0.01)
        self.location[-1].weight.mul_(50)
        super().make_decisive(features, inputs, spread)


def _touched(coverage: torch.Tensor, pairs: torch.Tensor) -> torch.Tensor:
    """(n, patches) bool: which patches either mask of a pair touches."""
    return (coverage[pairs[:, 0]] + coverage[pairs[:, 1]]) > 0


def _prune(
    tokens: torch.Tensor, positions: torch.Tensor, touched: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Only the touched patches of tokens (n, patches, dim), padded to the longest pair.

    Returns these tokens, their positions, and which tokens to attend to: (n, 1, 1, tokens) bool,
    with the class and the location token in front.
    """
    counts = touched.sum(1)
    longest = int(counts.max())
    keep = (~touched).long().argsort(dim=1, stable=True)[:, :longest]  # touched patches come first
    index = keep.unsqueeze(-1).expand(-1, -1, tokens.shape[2])
    real = torch.arange(longest, device=keep.device) < counts.unsqueeze(1)
    attended = F.pad(real, (2, 0), value=True)[:, None, None]
    return tokens.gather(1, index), positions.expand(len(tokens), -1, -1).gather(1, index), attended


class MaskEmbedding(nn.Module):
    """Where the two masks are, added to each patch (Eq. 1)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.token_a = nn.Parameter(torch.rand(dim))
        self.token_b = nn.Parameter(torch.rand(dim))
        self.token_background = nn.Parameter(torch.rand(dim))

    def forward(self, coverage_a: torch.Tensor, coverage_b: torch.Tensor) -> torch.Tensor:
        """Coverages (n, patches) to embeddings (n, patches, dim)."""
        background = (1 - coverage_a - coverage_b).clamp(min=0)
        shares = torch.stack((coverage_a, coverage_b, background), dim=-1).to(self.token_a.dtype)
        tokens = torch.stack((self.token_a, self.token_b, self.token_background))
        return shares @ F.normalize(tokens, dim=1, eps=1e-6)  # the default is zero in float16


def sine_positions(grid: int, dim: int, temperature: float = 10000.0) -> torch.Tensor:
    """Sine encoding of a grid's cells, (1, grid * grid, dim) float32, as in DETR.

    The first half is for y, the second for x. A coordinate 1..grid is scaled to 0..2 pi; channels
    alternate sine and cosine of falling frequency.
    """
    coordinate = torch.arange(1, grid + 1, dtype=torch.float32) / (grid + 1e-6) * 2 * math.pi
    half = dim // 2
    frequency = temperature ** (-2 * torch.arange(half // 2, dtype=torch.float32) / half)
    angle = coordinate.unsqueeze(1) * frequency
    encoded = torch.stack((angle.sin(), angle.cos()), dim=2).flatten(1)  # (grid, half)
    y, x = torch.meshgrid(torch.arange(grid), torch.arange(grid), indexing="ij")
    return torch.cat((encoded[y], encoded[x]), dim=2).view(1, grid * grid, dim)


def make_dsflash(config: ModelConfig, channels: int, stride: int) -> DSFlashRelations:
    """DSFlash's relation stage for features of these channels and this stride; fresh weights."""
    cell = PATCHES * stride
    return DSFlashRelations(
        channels,
        cell,
        config.image_size // cell,
        config.num_predicates,
        config.neck_dim,
        config.neck_depth,
        config.neck_heads,
    )
