"""Rooms: a shell, furniture, things on it and in it, and people who do something."""

from dataclasses import replace

import numpy as np

from dsflash_ros.errors import ToyroomError
from dsflash_ros.toyroom.build import catalogue, furniture, shell
from dsflash_ros.toyroom.build.activities import add_people
from dsflash_ros.toyroom.build.floor_plan import FloorPlan
from dsflash_ros.toyroom.build.scene import Item, Light
from dsflash_ros.toyroom.build.solids import colour, extent, plain, tilted
from dsflash_ros.toyroom.physics.simulation import Simulation

_TRIES = 20

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
_ON_TABLE = np.array([4, 3, 3, 3, 1.2, 1.5, 2, 1.2, 0.6, 0.3, 0.8])
_ON_SEAT = np.array([0.3, 0.5, 0.5, 2, 1.5, 3, 1, 0.2, 2, 0.7, 0.0])
_ON_FLOOR = np.array([0.3, 0.5, 0.7, 0.8, 3, 2, 0.2, 3, 2, 3, 0.3])
_IN_SHELF = np.array([1.5, 1.5, 1.5, 3, 1.2, 2, 0.2, 1.2, 0.7, 0.0, 0.0])


def settled_room(seed: int, index: int) -> tuple[Simulation, int]:
    """The room of that number, at rest, and how many before it were thrown away because they did
    not settle.

    The same seed and index give the same room. Raises `ToyroomError` when none of many settles.
    """
    for attempt in range(_TRIES):
        items, lights = make_room(np.random.default_rng((seed, index, attempt)))
        simulation = Simulation(items, lights)
        if simulation.settle():
            return simulation, attempt
    raise ToyroomError(f"none of {_TRIES} rooms for seed {seed}, scene {index} settled")


def make_room(random: np.random.Generator) -> tuple[list[Item], list[Light]]:
    """Items, the floor first, and lights. Nothing has fallen yet."""
    layout = FloorPlan(
        random, random.uniform(3.6, 5.8), random.uniform(3.6, 5.8), random.uniform(2.4, 2.8)
    )
    walls = _add_shell(layout)
    lamps = _add_furniture(layout, walls)
    people_first = len(layout.items)
    add_people(layout, walls)
    _add_small_things(layout, range(people_first))
    return layout.items, _lights(layout, lamps)


def _add_shell(layout: FloorPlan) -> list[int]:
    """Floor, walls, ceiling, door, windows with curtains, rug; the walls' indexes."""
    random, width, depth = layout.random, layout.width, layout.depth
    layout.add(shell.floor(random, width, depth), solid=False)
    layout.add(shell.ceiling(random, width, depth, layout.height), solid=False)
    style = random.random()
    surfaces = {bricks: shell.wall_surface(random, bricks) for bricks in (False, True)}
    walls = []
    accent = int(random.integers(4))
    for side, length in enumerate(shell.lengths(width, depth)):
        bricks = bool(style < 0.2 or (style < 0.45 and side == accent))
        wall = shell.wall(surfaces[bricks], length, layout.height, bricks)
        walls.append(layout.add(shell.on_wall(wall, side, 0.5, 0, width, depth), solid=False))
    if random.random() < 0.75:
        layout.hang(shell.door(random), 0, 0, walls, "")
    for _ in range(random.integers(0, 3)):
        _add_window(layout, walls)
    if random.random() < 0.65:
        rug = shell.rug(random)
        x, y = random.uniform(0.3, 0.7, 2) * (width, depth)
        rug = rug.at(x, y, 0, random.choice([0, np.pi / 2]))
        if layout.is_free(rug):
            layout.add(rug, solid=False)
    return walls


def _add_window(layout: FloorPlan, walls: list[int]) -> None:
    random = layout.random
    half_width, half_height = random.uniform(0.4, 0.7), random.uniform(0.4, 0.6)
    found = layout.hang(shell.window(random, half_width, half_height), 1.4, 1.6, walls, "")
    if found is None or random.random() < 0.3:
        return
    window = layout.items[found]
    cloth = plain(
        colour(random, (0.1, 0.8), (0.4, 0.95)),
        texture="stripes" if random.random() < 0.3 else "",
        seed=int(random.integers(1 << 30)),
        shine=0.0,
    )
    bottom = float(random.choice([0.05, window.position[2] - half_height - 0.1]))
    for side in (-1, 1):
        drape = shell.curtain(random, window.position[2] + half_height + 0.12, bottom, cloth)
        at = window.to_world(np.array([0, side * (half_width + 0.16), 0])) * (1, 1, 0)
        drape = replace(drape, position=at, rotation=window.rotation)
        if layout.is_free(drape, without=(*walls, found), margin=0.0):
            layout.add(replace(drape, holder=window.holder, fastening="hanging"))


def _add_furniture(layout: FloorPlan, walls: list[int]) -> list[int]:
    """What stands on the floor or is fastened to walls and ceiling; the lamps' indexes."""
    random = layout.random
    wanted = random.random(6)
    if wanted[0] < 0.45:
        layout.against_wall(furniture.bed(random), gap=0.08)
    if wanted[1] < 0.5:
        layout.against_wall(furniture.couch(random))
    if wanted[2] < 0.55:
        layout.against_wall(furniture.bookcase(random))
    for _ in range(1 + int(wanted[3] < 0.45)):
        table = layout.stand(
            furniture.dining_table(random),
            yaw=float(random.choice([0, np.pi / 2])) + random.normal(0, 0.1),
        )
        if table is not None:
            _add_chairs(layout, table)
    if wanted[4] < 0.4:
        layout.stand(furniture.chair(random))
    _add_pictures(layout, walls)
    if random.random() < 0.6:
        on_cord = bool(random.random() < 0.5)
        layout.hang(
            catalogue.clock(random, on_cord), 1.5, 2.0, walls, "hanging" if on_cord else "attached"
        )
    if random.random() < 0.35:
        layout.hang(furniture.television(random, on_foot=False), 1.0, 1.5, walls, "attached")
    for _ in range(random.integers(0, 2)):
        layout.hang(furniture.wall_shelf(random), 1.0, 1.6, walls, "attached")
    return _add_lamps(layout)


def _add_pictures(layout: FloorPlan, walls: list[int]) -> None:
    """Some, all in one way: flat on the wall, on cords, or standing tilted against it."""
    random = layout.random
    way = random.choice(3, p=[0.4, 0.35, 0.25])
    for _ in range(random.integers(1, 5)):
        if way < 2:
            layout.hang(
                shell.picture(random, bool(way)), 1.3, 1.7, walls, ("attached", "hanging")[way]
            )
        else:
            picture = tilted(shell.picture(random), random.uniform(0.1, 0.25))
            layout.against_wall(picture, gap=0.002)


def _add_chairs(layout: FloorPlan, table: int) -> None:
    """Chairs around a table that face it, one or more."""
    random, base = layout.random, layout.items[table]
    model = int(random.integers(1 << 30))  # all alike
    angles = random.permutation(4)[: random.integers(0, 4)] * np.pi / 2
    x0, y0, x1, y1, _ = base.tops[0]
    for angle in angles:
        reach = (x1 - x0) / 2 if np.isclose(abs(np.cos(angle)), 1) else (y1 - y0) / 2
        away = reach + random.uniform(0.2, 0.5)
        at = base.to_world(np.array([away * np.cos(angle), away * np.sin(angle), 0]))
        yaw = np.arctan2(*base.rotation[1::-1, 0]) + angle + np.pi + random.normal(0, 0.15)
        chair = furniture.chair(np.random.default_rng(model)).at(
            at[0], at[1], layout.floor_at(at[0], at[1]), yaw
        )
        if layout.is_free(chair, without=(table,)):
            layout.add(chair)


def _add_lamps(layout: FloorPlan) -> list[int]:
    """One or two, hanging from the ceiling or flat on it, one of them over a table if there is one."""
    random, lamps = layout.random, []
    tables = [item.position[:2] for item in layout.items if item.name == "dining table"]
    hangs = bool(random.random() < 0.5)
    for number in range(random.integers(1, 3)):
        drop = random.uniform(0.35, 0.9)
        x, y = random.uniform(0.25, 0.75, 2) * (layout.width, layout.depth)
        if number == 0 and tables and random.random() < 0.7:
            x, y = tables[0] + random.normal(0, 0.1, 2)
        lamp = furniture.lamp(random, drop) if hangs else furniture.ceiling_lamp(random)
        lamp = lamp.at(x, y, layout.height)
        if layout.is_free(lamp):
            lamps.append(
                layout.add(replace(lamp, holder=1, fastening="hanging" if hangs else "attached"))
            )
    return lamps


def _add_small_things(layout: FloorPlan, supports: range) -> None:
    random = layout.random
    for index in supports:
        base = layout.items[index]
        if base.name == "dining table":
            _scatter(layout, index, random.integers(3, 8), _ON_TABLE)
        elif base.name in ("chair", "couch", "bed"):
            _scatter(layout, index, random.integers(0, 2 if base.name == "chair" else 3), _ON_SEAT)
            if base.name == "chair" and random.random() < 0.15:
                _hang_backpack(layout, index)
        elif base.name == "shelf":
            _scatter(
                layout, index, random.integers(1, 7 if base.cavity is not None else 4), _IN_SHELF
            )
    for _ in range(random.integers(3, 8)):
        name = str(random.choice(_SMALL, p=_ON_FLOOR / _ON_FLOOR.sum()))
        found = layout.stand(catalogue.make(name, random))
        if found is not None:
            _fill(layout, found)
    if random.random() < 0.3:
        _lean_umbrella(layout)


def _scatter(layout: FloorPlan, support: int, count: int, weights: np.ndarray) -> None:
    for _ in range(count):
        name = str(layout.random.choice(_SMALL, p=weights / weights.sum()))
        thing = catalogue.make(name, layout.random)
        if name == "bowl" and layout.random.random() < 0.5:
            thing = catalogue.bowl(layout.random, upside_down=True)
        found = layout.put_on(thing, support)
        if found is not None:
            _fill(layout, found)


def _fill(layout: FloorPlan, index: int) -> None:
    """Maybe put something into or onto a bowl or a suitcase that lies."""
    base, random = layout.items[index], layout.random
    if base.name not in ("bowl", "suitcase") or random.random() < 0.3:
        return
    if base.name == "bowl":
        radius = base.solids[0].size[:, 0].max()
        thing = catalogue.sports_ball(random, radius * random.uniform(0.4, 0.6))
        if random.random() < 0.4:
            thing = catalogue.make(str(random.choice(["cup", "bottle"])), random)
        inside = np.array([*random.uniform(-0.2, 0.2, 2) * radius, 0.014])
        above = np.array([0, 0, base.tops[0, 4] + 0.001]) if len(base.tops) else None
        at = base.to_world(inside if above is None else above)
        layout.add(replace(thing, position=at, rotation=base.rotation, moves=False, holder=index))
    elif len(base.tops):
        for _ in range(random.integers(1, 3)):
            name = str(random.choice(["book", "teddy bear", "sports ball", "bottle"]))
            found = layout.put_on(replace(catalogue.make(name, random), moves=False), index)
            if found is not None:
                layout.items[found] = replace(layout.items[found], holder=index)


def _hang_backpack(layout: FloorPlan, index: int) -> None:
    """By its loop from a chair's back, outside."""
    chair, bag = layout.items[index], catalogue.backpack(layout.random)
    top = max(solid.position[2] + solid.size[2] for solid in chair.solids if solid.kind == "box")
    back = min(
        solid.position[0] - solid.size[0]
        for solid in chair.solids
        if solid.kind == "box" and solid.position[2] > 0.5
    )
    height = max(solid.position[2] for solid in bag.solids)
    at = chair.to_world(np.array([back - 0.14, 0, top - height + 0.03]))
    hung = replace(bag, position=at, rotation=chair.rotation @ np.diag([-1.0, -1, 1]), moves=False)
    if at[2] > 0.02 and layout.is_free(hung, without=(index,), margin=0.0):
        layout.add(replace(hung, holder=index, fastening="hanging"))


def _lean_umbrella(layout: FloorPlan) -> None:
    """A closed one against a wall."""
    closed = catalogue.umbrella(layout.random, is_open=False)
    layout.against_wall(tilted(closed, layout.random.uniform(0.15, 0.3)), gap=0.002)


def _lights(layout: FloorPlan, lamps: list[int]) -> list[Light]:
    """A cone below each lamp, and daylight."""
    random = layout.random
    warm = np.array([1, random.uniform(0.85, 1), random.uniform(0.7, 1)])
    lights = []
    for index in lamps:
        lamp = layout.items[index]
        position = np.array(
            [*lamp.position[:2], extent(lamp)[0, 2] - 0.02]
        )  # or it would stand in its own shadow
        lights.append(Light(position, np.array([0, 0, -1.0]), random.uniform(0.3, 0.7) * warm))
    slant = np.array([*random.normal(0, 0.7, 2), -1.0])
    day = random.uniform(0.1, 0.5) * np.array([random.uniform(0.85, 1), random.uniform(0.9, 1), 1])
    # the ceiling would keep its shadow over everything
    return [
        *lights,
        Light(
            np.array([0, 0, 5.0]), slant / np.linalg.norm(slant), day, distant=True, shadows=False
        ),
    ]
