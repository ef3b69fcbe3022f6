"""Random inputs of relation stages in which a segment is one token."""

import torch

from dsflash_ros.model.relaters.coverage import label_coverage
from dsflash_ros.model.relaters.relater import PairInputs

CHANNELS, CLASSES, CELL, GRID, PREDICATES = 20, 4, 16, 6, 5
SIDE = CELL * GRID


def rectangles(count, random):
    """A label map of that many rectangles, the later ones in front of the earlier."""
    labels = torch.full((SIDE, SIDE), -1)
    for number in range(count):
        y, x = torch.randint(SIDE - 8, (2,), generator=random).tolist()
        h, w = torch.randint(3, SIDE // 2, (2,), generator=random).tolist()
        labels[y : y + h, x : x + w] = number
    return labels


def inputs_of(stage, counts, seed=0):
    """Inputs of images with so many segments each, all pairs, float64."""
    random = torch.Generator().manual_seed(seed)
    coverage, boxes, pairs, start = [], [], [], 0
    for count in counts:
        coverage.append(label_coverage(rectangles(count, random), count, CELL, GRID).double())
        corners = torch.rand(count, 2, 2, generator=random, dtype=torch.float64).sort(1).values
        boxes.append(corners.flatten(1) * 2 - 1)
        pairs.append(torch.combinations(torch.arange(count)) + start)
        start += count
    probabilities = torch.rand(start, CLASSES, generator=random, dtype=torch.float64)
    features = torch.randn(len(counts), CHANNELS, GRID, GRID, generator=random, dtype=torch.float64)
    images = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    with torch.no_grad():
        prepared = stage.prepare(features)
    return PairInputs(
        prepared,
        torch.cat(coverage),
        torch.cat(boxes),
        probabilities.argmax(1),
        probabilities / probabilities.sum(1, keepdim=True),
        images,
        torch.cat(pairs),
    )
