"""Cross-attention maps of a UNet, seen only while somebody looks."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

if TYPE_CHECKING:
    from diffusers.models.attention_processor import Attention

CROSS = ".attn2"
"""How the names of cross-attention layers end, in diffusers."""


class AttentionMaps:
    """The maps of one or more passes of a UNet, as `recorded` fills it.

    Attributes:
        layers: by the layer's name its latest map, (B, N, length): how much of each of a text's
            tokens each of N places reads, averaged over the heads. They sum to 1 over the tokens.
    """

    def __init__(self) -> None:
        self.layers: dict[str, torch.Tensor] = {}

    def mean(self, side: int) -> torch.Tensor:
        """The average over the layers, scaled to (B, length, side, side)."""
        scaled = []
        for layer in self.layers.values():
            own = round(layer.shape[1] ** 0.5)
            image = layer.transpose(1, 2).unflatten(2, (own, own))
            if own > side:
                image = F.interpolate(image, (side, side), mode="area")
            elif own < side:
                image = F.interpolate(image, (side, side), mode="bilinear")
            scaled.append(image)
        return torch.stack(scaled).mean(0)


class RecordingProcessor:
    """Attention by an explicit softmax, which is kept: a fused kernel never shows it."""

    def __init__(self, name: str, maps: AttentionMaps) -> None:
        self.name, self.maps = name, maps

    def __call__(
        self,
        attn: "Attention",
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        **options,
    ) -> torch.Tensor:
        """What diffusers' own processors compute for the cross-attention of transformer blocks."""
        batch = len(hidden_states)
        if attention_mask is not None:
            length = encoder_hidden_states.shape[1]
            attention_mask = attn.prepare_attention_mask(attention_mask, length, batch)
        query, key, value = (
            attn.head_to_batch_dim(projection(inputs))
            for projection, inputs in (
                (attn.to_q, hidden_states),
                (attn.to_k, encoder_hidden_states),
                (attn.to_v, encoder_hidden_states),
            )
        )
        read = attn.get_attention_scores(query, key, attention_mask)
        self.maps.layers[self.name] = read.unflatten(0, (batch, -1)).mean(1)
        output, dropout = attn.to_out
        return dropout(output(attn.batch_to_head_dim(read @ value)))


@contextmanager
def recorded(unet: nn.Module) -> Iterator[AttentionMaps]:
    """Record the cross-attention maps of the passes within the block; then all is as before."""
    maps, before = AttentionMaps(), {}
    for name, layer in cross_attentions(unet).items():
        before[name] = layer.processor
        layer.set_processor(RecordingProcessor(name, maps))
    try:
        yield maps
    finally:
        for name, layer in cross_attentions(unet).items():
            layer.set_processor(before[name])


def cross_attentions(unet: nn.Module) -> "dict[str, Attention]":
    """The cross-attention layers of a UNet by name."""
    return {name: part for name, part in unet.named_modules() if name.endswith(CROSS)}
