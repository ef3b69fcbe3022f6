"""Match predicted segments and relations with the true ones; needs only numpy.

The protocol is single mask per object (DSFlash's supplement, section 7). What breaks it is an
`EvaluationError`, never repaired in silence.
"""

from collections.abc import Sequence

import numpy as np

from dsflash_ros.errors import EvaluationError

LEAST_IOU = 0.5
"""Intersection over union of a predicted and a true segment from which on they match."""


def match_segments(
    truth_labels: np.ndarray, truth_classes: np.ndarray, labels: np.ndarray, classes: np.ndarray
) -> np.ndarray:
    """Find the true segment that each predicted segment matches: (P,) int64, its index, or -1.

    It is the one of the same class with the largest IoU, if that is at least 0.5. No true segment
    is matched twice.

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
    """Count the pixels that each predicted and each true segment share: (1 + P, 1 + T) int.

    Index 0 stands for no segment. Raises `EvaluationError` as `match_segments` does.
    """
    if truth_labels.shape != labels.shape:
        raise EvaluationError(
            f"the predicted segments are {labels.shape} pixels, the true ones "
            f"{truth_labels.shape}: predict at the image's own resolution"
        )
    _check_labels("true", truth_labels, num_truth)
    _check_labels("predicted", labels, num_predicted)
    width = num_truth + 1
    both = (labels.astype(np.int64) + 1) * width + truth_labels + 1
    return np.bincount(both.ravel(), minlength=(num_predicted + 1) * width).reshape(-1, width)


def _check_labels(kind: str, labels: np.ndarray, count: int) -> None:
    if labels.size and not (labels.min() >= -1 and labels.max() < count):
        raise EvaluationError(
            f"the {kind} label map names segments {labels.min()} to {labels.max()}, but there are "
            f"{count} (0 to {count - 1}, and -1 for none)"
        )


def check_segments(class_ids: Sequence[int], num_things: int) -> None:
    """Raise `EvaluationError` when two predicted segments, (P,) class ids, are of one stuff class.

    In the ids of a vocabulary the stuff begins at `num_things`.
    """
    classes, counts = np.unique(np.asarray(class_ids, np.int64), return_counts=True)
    twice = classes[(counts > 1) & (classes >= num_things)]
    if len(twice):
        raise EvaluationError(
            f"the stuff class {twice[0]} is predicted as several segments; the protocol allows one "
            "mask for each object, and stuff of one class is one: merge them"
        )


def true_relations(truth: np.ndarray, predicted: np.ndarray, matching: np.ndarray) -> np.ndarray:
    """Whether each predicted relation, (r, 3) int, is among the true ones, (R, 3) int: (r,) bool.

    `matching`, (P,) int, is the true segment of each predicted one, or -1, as from
    `match_segments`.
    """
    wanted = {tuple(relation) for relation in truth.tolist()}
    remapped = np.column_stack((matching[predicted[:, :2]], predicted[:, 2]))
    return np.array([tuple(relation) in wanted for relation in remapped.tolist()], bool)
