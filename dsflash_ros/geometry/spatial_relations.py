"""Relations that follow from where things are, without learning."""

import numpy as np

from dsflash_ros.graph.scene_graph import GEOMETRIC, Node, Relation, SceneGraph

PREDICATES = (
    "left of",
    "right of",
    "above",
    "below",
    "nearer than",
    "near",
    "inside the outline of",
    "on top of",
    "inside",
)
"""Their ids in `Relation.predicate_id` begin with `FIRST_ID`, as no vocabulary has them."""

FIRST_ID = 0x8000

MOST_NODES = 30
"""Of more things, the largest are related."""

NEAR_M = 1.0
"""Two things are near when they are so close, metres."""

_APART = 0.1
"""Depths differ when one distance is so much smaller, as a share."""

_GAP_M = 0.08
"""So far, at most, the bottom of a thing is from the top of what it is on."""


def relate(graph: SceneGraph, up: np.ndarray | None = None) -> tuple[Relation, ...]:
    """The geometric relations between the things of a graph; scores say how clearly they hold.

    In the image: left of, right of, above, below (their boxes do not overlap along that axis), and
    inside the outline of (box within box). With positions: nearer than (to the camera), and near
    (the score falls from 1 to 0.5 at `NEAR_M`). With `up`: on top of, and inside.

    Args:
        graph: with boxes, and positions where they are known.
        up: (3,) the direction away from gravity, of unit length, in the frame of the positions;
            None where that is not known.
    """
    things = sorted((n for n in graph.nodes if n.is_thing), key=lambda n: -n.area)[:MOST_NODES]
    found = []
    for a in things:
        for b in things:
            if a is not b:
                found += [_relation(a, b, name, score) for name, score in _between(a, b, up)]
    found.sort(key=lambda relation: -relation.score)
    return tuple(found)


def _relation(a: Node, b: Node, name: str, score: float) -> Relation:
    return Relation(a.id, b.id, FIRST_ID + PREDICATES.index(name), name, score, GEOMETRIC)


def _between(a: Node, b: Node, up: np.ndarray | None) -> list[tuple[str, float]]:
    """What holds of a towards b."""
    found = _in_image(a, b)
    if a.position is None or b.position is None:
        return found
    nearness = a.distance / max(b.distance, 1e-6)
    if nearness < 1 - _APART:
        found.append(("nearer than", 1.0 - 0.5 * nearness))
    gap = _gap(a, b)
    if gap <= NEAR_M:
        found.append(("near", 1.0 - 0.5 * gap / NEAR_M))
    if up is not None:
        found += _in_space(a, b, up)
    return found


def _in_image(a: Node, b: Node) -> list[tuple[str, float]]:
    (ax0, ay0, ax1, ay1), (bx0, by0, bx1, by1) = a.box, b.box
    beside, over = min(ay1, by1) > max(ay0, by0), min(ax1, bx1) > max(ax0, bx0)
    found = []
    if ax1 <= bx0 and beside:
        found.append(("left of", 1.0))
    if bx1 <= ax0 and beside:
        found.append(("right of", 1.0))
    if ay1 <= by0 and over:
        found.append(("above", 1.0))
    if by1 <= ay0 and over:
        found.append(("below", 1.0))
    if bx0 <= ax0 and by0 <= ay0 and ax1 <= bx1 and ay1 <= by1 and a.box != b.box:
        found.append(("inside the outline of", 1.0))
    return found


def _ends(node: Node) -> tuple[np.ndarray, np.ndarray]:
    """Low and high corner of what is seen of it, (3,) metres each."""
    position, extent = np.asarray(node.position), np.asarray(node.extent)
    return position - extent / 2, position + extent / 2


def _gap(a: Node, b: Node) -> float:
    """Metres between two boxes in space; 0 where they touch."""
    (a_low, a_high), (b_low, b_high) = _ends(a), _ends(b)
    apart = np.maximum(np.maximum(a_low - b_high, b_low - a_high), 0)
    return float(np.linalg.norm(apart))


def _in_space(a: Node, b: Node, up: np.ndarray) -> list[tuple[str, float]]:
    """On top of, and inside, where `up` is along an axis of the frame or nearly so."""
    axis = int(np.abs(up).argmax())
    sign = 1.0 if up[axis] > 0 else -1.0
    (a_low, a_high), (b_low, b_high) = _ends(a), _ends(b)
    middle = np.asarray(a.position)
    level = [other for other in range(3) if other != axis]
    within = all(b_low[i] <= middle[i] <= b_high[i] for i in level)
    if not within:
        return []
    bottom, top = sorted((sign * a_low[axis], sign * a_high[axis]))
    floor, ceiling = sorted((sign * b_low[axis], sign * b_high[axis]))
    if abs(bottom - ceiling) <= _GAP_M and top > ceiling:
        return [("on top of", 1.0 - 0.5 * abs(bottom - ceiling) / _GAP_M)]
    if floor <= bottom and top <= ceiling:
        return [("inside", 1.0)]
    return []
