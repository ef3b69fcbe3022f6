"""Masks without the small parts that lie far from the rest of an object."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from dsflash_ros.graph.label_maps import label_boxes

if TYPE_CHECKING:
    from dsflash_ros.model.panoptic import Segments


def without_specks(segments: "Segments", num_things: int, least_part: float) -> "Segments":
    """The segments without small parts of things; stuff lies in pieces by its nature.

    A few pixels that a segmenter gives to an object at the other end of the image would make its
    box as wide as the image.

    Args:
        segments: of one image.
        num_things: classes below are things.
        least_part: a part, connected by its pixels' sides, is left out where its share of the
            object's mask is smaller; its pixels belong to nothing then. The largest part stays.
    """
    if least_part == 0:
        return segments
    import torch

    labels = segments.labels.cpu().numpy().copy()
    drop_specks(labels, segments.class_ids.tolist(), num_things, least_part)
    return replace(segments, labels=torch.from_numpy(labels).to(segments.labels.device))


def drop_specks(
    labels: np.ndarray, class_ids: Sequence[int], num_things: int, least_part: float
) -> None:
    """Set the small parts of things to -1 in a label map, (h, w) int, in place.

    See `without_specks`.
    """
    if least_part == 0:
        return
    boxes = label_boxes(labels, len(class_ids))
    for index, class_id in enumerate(class_ids):
        if class_id < num_things:
            x0, y0, x1, y1 = boxes[index]
            _drop(labels[y0:y1, x0:x1], index, least_part)


def _drop(labels: np.ndarray, index: int, least_part: float) -> None:
    """Set the small parts of a segment to -1 in place."""
    mask = (labels == index).view(np.uint8)
    count, parts, measures, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    if count <= 2:  # the background and one part
        return
    areas = measures[1:, cv2.CC_STAT_AREA]
    is_small = np.zeros(count, bool)
    is_small[1:] = areas < min(least_part * areas.sum(), areas.max())
    labels[is_small[parts]] = -1
