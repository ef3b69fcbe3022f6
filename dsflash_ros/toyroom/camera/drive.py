"""The drive of a mobile robot's camera through a room: round and round, past people and furniture.

The tour is planned as points that are `_STEP` metres apart. What the camera does on it is computed
point by point (N points), and at the end every point gets its time.
"""

from collections.abc import Iterator
from itertools import count

import numpy as np

from dsflash_ros.errors import ToyroomError
from dsflash_ros.toyroom.build.rooms import settled_room
from dsflash_ros.toyroom.build.scene import Camera
from dsflash_ros.toyroom.camera.drive_stops import choose_stops
from dsflash_ros.toyroom.camera.driving_space import CLEARANCE, DrivingSpace
from dsflash_ros.toyroom.camera.rendering import Renderer
from dsflash_ros.toyroom.camera.shots import Shot
from dsflash_ros.toyroom.physics.facts import facts_of
from dsflash_ros.toyroom.physics.simulation import Simulation
from dsflash_ros.toyroom.truth.image_truth import truth_of

SPEED = 0.5
"""Highest speed of the camera, m/s."""

TURN = 0.7
"""Highest angular speed of the camera, rad/s."""

_HEIGHTS = (0.6, 1.3)
"""Range of the camera's height, m."""

_STEP = 0.01
"""Distance between points of the tour, m."""

_DWELL = 0.5
"""For how many metres of the tour the camera stands still at each stop, m."""

_CORNER_WINDOWS = (0.8, 0.5, 0.3, 0.15)
"""Lengths of the tour over which its corners are rounded, m; the first that fits is taken."""

_GAZE_WINDOW, _TIME_WINDOW = 1.0, 0.3
"""Lengths of the tour over which the gaze and the speed are smoothed, m."""

_STEEPEST = np.radians(25)
"""Largest pitch of the camera, up or down, radians."""

_ROOMS = 20
"""How many rooms of a seed are tried until one can be driven through."""

_DRIVE_SEED = 0xD1
"""Separates the random numbers of drives from those of rooms."""


def drive_shots(seed: int, rate_hz: float, width: int = 640, height: int = 480) -> Iterator[Shot]:
    """Render what a camera sees on an endless drive through a room.

    The room is the first of the seed that can be driven through.

    Raises:
        ToyroomError: the machine cannot render, or none of the seed's first rooms can be driven
            through.
    """
    simulation, cameras = _drivable_room(seed, rate_hz, width, height)
    facts = facts_of(simulation)
    with Renderer(simulation, width, height) as renderer:
        for camera in cameras:
            picture = renderer.picture(camera)
            yield Shot(camera, picture, truth_of(facts, picture, camera), picture.depth)


def _drivable_room(
    seed: int, rate_hz: float, width: int, height: int
) -> tuple[Simulation, Iterator[Camera]]:
    """The first room of a seed that can be driven through, and the cameras of the drive."""
    for index in range(_ROOMS):
        simulation, _ = settled_room(seed, index)
        random = np.random.default_rng((seed, index, _DRIVE_SEED))
        try:
            return simulation, drive(random, simulation, rate_hz, width, height)
        except ToyroomError as error:
            reason = error
    raise reason


def drive(
    random: np.random.Generator,
    simulation: Simulation,
    rate_hz: float,
    width: int = 640,
    height: int = 480,
    stops: int = 6,
) -> Iterator[Camera]:
    """Make the cameras of an endless drive, which repeats a closed tour over and over.

    Position and gaze are smooth everywhere, also where the tour begins again. The camera does not
    roll and keeps one height. It stays above the floor and `CLEARANCE` metres away from the
    bounding boxes of all items.

    Args:
        random: draws the height, what to look at, and from where.
        simulation: the settled room; its first item is the floor.
        rate_hz: cameras per second.
        width: image width, pixels.
        height: image height, pixels.
        stops: how many times the camera stops to look at a person or a piece of furniture, at
            most.

    Raises:
        ToyroomError: there is no room to drive, or nothing to look at. It is raised by the call,
            not by the first `next`.
    """
    camera_height = random.uniform(*_HEIGHTS)
    space = DrivingSpace(simulation, camera_height)
    stands, targets = choose_stops(random, simulation, space, camera_height, stops)
    route, gaze = _tour(space, stands, targets)
    positions = _round_corners(space, route)
    angles = _angles(positions, gaze, camera_height)
    times, turns = _times(angles)
    states = np.hstack((positions, angles))
    states = np.vstack((states, states[0] + np.array([0, 0, turns, 0])))

    def camera_at(seconds: float) -> Camera:
        x, y, yaw, pitch = (np.interp(seconds % times[-1], times, state) for state in states.T)
        place = np.array([x, y, camera_height])
        forward = (np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch))
        return Camera.looking_at(place, place + forward, width=width, height=height)

    return (camera_at(tick / rate_hz) for tick in count())


def _tour(
    space: DrivingSpace, stands: np.ndarray, targets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Plan the closed tour past all stops.

    Returns:
        The points of the tour, (N, 2) m, and the point that the camera looks at from each, (N, 3)
        m: up to the middle between two stops it is the target of the last stop, then of the next.
    """
    route, gaze = [], []
    for this, start in enumerate(stands):
        after = (this + 1) % len(stands)
        corners = space.place(space.route(tuple(start), tuple(stands[after])))
        lengths = np.append(0, np.linalg.norm(np.diff(corners, axis=0), axis=1).cumsum())
        along = np.clip(np.arange(-_DWELL / 2, lengths[-1] + _DWELL / 2, _STEP), 0, lengths[-1])
        route.append(np.stack([np.interp(along, lengths, corner) for corner in corners.T], 1))
        looks_ahead = np.arange(len(along)) > len(along) / 2
        gaze.append(np.where(looks_ahead[:, None], targets[after], targets[this]))
    return np.concatenate(route), np.concatenate(gaze)


def _round_corners(space: DrivingSpace, route: np.ndarray) -> np.ndarray:
    """Round the corners of a route, (N, 2), as much as the clearance allows."""
    for window in _CORNER_WINDOWS:
        smooth = _smooth(route, window)
        if space.clearance_at(smooth).min() >= CLEARANCE:
            return smooth
    return route


def _angles(positions: np.ndarray, gaze: np.ndarray, camera_height: float) -> np.ndarray:
    """Yaw and pitch of the camera at each point, (N, 2) radians, smoothed. Yaw has no jumps."""
    to_target = gaze[:, :2] - positions
    yaw = np.unwrap(np.arctan2(to_target[:, 1], to_target[:, 0]))
    # smoothing takes the curve for closed: whole turns are taken out before it, and put back after
    drift = _whole_turns(yaw) * np.linspace(0, 1, len(yaw), endpoint=False)
    pitch = np.arctan2(gaze[:, 2] - camera_height, np.linalg.norm(to_target, axis=1))
    pitch = pitch.clip(-_STEEPEST, _STEEPEST)
    smooth = _smooth(np.stack((yaw - drift, pitch), 1), _GAZE_WINDOW)
    return smooth + np.stack((drift, np.zeros_like(drift)), 1)


def _whole_turns(yaw: np.ndarray) -> float:
    """By how much the yaw grows over the whole tour, radians: a multiple of 2 pi."""
    last_step = (yaw[0] - yaw[-1] + np.pi) % (2 * np.pi) - np.pi
    return yaw[-1] + last_step - yaw[0]


def _times(angles: np.ndarray) -> tuple[np.ndarray, float]:
    """When the camera is at each point, so that it never is faster than `SPEED` and `TURN`.

    Returns:
        (N + 1,) seconds for each point and for the end of the tour, and the growth of the yaw over
        the whole tour, radians.
    """
    turns = _whole_turns(angles[:, 0])
    after = np.vstack((angles[1:], angles[0] + (turns, 0)))
    seconds = np.maximum(_STEP / SPEED, np.linalg.norm(after - angles, axis=1) / TURN)
    # the maximum over a window, smoothed over the same window, is nowhere below the original
    half = _half_window(_TIME_WINDOW)
    padded = np.pad(seconds, half, mode="wrap")
    slowest = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1).max(1)
    return np.append(0, _smooth(slowest[:, None], _TIME_WINDOW).cumsum()), turns


def _smooth(values: np.ndarray, window: float) -> np.ndarray:
    """Smooth closed curves, (N, C), over `window` metres of the tour with a Hann window."""
    half = _half_window(window)
    weights = np.hanning(2 * half + 3)[1:-1]
    weights = weights / weights.sum()
    padded = np.pad(values, ((half, half), (0, 0)), mode="wrap")
    return np.stack([np.convolve(value, weights, mode="valid") for value in padded.T], 1)


def _half_window(window: float) -> int:
    """Half of a window, in points of the tour."""
    return round(window / 2 / _STEP)
