"""A graph of an image's segments, and the layers of SPADE's relation graph transformer on it.

The tensors are laid out as `ByImage` does it: (B, N, ...), N places for the segments of each image,
of which some may be empty.
"""

from collections.abc import Collection

import torch
import torch.nn.functional as F
from torch import nn

from dsflash_ros.model.layers.attention import attention


def cosines(x: torch.Tensor) -> torch.Tensor:
    """Of the features of an image's segments, (B, N, channels), less the mean of each, with one
    another: (B, N, N) in -1..1, in float32 or more.
    """
    with torch.autocast(x.device.type, enabled=False):
        x = x if x.dtype == torch.float64 else x.float()
        x = F.normalize(x - x.mean(2, keepdim=True), dim=2, eps=1e-6)
        return x @ x.transpose(1, 2)


def neighbours_and_others(
    features: torch.Tensor,
    overlaps: torch.Tensor,
    similarity: float,
    taken: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """SPADE's graph G and its complement, each (B, N, N) bool and symmetric.

    Two segments are neighbours when they touch or are alike. A segment is neither a neighbour nor a
    non-neighbour of itself, and no segment has an empty place as either.

    Args:
        features: (B, N, channels), of the segments.
        overlaps: (B, N, N), above 0 for segments that touch.
        similarity: segments whose features have a cosine above this are alike, see `cosines`.
        taken: (B, N) bool, which places have a segment; None: all.
    """
    near = (overlaps > 0) | (cosines(features) > similarity)
    places = torch.arange(features.shape[1], device=features.device)
    counts = places.unsqueeze(1) != places
    if taken is not None:
        counts = counts & taken.unsqueeze(1) & taken.unsqueeze(2)
    return near & counts, ~near & counts


def normalised(neighbours: torch.Tensor) -> torch.Tensor:
    """D^-1/2 (G + I) D^-1/2 of a graph G, (B, N, N) bool: float32 (Kipf and Welling, Eq. 2)."""
    places = torch.arange(neighbours.shape[1], device=neighbours.device)
    linked = (neighbours | (places.unsqueeze(1) == places)).float()
    scale = linked.sum(2, keepdim=True).rsqrt()
    return linked * scale * scale.transpose(1, 2)


class SetAttention(nn.Module):
    """Multi-head attention of each token to several sets of others, each with weights of its own.

    A token whose set is empty gets zeros from it. Nothing has a bias.
    """

    def __init__(self, dim: int, heads: int, sets: int) -> None:
        """`sets`: how many there are; each has `heads` heads."""
        super().__init__()
        self.heads, self.sets = heads, sets
        self.qkv = nn.Linear(dim, 3 * sets * dim, bias=False)
        self.projections = nn.ModuleList(nn.Linear(dim, dim, bias=False) for _ in range(sets))

    def forward(self, x: torch.Tensor, members: torch.Tensor) -> list[torch.Tensor]:
        """What tokens, (B, N, dim), gather from each set, each (B, N, dim).

        `members` is (B, sets, N, N) bool: [:, s, i] says which tokens are in the set s of token i.
        """
        query, key, value = (
            self.qkv(x).unflatten(2, (3, self.sets * self.heads, -1)).permute(2, 0, 3, 1, 4)
        )
        some = members.any(3, keepdim=True)
        # where there is nothing to attend to, everything instead of NaN, and zeros of it
        attended = (members | ~some).repeat_interleave(self.heads, dim=1)
        mixed = attention(query, key, value, attended).unflatten(1, (self.sets, self.heads))
        mixed = (mixed * some.unsqueeze(2)).permute(1, 0, 3, 2, 4).flatten(3)
        return [project(own) for project, own in zip(self.projections, mixed, strict=True)]


class GraphBlock(nn.Module):
    """A block of SPADE's relation graph transformer (Eqs. 8 to 12), pre-norm and residual.

    What neighbours and others give is added to a token q; so is MLP[q; neighbours; others], and at
    last the graph convolution GELU(D^-1/2 (G + I) D^-1/2 q W). Any of these but the MLP may be left
    out.

    The printed Eqs. 8 and 9 take the softmax of a single number, which is 1 whatever the neighbours
    are, and average their features. This is multi-head attention over the set of neighbours, whose
    average is weighted, and over that of the others.
    """

    def __init__(self, dim: int, heads: int, parts: Collection[str], dropout: float = 0.0) -> None:
        """`parts`: some of "neighbours", "others" and "gcn"."""
        super().__init__()
        self.sets = [
            number for number, part in enumerate(("neighbours", "others")) if part in parts
        ]
        if self.sets:
            self.norm1 = nn.LayerNorm(dim)
            self.attention = SetAttention(dim, heads, len(self.sets))
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(
            nn.Linear((1 + len(self.sets)) * dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim)
        )
        self.convolution = None
        if "gcn" in parts:
            self.norm3 = nn.LayerNorm(dim)
            self.convolution = nn.Linear(dim, dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor, members: torch.Tensor, graph: torch.Tensor) -> torch.Tensor:
        """Tokens (B, N, dim) to tokens.

        `members` is (B, 2, N, N) bool: neighbours and others. `graph` is (B, N, N), `normalised`.
        """
        gathered = []
        if self.sets:
            gathered = self.attention(self.norm1(x), members[:, self.sets])
            x = x + self.dropout(sum(gathered))
        fused = torch.cat((self.norm2(x), *gathered), dim=2)
        x = x + self.dropout(self.mlp(fused))
        if self.convolution is not None:
            mixed = graph.to(x.dtype) @ self.norm3(x)
            x = x + self.dropout(F.gelu(self.convolution(mixed)))
        return x
