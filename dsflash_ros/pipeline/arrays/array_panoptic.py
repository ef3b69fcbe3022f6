"""Panoptic merging by the rule of `merge_panoptic`, on NumPy's arrays."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np


@dataclass(frozen=True)
class LabelledSegments:
    """The segments of one image, in the order of their first queries; see `Segments`.

    Attributes:
        labels: (h, w) int32; the segment, 0 to S - 1, that each pixel belongs to, or -1.
        class_ids: (S,) int64.
        scores: (S,) float32.
        class_probabilities: (S, C) float32.
    """

    labels: np.ndarray
    class_ids: np.ndarray
    scores: np.ndarray
    class_probabilities: np.ndarray

    def __len__(self) -> int:
        return len(self.class_ids)

    def select(self, keep: np.ndarray) -> "LabelledSegments":
        """Only the segments where `keep`, (S,) bool, holds, numbered anew."""
        renumbered = np.append(np.where(keep, keep.cumsum() - 1, -1), -1).astype(np.int32)
        return LabelledSegments(
            renumbered[self.labels],  # label -1 takes the last entry
            self.class_ids[keep],
            self.scores[keep],
            self.class_probabilities[keep],
        )


def merge_arrays(
    mask_logits: np.ndarray,
    class_logits: np.ndarray,
    num_things: int,
    mask_threshold: float,
    overlap_threshold: float,
    side: int,
    crop: tuple[int, int],
) -> LabelledSegments:
    """Segments of one image; arguments and rule are those of `merge_panoptic`."""
    probabilities = softmax(class_logits.astype(np.float32))
    classes, scores = probabilities.argmax(1), probabilities.max(1)
    kept = np.flatnonzero((classes < class_logits.shape[1] - 1) & (scores > mask_threshold))
    found = LabelledSegments(
        np.full(crop, -1, np.int32), classes[kept], scores[kept], probabilities[kept, :-1]
    )
    if len(kept) == 0:
        return found
    logits = mask_logits[kept].astype(np.float32)
    won, mask_area = _compete(logits, found.scores, side, crop)
    pixels = np.bincount(won.ravel(), minlength=2 * len(kept)).reshape(-1, 2)
    valid = (pixels[:, 1] > 0) & (pixels.sum(1) >= overlap_threshold * mask_area)
    return _join(found, won, valid, num_things)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Over the last axis."""
    raised = np.exp(logits - logits.max(-1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True)


def _compete(
    mask_logits: np.ndarray, scores: np.ndarray, side: int, crop: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Which of K queries, mask logits (K, h, w) and scores (K,), wins each pixel.

    The logits are scaled to (side, side) and cropped. One query after the other, so that all
    stays in a core's cache; with OpenCV, whose masked copies are many times as fast as NumPy's.

    Returns twice the winner, and 1 more where the pixel is inside the winner's own mask, as small
    unsigned integers of `crop`'s size; and the area of each mask, (K,).
    """
    kind = np.min_scalar_type(2 * len(scores))
    won, least = np.zeros(crop, kind), np.full(crop, np.inf, np.float32)
    mask_area = np.empty(len(scores), np.int64)
    for query, negative in enumerate(_upsampled(-mask_logits, side, crop)):
        inside = cv2.compare(negative, 0, cv2.CMP_LE)
        mask_area[query] = cv2.countNonZero(inside)
        # of score / (1 + exp(-logit)), which is wanted at its largest, the inverse
        inverse = cv2.exp(negative)
        with np.errstate(over="ignore"):  # infinite where a mask certainly is not
            inverse += 1
            inverse /= scores[query]
        better = cv2.compare(inverse, least, cv2.CMP_LT)
        cv2.copyTo((inside & 1).astype(kind, copy=False) + kind.type(2 * query), better, won)
        cv2.copyTo(inverse, better, least)
    return won, mask_area


def _upsampled(logits: np.ndarray, side: int, crop: tuple[int, int]) -> Iterator[np.ndarray]:
    """Each of (K, h, w) scaled to (side, side) and cropped, by a whole factor.

    Only what the crop needs is scaled. The next one is written over the last.
    """
    height, width = crop
    factor = side // logits.shape[1]
    # one row and column more than is seen, to interpolate with
    logits = logits[:, : -(-height // factor) + 1, : -(-width // factor) + 1]
    size = logits.shape[2] * factor, logits.shape[1] * factor
    scaled = np.empty(size[::-1], np.float32)
    for one in logits:
        cv2.resize(one, size, dst=scaled, interpolation=cv2.INTER_LINEAR)
        yield scaled[:height, :width]


def _join(
    queries: LabelledSegments, won: np.ndarray, valid: np.ndarray, num_things: int
) -> LabelledSegments:
    """Segments of the valid ones of K queries: of one stuff class all together.

    `won` is as of `_compete`.
    """
    classes, scores = queries.class_ids, queries.scores
    segment = np.full((len(queries), 2), -1, np.int32)  # nothing outside a winner's own mask
    first_of_stuff: dict[int, int] = {}
    best: list[int] = []  # the best query of each segment
    leads: list[int] = []
    for query in np.flatnonzero(valid):
        is_stuff = classes[query] >= num_things
        index = first_of_stuff.setdefault(classes[query], len(leads)) if is_stuff else len(leads)
        if index == len(leads):
            leads.append(query)
            best.append(query)
        elif scores[query] > scores[best[index]]:
            best[index] = query
        segment[query, 1] = index
    merged = replace(queries, labels=segment.ravel().take(won))
    return replace(
        merged,
        class_ids=classes[leads],
        scores=scores[best],
        class_probabilities=queries.class_probabilities[best],
    )
