"""Rooms: a shell, furniture, people who do something, and small things everywhere."""

from dataclasses import replace

import numpy as np

from dsflash_ros.errors import ToyroomError
from dsflash_ros.toyroom.build import fittings, furniture, shell
from dsflash_ros.toyroom.build.activities import add_people
from dsflash_ros.toyroom.build.belongings import clock
from dsflash_ros.toyroom.build.clutter import add_small_things
from dsflash_ros.toyroom.build.floor_plan import FloorPlan
from dsflash_ros.toyroom.build.scene import Item, Light
from dsflash_ros.toyroom.build.solids import colour, extent, plain, tilted
from dsflash_ros.toyroom.physics.simulation import Simulation

_TRIES = 20
"""How many rooms are built for a scene until one settles."""


def settled_room(seed: int, index: int) -> tuple[Simulation, int]:
    """Build a room and let it settle. The same seed and index give the same room.

    Returns:
        The room at rest, and how many rooms were thrown away before it because they did not settle.

    Raises:
        ToyroomError: none of many rooms for this seed and index settles.
    """
    for attempt in range(_TRIES):
        items, lights = make_room(np.random.default_rng((seed, index, attempt)))
        simulation = Simulation(items, lights)
        if simulation.settle():
            return simulation, attempt
    raise ToyroomError(f"none of {_TRIES} rooms for seed {seed}, scene {index} settled")


def make_room(random: np.random.Generator) -> tuple[list[Item], list[Light]]:
    """Make the items of a room, the floor first, and its lights. Nothing has fallen yet."""
    width, depth = random.uniform(3.6, 5.8), random.uniform(3.6, 5.8)
    plan = FloorPlan(random, width, depth, height=random.uniform(2.4, 2.8))
    walls = _add_shell(plan)
    lamps = _add_furniture(plan, walls)
    furnished = len(plan.items)
    add_people(plan, walls)
    add_small_things(plan, range(furnished))
    return plan.items, _lights(plan, lamps)


def _add_shell(plan: FloorPlan) -> list[int]:
    """Add floor, ceiling, walls, door, windows, curtains and rug. Returns the walls' indexes."""
    random, width, depth = plan.random, plan.width, plan.depth
    plan.add(shell.floor(random, width, depth), is_obstacle=False)
    plan.add(shell.ceiling(random, width, depth, plan.height), is_obstacle=False)
    walls = _add_walls(plan)
    if random.random() < 0.75:
        plan.hang(shell.door(random), 0, 0, walls, "")
    for _ in range(random.integers(0, 3)):
        _add_window(plan, walls)
    if random.random() < 0.65:
        rug = shell.rug(random)
        x, y = random.uniform(0.3, 0.7, 2) * (width, depth)
        rug = rug.at(x, y, 0, random.choice([0, np.pi / 2]))
        if plan.is_free(rug):
            plan.add(rug, is_obstacle=False)
    return walls


def _add_walls(plan: FloorPlan) -> list[int]:
    """Add four walls, of which none, one or all are of bricks.

    Returns their indexes, in the order of the sides in `shell.on_wall`.
    """
    random = plan.random
    style = random.random()
    plaster = shell.wall_surface(random, bricks=False)
    brickwork = shell.wall_surface(random, bricks=True)
    accent = int(random.integers(4))
    walls = []
    for side, length in enumerate(shell.lengths(plan.width, plan.depth)):
        bricks = style < 0.2 or (style < 0.45 and side == accent)
        wall = shell.wall(brickwork if bricks else plaster, length, plan.height, bricks)
        placed = shell.on_wall(wall, side, 0.5, 0, plan.width, plan.depth)
        walls.append(plan.add(placed, is_obstacle=False))
    return walls


def _add_window(plan: FloorPlan, walls: list[int]) -> None:
    """Add a window, most of them with a curtain on each side."""
    random = plan.random
    half_width, half_height = random.uniform(0.4, 0.7), random.uniform(0.4, 0.6)
    found = plan.hang(shell.window(random, half_width, half_height), 1.4, 1.6, walls, "")
    if found is None or random.random() < 0.3:
        return
    window = plan.items[found]
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
        if plan.is_free(drape, without=(*walls, found), margin=0.0):
            plan.add(replace(drape, holder=window.holder, fastening="hanging"))


def _add_furniture(plan: FloorPlan, walls: list[int]) -> list[int]:
    """Add furniture, and what is fastened to walls and ceiling. Returns the lamps' indexes."""
    random = plan.random
    bed, couch, bookcase, second_table, lone_chair, _ = random.random(6)
    if bed < 0.45:
        plan.against_wall(furniture.bed(random), gap=0.08)
    if couch < 0.5:
        plan.against_wall(furniture.couch(random))
    if bookcase < 0.55:
        plan.against_wall(furniture.bookcase(random))
    _add_table(plan)
    if second_table < 0.45:
        _add_table(plan)
    if lone_chair < 0.4:
        plan.stand(furniture.chair(random))
    _add_paintings(plan, walls)
    if random.random() < 0.6:
        on_cord = bool(random.random() < 0.5)
        fastening = "hanging" if on_cord else "attached"
        plan.hang(clock(random, on_cord), 1.5, 2.0, walls, fastening)
    if random.random() < 0.35:
        plan.hang(fittings.television(random, on_foot=False), 1.0, 1.5, walls, "attached")
    if random.integers(0, 2):
        plan.hang(furniture.wall_shelf(random), 1.0, 1.6, walls, "attached")
    return _add_lamps(plan)


def _add_table(plan: FloorPlan) -> None:
    """Add a table with chairs around it, roughly parallel to the walls."""
    random = plan.random
    table = furniture.dining_table(random)
    yaw = float(random.choice([0, np.pi / 2])) + random.normal(0, 0.1)
    found = plan.stand(table, yaw)
    if found is not None:
        _add_chairs(plan, found)


def _add_chairs(plan: FloorPlan, table: int) -> None:
    """Add up to three chairs of one model around a table, all facing it."""
    random, base = plan.random, plan.items[table]
    model = int(random.integers(1 << 30))
    angles = random.permutation(4)[: random.integers(0, 4)] * np.pi / 2
    x0, y0, x1, y1, _ = base.tops[0]
    table_yaw = np.arctan2(base.rotation[1, 0], base.rotation[0, 0])
    for angle in angles:
        along_x = np.isclose(abs(np.cos(angle)), 1)
        reach = (x1 - x0) / 2 if along_x else (y1 - y0) / 2
        away = reach + random.uniform(0.2, 0.5)
        x, y, _ = base.to_world(np.array([away * np.cos(angle), away * np.sin(angle), 0]))
        yaw = table_yaw + angle + np.pi + random.normal(0, 0.15)
        chair = furniture.chair(np.random.default_rng(model)).at(x, y, plan.floor_at(x, y), yaw)
        if plan.is_free(chair, without=(table,)):
            plan.add(chair)


def _add_paintings(plan: FloorPlan, walls: list[int]) -> None:
    """Add one to four paintings: all flat on the wall, all on cords, or all leaning against it."""
    random = plan.random
    way = random.choice(3, p=[0.4, 0.35, 0.25])
    for _ in range(random.integers(1, 5)):
        if way == 0:
            plan.hang(shell.painting(random), 1.3, 1.7, walls, "attached")
        elif way == 1:
            plan.hang(shell.painting(random, on_cord=True), 1.3, 1.7, walls, "hanging")
        else:
            leaning = tilted(shell.painting(random), random.uniform(0.1, 0.25))
            plan.against_wall(leaning, gap=0.002)


def _add_lamps(plan: FloorPlan) -> list[int]:
    """Add one or two lamps, the first often above a table. Returns their indexes."""
    random, lamps = plan.random, []
    tables = [item.position[:2] for item in plan.items if item.name == "dining table"]
    hangs = bool(random.random() < 0.5)
    fastening = "hanging" if hangs else "attached"
    for number in range(random.integers(1, 3)):
        drop = random.uniform(0.35, 0.9)
        x, y = random.uniform(0.25, 0.75, 2) * (plan.width, plan.depth)
        if number == 0 and tables and random.random() < 0.7:
            x, y = tables[0] + random.normal(0, 0.1, 2)
        lamp = fittings.lamp(random, drop) if hangs else fittings.ceiling_lamp(random)
        lamp = lamp.at(x, y, plan.height)
        if plan.is_free(lamp):
            lamps.append(plan.add(replace(lamp, holder=1, fastening=fastening)))
    return lamps


def _lights(plan: FloorPlan, lamps: list[int]) -> list[Light]:
    """Make the light of each lamp, a cone downwards, and daylight."""
    random, down = plan.random, np.array([0, 0, -1.0])
    warm = np.array([1, random.uniform(0.85, 1), random.uniform(0.7, 1)])
    lights = []
    for index in lamps:
        lamp = plan.items[index]
        below = extent(lamp)[0, 2] - 0.02  # inside, the lamp would shade its own light
        position = np.array([*lamp.position[:2], below])
        lights.append(Light(position, down, random.uniform(0.3, 0.7) * warm))
    slant = np.array([*random.normal(0, 0.7, 2), -1.0])
    day = random.uniform(0.1, 0.5) * np.array([random.uniform(0.85, 1), random.uniform(0.9, 1), 1])
    direction = slant / np.linalg.norm(slant)
    # without shadows, or the ceiling would keep daylight out
    sky = Light(np.array([0, 0, 5.0]), direction, day, distant=True, shadows=False)
    return [*lights, sky]
