"""How far the positions of objects are from where they are."""

import math
from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from dsflash_ros.graph.scene_graph import Node, SceneGraph

NEAR_M, FAR_M = 1.5, 2.5
"""Errors are told of objects at this distance from the camera."""

_OFTEN = 10
"""Frames; the spread is told of objects that were seen so often."""


class PositionErrors:
    """Positions of tracked objects beside those of their true masks and depth."""

    def __init__(self) -> None:
        self._errors: list[float] = []
        self._places: dict[int, list] = defaultdict(list)

    def add(self, truth: SceneGraph, graph: SceneGraph, same: Iterable[tuple[Node, Node]]) -> None:
        """Count a frame; `same` are true things and the nodes that show them.

        Nothing counts where both do not have positions in the same frame.
        """
        if not truth.position_frame or truth.position_frame != graph.position_frame:
            return
        for real, found in same:
            if not real.is_thing or real.position is None or found.position is None:
                continue
            self._places[real.track_id].append(found.position)
            if NEAR_M <= real.distance <= FAR_M:
                self._errors.append(math.dist(real.position, found.position))

    def results(self) -> dict[str, float] | None:
        """Metres: `median` and `90 %` of the errors, and `spread`, None where nothing was measured.

        The spread of an object is the median distance of its positions from their median; told is
        the median over objects.
        """
        if not self._errors:
            return None
        spreads = [
            np.median(np.linalg.norm(np.array(places) - np.median(places, 0), axis=1))
            for places in self._places.values()
            if len(places) >= _OFTEN
        ]
        return {
            "median": float(np.median(self._errors)),
            "90 %": float(np.percentile(self._errors, 90)),
            "spread": float(np.median(spreads)) if spreads else None,
        }
