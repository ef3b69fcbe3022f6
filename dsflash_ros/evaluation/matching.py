"""Which predicted segments and relations are the true ones, under the single-mask-per-object
protocol. Only numpy.

What breaks the protocol (DSFlash's supplement, section 7) is an `EvaluationError`, never repaired
in silence.
"""

from collections.abc import Sequence

import numpy as np

from dsflash_ros.errors import EvaluationError

LEAST_IOU = 0.5
"""Of a predicted and a true segment that are the same object."""


def match_segments(
    truth_labels: np.ndarray, truth_classes: np.ndarray, labels: np.ndarray, classes: np.ndarray
) -> np.ndarray:
    """Find the true segment that each predicted segment shows: (P,) int64, its index, or -1.

    It is the one of the same class with the largest IoU, if that is at least 0.5. No true segment
    is found twice.

    Args:
        truth_labels: (H, W) int, index of the true segment, -1 where none is.
        truth_classes: (T,) int.
        labels: (H, W) int, index of the predicted segment, -1 where none is.
        classes: (P,) int.

    Raises:
        EvaluationError: the maps differ in shape, or name segments that have no class.
    """
    truth_classes, classes = np.asarray(truth_classes), np.asarray(classes)
    matching = np.full(len(classes), -1, np.int64)
    shared = shared_areas(truth_labels, len(truth_classes), labels, len(classes))
    if not len(truth_classes):
        return matching
    intersection = shared[1:, 1:]
    union = shared[1:].sum(1, keepdims=True) + shared[:, 1:].sum(0) - intersection
    iou = intersection / np.maximum(union, 1)
    iou[classes[:, None] != truth_classes] = 0
    best = iou.argmax(1)
    matched = np.flatnonzero(iou.max(1) >= LEAST_IOU)
    # Masks do not overlap, so two can only meet here when each is exactly half of the true one.
    found, first = np.unique(best[matched], return_index=True)
    matching[matched[first]] = found
    return matching


def shared_areas(
    truth_labels: np.ndarray, num_truth: int, labels: np.ndarray, num_predicted: int
) -> np.ndarray:
    """(1 + P, 1 + T) int: pixels that a predicted and a true segment share; index 0 is "no
    segment".

    Raises `EvaluationError` as `match_segments`.
    """
    if truth_labels.shape != labels.shape:
        raise EvaluationError(
            f"the predicted segments are {labels.shape} pixels, the true ones {truth_labels.shape}: "
            "predict at the image's own resolution"
        )
    for name, map_, count in (
        ("true", truth_labels, num_truth),
        ("predicted", labels, num_predicted),
    ):
        if map_.size and not (map_.min() >= -1 and map_.max() < count):
            raise EvaluationError(
                f"the {name} label map names segments {map_.min()} to {map_.max()}, but there are {count} (0 to "
                f"{count - 1}, and -1 for none)"
            )
    width = num_truth + 1
    both = (labels.astype(np.int64) + 1) * width + truth_labels + 1
    return np.bincount(both.ravel(), minlength=(num_predicted + 1) * width).reshape(-1, width)


def labels_from_masks(masks: np.ndarray) -> np.ndarray:
    """The label map, (H, W) int32 with -1 where nothing is, of a stack of masks, (P, H, W) bool.

    Raises `EvaluationError` when two of them overlap.
    """
    covered = masks.sum(0)
    if (covered > 1).any():
        y, x = np.argwhere(covered > 1)[0]
        a, b = np.flatnonzero(masks[:, y, x])[:2]
        raise EvaluationError(
            f"the predicted masks {a} and {b} overlap, at x={x}, y={y} for one; the protocol allows one mask for each "
            "object: give each pixel to one segment"
        )
    return np.where(covered, masks.argmax(0) if len(masks) else 0, -1).astype(np.int32)


def check_segments(class_ids: Sequence[int], num_things: int) -> None:
    """Raise `EvaluationError` when predicted segments, (P,) class ids, hold the same stuff class
    twice.
    """
    classes, counts = np.unique(np.asarray(class_ids, np.int64), return_counts=True)
    twice = classes[(counts > 1) & (classes >= num_things)]
    if len(twice):
        raise EvaluationError(
            f"the stuff class {twice[0]} is predicted as several segments; the protocol allows one mask for each "
            "object, and stuff of one class is one: merge them"
        )


def true_relations(truth: np.ndarray, predicted: np.ndarray, matching: np.ndarray) -> np.ndarray:
    """Which predicted relations, (r, 3) int, are among the true ones, (R, 3) int: (r,) bool.

    `matching`, (P,) int, is the true segment of each predicted one, or -1, as `match_segments`
    gives it.
    """
    wanted = {tuple(relation) for relation in truth.tolist()}
    remapped = np.column_stack((matching[predicted[:, :2]], predicted[:, 2]))
    return np.array([tuple(relation) in wanted for relation in remapped.tolist()], bool)
