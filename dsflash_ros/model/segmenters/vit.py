"""Vision transformers: plain ones, DINOv2 with registers, DINOv3.

Their tensors have timm's names, so that what timm publishes loads as it is. Running them does not
need timm, whose import takes as long as PyTorch's.
"""

import math
from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import nn

from dsflash_ros.model.segmenters.eomt_sizes import PATCH

HEAD_DIM = 64
"""Channels of an attention head, in all sizes."""

REGISTERS = {"plain": 0, "dinov2": 4, "dinov3": 4}
"""Register tokens of each family."""

_FIRST_SCALE = 1e-5
"""Of a new layer scale."""


class ViT(nn.Module):
    """The layers of a ViT; `Backbone` runs its blocks.

    Tokens are (B, N, D): the class token, registers, patches row by row.

    Attributes:
        prefix_positions: how many of the learned positions are of class and register tokens.
        pos_embed: (1, positions, D), learned; None in DINOv3, whose positions are rotary.
        rope: (patches, 2 * `HEAD_DIM`), the sines and then the cosines of its rotations, or None.
    """

    def __init__(self, family: str, dim: int, depth: int, grid: int) -> None:
        """A new ViT.

        Args:
            family: a key of `REGISTERS`.
            dim: channels of a token, a multiple of `HEAD_DIM`.
            depth: number of blocks.
            grid: patches along one side of the image.
        """
        super().__init__()
        is_rotary = family == "dinov3"
        self.prefix_positions = int(family == "plain")
        self.cls_token = nn.Parameter(torch.empty(1, 1, dim))
        registers = torch.empty(1, REGISTERS[family], dim)
        self.reg_token = nn.Parameter(registers) if REGISTERS[family] else None
        positions = torch.empty(1, grid**2 + self.prefix_positions, dim)
        self.pos_embed = None if is_rotary else nn.Parameter(positions)
        self.patch_embed = nn.Sequential(
            OrderedDict(proj=nn.Conv2d(3, dim, kernel_size=PATCH, stride=PATCH))
        )
        self.register_buffer("rope", rotations(grid) if is_rotary else None, persistent=False)
        self.blocks = nn.ModuleList(
            RotaryBlock(dim) if is_rotary else Block(dim, has_scale=family == "dinov2")
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(dim, eps=self.blocks[0].eps)
        self._initialise()

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        """Normalised images (B, 3, S, S) to tokens."""
        patches = self.patch_embed(images).flatten(2).transpose(1, 2)
        prefix = [token for token in (self.cls_token, self.reg_token) if token is not None]
        prefix = [token.expand(len(patches), -1, -1) for token in prefix]
        if self.pos_embed is not None and not self.prefix_positions:
            patches = patches + self.pos_embed
        tokens = torch.cat((*prefix, patches), dim=1)
        return tokens + self.pos_embed if self.prefix_positions else tokens

    @torch.no_grad()
    def _initialise(self) -> None:
        """Numbers as timm draws them, for training from nothing."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        is_rotary = self.pos_embed is None
        for token in (self.cls_token, self.reg_token):
            if token is not None:
                nn.init.normal_(token, std=0.02 if is_rotary else 1e-6)
        if not is_rotary:
            nn.init.trunc_normal_(self.pos_embed, std=0.02)
            return
        for number, block in enumerate(self.blocks, 1):
            block.attn.proj.weight.div_(math.sqrt(2 * number))
            block.mlp.fc2.weight.div_(math.sqrt(2 * number))


class Block(nn.Module):
    """A block of a plain ViT or, with layer scale, of DINOv2."""

    eps = 1e-6

    def __init__(self, dim: int, has_scale: bool) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=self.eps)
        self.attn = Attention(dim)
        self.ls1 = LayerScale(dim) if has_scale else nn.Identity()
        self.norm2 = nn.LayerNorm(dim, eps=self.eps)
        self.mlp = _mlp(dim)
        self.ls2 = LayerScale(dim) if has_scale else nn.Identity()

    def scale(self, index: int, update: torch.Tensor) -> torch.Tensor:
        """Layer scale of what the attention (index 1) or the MLP (index 2) adds, (B, N, D)."""
        return (self.ls1 if index == 1 else self.ls2)(update)


class RotaryBlock(nn.Module):
    """A block of DINOv3."""

    eps = 1e-5

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gamma_1 = nn.Parameter(torch.full((dim,), _FIRST_SCALE))
        self.gamma_2 = nn.Parameter(torch.full((dim,), _FIRST_SCALE))
        self.norm1 = nn.LayerNorm(dim, eps=self.eps)
        self.attn = KeylessBiasAttention(dim)
        self.norm2 = nn.LayerNorm(dim, eps=self.eps)
        self.mlp = _mlp(dim)

    def scale(self, index: int, update: torch.Tensor) -> torch.Tensor:
        """Layer scale of what the attention (index 1) or the MLP (index 2) adds, (B, N, D)."""
        return (self.gamma_1 if index == 1 else self.gamma_2) * update


class Attention(nn.Module):
    """The linear layers of an attention."""

    def __init__(self, dim: int, bias: bool = True) -> None:
        super().__init__()
        self.num_heads = dim // HEAD_DIM
        self.qkv = nn.Linear(dim, 3 * dim, bias=bias)
        self.proj = nn.Linear(dim, dim)

    def queries_keys_values(self, tokens: torch.Tensor) -> torch.Tensor:
        """All three after each other, (B, N, 3 * D)."""
        return self.qkv(tokens)


class KeylessBiasAttention(Attention):
    """Queries and values have a bias, keys have none."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(dim))
        self.v_bias = nn.Parameter(torch.zeros(dim))

    def queries_keys_values(self, tokens):
        bias = torch.cat((self.q_bias, torch.zeros_like(self.q_bias), self.v_bias))
        return F.linear(tokens, self.qkv.weight, bias)


class LayerScale(nn.Module):
    """A learned factor for each channel."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((dim,), _FIRST_SCALE))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.gamma


def _mlp(dim: int) -> nn.Sequential:
    layers = {"fc1": nn.Linear(dim, 4 * dim), "act": nn.GELU(), "fc2": nn.Linear(4 * dim, dim)}
    return nn.Sequential(OrderedDict(layers))


def rotations(grid: int) -> torch.Tensor:
    """DINOv3's rotary positions, (grid * grid, 2 * `HEAD_DIM`): sines, then cosines.

    A patch's centre, -1 to 1 in each direction, is turned by `HEAD_DIM` / 4 frequencies.
    """
    centres = (torch.arange(grid) + 0.5) / grid * 2 - 1
    centres = torch.stack(torch.meshgrid(centres, centres, indexing="ij"), dim=-1).flatten(0, 1)
    periods = 100.0 ** (torch.arange(HEAD_DIM // 4) * 4 / HEAD_DIM)
    angles = (2 * math.pi * centres[:, :, None] / periods).flatten(1).tile(2)
    return torch.cat((angles.sin(), angles.cos()), dim=-1)


def rotate(heads: torch.Tensor, rope: torch.Tensor) -> torch.Tensor:
    """Heads (..., N, d), turned by (..., N, 2 * d); each channel of the first half with its
    counterpart in the second.
    """
    sine, cosine = rope.chunk(2, dim=-1)
    first, second = heads.chunk(2, dim=-1)
    return heads * cosine + torch.cat((-second, first), dim=-1) * sine


def resample_positions(
    positions: torch.Tensor, old: int, new: int, prefix: int = 0
) -> torch.Tensor:
    """Learned positions (1, prefix + old * old, D) for a grid of another side, as timm does it."""
    if old == new:
        return positions
    patches = positions[:, prefix:].float().unflatten(1, (old, old)).permute(0, 3, 1, 2)
    scaled = F.interpolate(patches, (new, new), mode="bicubic", antialias=True)
    scaled = scaled.flatten(2).transpose(1, 2).to(positions.dtype)
    return torch.cat((positions[:, :prefix], scaled), dim=1)
