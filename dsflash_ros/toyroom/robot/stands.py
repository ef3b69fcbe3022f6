"""Where the robot may stand, and how it gets there."""

import numpy as np

from dsflash_ros.errors import ToyroomError
from dsflash_ros.toyroom.camera.driving_space import DrivingSpace
from dsflash_ros.toyroom.physics.engine import mujoco
from dsflash_ros.toyroom.physics.simulation import Simulation

_CLEARANCE = 0.15
"""Distance that the robot, which is slim, keeps from everything, and two cells more, m."""

_NEAR = 0.15
"""A ray that ends so near to a point sees it, m."""

_LOOKS = 150
"""From how many places, the nearest first, it is tried whether a point can be seen."""


def find_stand(
    simulation: Simulation,
    space: DrivingSpace,
    here: np.ndarray,
    point: np.ndarray,
    reach: float,
    height: float,
) -> np.ndarray | None:
    """Where to stand, (2,) m, to reach a point, (3,): the nearest place that sees it, or any.

    Args:
        simulation: the room.
        space: where the robot may be.
        here: (2,) where it is.
        point: (3,) what is to be within reach.
        reach: horizontal distance, m.
        height: of the camera, m.

    Returns:
        None when the point is out of reach from everywhere.
    """
    places = space.place(np.argwhere(space.free))
    places = places[np.linalg.norm(places - point[:2], axis=1) <= reach]
    if not len(places):
        return None
    places = places[np.linalg.norm(places - here, axis=1).argsort(kind="stable")]
    if np.linalg.norm(here - point[:2]) <= reach:
        places = np.vstack((here, places))
    for place in places[:: max(1, len(places) // _LOOKS)]:
        if _sees(simulation, np.append(place, height), point):
            return place
    return places[0]


def path(space: DrivingSpace, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The way, (K, 2) m, from one place to another; both are its ends."""
    if np.allclose(start, end):
        return np.stack((start, end))
    cells = space.route(space.nearest(start), space.nearest(end))
    return np.vstack((start, space.place(cells), end))


def free_space(simulation: Simulation, height: float, without: list[int]) -> DrivingSpace | None:
    """Where a robot with a camera at this height may be; None when that is nowhere."""
    try:
        return DrivingSpace(simulation, height, without, _CLEARANCE)
    except ToyroomError:
        return None


def _sees(simulation: Simulation, eye: np.ndarray, point: np.ndarray) -> bool:
    """Whether nothing is between an eye and a point, or its near surroundings."""
    distance = np.linalg.norm(point - eye)
    if distance < _NEAR:
        return True
    forward = (point - eye) / distance
    geom = np.zeros(1, np.int32)
    met = mujoco.mj_ray(simulation.model, simulation.data, eye, forward, None, 1, -1, geom)
    return met < 0 or met > distance - _NEAR
