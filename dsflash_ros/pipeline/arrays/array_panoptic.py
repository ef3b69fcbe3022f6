"""Panoptic merging by the rule of `merge_panoptic`, on NumPy's arrays."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

ROWS_AT_ONCE = 16
"""Rows of the label map that are merged together, so that they stay in a core's cache."""


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
    logits = _upsample(mask_logits[kept].astype(np.float32), side, crop)
    winner, won_inside, mask_area = _compete(logits, found.scores)
    pixels = np.bincount(2 * winner.ravel() + won_inside.ravel(), minlength=2 * len(kept))
    own_area, won_area = pixels[1::2], pixels.reshape(-1, 2).sum(1)
    valid = (own_area > 0) & (won_area >= overlap_threshold * mask_area)
    return _join(found, np.where(won_inside, winner, -1), valid, num_things)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Over the last axis."""
    raised = np.exp(logits - logits.max(-1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True)


def _upsample(logits: np.ndarray, side: int, crop: tuple[int, int]) -> np.ndarray:
    """Scale (K, h, w) to (side, side) and crop; by a whole factor only what the crop needs."""
    height, width = crop
    factor = side // logits.shape[1]
    if factor == 1:
        return logits[:, :height, :width]
    # one row and column more than is seen, to interpolate with
    logits = logits[:, : -(-height // factor) + 1, : -(-width // factor) + 1]
    size = logits.shape[2] * factor, logits.shape[1] * factor
    scaled = [cv2.resize(one, size, interpolation=cv2.INTER_LINEAR) for one in logits]
    return np.stack([one[:height, :width] for one in scaled])


def _compete(logits: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which of K queries, mask logits (K, h, w) and scores (K,), wins each pixel.

    Returns the winner, (h, w) int32; whether the pixel is inside the winner's own mask, (h, w)
    bool; and the area of each mask, (K,).
    """
    winner = np.empty(logits.shape[1:], np.int32)
    won_inside = np.empty(logits.shape[1:], bool)
    mask_area = np.zeros(len(scores), np.int64)
    for start in range(0, logits.shape[1], ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        band = logits[:, rows]
        inside = band >= 0
        mask_area += inside.sum((1, 2))
        # of score / (1 + exp(-logit)), which is wanted at its largest, the inverse
        with np.errstate(over="ignore"):  # infinite where a mask certainly is not
            inverse = (1 + np.exp(-band)) / scores[:, None, None]
        winner[rows] = first = inverse.argmin(0)
        won_inside[rows] = np.take_along_axis(inside, first[None], 0)[0]
    return winner, won_inside, mask_area


def _join(
    queries: LabelledSegments, won: np.ndarray, valid: np.ndarray, num_things: int
) -> LabelledSegments:
    """Segments of the valid ones of K queries: of one stuff class all together.

    `won` is (h, w): the query that a pixel belongs to, or -1.
    """
    classes, scores = queries.class_ids, queries.scores
    segment = np.full(len(queries) + 1, -1, np.int32)  # label -1 takes the last entry
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
        segment[query] = index
    merged = replace(queries, labels=segment[won])
    return replace(
        merged,
        class_ids=classes[leads],
        scores=scores[best],
        class_probabilities=queries.class_probabilities[best],
    )
