"""Objects over time: what a tracker knows of each."""

import math
from dataclasses import dataclass, field, replace

import numpy as np

from dsflash_ros.graph.scene_graph import Node
from dsflash_ros.tracking.beliefs import Evidence, Shares, logit

BEGIN, END, MOST = 1.0, 0.5, 4.0
"""Log odds at which an object is believed to be there, no longer, and most of them.

The least are 0, so that one that comes back is believed as soon as a new one.
"""

MISSED = 1.2
"""Log odds that an object loses when its place is in view and no segment shows it."""

LASTING = 6
"""After so many observations an object is well known. Means reach back over as many."""

_HIDDEN = 0.3
"""An object of which less is expected to be in view, as a share of its area, is not missed."""


_MOVED_M = 0.3
"""Metres; a position this far from the mean of the former ones is a new one."""


@dataclass(eq=False)
class Track:
    """An object, seen now or before.

    Attributes:
        id: never used again.
        node: how it was seen last.
        first_seen, last_seen: seconds.
        area: pixels of the small image, when it was seen last.
        observations: in how many images it was seen.
        classes: what it was taken for.
        existence: whether it is there at all.
        believed: whether that held when it was seen last.
        appearance: (D,) of unit length, a mean of what was seen; None where that is not known.
        position: (3,) metres, a mean of what was measured; None where that is not known.
    """

    id: int
    node: Node
    first_seen: float
    last_seen: float
    area: int = 0
    observations: int = 0
    classes: Shares = field(default_factory=Shares)
    existence: Evidence = field(default_factory=Evidence)
    believed: bool = False
    appearance: np.ndarray | None = None
    position: np.ndarray | None = None

    def see(
        self,
        node: Node,
        stamp: float,
        area: int,
        appearance: np.ndarray | None,
        position: np.ndarray | None,
        smoothing: float,
    ) -> None:
        """Take an observation in. `smoothing`: see `TrackingOptions.track_smoothing`.

        The others are as the attributes.
        """
        self.node, self.last_seen = node, max(self.last_seen, stamp)
        self.area = area
        self.observations += 1
        self.classes.add(node.class_id, node.score, 1 / min(self.observations, 2 * smoothing))
        self.existence.add(0.5 + logit(node.score) / 4, MOST)
        self.believed = self.existence.decide(BEGIN, END)
        share = 1 / min(self.observations, LASTING)
        if appearance is not None:
            mixed = _mixed(self.appearance, appearance, share)
            self.appearance = mixed / max(float(np.linalg.norm(mixed)), 1e-6)
        if position is not None:
            has_moved = self._is_far(position)
            self.position = position if has_moved else _mixed(self.position, position, share)

    def _is_far(self, position: np.ndarray) -> bool:
        return self.position is not None and math.dist(position, self.position) > _MOVED_M

    def shown(self, node: Node, label: str, camera: tuple[float, float, float] | None) -> Node:
        """The node of an image as it is known over time.

        `label` is the name of its most likely class, `camera` the graph's `camera_position`.
        """
        place, distance = node.position, node.distance
        if place is not None and self.position is not None:
            place = tuple(self.position.tolist())
        if place is not None and camera is not None:
            distance = math.dist(place, camera)
        class_id = self.classes.best
        return replace(
            node,
            class_id=class_id,
            label=label,
            score=self.classes[class_id],
            position=place,
            distance=distance,
            track_id=self.id,
            first_seen=self.first_seen,
            last_seen=self.last_seen,
            observations=self.observations,
        )

    def miss(self, expected: int | None) -> None:
        """Take in that no segment shows it.

        `expected`: pixels of the small image that should; None where it is not known or out of it.
        """
        if expected is not None and expected >= _HIDDEN * self.area:
            self.existence.add(-MISSED, MOST)
            self.existence.decide(BEGIN, END)


def _mixed(before: np.ndarray | None, now: np.ndarray, share: float) -> np.ndarray:
    return now if before is None else (1 - share) * before + share * now
