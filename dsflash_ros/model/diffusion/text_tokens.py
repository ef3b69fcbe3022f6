"""Texts as the token vectors that cross-attention reads."""

from collections.abc import Sequence

import torch
from torch import nn


class TextTokens:
    """A tokenizer and a text encoder of transformers', as one function of texts."""

    def __init__(self, tokenizer, encoder: nn.Module, length: int | None = None) -> None:
        """`length`: tokens of every text; None: the tokenizer's own limit, 77 for CLIP."""
        self.tokenizer, self.encoder = tokenizer, encoder.eval().requires_grad_(False)
        self.length = length or tokenizer.model_max_length
        # Stable Diffusion lets CLIP read its padding; encoders of the BERT kind must not.
        self._masks = "clip" not in encoder.config.model_type

    @torch.no_grad()
    def __call__(self, texts: Sequence[str]) -> torch.Tensor:
        """(B, length, dim) float32 for B texts, cut or padded to the same length."""
        tokens = self.tokenizer(
            list(texts),
            padding="max_length",
            truncation=True,
            max_length=self.length,
            return_tensors="pt",
        )
        device = next(self.encoder.parameters()).device
        mask = tokens.attention_mask.to(device) if self._masks else None
        return self.encoder(tokens.input_ids.to(device), attention_mask=mask)[0].float()

    def count(self, text: str) -> int:
        """Tokens of a text without padding, with those that mark its ends."""
        return len(self.tokenizer(text, verbose=False).input_ids)
