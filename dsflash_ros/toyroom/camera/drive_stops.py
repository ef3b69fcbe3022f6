"""The stops of a drive: what to look at in a room, and where to stand for it."""

import numpy as np

from dsflash_ros.errors import ToyroomError
from dsflash_ros.toyroom.camera.driving_space import DrivingSpace
from dsflash_ros.toyroom.physics.engine import mujoco
from dsflash_ros.toyroom.physics.simulation import Simulation

_NEAREST, _FARTHEST = 1.0, 3.0
"""Distance from a stop to what the camera looks at there, m."""

_PLACES = 200
"""How many places are tried for each item."""


def choose_stops(
    random: np.random.Generator,
    simulation: Simulation,
    space: DrivingSpace,
    camera_height: float,
    number: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Choose up to `number` stops, in the order of a round trip.

    An item is looked at several times, from different places, if there are few.

    Returns:
        Cells to stand on, (S, 2) int, and the point that the camera looks at from each, (S, 3) m.

    Raises:
        ToyroomError: nothing to look at can be seen from where the camera can drive.
    """
    free = np.argwhere(space.free)
    extents = simulation.extents()
    stands, targets = [], []
    items = _worth_a_look(random, simulation)
    rounds = 1 + number // max(1, len(items))
    for index in items * rounds:
        low, high = extents[index]
        target = low + (0.5, 0.5, 0.7) * (high - low)
        for cell in random.permutation(free)[:_PLACES]:
            place = np.append(space.place(cell), camera_height)
            is_near = _NEAREST < np.linalg.norm(target - place) < _FARTHEST
            if is_near and _sees(simulation, place, target, low, high):
                stands.append(cell)
                targets.append(target)
                break
        if len(stands) == number:
            break
    if not stands:
        raise ToyroomError(
            "there is nothing to look at: no people and no furniture can be seen from where one "
            "can drive"
        )
    offsets = space.place(np.array(stands)) - space.place(free).mean(0)
    order = np.arctan2(offsets[:, 1], offsets[:, 0]).argsort()
    return np.array(stands)[order], np.array(targets)[order]


def _worth_a_look(random: np.random.Generator, simulation: Simulation) -> list[int]:
    """Indexes of people and then of furniture, which has tops; each group in random order."""
    people, furniture = [], []
    for index, item in enumerate(simulation.items):
        if item.name == "person":
            people.append(index)
        elif index > 0 and len(item.tops) and not item.moves:
            furniture.append(index)
    return [*random.permutation(people).astype(int), *random.permutation(furniture).astype(int)]


def _sees(
    simulation: Simulation, place: np.ndarray, target: np.ndarray, low: np.ndarray, high: np.ndarray
) -> bool:
    """Whether the first surface between a place and a target is in the target's bounding box."""
    forward = (target - place) / np.linalg.norm(target - place)
    geom = np.zeros(1, np.int32)
    distance = mujoco.mj_ray(simulation.model, simulation.data, place, forward, None, 1, -1, geom)
    met = place + distance * forward
    return distance < 0 or bool(((met > low - 0.05) & (met < high + 0.05)).all())
