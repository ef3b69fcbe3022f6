"""Vision transformers as encoders whose blocks run one by one."""

import math

import torch
from torch import nn

from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.layers.attention import attention
from dsflash_ros.model.layers.token_merging import match_tokens
from dsflash_ros.model.segmenters.vit import Attention, ViT, resample_positions, rotate


class Backbone(nn.Module):
    """A ViT whose blocks run one by one, so that queries can join and tokens can merge.

    Tokens are (B, N, D), ordered: queries if any, prefix tokens (class, registers), patches.

    Attributes:
        timm_name: the name in timm of what its weights can start from.
        vit: the ViT.
        grid: patches along one side of the image.
        heads: how names of a classifier's tensors start, which are not used here.
    """

    heads = ("head.", "fc_norm.")

    def __init__(self, config: ModelConfig) -> None:
        """The backbone that the config names, with fresh random weights."""
        super().__init__()
        self.timm_name, self.grid = config.timm_name, config.grid
        architecture = config.architecture
        self.vit = ViT(config.backbone, architecture.dim, architecture.depth, config.grid)

    @property
    def timm_model(self) -> nn.Module:
        """The ViT."""
        return self.vit

    @property
    def dim(self) -> int:
        """Channels of a token."""
        return self.vit.cls_token.shape[-1]

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return len(self.vit.blocks)

    def norm(self, tokens: torch.Tensor) -> torch.Tensor:
        """The ViT's final normalisation."""
        return self.vit.norm(tokens)

    def embed(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Normalised images (B, 3, S, S) to tokens, and the patches' rotary embedding or None."""
        return self.vit.embed(images), self.vit.rope

    def run_block(
        self,
        index: int,
        tokens: torch.Tensor,
        rope: torch.Tensor | None,
        tome_ratio: float = 0.0,
        mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Tokens (B, N, D) after block `index`.

        Args:
            rope: from `embed`.
            tome_ratio: share of the patches that are merged before the attention.
            mask: (B, Q, N) bool, which tokens each of the first Q attends to, at least one; the
                others attend to all. It cannot be combined with merging.
        """
        block = self.vit.blocks[index]
        normed = block.norm1(tokens)
        if tome_ratio > 0:
            update = self._merged_attention(block.attn, tokens, normed, rope, tome_ratio)
        else:
            update = self._attention(block.attn, normed, rope, mask)
        tokens = tokens + block.scale(1, update)
        return tokens + block.scale(2, block.mlp(block.norm2(tokens)))

    def _attention(
        self,
        attn: Attention,
        tokens: torch.Tensor,
        rope: torch.Tensor | None,
        mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        batch, count, dim = tokens.shape
        qkv = attn.queries_keys_values(tokens).reshape(batch, count, 3, attn.num_heads, -1)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        if rope is not None:
            query, key = _rotate_patches(query, rope), _rotate_patches(key, rope)
        if mask is None:
            mixed = attention(query, key, value)
        else:
            mixed = _masked_attention(query, key, value, mask)
        return attn.proj(mixed.transpose(1, 2).reshape(batch, count, dim))

    def _merged_attention(
        self,
        attn: Attention,
        tokens: torch.Tensor,
        normed: torch.Tensor,
        rope: torch.Tensor | None,
        ratio: float,
    ) -> torch.Tensor:
        others = tokens.shape[1] - self.grid**2
        merging = match_tokens(tokens[:, others:], self.grid, ratio)
        merged = torch.cat((normed[:, :others], merging.merge(normed[:, others:])), dim=1)
        if rope is not None:
            rope = _circular_mean(merging.merge(rope.expand(tokens.shape[0], -1, -1))).unsqueeze(1)
        update = self._attention(attn, merged, rope)
        return torch.cat((update[:, :others], merging.unmerge(update[:, others:])), dim=1)

    def fit_names(self, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """ViTs are published under timm's names."""
        return tensors

    def fit_positions(self, tensors: dict[str, torch.Tensor], name: str = "pos_embed") -> None:
        """Interpolate learned positions, if `tensors` has some by that name, to this grid.

        Positions of an unexpected shape stay as they are.
        """
        positions = tensors.get(name)
        if positions is None or self.vit.pos_embed is None or positions.ndim != 3:
            return
        prefix = self.vit.prefix_positions
        side = math.isqrt(positions.shape[1] - prefix)
        if side**2 + prefix == positions.shape[1]:
            tensors[name] = resample_positions(positions, side, self.grid, prefix)


def _masked_attention(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor
) -> torch.Tensor:
    """Attention, (B, heads, N, d), whose first Q queries see what `mask`, (B, Q, N), allows."""
    # In two parts: one mask over all tokens takes N / Q times the memory and denies all of them the
    # faster kernels.
    first = mask.shape[1]
    masked = attention(query[:, :, :first], key, value, mask.unsqueeze(1))
    plain = attention(query[:, :, first:], key, value)
    return torch.cat((masked, plain), dim=2)


def _circular_mean(rope: torch.Tensor) -> torch.Tensor:
    """The position of merged tokens: averaged sines and cosines, (..., 2 * d), as rotations again.

    A plain average also shrinks queries and keys, the more the higher a frequency is. Of the four
    ways that `benchmarks/merged_positions.py` compares, this one stays closest to attention without
    merging.
    """
    sine, cosine = rope.chunk(2, dim=-1)
    length = torch.hypot(sine, cosine).clamp(min=1e-6)
    return torch.cat((sine / length, cosine / length), dim=-1)


def _rotate_patches(heads: torch.Tensor, rope: torch.Tensor) -> torch.Tensor:
    """Rotate the patches, which are the last of (B, heads, N, d).

    `rope` is (..., patches, 2 * d): sines, then cosines.
    """
    others = heads.shape[2] - rope.shape[-2]
    rotated = rotate(heads[:, :, others:], rope).type_as(heads)
    return torch.cat((heads[:, :, :others], rotated), dim=2)
