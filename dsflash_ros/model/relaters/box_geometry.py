"""Where segments are, and how two of them lie to each other, in numbers that a network can use."""

import torch

PAIR_NUMBERS = 21
"""How many numbers `pair_geometry` gives."""

PLACE_NUMBERS = 9
"""How many numbers `place_of` gives."""

LEAST_SIZE = 1e-3
"""Boxes count as no smaller than this share of the image, so that logarithms stay finite."""


def pair_geometry(boxes: torch.Tensor) -> torch.Tensor:
    """Sizes, offset, overlaps and edges of pairs of boxes, (n, 21), all finite.

    `boxes` is (n, 2, 4): x0, y0, x1, y1 in 0..1, of subject and object.
    """
    low, high = boxes[..., :2], boxes[..., 2:]
    size, centre = (high - low).clamp(min=LEAST_SIZE), (low + high) / 2
    offset, log_size = centre[:, 1] - centre[:, 0], size.log()
    shared = (
        (torch.minimum(high[:, 0], high[:, 1]) - torch.maximum(low[:, 0], low[:, 1]))
        .clamp(min=0)
        .prod(-1)
    )
    areas = size.prod(-1)
    shares = shared.unsqueeze(1) / torch.stack(
        (areas[:, 0], areas[:, 1], areas.sum(1) - shared), dim=1
    )
    columns = (boxes.flatten(1), log_size.flatten(1), offset, shares, edges(boxes))
    return torch.cat(columns, dim=1)


def edges(boxes: torch.Tensor) -> torch.Tensor:
    """How far the object's edges are beyond the subject's, over the subject's size, (n, 4).

    In -10..10. `boxes` as for `pair_geometry`.
    """
    size = (boxes[:, 0, 2:] - boxes[:, 0, :2]).clamp(min=LEAST_SIZE)
    return ((boxes[:, 1] - boxes[:, 0]) / size.repeat(1, 2)).clamp(-10, 10)


def place_of(boxes: torch.Tensor, coverage: torch.Tensor) -> torch.Tensor:
    """Where a segment is and how large, (S, 9) float32, all finite.

    Box, log of its width and height, log of the segment's share of the image, and the share of its
    box that it fills. `boxes` and `coverage` are those of `PairInputs`.
    """
    size = (boxes[:, 2:] - boxes[:, :2]).clamp(min=2 * LEAST_SIZE) / 2
    area = coverage.mean(1, keepdim=True)
    fill = (area / size.prod(1, keepdim=True)).clamp(max=2)
    logs = torch.cat((size, area.clamp(min=LEAST_SIZE**2)), dim=1).log() / 4
    return torch.cat((boxes, logs, fill, torch.ones_like(fill)), dim=1)
