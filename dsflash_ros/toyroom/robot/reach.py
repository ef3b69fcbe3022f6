"""Up to where the robot's hand gets."""

from collections.abc import Sequence

import numpy as np

from dsflash_ros.errors import ToyroomError

REACH = 1.2
"""Horizontal distance from the base within which the hand gets everywhere, m."""

LOWEST, HIGHEST = -0.05, 1.6
"""Between these heights the hand gets, m; the floor is known to some centimetres only."""


def too_far(point: np.ndarray, place: np.ndarray) -> str:
    """Why the hand does not get to a point, (3,), from a place, (2,); empty where it does."""
    away = np.linalg.norm(point[:2] - place)
    if away > REACH:
        return f"out of reach: {away:.2f} m away, and the arm is {REACH:.2f} m long"
    return too_high(point)


def too_high(point: np.ndarray) -> str:
    """Why the hand gets to the height of a point, (3,), from nowhere; empty where it does."""
    if not LOWEST <= point[2] <= HIGHEST:
        heights = f"the hand gets from the floor to {HIGHEST:.2f} m"
        return f"out of reach: {point[2]:.2f} m high, and {heights}"
    return ""


def checked(point: Sequence[float]) -> np.ndarray:
    """The point as (3,) floats. Raises `ToyroomError` for anything else."""
    try:
        found = np.asarray(point, float)
    except (TypeError, ValueError):
        found = np.zeros(0)
    if found.shape != (3,) or not np.isfinite(found).all():
        raise ToyroomError(f"a point has three finite coordinates in metres, not {point}")
    return found
