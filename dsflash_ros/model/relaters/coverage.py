"""How much of each cell of a relation stage's grid each segment covers.

`cell` and `grid` are those of the `RelationStage`: pixels along one side of a cell, and cells along
one side of the grid.
"""

import torch
import torch.nn.functional as F


def mask_coverage(masks: torch.Tensor, cell: int, grid: int, stride: int = 1) -> torch.Tensor:
    """Share of each cell that each mask covers: one average pooling for each segment (supplement,
    algorithm 2).

    `masks` is (S, h, w) bool or float, one pixel for `stride` x `stride` pixels of the square
    network input (1: full resolution, 4: that of the mask logits, section 3.2), without the input's
    padding or with it. The result is (S, grid * grid) float32 in 0..1, cells in row-major order.
    """
    height, width = masks.shape[1:]
    window = cell // stride
    side = grid * window
    fitted = F.pad(masks.float(), (0, side - width, 0, side - height))  # negative: cuts off
    return F.avg_pool2d(fitted.unsqueeze(1), window).flatten(1)


def label_coverage(labels: torch.Tensor, count: int, cell: int, grid: int) -> torch.Tensor:
    """`mask_coverage` of the `count` segments of a label map, without making masks.

    `labels` is (h, w) integer, the segment of each pixel of the network input, without its padding
    or with it, or -1. The result is (count, grid * grid) float32.
    """
    side = grid * cell
    labels = labels[:side, :side].long()
    rows, columns = (torch.arange(length, device=labels.device) // cell for length in labels.shape)
    cells = (labels + 1) * grid**2 + rows.unsqueeze(1) * grid + columns
    counts = cells.flatten().bincount(minlength=(count + 1) * grid**2)
    return counts.view(count + 1, -1)[1:].float() / cell**2


def grow(coverage: torch.Tensor, grid: int) -> torch.Tensor:
    """Coverage, (S, grid * grid), grown by a cell in all directions."""
    maps = coverage.view(-1, 1, grid, grid)
    return F.max_pool2d(maps, 3, stride=1, padding=1).flatten(1)


def cell_centres(grid: int) -> torch.Tensor:
    """(grid * grid, 2) float32: x and y of each cell's centre in 0..1."""
    line = (torch.arange(grid) + 0.5) / grid
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack((x, y), dim=-1).view(-1, 2)
