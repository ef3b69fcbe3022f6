"""The floor plan of a room: finds places where an item overlaps no other."""

from dataclasses import replace

import numpy as np

from dsflash_ros.toyroom.build import shell
from dsflash_ros.toyroom.build.scene import Item
from dsflash_ros.toyroom.build.solids import extent

_TRIES = 25
"""How many places an item tries before it is left out."""

_MARGIN = 0.03
"""Distance kept between items, m."""

_BOARD_THICKNESS = 0.03
"""Of a bookcase, m."""


class FloorPlan:
    """A room that is being furnished.

    The methods that look for a place add the item there and return its index, or None if they find
    no place for it.

    Attributes:
        random: draws the places.
        items: the items that have a place; the first is the floor.
        width, depth, height: size of the room along x, y and z, m.
    """

    def __init__(
        self, random: np.random.Generator, width: float, depth: float, height: float
    ) -> None:
        self.random = random
        self.items: list[Item] = []
        self.width, self.depth, self.height = width, depth, height
        self._boxes: list[np.ndarray] = []
        self._is_obstacle: list[bool] = []

    def add(self, item: Item, is_obstacle: bool = True) -> int:
        """Add an item where it is; returns its index. Others may overlap what is no obstacle."""
        self.items.append(item)
        self._boxes.append(extent(item))
        self._is_obstacle.append(is_obstacle)
        return len(self.items) - 1

    def is_free(self, item: Item, without: tuple[int, ...] = (), margin: float = _MARGIN) -> bool:
        """Whether an item is inside the room and overlaps no obstacle but those in `without`."""
        low, high = extent(item)
        size = np.array([self.width, self.depth, self.height])
        if (low < -0.005).any() or (high > size + 0.005).any():
            return False
        boxes = np.stack(self._boxes)
        # no margin along z: what stands on a rug or a table touches it
        near = (low[:2] < boxes[:, 1, :2] + margin) & (boxes[:, 0, :2] < high[:2] + margin)
        overlap = near.all(axis=1) & (low[2] + 0.02 < boxes[:, 1, 2]) & (boxes[:, 0, 2] < high[2])
        overlap &= np.array(self._is_obstacle)
        overlap[list(without)] = False
        return not overlap.any()

    def stand(self, item: Item, yaw: float | None = None) -> int | None:
        """Put an item on the floor, turned by `yaw` radians or at random."""
        for _ in range(_TRIES):
            x = self.random.uniform(0.3, self.width - 0.3)
            y = self.random.uniform(0.3, self.depth - 0.3)
            turn = self.random.uniform(-np.pi, np.pi) if yaw is None else yaw
            placed = item.at(x, y, self.floor_at(x, y), turn)
            if self.is_free(placed):
                return self.add(placed)
        return None

    def against_wall(self, item: Item, gap: float = 0.03) -> int | None:
        """Put an item on the floor with its back to a wall, `gap` metres away from it."""
        low, high = extent(replace(item, position=np.zeros(3), rotation=np.eye(3)))
        reach = max(-low[1], high[1]) + 0.05
        for _ in range(_TRIES):
            side = int(self.random.integers(4))
            length = shell.lengths(self.width, self.depth)[side]
            if 2 * reach > length:
                continue
            along = self.random.uniform(reach, length - reach) / length
            placed = shell.on_wall(item, side, along, 0.0, self.width, self.depth)
            inward = placed.rotation @ np.array([gap - low[0], 0, 0])
            placed = replace(placed, position=placed.position + inward)
            self.random.normal()  # unused, but without this draw the rooms of all seeds change
            if self.is_free(placed):
                return self.add(placed)
        return None

    def hang(
        self, item: Item, low: float, high: float, walls: list[int], fastening: str
    ) -> int | None:
        """Fasten an item to a wall, with its origin between the heights `low` and `high`."""
        for _ in range(_TRIES):
            side = int(self.random.integers(4))
            along = self.random.uniform(0.1, 0.9)
            z = self.random.uniform(low, high)
            placed = shell.on_wall(item, side, along, z, self.width, self.depth)
            if self.is_free(placed, margin=0.06):
                return self.add(replace(placed, holder=walls[side], fastening=fastening))
        return None

    def put_on(self, item: Item, support: int) -> int | None:
        """Put an item on one of the tops of the item with index `support`, or into it."""
        base = self.items[support]
        if len(base.tops) == 0:
            return None
        low, high = extent(item)
        half = (high - low)[:2].max() / 2
        for _ in range(_TRIES):
            x0, y0, x1, y1, z = base.tops[self.random.integers(len(base.tops))]
            if x1 - x0 < 1.2 * half or y1 - y0 < 1.2 * half:
                continue
            inset = min(half, (x1 - x0) / 2.001, (y1 - y0) / 2.001)
            x = self.random.uniform(x0 + inset, x1 - inset)
            y = self.random.uniform(y0 + inset, y1 - inset)
            x, y, height = base.to_world(np.array((x, y, z)))
            turn = self.random.uniform(-np.pi, np.pi)
            if item.moves:
                height += 0.003  # or it would start inside what it falls on
            placed = item.at(x, y, height, turn)
            fits = self.is_free(placed, without=(support,), margin=0.015)
            if fits and not _hits_board(placed, base):
                return self.add(placed)
        return None

    def floor_at(self, x: float, y: float) -> float:
        """Height of the floor at a point, or of the rug that lies there, m."""
        for item, (low, high) in zip(self.items, self._boxes, strict=True):
            is_inside = (low[:2] < (x, y)).all() and (high[:2] > (x, y)).all()
            if item.name == "rug-merged" and is_inside:
                return float(high[2])
        return 0.0


def _hits_board(item: Item, base: Item) -> bool:
    """Whether an item is too high for the compartment of the bookcase that it is put in."""
    if base.name != "shelf" or base.cavity is None:
        return False
    low, high = extent(item)
    boards = base.tops[:, 4] + base.position[2]
    above = boards[boards > low[2] + 0.05] - _BOARD_THICKNESS
    return bool(len(above)) and high[2] > above.min()
