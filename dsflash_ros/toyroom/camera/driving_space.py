"""The space of a room that a robot's camera can drive through, and the ways through it."""

import heapq
from collections.abc import Sequence

import cv2
import numpy as np

from dsflash_ros.errors import ToyroomError
from dsflash_ros.toyroom.physics.simulation import Simulation

CLEARANCE = 0.3
"""Distance that the camera keeps from everything, m."""

_LOWEST_OBSTACLE = 0.1
"""Height up to which the robot drives over things, such as rugs, m."""

_CELL = 0.05
"""Side of a cell of the map, m."""

_NEIGHBOURS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))


class DrivingSpace:
    """A map of where the camera may be, in square cells.

    Attributes:
        clearance: (X, Y) distance from the middle of each cell to the nearest obstacle, m.
        free: (X, Y) bool, the largest connected space in which the clearance is kept, with two
            cells to spare.
    """

    def __init__(
        self,
        simulation: Simulation,
        camera_height: float,
        without: Sequence[int] = (),
        clearance: float = CLEARANCE,
    ) -> None:
        """Map a room whose first item is the floor.

        Args:
            simulation: the settled room.
            camera_height: up to where, and `clearance` more, things are in the way, m.
            without: indexes of items that are not in the way.
            clearance: distance to keep from everything, m.

        Raises:
            ToyroomError: no cell is free.
        """
        extents = simulation.extents()
        bottoms, tops = extents[:, 0, 2], extents[:, 1, 2]
        is_obstacle = (bottoms < camera_height + clearance) & (tops > _LOWEST_OBSTACLE)
        is_obstacle[list(without)] = False
        self._floor = extents[0, :, :2]
        self._boxes = extents[is_obstacle][:, :, :2]
        cells = np.ceil((self._floor[1] - self._floor[0]) / _CELL).astype(int)
        self.clearance = self.clearance_at(self.place(np.stack(np.indices(cells), -1)))
        free = (self.clearance > clearance + 2 * _CELL).astype(np.uint8)
        parts, labels = cv2.connectedComponents(free, connectivity=4)
        if parts < 2:
            raise ToyroomError(
                f"there is no room to drive: no place is {clearance} m away from everything"
            )
        sizes = np.bincount(labels.ravel())
        self.free = labels == 1 + sizes[1:].argmax()

    def place(self, cells: np.ndarray) -> np.ndarray:
        """The middles of cells: (..., 2) m for (..., 2) int."""
        return self._floor[0] + (cells + 0.5) * _CELL

    def nearest(self, place: np.ndarray) -> tuple[int, int]:
        """The free cell that is nearest to a place, (2,) m."""
        cells = np.argwhere(self.free)
        x, y = cells[np.linalg.norm(self.place(cells) - place, axis=1).argmin()].tolist()
        return x, y

    def clearance_at(self, places: np.ndarray) -> np.ndarray:
        """Distance from places, (..., 2), to the nearest obstacle or edge of the floor, (...) m."""
        to_edge = np.minimum(places - self._floor[0], self._floor[1] - places).min(-1)
        low, high = self._boxes[:, 0], self._boxes[:, 1]
        outside = np.maximum(np.maximum(low - places[..., None, :], places[..., None, :] - high), 0)
        return np.minimum(to_edge, np.linalg.norm(outside, axis=-1).min(-1, initial=np.inf))

    def route(self, start: tuple[int, int], end: tuple[int, int]) -> np.ndarray:
        """Find the shortest way between two free cells, by Dijkstra's algorithm.

        Narrow places count for longer than they are: a step costs its length times
        1 + `CLEARANCE` / clearance.

        Returns:
            (K, 2) int, the cells of the way, start and end included.
        """
        effort, came_from = {start: 0.0}, {}
        queue = [(0.0, start)]
        while queue:
            so_far, cell = heapq.heappop(queue)
            if cell == end:
                break
            if so_far > effort[cell]:
                continue
            for dx, dy in _NEIGHBOURS:
                other = cell[0] + dx, cell[1] + dy
                if not self.free[other]:  # so no way leads out of the map, whose edge is not free
                    continue
                further = so_far + np.hypot(dx, dy) * (1 + CLEARANCE / self.clearance[other])
                if further < effort.get(other, np.inf):
                    effort[other], came_from[other] = further, cell
                    heapq.heappush(queue, (further, other))
        way = [end]
        while way[-1] != start:
            way.append(came_from[way[-1]])
        return np.array(way[::-1])
