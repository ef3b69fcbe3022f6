"""The way of a mobile robot's camera through a room: round and round, past people and furniture."""

import heapq
from collections.abc import Iterator
from itertools import count

import cv2
import numpy as np

from dsflash_ros.errors import ToyroomError
from dsflash_ros.toyroom.build.rooms import settled_room
from dsflash_ros.toyroom.build.scene import Camera
from dsflash_ros.toyroom.camera.rendering import Renderer
from dsflash_ros.toyroom.camera.shots import Shot
from dsflash_ros.toyroom.physics.facts import facts_of
from dsflash_ros.toyroom.physics.simulation import Simulation
from dsflash_ros.toyroom.truth.image_truth import truth_of

CLEARANCE = 0.3
"""m; the camera comes no nearer to anything."""

SPEED, TURN = 0.5, 0.7
"""m/s and rad/s; it moves and turns no faster."""

_HEIGHTS = (0.6, 1.3)
_LOWEST_OBSTACLE = 0.1
"""m; it drives over rugs."""

_CELL, _STEP = 0.05, 0.01
"""m, of the map and of the tour."""

_NEAREST, _FARTHEST = 1.0, 3.0
"""m, from where it looks at something."""

_DWELL = 0.5
"""m of the tour that are spent standing where it looks at something."""

_GAZE_WINDOW, _TIME_WINDOW = 1.0, 0.3
"""m of the tour over which its gaze and its speed change."""

_ROOMS = 20
_DRIVES = 0xD1
"""Keeps the random numbers of drives apart from those of rooms."""

_STEEPEST = np.radians(25)
"""Highest pitch of the camera."""


def drive_views(seed: int, rate_hz: float, width: int = 640, height: int = 480) -> Iterator[Shot]:
    """What the camera sees on an endless drive through a room: the first of the seed that can be
    driven through.

    Raises:
        ToyroomError: the machine cannot render, or none of the seed's first rooms can be driven
            through.
    """
    for index in range(_ROOMS):
        simulation, _ = settled_room(seed, index)
        try:
            cameras = drive(
                np.random.default_rng((seed, index, _DRIVES)), simulation, rate_hz, width, height
            )
            break
        except ToyroomError:
            if index == _ROOMS - 1:
                raise
    facts = facts_of(simulation)
    with Renderer(simulation, width, height) as renderer:
        for camera in cameras:
            frame = renderer.frame(camera)
            yield Shot(camera, frame, truth_of(facts, frame, camera))


def drive(
    random: np.random.Generator,
    simulation: Simulation,
    rate_hz: float,
    width: int = 640,
    height: int = 480,
    views: int = 6,
) -> Iterator[Camera]:
    """The cameras of an endless drive: a closed tour past up to `views` people and pieces of
    furniture, over and over.

    Position and gaze are smooth also where the tour begins again. The camera is held level, at a
    height that a robot would have it at, never inside an item's box nor nearer than `CLEARANCE` to
    it, and within the floor.

    Args:
        random: chooses height, what to look at, and from where.
        simulation: the settled room; its first item is the floor.
        rate_hz: cameras a second.

    Raises:
        ToyroomError: there is no room to drive, or nothing to look at.
    """
    eye = random.uniform(*_HEIGHTS)
    space = _Space(simulation, eye)
    stands, targets = _views(random, simulation, space, eye, views)
    route, gaze = _tour(space, stands, targets)
    positions = _smooth_route(space, route)
    angles = _angles(positions, gaze, eye)
    times, turns = _times(angles)
    states = np.hstack((positions, angles))
    states = np.vstack((states, states[0] + np.array([0, 0, turns, 0])))

    def camera(seconds: float) -> Camera:
        x, y, yaw, pitch = (np.interp(seconds % times[-1], times, state) for state in states.T)
        place = np.array([x, y, eye])
        forward = (np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch))
        return Camera.looking_at(place, place + forward, width=width, height=height)

    return (
        camera(tick / rate_hz) for tick in count()
    )  # errors come before the first one is asked for


class _Space:
    """Where the camera may be, at the height `eye`.

    Attributes:
        clearance: (X, Y) m, from the middle of each cell to the nearest obstacle.
        free: (X, Y) bool, the largest connected space with some clearance to spare.
    """

    def __init__(self, simulation: Simulation, eye: float) -> None:
        extents = simulation.extents()
        self._floor = extents[0, :, :2]
        is_obstacle = (extents[:, 0, 2] < eye + CLEARANCE) & (extents[:, 1, 2] > _LOWEST_OBSTACLE)
        self._boxes = extents[is_obstacle][:, :, :2]
        cells = np.ceil((self._floor[1] - self._floor[0]) / _CELL).astype(int)
        self.clearance = self.clearance_at(self.place(np.stack(np.indices(cells), -1)))
        free = (self.clearance > CLEARANCE + 2 * _CELL).astype(np.uint8)
        parts, labels = cv2.connectedComponents(free, connectivity=4)
        if parts < 2:
            raise ToyroomError(
                "there is no room to drive: everywhere is something nearer than the clearance"
            )
        sizes = np.bincount(labels.ravel())
        self.free = labels == 1 + sizes[1:].argmax()

    def place(self, cells: np.ndarray) -> np.ndarray:
        """(..., 2) m, the middles of cells, (..., 2) int."""
        return self._floor[0] + (cells + 0.5) * _CELL

    def clearance_at(self, places: np.ndarray) -> np.ndarray:
        """(...) m, from places, (..., 2), to the nearest obstacle or the floor's edge."""
        to_edge = np.minimum(places - self._floor[0], self._floor[1] - places).min(-1)
        low, high = self._boxes[:, 0], self._boxes[:, 1]
        outside = np.maximum(np.maximum(low - places[..., None, :], places[..., None, :] - high), 0)
        return np.minimum(to_edge, np.linalg.norm(outside, axis=-1).min(-1, initial=np.inf))

    def route(self, start: tuple[int, int], end: tuple[int, int]) -> np.ndarray:
        """(K, 2) int, the cells of the shortest way, ends included, where narrow places count for
        longer.
        """
        effort, came_from = {start: 0.0}, {}
        queue = [(0.0, start)]
        while queue:
            so_far, cell = heapq.heappop(queue)
            if cell == end:
                break
            if so_far > effort[cell]:
                continue
            for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1)):
                other = cell[0] + dx, cell[1] + dy
                if not self.free[other]:  # the outermost cells never are
                    continue
                further = so_far + np.hypot(dx, dy) * (1 + CLEARANCE / self.clearance[other])
                if further < effort.get(other, np.inf):
                    effort[other], came_from[other] = further, cell
                    heapq.heappush(queue, (further, other))
        way = [end]
        while way[-1] != start:
            way.append(came_from[way[-1]])
        return np.array(way[::-1])


def _views(random, simulation: Simulation, space: _Space, eye: float, number: int):
    """Cells to stand on, (V, 2) int, and points to look at from there, (V, 3) m, in the order of a
    round trip.
    """
    free = np.argwhere(space.free)
    stands, targets = [], []
    extents = simulation.extents()
    worth_a_look = _worth_a_look(random, simulation)
    for index in worth_a_look * (
        1 + number // max(1, len(worth_a_look))
    ):  # again, from elsewhere, where there are few
        low, high = extents[index]
        target = low + (0.5, 0.5, 0.7) * (high - low)
        for cell in random.permutation(free)[:200]:
            place = np.append(space.place(cell), eye)
            if _NEAREST < np.linalg.norm(target - place) < _FARTHEST and _sees(
                simulation, place, target, low, high
            ):
                stands.append(cell)
                targets.append(target)
                break
        if len(stands) == number:
            break
    if not stands:
        raise ToyroomError(
            "there is nothing to look at: no people and no furniture can be seen from where one can drive"
        )
    offsets = space.place(np.array(stands)) - space.place(free).mean(0)
    order = np.arctan2(offsets[:, 1], offsets[:, 0]).argsort()
    return np.array(stands)[order], np.array(targets)[order]


def _worth_a_look(random, simulation: Simulation) -> list[int]:
    """Items to look at, in random order: people first, then furniture, which has tops."""
    people = [i for i, item in enumerate(simulation.items) if item.name == "person"]
    furniture = [
        i for i, item in enumerate(simulation.items) if i and len(item.tops) and not item.moves
    ]
    return [*random.permutation(people).astype(int), *random.permutation(furniture).astype(int)]


def _sees(
    simulation: Simulation, place: np.ndarray, target: np.ndarray, low: np.ndarray, high: np.ndarray
) -> bool:
    """Whether what is first on the way to the target lies in its box."""
    import mujoco

    forward = (target - place) / np.linalg.norm(target - place)
    geom = np.zeros(1, np.int32)
    distance = mujoco.mj_ray(
        simulation.model, simulation.data, place, forward, None, 1, -1, geom, None
    )
    met = place + distance * forward
    return distance < 0 or bool(((met > low - 0.05) & (met < high + 0.05)).all())


def _tour(space: _Space, stands: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The closed way by all stands, (N, 2) m, a point each `_STEP`, and what to look at from each,
    (N, 3) m.
    """
    route, gaze = [], []
    for this, (start, end) in enumerate(zip(stands, np.roll(stands, -1, 0), strict=True)):
        corners = space.place(space.route(tuple(start), tuple(end)))
        lengths = np.append(0, np.linalg.norm(np.diff(corners, axis=0), axis=1).cumsum())
        along = np.clip(np.arange(-_DWELL / 2, lengths[-1] + _DWELL / 2, _STEP), 0, lengths[-1])
        route.append(np.stack([np.interp(along, lengths, corner) for corner in corners.T], 1))
        looks_ahead = np.arange(len(along)) > len(along) / 2
        gaze.append(
            np.where(looks_ahead[:, None], targets[(this + 1) % len(targets)], targets[this])
        )
    return np.concatenate(route), np.concatenate(gaze)


def _smooth_route(space: _Space, route: np.ndarray) -> np.ndarray:
    """The route with its corners rounded, as much as keeps the clearance."""
    for window in (0.8, 0.5, 0.3, 0.15):
        smooth = _smooth(route, window)
        if space.clearance_at(smooth).min() >= CLEARANCE:
            return smooth
    return route


def _angles(positions: np.ndarray, gaze: np.ndarray, eye: float) -> np.ndarray:
    """(N, 2) radians, yaw without jumps and pitch of the camera, changing gently."""
    to_target = gaze[:, :2] - positions
    yaw = np.unwrap(np.arctan2(to_target[:, 1], to_target[:, 0]))
    drift = _turns(yaw) * np.linspace(0, 1, len(yaw), endpoint=False)
    pitch = np.arctan2(gaze[:, 2] - eye, np.linalg.norm(to_target, axis=1)).clip(
        -_STEEPEST, _STEEPEST
    )
    smooth = _smooth(np.stack((yaw - drift, pitch), 1), _GAZE_WINDOW)
    return smooth + np.stack((drift, np.zeros_like(drift)), 1)


def _turns(yaw: np.ndarray) -> float:
    """By how much the yaw, radians, differs after the tour from what it began with: whole turns."""
    step = (yaw[0] - yaw[-1] + np.pi) % (2 * np.pi) - np.pi
    return yaw[-1] + step - yaw[0]


def _times(angles: np.ndarray) -> tuple[np.ndarray, float]:
    """(N + 1,) seconds of each point of the tour and of its end, and the whole turns of the yaw,
    radians.
    """
    turns = _turns(angles[:, 0])
    after = np.vstack((angles[1:], angles[0] + (turns, 0)))
    seconds = np.maximum(_STEP / SPEED, np.linalg.norm(after - angles, axis=1) / TURN)
    # Smoothing the slowest within the same window never makes anything faster.
    half = _half(_TIME_WINDOW)
    padded = np.pad(seconds, half, mode="wrap")
    slowest = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1).max(1)
    return np.append(0, _smooth(slowest[:, None], _TIME_WINDOW).cumsum()), turns


def _smooth(values: np.ndarray, window: float) -> np.ndarray:
    """Means of closed curves, (N, C), over `window` m of the tour, weighted with a bell."""
    half = _half(window)
    weights = np.hanning(2 * half + 3)[1:-1]
    padded = np.pad(values, ((half, half), (0, 0)), mode="wrap")
    return np.stack(
        [np.convolve(value, weights / weights.sum(), mode="valid") for value in padded.T], 1
    )


def _half(window: float) -> int:
    return round(window / 2 / _STEP)
