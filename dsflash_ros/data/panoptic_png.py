"""Panoptic PNGs, in which a pixel's colour R + 256 G + 65536 B is the id of its segment, and label maps."""

import cv2
import numpy as np

VOID = 0
"""The id of pixels that belong to no segment."""


def ids_of(rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB to (H, W) int32 segment ids."""
    rgba = cv2.cvtColor(rgb, cv2.COLOR_RGB2RGBA)
    return rgba.view("<i4")[..., 0] & 0xFFFFFF


def colours_of(ids: np.ndarray) -> np.ndarray:
    """(H, W) int segment ids, 0 to 2^24 - 1, to (H, W, 3) uint8 RGB."""
    return np.ascontiguousarray(ids, "<i4").view(np.uint8).reshape(*ids.shape, 4)[..., :3]


def labels_of(ids: np.ndarray, segment_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The index of each pixel's segment.

    Args:
        ids: (H, W) int32, as `ids_of` gives them.
        segment_ids: (S,) int, no two alike.

    Returns:
        labels: (H, W) int32, indexes into `segment_ids`, -1 where it lacks the pixel's id.
        areas: (S,) int64, pixels of each segment.
    """
    starts, lengths = _runs(ids)
    run_ids = ids.reshape(-1)[starts]
    order = np.argsort(segment_ids)
    known = np.append(segment_ids[order], 1 << 24)  # the last one, so that each position exists
    at = known.searchsorted(run_ids)
    labels = np.append(order, -1)[np.where(known[at] == run_ids, at, -1)].astype(np.int32)
    areas = np.bincount(labels + 1, lengths, len(segment_ids) + 1)[1:].astype(np.int64)
    return labels.repeat(lengths).reshape(ids.shape), areas


def boxes_of(labels: np.ndarray, count: int) -> np.ndarray:
    """The tightest boxes around the segments of a label map.

    Args:
        labels: (H, W) int, -1 where no segment is.
        count: number of segments.

    Returns:
        (count, 4) int64, x0, y0, x1, y1, the last two exclusive; zeros for segments that have no pixel.
    """
    height, width = labels.shape
    starts, lengths = _runs(labels)
    owners = labels.reshape(-1)[starts]
    starts, lengths, owners = (of_runs[owners >= 0] for of_runs in (starts, lengths, owners))
    y, x = np.divmod(starts, width)
    boxes = np.tile(np.array([width, height, 0, 0]), (count, 1))
    np.minimum.at(boxes[:, 0], owners, x)
    np.minimum.at(boxes[:, 1], owners, y)
    np.maximum.at(boxes[:, 2], owners, x + lengths)
    np.maximum.at(boxes[:, 3], owners, y + 1)
    boxes[boxes[:, 2] == 0] = 0
    return boxes


def _runs(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Starts, in the flat array, and lengths of the runs of equal pixels in the rows of an (H, W) array.

    There are a hundred times fewer runs than pixels in a typical mask.
    """
    is_start = np.ones(pixels.shape, bool)
    np.not_equal(pixels[:, 1:], pixels[:, :-1], out=is_start[:, 1:])
    starts = np.flatnonzero(is_start)
    return starts, np.diff(starts, append=pixels.size)
