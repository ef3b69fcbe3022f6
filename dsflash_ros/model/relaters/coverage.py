"""How much of each patch each mask covers."""

import torch
import torch.nn.functional as F

from dsflash_ros.model.config import CELLS, PATCH, ModelConfig


def patch_coverage(masks: torch.Tensor, config: ModelConfig, stride: int) -> torch.Tensor:
    """Share of each patch that each mask covers: one average pooling for each segment (supplement,
    algorithm 2).

    `masks` is (S, h, w) bool or float, one pixel for `stride` x `stride` pixels of the square
    network input (1: full resolution, 4: that of the mask logits, section 3.2), without the input's
    padding or with it. The result is (S, patches) float32 in 0..1, patches in row-major order.
    """
    height, width = masks.shape[1:]
    side = config.image_size // stride
    padded = F.pad(masks.float(), (0, side - width, 0, side - height))
    return F.avg_pool2d(padded.unsqueeze(1), CELLS * PATCH // stride).flatten(1)


def label_coverage(labels: torch.Tensor, count: int, config: ModelConfig) -> torch.Tensor:
    """`patch_coverage` of the `count` masks that a label map holds, (count, patches) float32,
    without making masks.

    `labels` is (h, w) integer, the segment of each pixel of the network input, without its padding
    or with it, or -1.
    """
    window, grid = CELLS * PATCH, config.pair_grid
    labels = labels[: grid * window, : grid * window].long()
    rows, columns = (
        torch.arange(length, device=labels.device) // window for length in labels.shape
    )
    cells = (labels + 1) * grid**2 + rows.unsqueeze(1) * grid + columns
    counts = cells.flatten().bincount(minlength=(count + 1) * grid**2)
    return counts.view(count + 1, -1)[1:].float() / window**2
