"""Small things in a room: on tables, seats, shelves and the floor, in bowls and in suitcases."""

from dataclasses import replace

import numpy as np

from dsflash_ros.toyroom.build import catalogue
from dsflash_ros.toyroom.build.belongings import sports_ball
from dsflash_ros.toyroom.build.floor_plan import FloorPlan
from dsflash_ros.toyroom.build.luggage import backpack, umbrella
from dsflash_ros.toyroom.build.solids import tilted
from dsflash_ros.toyroom.build.tableware import bowl

_SMALL = (
    "cup",
    "bowl",
    "bottle",
    "book",
    "sports ball",
    "teddy bear",
    "laptop",
    "potted plant",
    "backpack",
    "suitcase",
    "tv",
)

# How often each of `_SMALL` lies there, relative to the others.
_ON_TABLE = np.array([4, 3, 3, 3, 1.2, 1.5, 2, 1.2, 0.6, 0.3, 0.8])
_ON_SEAT = np.array([0.3, 0.5, 0.5, 2, 1.5, 3, 1, 0.2, 2, 0.7, 0.0])
_ON_FLOOR = np.array([0.3, 0.5, 0.7, 0.8, 3, 2, 0.2, 3, 2, 3, 0.3])
_IN_SHELF = np.array([1.5, 1.5, 1.5, 3, 1.2, 2, 0.2, 1.2, 0.7, 0.0, 0.0])


def add_small_things(plan: FloorPlan, furniture: range) -> None:
    """Add small things on the items with these indexes, and on the floor."""
    random = plan.random
    for index in furniture:
        _add_on(plan, index)
    for _ in range(random.integers(3, 8)):
        name = str(random.choice(_SMALL, p=_ON_FLOOR / _ON_FLOOR.sum()))
        found = plan.stand(catalogue.make(name, random))
        if found is not None:
            _fill(plan, found)
    if random.random() < 0.3:
        closed = umbrella(random, is_open=False)
        plan.against_wall(tilted(closed, random.uniform(0.15, 0.3)), gap=0.002)


def _add_on(plan: FloorPlan, index: int) -> None:
    """Add small things on a piece of furniture, as many as suit it."""
    random, base = plan.random, plan.items[index]
    if base.name == "dining table":
        _scatter(plan, index, random.integers(3, 8), _ON_TABLE)
    elif base.name == "chair":
        _scatter(plan, index, random.integers(0, 2), _ON_SEAT)
        if random.random() < 0.15:
            _hang_backpack(plan, index)
    elif base.name in ("couch", "bed"):
        _scatter(plan, index, random.integers(0, 3), _ON_SEAT)
    elif base.name == "shelf":
        is_bookcase = base.cavity is not None
        _scatter(plan, index, random.integers(1, 7 if is_bookcase else 4), _IN_SHELF)


def _scatter(plan: FloorPlan, support: int, count: int, weights: np.ndarray) -> None:
    """Put up to `count` things on an item, drawn with these weights."""
    for _ in range(count):
        name = str(plan.random.choice(_SMALL, p=weights / weights.sum()))
        thing = catalogue.make(name, plan.random)
        if name == "bowl" and plan.random.random() < 0.5:
            thing = bowl(plan.random, upside_down=True)
        found = plan.put_on(thing, support)
        if found is not None:
            _fill(plan, found)


def _fill(plan: FloorPlan, index: int) -> None:
    """Put things into or onto most of the bowls and of the suitcases that lie."""
    base, random = plan.items[index], plan.random
    if base.name not in ("bowl", "suitcase") or random.random() < 0.3:
        return
    if base.name == "bowl":
        _fill_bowl(plan, index)
    elif len(base.tops):
        for _ in range(random.integers(1, 3)):
            name = str(random.choice(["book", "teddy bear", "sports ball", "bottle"]))
            found = plan.put_on(replace(catalogue.make(name, random), moves=False), index)
            if found is not None:
                plan.items[found] = replace(plan.items[found], holder=index)


def _fill_bowl(plan: FloorPlan, index: int) -> None:
    """Put a ball, a cup or a bottle into a bowl, or onto one that is upside down."""
    base, random = plan.items[index], plan.random
    radius = base.solids[0].size[:, 0].max()
    thing = sports_ball(random, radius * random.uniform(0.4, 0.6))
    if random.random() < 0.4:
        thing = catalogue.make(str(random.choice(["cup", "bottle"])), random)
    place = np.array([*random.uniform(-0.2, 0.2, 2) * radius, 0.014])
    if len(base.tops):
        place = np.array([0, 0, base.tops[0, 4] + 0.001])
    at = base.to_world(place)
    plan.add(replace(thing, position=at, rotation=base.rotation, moves=False, holder=index))


def _hang_backpack(plan: FloorPlan, index: int) -> None:
    """Hang a backpack by its loop from the outside of a chair's back."""
    chair, bag = plan.items[index], backpack(plan.random)
    boxes = [solid for solid in chair.solids if solid.kind == "box"]
    top = max(solid.position[2] + solid.size[2] for solid in boxes)
    back = min(solid.position[0] - solid.size[0] for solid in boxes if solid.position[2] > 0.5)
    height = max(solid.position[2] for solid in bag.solids)
    at = chair.to_world(np.array([back - 0.14, 0, top - height + 0.03]))
    half_turn = np.diag([-1.0, -1, 1])
    hung = replace(bag, position=at, rotation=chair.rotation @ half_turn, moves=False)
    if at[2] > 0.02 and plan.is_free(hung, without=(index,), margin=0.0):
        plan.add(replace(hung, holder=index, fastening="hanging"))
