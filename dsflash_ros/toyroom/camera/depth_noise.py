"""Depth as a depth camera measures it."""

import cv2
import numpy as np

FARTHEST_M = 6.0
_NOISE = 0.0025
"""Standard deviation at 1 m, metres; it grows with the square of the distance (Khoshelham &
Elberink, Sensors 2012)."""

_BLEEDING_PX = 5
_EDGE = 0.03
"""A jump in depth, as a share of it, across which front and back are mixed."""

_HOLE_PX, _HOLES = 8, 0.06
"""Side of a hole, and the share of the image that has none of its depth."""


def measured_depth(depth: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Depth with noise, holes, a farthest distance, and edges where front and back are mixed.

    (H, W) float32 metres to the same, 0 where nothing is measured.
    """
    mean = cv2.blur(depth, (_BLEEDING_PX, _BLEEDING_PX))
    mixed = np.where(np.abs(mean - depth) > _EDGE * depth, mean, depth)
    noisy = mixed + random.normal(0, _NOISE, depth.shape) * mixed**2
    height, width = depth.shape
    holes = random.random((-(-height // _HOLE_PX), -(-width // _HOLE_PX))) < _HOLES
    holes = np.kron(holes, np.ones((_HOLE_PX, _HOLE_PX), bool))[:height, :width]
    noisy[holes | (depth <= 0) | (noisy > FARTHEST_M) | (noisy < 0)] = 0
    return noisy.astype(np.float32)
