"""The relation stage: from the backbone's features and two masks to predicates in both directions."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from dsflash_ros.model.config import CELLS, ModelConfig
from dsflash_ros.model.layers.attention import attention


class RelationStage(nn.Module):
    """Mask embedding, neck and gated head (DSFlash sections 3.2 to 3.4).

    One pass for each unordered pair of segments {a, b} gives the logits of (a, b) and of (b, a).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim = config.neck_dim
        self.patch_embed = nn.Conv2d(
            4 * config.architecture.dim, dim, kernel_size=CELLS, stride=CELLS
        )
        self.mask_embedding = MaskEmbedding(dim)
        self.class_token = nn.Parameter(torch.rand(dim))
        self.location = nn.Sequential(nn.Linear(8, dim // 2), nn.ReLU(), nn.Linear(dim // 2, dim))
        self.blocks = nn.ModuleList(
            NeckBlock(dim, config.neck_heads) for _ in range(config.neck_depth)
        )
        self.gate = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim))
        self.head = nn.Sequential(
            nn.Linear(dim, 2 * dim), nn.ReLU(), nn.Linear(2 * dim, config.num_predicates + 1)
        )
        self.register_buffer("positions", sine_positions(config.pair_grid, dim), persistent=False)

    def embed_patches(self, features: torch.Tensor) -> torch.Tensor:
        """Features (B, 4 * D, g, g) to patch tokens (B, patches, dim), once for each image."""
        return self.patch_embed(features).flatten(2).transpose(1, 2)

    def forward(
        self,
        patches: torch.Tensor,
        coverage: torch.Tensor,
        boxes: torch.Tensor,
        images: torch.Tensor,
        pairs: torch.Tensor,
        pruning: bool = False,
        pairs_at_once: int = 64,
    ) -> torch.Tensor:
        """Logits of both directions of each pair: (n, 2, 1 + predicates); [:, 0] is (a, b), [:, 1]
        is (b, a).

        Args:
            patches: (B, P, dim), from `embed_patches`.
            coverage: (S, P) float, from `patch_coverage`; segments of all images, one after the
                other.
            boxes: (S, 4) float, x0, y0, x1, y1 scaled to -1..1 over the network input.
            images: (S,) int64, the image that each segment belongs to.
            pairs: (n, 2) int64, segments a and b of one image.
            pruning: leave out each pair's patches that neither mask touches (section 3.4).
            pairs_at_once: bounds the memory; changes nothing else.
        """
        logits = self.head[0].weight.new_zeros(len(pairs), 2, self.head[-1].out_features)
        for chunk in self.chunks(coverage, pairs, pruning, pairs_at_once):
            logits[chunk] = self.predict(
                self.encode(patches, coverage, boxes, images, pairs[chunk], pruning)
            )
        return logits

    def chunks(
        self, coverage: torch.Tensor, pairs: torch.Tensor, pruning: bool, pairs_at_once: int
    ) -> tuple[torch.Tensor, ...]:
        """Indexes of pairs, (n,) int64 in all, in groups to be encoded together."""
        order = torch.arange(len(pairs), device=pairs.device)
        if pruning:
            # Pairs of similar length go together, so that little of a chunk is padding.
            order = _touched(coverage, pairs).sum(1).argsort(stable=True)
        return order.split(pairs_at_once) if len(pairs) else ()

    def encode(
        self,
        patches: torch.Tensor,
        coverage: torch.Tensor,
        boxes: torch.Tensor,
        images: torch.Tensor,
        pairs: torch.Tensor,
        pruning: bool = False,
    ) -> torch.Tensor:
        """Class tokens x, (n, dim), of pairs, all at once; arguments as for `forward`."""
        a, b = pairs.unbind(1)
        tokens = patches[images[a]] + self.mask_embedding(coverage[a], coverage[b]).to(
            patches.dtype
        )
        positions, attended = self.positions.to(patches.dtype), None
        if pruning:
            tokens, positions, attended = _prune(tokens, positions, _touched(coverage, pairs))
        location = self.location(torch.cat((boxes[a], boxes[b]), dim=1).to(patches.dtype))
        extra = torch.stack((self.class_token.expand_as(location), location), dim=1)
        return self.neck(torch.cat((extra, tokens), dim=1), positions, attended)

    def neck(
        self, tokens: torch.Tensor, positions: torch.Tensor, attended: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The class token, (n, dim), after all blocks; positions are added to the patches before
        every block.
        """
        shift = F.pad(positions, (0, 0, tokens.shape[1] - positions.shape[1], 0))
        for block in self.blocks[:-1]:
            tokens = block(tokens + shift, attended)
        return self.blocks[-1](tokens + shift, attended, queries=1)[:, 0]

    def disentangle(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Class token x, (n, dim), to the features of both directions, each (n, dim) (Eqs. 2 to 4)."""
        gate = self.gate(x).sigmoid()
        return gate * x, (1 - gate) * x

    def predict(self, x: torch.Tensor) -> torch.Tensor:
        """Class token x, (n, dim), to logits of both directions, (n, 2, 1 + predicates) (Eqs. 2 to
        6).
        """
        with torch.autocast(x.device.type, enabled=False):  # see `keep_head_precise`
            return self.head(torch.stack(self.disentangle(x.to(self.head[0].weight.dtype)), dim=1))

    def keep_head_precise(self) -> None:
        """Put gate and head back to float32 after a cast: in bfloat16 a quarter of all scores would
        be ties.
        """
        self.gate.float()
        self.head.float()


def _touched(coverage: torch.Tensor, pairs: torch.Tensor) -> torch.Tensor:
    """(n, P) bool: which patches either mask of a pair touches."""
    return (coverage[pairs[:, 0]] + coverage[pairs[:, 1]]) > 0


def _prune(tokens: torch.Tensor, positions: torch.Tensor, touched: torch.Tensor):
    """Keep the touched patches of tokens (n, P, dim), their positions, and which tokens to attend
    to after padding.
    """
    counts = touched.sum(1)
    longest = int(counts.max())
    keep = (~touched).long().argsort(dim=1, stable=True)[:, :longest]  # touched patches come first
    index = keep.unsqueeze(-1).expand(-1, -1, tokens.shape[2])
    real = torch.arange(longest, device=keep.device) < counts.unsqueeze(1)
    attended = F.pad(real, (2, 0), value=True)[
        :, None, None
    ]  # class and location token; broadcasts over heads, queries
    return tokens.gather(1, index), positions.expand(len(tokens), -1, -1).gather(1, index), attended


class MaskEmbedding(nn.Module):
    """Where the two masks are, added to each patch (Eq. 1)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.token_a = nn.Parameter(torch.rand(dim))
        self.token_b = nn.Parameter(torch.rand(dim))
        self.token_background = nn.Parameter(torch.rand(dim))

    def forward(self, coverage_a: torch.Tensor, coverage_b: torch.Tensor) -> torch.Tensor:
        """Coverages (n, P) to embeddings (n, P, dim)."""
        background = (1 - coverage_a - coverage_b).clamp(min=0)
        shares = torch.stack((coverage_a, coverage_b, background), dim=-1).to(self.token_a.dtype)
        tokens = torch.stack((self.token_a, self.token_b, self.token_background))
        return shares @ F.normalize(tokens, dim=1, eps=1e-6)  # the default is zero in float16


class NeckBlock(nn.Module):
    """Pre-norm transformer block; queries, keys and values have no bias."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.proj = nn.Linear(dim, dim)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(
        self, x: torch.Tensor, attended: torch.Tensor | None = None, queries: int | None = None
    ) -> torch.Tensor:
        """Tokens (n, N, dim) to the first `queries` of them (default: all); the others are only
        attended to.

        `attended`, bool, broadcasts to (n, heads, queries, N).
        """
        normed, dim = self.norm1(x), x.shape[2]
        query = (
            F.linear(normed[:, :queries], self.qkv.weight[:dim])
            .unflatten(2, (self.heads, -1))
            .transpose(1, 2)
        )
        key, value = (
            F.linear(normed, self.qkv.weight[dim:])
            .unflatten(2, (2, self.heads, -1))
            .permute(2, 0, 3, 1, 4)
        )
        mixed = attention(query, key, value, attended)
        x = x[:, :queries] + self.proj(mixed.transpose(1, 2).flatten(2))
        return x + self.mlp(self.norm2(x))


def sine_positions(grid: int, dim: int, temperature: float = 10000.0) -> torch.Tensor:
    """Sine encoding of a grid's cells, (1, grid * grid, dim) float32: first half for y, second for
    x (as in DETR).

    A coordinate 1..grid is scaled to 0..2 pi; channels alternate sine and cosine of falling
    frequency.
    """
    coordinate = torch.arange(1, grid + 1, dtype=torch.float32) / (grid + 1e-6) * 2 * math.pi
    half = dim // 2
    frequency = temperature ** (-2 * torch.arange(half // 2, dtype=torch.float32) / half)
    angle = coordinate.unsqueeze(1) * frequency
    encoded = torch.stack((angle.sin(), angle.cos()), dim=2).flatten(1)  # (grid, half)
    y, x = torch.meshgrid(torch.arange(grid), torch.arange(grid), indexing="ij")
    return torch.cat((encoded[y], encoded[x]), dim=2).view(1, grid * grid, dim)
