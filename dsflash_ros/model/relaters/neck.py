"""DSFlash's neck: a transformer over the patches of an image, run for each pair of segments."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from dsflash_ros.model.layers.transformer import TransformerBlock
from dsflash_ros.model.relaters.relater import PairInputs


class PatchNeck(nn.Module):
    """Patches with a mask embedding, and the blocks that read a pair off them (section 3.2).

    Attributes:
        grid: patches along one side.
    """

    def __init__(
        self, channels: int, patch: int, grid: int, dim: int, depth: int, heads: int
    ) -> None:
        """A new neck.

        Args:
            channels: of the segmenter's features.
            patch: features along one side of a patch; 3 in the paper.
            grid: patches along one side.
            dim, depth, heads: width, blocks and attention heads of the transformer.
        """
        super().__init__()
        self.grid = grid
        self.patch_embed = nn.Conv2d(channels, dim, kernel_size=patch, stride=patch)
        self.mask_embedding = MaskEmbedding(dim)
        self.class_token = nn.Parameter(torch.rand(dim))
        self.location = nn.Sequential(nn.Linear(8, dim // 2), nn.ReLU(), nn.Linear(dim // 2, dim))
        self.blocks = nn.ModuleList(TransformerBlock(dim, heads) for _ in range(depth))
        self.register_buffer("positions", sine_positions(grid, dim), persistent=False)

    def prepare(self, features: torch.Tensor) -> torch.Tensor:
        """Patch tokens, (B, grid * grid, dim)."""
        return self.patch_embed(features).flatten(2).transpose(1, 2)

    def encode(self, inputs: PairInputs, pruning: bool | torch.Tensor = False) -> torch.Tensor:
        """Class tokens x, (n, dim), of all pairs (Eq. 1).

        `pruning`: leave out each pair's patches that neither mask touches (section 3.4); or the
        patches to keep, as `kept_patches` gives them, where these are chosen beforehand.
        """
        coverage, boxes = inputs.coverage, inputs.boxes
        tokens = inputs.prepared
        a, b = inputs.pairs.unbind(1)
        embedding = self.mask_embedding(coverage[a], coverage[b])
        tokens = tokens[inputs.images[a]] + embedding.to(tokens.dtype)
        positions, attended = self.positions.to(tokens.dtype), None
        if pruning is not False:
            kept = kept_patches(coverage, inputs.pairs) if pruning is True else pruning
            tokens, positions, attended = _keep(tokens, positions, kept)
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


def by_length(inputs: PairInputs, pairs_at_once: int) -> tuple[torch.Tensor, ...]:
    """Groups of pairs, for `RelationStage.chunks`, that keep as many patches after pruning.

    So little of a group is padding.
    """
    lengths = touched_patches(inputs.coverage, inputs.pairs).sum(1)
    return lengths.argsort(stable=True).split(pairs_at_once)


def touched_patches(coverage: torch.Tensor, pairs: torch.Tensor) -> torch.Tensor:
    """(n, patches) bool: which patches either mask of a pair touches."""
    return (coverage[pairs[:, 0]] + coverage[pairs[:, 1]]) > 0


def kept_patches(coverage: torch.Tensor, pairs: torch.Tensor) -> torch.Tensor:
    """(n, longest) int64: the patches that either mask of a pair touches, then -1."""
    touched = touched_patches(coverage, pairs)
    counts = touched.sum(1)
    longest = int(counts.max())
    first = (~touched).long().argsort(dim=1, stable=True)[:, :longest]  # touched come first
    real = torch.arange(longest, device=first.device) < counts.unsqueeze(1)
    return first.where(real, -1)


def _keep(
    tokens: torch.Tensor, positions: torch.Tensor, kept: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Only the patches of tokens, (n, patches, dim), that `kept_patches` names.

    Returns these tokens, their positions, and which tokens to attend to: (n, 1, 1, tokens) bool,
    with the class and the location token in front.
    """
    attended = F.pad(kept >= 0, (2, 0), value=True)[:, None, None]
    kept = kept.clamp(min=0)
    pair = torch.arange(tokens.shape[0], device=kept.device).unsqueeze(1)
    return tokens[pair, kept], positions[0][kept], attended


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
