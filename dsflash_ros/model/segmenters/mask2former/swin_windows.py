"""Swin's windows as Mask2Former cuts them: padded, then shifted, on every map."""

import torch
import torch.nn.functional as F
from timm.models.swin_transformer import window_partition, window_reverse
from torch import nn


def run_swin_block(block: nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    """Tokens (B, H, W, C) after a block of timm's Swin.

    timm shifts before it pads, so that the padding lies between pixels that were not neighbours,
    and does not shift maps of one window.
    """
    tokens = tokens + block.drop_path1(_attend(block, block.norm1(tokens)))
    return tokens + block.drop_path2(block.mlp(block.norm2(tokens)))


def _attend(block: nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    """The attention within windows, (B, H, W, C)."""
    height, width, channels = tokens.shape[1:]
    size, shift = block.window_size, block.shift_size
    padded = F.pad(tokens, (0, 0, 0, -width % size[1], 0, -height % size[0]))
    rows, columns = padded.shape[1:3]
    mask = None
    if any(shift):
        padded = padded.roll((-shift[0], -shift[1]), (1, 2))
        mask = _mask(rows, columns, size, shift, tokens)
    windows = window_partition(padded, size).view(-1, size[0] * size[1], channels)
    windows = block.attn(windows, mask=mask).view(-1, *size, channels)
    padded = window_reverse(windows, size, rows, columns)
    if any(shift):
        padded = padded.roll(shift, (1, 2))
    return padded[:, :height, :width]


def _mask(
    rows: int, columns: int, size: tuple[int, int], shift: tuple[int, int], like: torch.Tensor
) -> torch.Tensor:
    """What to add to a window's logits, (windows, N, N): 0 where pixels were together before the
    shift, -100 elsewhere.
    """
    parts = [
        _part(length, window, by, like.device)
        for length, window, by in zip((rows, columns), size, shift, strict=True)
    ]
    part = (3 * parts[0].unsqueeze(1) + parts[1]).view(1, rows, columns, 1)
    windows = window_partition(part, size).view(-1, size[0] * size[1])
    apart = windows.unsqueeze(1) != windows.unsqueeze(2)
    return apart.to(like.dtype) * -100


def _part(length: int, window: int, shift: int, device: torch.device) -> torch.Tensor:
    """Which of three parts each row (or column) is in: before the last window, in it, and what the
    shift brought from the other side.
    """
    index = torch.arange(length, device=device)
    return (index >= length - window).long() + (index >= length - shift).long()
