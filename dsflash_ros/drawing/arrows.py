"""Arrows between the labels of a picture, which find a way around the others."""

import cv2
import numpy as np

from dsflash_ros.drawing.colours import BLACK, WHITE
from dsflash_ros.drawing.lettering import Box

_SHIFT = 4
"""Lines are drawn in sixteenths of a pixel; whole ones would make curves ragged."""

_BENDS = np.array([0.15, 0.35, 0.05, 0.7, 1.2])
"""How far arrows swerve to the right, as a share of their length, the best first.

All to the same side, so that one back lies on the other side.
"""

_POINTS = 25
_HEAD_POINTS = 3
"""Those at the end that are covered by the head, which must be seen more than the rest."""


def find_way(start: Box, end: Box, taken: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The visible part of a curve from box to box: (N, 2) x and y, N >= 2.

    Of several curves it is the one that other boxes hide least and that stays in the picture.

    Args:
        start, end: labels; a point where there is none.
        taken: (M, 4) x0, y0, x1, y1 of all labels, those two or not.
        shape: of the picture, (height, width, ...).
    """
    curves = _curves(np.array(start.centre), np.array(end.centre))
    hidden = _inside(curves, taken) & ~_touches(taken, start, end)
    seen = ~_inside(curves, np.array([start, end])).any(axis=2)
    size = np.array([shape[1], shape[0]])
    bad = hidden.any(axis=2) | ((curves < 0) | (curves >= size)).any(axis=2)
    weights = np.ones(seen.shape)
    for number, row in enumerate(seen):
        weights[number, np.flatnonzero(row)[-_HEAD_POINTS:]] = 8.0
    too_short = _length(curves, seen) < 3 * head_size(shape)
    cost = (bad * seen * weights).sum(axis=1) + 100 * too_short
    best = int(cost.argmin())
    visible = curves[best][seen[best]]
    if len(visible) < 2:  # one box is within the other
        return curves[best][[_POINTS // 2, _POINTS // 2 + 1]]
    return visible


def draw_arrow(picture: np.ndarray, way: np.ndarray, width: int) -> None:
    """Draw an arrow along the way, (N, 2), white with a black edge, its tip at the way's end."""
    size = head_size(picture.shape)
    tip = way[-1]
    back = way[np.linalg.norm(way - tip, axis=1) >= 0.8 * size]
    base = back[-1] if len(back) else way[0]
    direction = (tip - base) / max(np.linalg.norm(tip - base), 1e-9)
    across = np.array([-direction[1], direction[0]])
    head_base, half = tip - size * direction, 0.45 * size * across
    head = _subpixels(np.array([tip, head_base + half, head_base - half]))
    shaft = _subpixels(np.vstack([back if len(back) else way[:1], tip - 0.5 * size * direction]))
    for colour, thickness in ((BLACK, width + 2), (WHITE, width)):
        cv2.polylines(picture, [shaft], False, colour, thickness, cv2.LINE_AA, _SHIFT)
        cv2.polylines(picture, [head], True, colour, thickness, cv2.LINE_AA, _SHIFT)
        cv2.fillPoly(picture, [head], colour, cv2.LINE_AA, _SHIFT)


def head_size(shape: tuple[int, ...]) -> float:
    """Length of an arrow's head in a picture of that shape, pixels."""
    return max(6.0, min(shape[:2]) / 55)


def _curves(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(bends, points, 2)."""
    way = b - a
    length = np.linalg.norm(way)
    aside = np.array([-way[1], way[0]]) if length > 1 else np.array([0.0, 60.0])
    middles = (a + b) / 2 + _BENDS[:, None] * aside
    t = np.linspace(0, 1, _POINTS)[:, None]
    return (1 - t) ** 2 * a + 2 * t * (1 - t) * middles[:, None] + t**2 * b


def _inside(curves: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(bends, points, boxes) bool."""
    x, y = np.moveaxis(curves, 2, 0)[..., None]
    x0, y0, x1, y1 = boxes.reshape(-1, 4).T
    return (x >= x0) & (x < x1) & (y >= y0) & (y < y1)


def _touches(taken: np.ndarray, start: Box, end: Box) -> np.ndarray:
    """(M,) bool: which of the boxes are the two ends."""
    taken = taken.reshape(-1, 4)
    return (taken == np.array(start)).all(axis=1) | (taken == np.array(end)).all(axis=1)


def _length(curves: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(bends,) pixels that are to be seen."""
    steps = np.linalg.norm(np.diff(curves, axis=1), axis=2)
    return (steps * (seen[:, 1:] & seen[:, :-1])).sum(axis=1)


def _subpixels(points: np.ndarray) -> np.ndarray:
    return (points * (1 << _SHIFT)).astype(np.int32)
