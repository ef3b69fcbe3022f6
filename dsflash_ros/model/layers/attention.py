"""Attention by the way that is fast where it runs."""

import torch
import torch.nn.functional as F


def attention(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None = None
) -> torch.Tensor:
    """What queries (B, heads, Q, d) gather from N keys and values, (B, heads, Q, d).

    They see all keys, or those which `mask`, bool, allows; it broadcasts to (B, heads, Q, N).
    """
    if query.device.type != "cpu" or query.dtype != torch.bfloat16:
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    # On CPUs the fused kernel and its gradient take longer than plain products, if all of these
    # stay in bfloat16.
    with torch.autocast("cpu", enabled=False):
        logits = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
        if mask is not None:
            logits = logits.masked_fill(~mask, -torch.inf)
        return logits.softmax(-1) @ value
