"""What people do in a room: they stand, sit, lie, lean, climb on furniture, and look at things."""

from collections.abc import Sequence

import numpy as np

from dsflash_ros.toyroom.build.carrying import arms_of, choose_load, equip
from dsflash_ros.toyroom.build.floor_plan import FloorPlan
from dsflash_ros.toyroom.build.people import make_person
from dsflash_ros.toyroom.build.scene import Item
from dsflash_ros.toyroom.build.solids import extent

_LOOKED_AT = (
    "tv",
    "laptop",
    "book",
    "teddy bear",
    "person",
    "potted plant",
    "sports ball",
    "clock",
    "suitcase",
    "bowl",
    "couch",
    "bed",
)

_SEATS = ("chair", "couch", "bed", "dining table")

_HIGHEST_SEAT = 0.56
"""Height from which the feet still reach the floor, m."""

_SHORTEST_COUCH_TO_LIE_ON = 1.5
"""Length of the seat, m."""

_TABLE_FOR_LEGS = 0.65
"""Height of a table from which on legs fit under it, m."""

_TRIES = 5
"""How many places a person tries before being left out."""

_MAX_TURN = 1.1
"""How far a head turns to the side, radians."""


def add_people(plan: FloorPlan, walls: list[int]) -> None:
    """Add up to four people. `walls` are the indexes of the walls, in order of their sides."""
    random = plan.random
    for _ in range(random.choice(5, p=[0.05, 0.2, 0.35, 0.25, 0.15])):
        activities = (_sit, _lie, _stand, _climb, lambda plan: _lean(plan, walls))
        activity = activities[random.choice(5, p=[0.33, 0.15, 0.28, 0.09, 0.15])]
        before = len(plan.items)
        for _ in range(_TRIES):
            activity(plan)
            if len(plan.items) > before:
                break


def _stand(plan: FloorPlan) -> None:
    """Stand somewhere on the floor, roughly facing something."""
    random = plan.random
    target = _target(plan)
    x, y = random.uniform(0.4, plan.width - 0.4), random.uniform(0.4, plan.depth - 0.4)
    yaw = random.uniform(-np.pi, np.pi)
    if target is not None:
        yaw = np.arctan2(target[1] - y, target[0] - x) + random.normal(0, 0.4)
    _place(plan, np.array([x, y, plan.floor_at(x, y)]), yaw, "standing", target)


def _sit(plan: FloorPlan) -> None:
    """Sit on a chair, a couch, a low table, the edge of a bed, or the floor."""
    random = plan.random
    seats = [
        index
        for index, item in enumerate(plan.items)
        if item.name in _SEATS and item.tops[0, 4] < _HIGHEST_SEAT
    ]
    if not seats or random.random() < 0.25:
        x, y = random.uniform(0.5, 1, 2) * (plan.width - 0.5, plan.depth - 0.5)
        at, yaw = np.array([x, y, plan.floor_at(x, y)]), random.uniform(-np.pi, np.pi)
        _place(plan, at, yaw, "sitting", _target(plan, at, yaw), seat=0.0)
        return
    index = int(random.choice(seats))
    base = plan.items[index]
    local, turn = _place_on_seat(random, base)
    at, yaw = base.to_world(local), _yaw(base) + turn
    seat = base.tops[0, 4]
    _place(plan, at, yaw, "sitting", _target(plan, at, yaw), support=index, seat=seat)


def _place_on_seat(random: np.random.Generator, base: Item) -> tuple[np.ndarray, float]:
    """Where to sit on an item: a point, (3,), and a direction, radians, in the item's frame."""
    x0, y0, x1, y1, _ = base.tops[0]
    if base.name == "bed":
        side = random.choice([-1, 1])
        along = random.uniform(x0 + 0.2, x1 - 0.4)
        return np.array([along, side * (y1 - 0.12), 0]), side * np.pi / 2
    if base.name == "couch":
        return np.array([x1 - 0.35, random.uniform(y0 + 0.25, y1 - 0.25), 0]), 0.0
    if base.name == "chair":
        return np.array([0.02, 0, 0]), 0.0
    return np.array([x1 - 0.15, random.uniform(y0 + 0.3, y1 - 0.3), 0]), 0.0


def _climb(plan: FloorPlan) -> None:
    """Stand on a piece of furniture."""
    random = plan.random
    bases = [index for index, item in enumerate(plan.items) if item.name in _SEATS]
    if not bases:
        _stand(plan)
        return
    index = int(random.choice(bases))
    base = plan.items[index]
    x0, y0, x1, y1, top = base.tops[0]
    at = base.to_world(np.array([random.uniform(x0, x1) * 0.5, random.uniform(y0, y1) * 0.7, top]))
    yaw = random.uniform(-np.pi, np.pi)
    _place(plan, at, yaw, "standing", _target(plan), support=index)


def _lie(plan: FloorPlan) -> None:
    """Lie on a bed, on a couch that is long enough, or on the floor."""
    random = plan.random
    beds = [index for index, item in enumerate(plan.items) if _is_long_enough(item)]
    if not beds or random.random() < 0.2:
        x, y = random.uniform(1, plan.width - 1), random.uniform(1, plan.depth - 1)
        at, yaw = np.array([x, y, plan.floor_at(x, y)]), random.uniform(-np.pi, np.pi)
        _place(plan, at, yaw, "lying", None)
        return
    index = int(random.choice(beds))
    base = plan.items[index]
    yaw = _yaw(base)
    x0, y0, x1, y1, top = base.tops[0]
    if base.name == "bed":
        local = np.array([0.1, random.uniform(-0.15, 0.15) * (y1 - y0), top])
    else:
        local = np.array([(x0 + x1) / 2 + 0.05, 0, top])
        yaw = yaw + random.choice([-1, 1]) * np.pi / 2
    _place(plan, base.to_world(local), yaw, "lying", None, support=index)


def _is_long_enough(item: Item) -> bool:
    """Whether a person can lie on an item."""
    if item.name == "couch":
        _, y0, _, y1, _ = item.tops[0]
        return y1 - y0 > _SHORTEST_COUCH_TO_LIE_ON
    return item.name == "bed"


def _lean(plan: FloorPlan, walls: list[int]) -> None:
    """Stand with the back against a wall."""
    random = plan.random
    side = int(random.integers(4))
    wall = plan.items[walls[side]]
    lean = random.uniform(0.12, 0.22)
    length = plan.depth if side % 2 == 0 else plan.width
    at = wall.to_world(np.array([0, random.uniform(-0.4, 0.4) * length, 0]))
    yaw = _yaw(wall)
    _place(plan, at, yaw, "standing", _target(plan, wall.position, yaw), lean=lean)


def _place(
    plan: FloorPlan,
    position: np.ndarray,
    yaw: float,
    posture: str,
    target: np.ndarray | None,
    support: int | None = None,
    **pose: float,
) -> None:
    """Add a person with what they hold, carry and wear, if there is room.

    Args:
        plan: the room.
        position: (3,) where the person stands, sits or lies.
        yaw: direction of the body, radians.
        posture: of `make_person`.
        target: (3,) what the person looks at, or None.
        support: index of the item below the person, None for the floor.
        pose: `seat` and `lean` of `make_person`.
    """
    random = plan.random
    load = choose_load(random, posture)
    seed = int(random.integers(1 << 30))
    arms = arms_of(load, posture)
    if random.random() < 0.5:
        arms = arms[::-1]
    person = make_person(np.random.default_rng(seed), posture, arms, **pose)
    if pose.get("lean"):  # the back touches the wall, which the position is on
        back = extent(person.item)[0, 0]
        forward = np.array([np.cos(yaw), np.sin(yaw), 0])
        position = position - (back - 0.002) * forward
    placed = person.item.at(*position, yaw)
    if posture != "lying":
        look = _look(placed, target, random)
        person = make_person(np.random.default_rng(seed), posture, arms, look=look, **pose)
        placed = person.item.at(*position, yaw)
    ignored = [] if support is None else [support]
    if posture == "sitting":
        ignored += _tables_for_legs(plan.items)
    if plan.is_free(placed, without=tuple(ignored), margin=0.0):
        equip(plan, plan.add(placed), person, load, arms)


def _tables_for_legs(items: Sequence[Item]) -> list[int]:
    """Indexes of the tables that are high enough to sit at."""
    return [
        index
        for index, item in enumerate(items)
        if item.name == "dining table" and item.tops[0, 4] > _TABLE_FOR_LEGS
    ]


def _yaw(item: Item) -> float:
    """The direction that an upright item faces, radians."""
    return np.arctan2(item.rotation[1, 0], item.rotation[0, 0])


def _target(
    plan: FloorPlan, position: np.ndarray | None = None, yaw: float = 0.0
) -> np.ndarray | None:
    """Choose something to look at: (3,) its middle, or None.

    A person who cannot turn the body has a `position` and a `yaw`: then the target is one that the
    head can turn to.
    """
    random = plan.random
    if random.random() < 0.1:
        return None
    middles = [extent(item).mean(axis=0) for item in plan.items if item.name in _LOOKED_AT]
    if position is not None:
        middles = [middle for middle in middles if _can_turn_to(middle, position, yaw)]
    return middles[random.integers(len(middles))] if middles else None


def _can_turn_to(target: np.ndarray, position: np.ndarray, yaw: float) -> bool:
    """Whether someone there, whose body has this yaw, can turn the head to the target."""
    bearing = np.arctan2(target[1] - position[1], target[0] - position[0]) - yaw
    return abs((bearing + np.pi) % (2 * np.pi) - np.pi) < _MAX_TURN


def _look(
    person: Item, target: np.ndarray | None, random: np.random.Generator
) -> tuple[float, float]:
    """Yaw and pitch, radians, of a head that turns to the target as far as it can."""
    if target is None:
        return random.uniform(-0.6, 0.6), random.uniform(-0.3, 0.15)
    neck = person.gaze[0] - (0.1, 0, 0.03)
    x, y, z = person.rotation.T @ (target - person.position) - neck
    yaw, pitch = np.arctan2(y, x), np.arctan2(z - 0.03, np.hypot(x, y))
    return float(np.clip(yaw, -_MAX_TURN, _MAX_TURN)), float(np.clip(pitch, -0.8, 0.5))
