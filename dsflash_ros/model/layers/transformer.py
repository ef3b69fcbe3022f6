"""The block that transformers of both relation stages are made of."""

import torch
import torch.nn.functional as F
from torch import nn

from dsflash_ros.model.layers.attention import attention


class TransformerBlock(nn.Module):
    """Pre-norm transformer block; queries, keys and values have no bias.

    `dropout`: share of what attention and MLP add that training drops.
    """

    def __init__(self, dim: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.proj = nn.Linear(dim, dim)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: torch.Tensor, attended: torch.Tensor | None = None, queries: int | None = None
    ) -> torch.Tensor:
        """Tokens (n, N, dim) to the first `queries` of them (default: all).

        The others are only attended to. `attended`, bool, broadcasts to (n, heads, queries, N).
        """
        normed, dim = self.norm1(x), x.shape[2]
        query = F.linear(normed[:, :queries], self.qkv.weight[:dim])
        query = query.unflatten(2, (self.heads, -1)).transpose(1, 2)
        key_value = F.linear(normed, self.qkv.weight[dim:])
        key, value = key_value.unflatten(2, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = attention(query, key, value, attended)
        x = x[:, :queries] + self.dropout(self.proj(mixed.transpose(1, 2).flatten(2)))
        return x + self.dropout(self.mlp(self.norm2(x)))
