"""Finding places: an item is put where it overlaps no other."""

from dataclasses import replace

import numpy as np

from dsflash_ros.toyroom.build import shell
from dsflash_ros.toyroom.build.scene import Item, turn_z
from dsflash_ros.toyroom.build.solids import extent

_TRIES = 25
_MARGIN = 0.03
"""Between items, metres."""


class FloorPlan:
    """A room in the making.

    Attributes:
        items: those that have their place; the first is the floor.
        width, depth, height: of the room, metres.
    """

    def __init__(
        self, random: np.random.Generator, width: float, depth: float, height: float
    ) -> None:
        self.random, self.items = random, []
        self.width, self.depth, self.height = width, depth, height
        self._boxes: list[np.ndarray] = []
        self._solid: list[bool] = []

    def add(self, item: Item, solid: bool = True) -> int:
        """Take an item as it is; returns its index. What is not `solid` is in nothing's way."""
        self.items.append(item)
        self._boxes.append(extent(item))
        self._solid.append(solid)
        return len(self.items) - 1

    def is_free(self, item: Item, without: tuple[int, ...] = (), margin: float = _MARGIN) -> bool:
        """Whether the item is within the room and overlaps no other but `without`."""
        low, high = extent(item)
        if (low < -0.005).any() or (
            high > (self.width + 0.005, self.depth + 0.005, self.height + 0.005)
        ).any():
            return False
        boxes = np.stack(self._boxes)
        # upwards without a margin: what stands on a rug or a table touches it
        near = (low[:2] < boxes[:, 1, :2] + margin) & (boxes[:, 0, :2] < high[:2] + margin)
        overlap = near.all(axis=1) & (low[2] + 0.02 < boxes[:, 1, 2]) & (boxes[:, 0, 2] < high[2])
        overlap &= np.array(self._solid)
        overlap[list(without)] = False
        return not overlap.any()

    def stand(
        self, item: Item, yaw: float | None = None, near: np.ndarray | None = None
    ) -> int | None:
        """Put it on the floor, maybe near a point; its index, None where there is no room."""
        for _ in range(_TRIES):
            if near is None:
                x, y = (
                    self.random.uniform(0.3, self.width - 0.3),
                    self.random.uniform(0.3, self.depth - 0.3),
                )
            else:
                x, y = near[:2] + self.random.normal(0, 0.6, 2)
            turn = self.random.uniform(-np.pi, np.pi) if yaw is None else yaw
            found = item.at(x, y, self.floor_at(x, y), turn)
            if self.is_free(found):
                return self.add(found)
        return None

    def against_wall(
        self, item: Item, gap: float = 0.03, side: int | None = None, jitter: float = 0.0
    ) -> int | None:
        """Put it with its back to a wall."""
        for _ in range(_TRIES):
            chosen = int(self.random.integers(4)) if side is None else side
            low, high = extent(replace(item, position=np.zeros(3), rotation=np.eye(3)))
            length = shell.lengths(self.width, self.depth)[chosen]
            reach = max(-low[1], high[1]) + 0.05
            if 2 * reach > length:
                continue
            along = self.random.uniform(reach, length - reach) / length
            found = shell.on_wall(item, chosen, along, 0.0, self.width, self.depth)
            inward = found.rotation @ np.array([gap - low[0], 0, 0])
            found = replace(found, position=found.position + inward)
            found = replace(found, rotation=found.rotation @ turn_z(self.random.normal(0, jitter)))
            if self.is_free(found):
                return self.add(found)
        return None

    def hang(
        self, item: Item, low: float, high: float, walls: list[int], fastening: str
    ) -> int | None:
        """Fasten it to a wall, its origin between these heights."""
        for _ in range(_TRIES):
            side = int(self.random.integers(4))
            placed = shell.on_wall(
                item, side, self.random.uniform(0.1, 0.9), 0, self.width, self.depth
            )
            placed = replace(
                placed, position=placed.position + (0, 0, self.random.uniform(low, high))
            )
            if self.is_free(placed, margin=0.06):
                return self.add(replace(placed, holder=walls[side], fastening=fastening))
        return None

    def put_on(self, item: Item, support: int, yaw: float | None = None) -> int | None:
        """Put it on one of the support's tops, or into it."""
        base = self.items[support]
        low, high = extent(item)
        half = (high - low)[:2].max() / 2
        for _ in range(_TRIES):
            if len(base.tops) == 0:
                return None
            x0, y0, x1, y1, z = base.tops[self.random.integers(len(base.tops))]
            if x1 - x0 < 1.2 * half or y1 - y0 < 1.2 * half:
                continue
            inset = min(half, (x1 - x0) / 2.001, (y1 - y0) / 2.001)
            at = (
                self.random.uniform(x0 + inset, x1 - inset),
                self.random.uniform(y0 + inset, y1 - inset),
                z,
            )
            x, y, height = base.to_world(np.array(at))
            turn = (
                self.random.uniform(-np.pi, np.pi)
                if yaw is None
                else yaw + np.arctan2(*base.rotation[1::-1, 0])
            )
            found = item.at(x, y, height + (0.003 if item.moves else 0.0), turn)
            if self.is_free(found, without=(support,), margin=0.015) and not self._in_board(
                found, base
            ):
                return self.add(found)
        return None

    def _in_board(self, item: Item, base: Item) -> bool:
        """Whether the item is too high for the compartment of a shelf that it is put in."""
        if base.name != "shelf" or base.cavity is None:
            return False
        low, high = extent(item)
        above = [
            z + base.position[2] - 0.03
            for z in base.tops[:, 4]
            if z + base.position[2] > low[2] + 0.05
        ]
        return bool(above) and high[2] > min(above)

    def floor_at(self, x: float, y: float) -> float:
        """Height of the floor at a point, or of a rug that lies there."""
        for item, box in zip(self.items, self._boxes, strict=True):
            if (
                item.name == "rug-merged"
                and (box[0, :2] < (x, y)).all()
                and (box[1, :2] > (x, y)).all()
            ):
                return float(box[1, 2])
        return 0.0
