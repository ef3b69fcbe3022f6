"""Panoptic PNGs, in which a pixel's colour R + 256 G + 65536 B is the id of its segment."""

import cv2
import numpy as np

from dsflash_ros.graph.label_maps import runs_of

VOID = 0
"""The id of pixels without a segment."""


def ids_of(rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB to (H, W) int32 segment ids."""
    rgba = cv2.cvtColor(rgb, cv2.COLOR_RGB2RGBA)
    return rgba.view("<i4")[..., 0] & 0xFFFFFF


def colours_of(ids: np.ndarray) -> np.ndarray:
    """(H, W) int segment ids, 0 to 2^24 - 1, to (H, W, 3) uint8 RGB."""
    return np.ascontiguousarray(ids, "<i4").view(np.uint8).reshape(*ids.shape, 4)[..., :3]


def labels_of(ids: np.ndarray, segment_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn segment ids into indexes of segments.

    Args:
        ids: (H, W) int32, as `ids_of` gives them.
        segment_ids: (S,) int, no two alike.

    Returns:
        labels: (H, W) int32, indexes into `segment_ids`, -1 where it lacks the pixel's id.
        areas: (S,) int64, pixels of each segment.
    """
    starts, lengths = runs_of(ids)
    run_ids = ids.reshape(-1)[starts]
    order = np.argsort(segment_ids)
    known = np.append(segment_ids[order], 1 << 24)  # no id is higher: each has a position
    at = known.searchsorted(run_ids)
    labels = np.append(order, -1)[np.where(known[at] == run_ids, at, -1)].astype(np.int32)
    areas = np.bincount(labels + 1, lengths, len(segment_ids) + 1)[1:].astype(np.int64)
    return labels.repeat(lengths).reshape(ids.shape), areas
