"""Tokens made of an image, in the place of a caption's (SPADE Eq. 4)."""

import torch
from torch import nn


class Captioner(nn.Module):
    """uncond + tanh(a) * MLP(embedding, position): as many tokens as a caption has.

    It starts at the empty caption, a = 0. The position goes into the MLP: were it added behind it,
    all tokens would move by the same vector, to which a softmax over the tokens is blind.

    Attributes:
        uncond: (length, dim), the tokens of the empty caption; never trained.
    """

    def __init__(self, uncond: torch.Tensor, embedding_dim: int, hidden: int = 256) -> None:
        """`uncond` as above. `embedding_dim`: of images. `hidden`: width of the MLP."""
        super().__init__()
        length, dim = uncond.shape
        self.register_buffer("uncond", uncond.clone())
        self.inputs = nn.Sequential(nn.LayerNorm(embedding_dim), nn.Linear(embedding_dim, hidden))
        self.positions = nn.Parameter(torch.randn(length, hidden))
        self.outputs = nn.Linear(hidden, dim)
        self.opening = nn.Parameter(torch.zeros(()))

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Embeddings (B, embedding_dim) to tokens (B, length, dim)."""
        hidden = self.inputs(embeddings).unsqueeze(1) + self.positions
        return self.uncond + self.opening.tanh() * self.outputs(nn.functional.gelu(hidden))
