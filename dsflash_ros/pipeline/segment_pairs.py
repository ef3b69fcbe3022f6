"""From segments to what a relation stage is given of their pairs."""

import numpy as np
import torch

from dsflash_ros.graph.label_maps import label_boxes
from dsflash_ros.images.letterbox import Letterbox
from dsflash_ros.model.relaters.coverage import label_coverage, mask_coverage
from dsflash_ros.model.relaters.relater import PairInputs, known_classes
from dsflash_ros.pipeline.backends.base import Backend
from dsflash_ros.pipeline.segments import ImageSegments


def pairs_of_found(
    found: list[ImageSegments],
    features: torch.Tensor,
    backend: Backend,
    asked: np.ndarray | None = None,
) -> tuple[PairInputs, list[torch.Tensor]]:
    """All unordered pairs of the segments that were found in each image.

    `asked`: (classes,) bool, only pairs of segments of these classes are wanted; None: of all.

    Returns what the relation stage needs of the whole batch, and for each image its pairs, (n, 2)
    int64, in terms of its own segments.
    """
    device = features.device
    counts = [len(image) for image in found]
    starts = [sum(counts[:index]) for index in range(len(counts))]
    chosen = [torch.arange(count, device=device) for count in counts]
    if asked is not None:
        table = torch.from_numpy(asked).to(device)
        chosen = [table[image.segments.class_ids].nonzero().flatten() for image in found]
    pairs = [torch.combinations(segments) for segments in chosen]
    coverage = [
        mask_coverage(image.masks, backend.cell, backend.grid, image.stride) for image in found
    ]
    image_numbers = torch.arange(len(found), device=device)
    inputs = PairInputs(
        prepared=backend.prepare(features),
        coverage=torch.cat(coverage),
        boxes=torch.cat([image.locations() for image in found]),
        class_ids=torch.cat([image.segments.class_ids for image in found]),
        class_probabilities=torch.cat([image.segments.class_probabilities for image in found]),
        images=image_numbers.repeat_interleave(torch.tensor(counts, device=device)),
        pairs=torch.cat([own + start for own, start in zip(pairs, starts, strict=True)]),
    )
    return inputs, pairs


def pairs_of_labels(
    labels: np.ndarray,
    class_ids: np.ndarray,
    letterbox: Letterbox,
    features: torch.Tensor,
    num_classes: int,
    backend: Backend,
) -> PairInputs:
    """All unordered pairs of given segments of one image.

    Args:
        labels: (H, W) int, the segment of each source pixel, or -1.
        class_ids: (S,) int, the segments' classes, or -1 where unknown.
        letterbox: how the image lies in the network input.
        num_classes: that the model tells apart.
    """
    device, count = features.device, len(class_ids)
    boxes = letterbox.scale_boxes(label_boxes(labels, count)) * (2 / letterbox.image_size) - 1
    fitted = torch.from_numpy(letterbox.sample_labels(labels)).to(device)
    classes = torch.as_tensor(class_ids, dtype=torch.long, device=device)
    return PairInputs(
        prepared=backend.prepare(features),
        coverage=label_coverage(fitted, count, backend.cell, backend.grid),
        boxes=torch.from_numpy(boxes).float().to(device),
        class_ids=classes,
        class_probabilities=known_classes(classes, num_classes),
        images=torch.zeros(count, dtype=torch.long, device=device),
        pairs=torch.combinations(torch.arange(count, device=device)),
    )
