"""How shapes relate: one predicate at most for each directed pair, from the geometry alone."""

import numpy as np

from dsflash_ros.graph.label_maps import label_boxes

PREDICATES = ("inside", "in front of", "on", "above", "beside", "larger than")
_INSIDE, _IN_FRONT, _ON, _ABOVE, _BESIDE, _LARGER = range(6)

SKY, GROUND = 6, 7
"""Class ids; the things' are below."""

_NEAR = 0.1
"""Gap between shapes that are near each other, over the picture's longer side."""


def relate(masks: list[np.ndarray], labels: np.ndarray, class_ids: np.ndarray) -> np.ndarray:
    """For each directed pair the first predicate that holds, if any: (R, 3) int64.

    Args:
        masks: (H, W) bool of each whole thing, also of what others hide; in the order drawn.
        labels: (H, W) int32, index of the segment; the things come first.
        class_ids: (S,) int64.

    Between things a and b, by their visible boxes:
        a inside b        a covers a part of b, and its box lies within b's
        a in front of b   a covers a part of b
        a on b            the lowest pixels of a lie right above a pixel of b
        a above b         a ends above b's beginning; they share columns and are near each other
        a beside b        they share rows, no columns, and are near each other
        a larger than b   a shows at least three times the pixels of b, and they are near each other

    Near: the gap between the boxes, in x and in y, is less than a tenth of the picture's longer
    side. A thing is on the ground when its lowest pixels lie right above a pixel of it. Stuff is
    never a subject.
    """
    boxes = label_boxes(labels, len(class_ids))
    areas = np.bincount(labels.reshape(-1), minlength=len(class_ids))
    relations = []
    for a, whole in enumerate(masks):
        rests_on = _rests_on(a, labels, boxes[a, 3])
        for b, class_id in enumerate(class_ids):
            if a == b or class_id == SKY:
                continue
            if class_id == GROUND:
                predicate = _ON if b in rests_on else None
            else:
                covers = b < a and bool((whole & masks[b]).any())
                near = _gap(boxes[a], boxes[b]) < _NEAR * max(labels.shape)
                predicate = _between_things(
                    boxes[a], boxes[b], areas[a], areas[b], covers, b in rests_on, near
                )
            if predicate is not None:
                relations.append((a, b, predicate))
    return np.array(relations, np.int64).reshape(-1, 3)


def _rests_on(thing: int, labels: np.ndarray, bottom: int) -> set[int]:
    """The segments right below a thing's lowest pixels, whose row is above `bottom`."""
    if bottom == len(labels):
        return set()
    return set(labels[bottom][labels[bottom - 1] == thing].tolist())


def _between_things(
    a: np.ndarray,
    b: np.ndarray,
    area_a: int,
    area_b: int,
    a_covers_b: bool,
    a_rests_on_b: bool,
    near: bool,
) -> int | None:
    """The predicate between two things; `a` and `b` are their boxes."""
    share_columns, share_rows = a[0] < b[2] and b[0] < a[2], a[1] < b[3] and b[1] < a[3]
    holds = {
        _INSIDE: a_covers_b and (a[:2] >= b[:2]).all() and (a[2:] <= b[2:]).all(),
        _IN_FRONT: a_covers_b,
        _ON: a_rests_on_b,
        _ABOVE: near and a[3] <= b[1] and share_columns,
        _BESIDE: near and share_rows and not share_columns,
        _LARGER: near and area_a >= 3 * area_b,
    }
    return next((predicate for predicate, is_true in holds.items() if is_true), None)


def _gap(a: np.ndarray, b: np.ndarray) -> int:
    """Pixels between two boxes, in x or in y, whichever is more; negative where they overlap."""
    return int(np.maximum(a[:2] - b[2:], b[:2] - a[2:]).max())
