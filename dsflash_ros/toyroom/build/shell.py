"""The shell of a room: floor, walls, ceiling, and what belongs to a wall.

Items for a wall are made for a wall at x = 0 whose inner side faces x; `on_wall` moves them to one
of the room's walls.
"""

import numpy as np

from dsflash_ros.toyroom.build.scene import Item, Material, Solid
from dsflash_ros.toyroom.build.solids import ball, box, colour, panel, plain, plank, rod

THICK = 0.1
"""Thickness of walls, floor and ceiling, m."""


def floor(random: np.random.Generator, width: float, depth: float) -> Item:
    """A floor of boards, tiles or carpet, with its upper side at z = 0.

    It reaches from (0, 0) to (width, depth).
    """
    seed = int(random.integers(1 << 30))
    if random.random() < 0.55:
        name, texture = "floor-wood", "wood"
        rgb = colour(random, (0.35, 0.7), (0.35, 0.75), (0.05, 0.1))
        repeat = random.uniform(1.2, 2.0)
    else:
        name, texture = "floor-other-merged", str(random.choice(["tiles", "speckle"]))
        rgb = colour(random, (0.0, 0.3), (0.4, 0.85))
        repeat = random.uniform(1.0, 3.0)
    surface = plain(rgb, texture=texture, repeat=repeat, seed=seed)
    half = np.array([width / 2, depth / 2, THICK / 2])
    return Item(name, (box(half, (width / 2, depth / 2, -THICK / 2), surface),))


def ceiling(random: np.random.Generator, width: float, depth: float, height: float) -> Item:
    """A white ceiling with its lower side at z = `height`."""
    surface = plain(np.full(3, random.uniform(0.85, 0.97)), shine=0.0, glow=0.15)
    half = np.array([width / 2, depth / 2, THICK / 2])
    return Item("ceiling-merged", (box(half, (width / 2, depth / 2, height + THICK / 2), surface),))


def wall_surface(random: np.random.Generator, bricks: bool) -> Material:
    """The material of a wall: bricks, or plaster in some light colour."""
    seed = int(random.integers(1 << 30))
    if bricks:
        rgb = colour(random, (0.3, 0.7), (0.4, 0.75), (0.0, 0.07))
        return plain(rgb, texture="bricks", repeat=random.uniform(1.4, 2.4), seed=seed)
    rgb = colour(random, (0.0, 0.35), (0.6, 0.95))
    return plain(rgb, texture="plaster", repeat=0.5, seed=seed, shine=0.0)


def wall(surface: Material, length: float, height: float, bricks: bool) -> Item:
    """A wall at x = 0 that faces x, from y = -length/2 to length/2."""
    name = "wall-brick" if bricks else "wall-other-merged"
    at = (-THICK / 2, 0, height / 2)
    return Item(name, (panel(length / 2, height / 2, THICK / 2, at, surface),))


def window(random: np.random.Generator, half_width: float, half_height: float) -> Item:
    """A window, its middle at z = 0."""
    frame = plain((0.93, 0.93, 0.9))
    sky = plain(
        colour(random, (0.1, 0.5), (0.7, 1.0), (0.53, 0.62)),
        texture="sky",
        repeat=0,
        seed=int(random.integers(1 << 30)),
        glow=0.9,
    )
    y, z, thin = half_width, half_height, 0.03
    solids = [panel(y, z, 0.005, (0.01, 0, 0), sky)]
    solids += [plank(0, 0.045, sy - thin, sy + thin, -z, z, frame) for sy in (-y, 0.0, y)]
    solids += [plank(0, 0.045, -y - thin, y + thin, sz - thin, sz + thin, frame) for sz in (-z, z)]
    return Item("window-other", tuple(solids))


def door(random: np.random.Generator) -> Item:
    """A door that stands on z = 0."""
    y, height = random.uniform(0.4, 0.48), random.uniform(1.95, 2.05)
    rgb = colour(random, (0.1, 0.7), (0.35, 0.9))
    leaf = plain(rgb, texture="wood" if random.random() < 0.4 else "", repeat=0, seed=3)
    frame = plain(np.clip(np.array(leaf.rgb) * random.uniform(0.6, 1.3), 0, 1))
    trim, metal = plain(np.array(leaf.rgb) * 0.8), plain((0.7, 0.7, 0.65), shine=0.9)
    solids = [
        panel(y, height / 2, 0.015, (0.015, 0, height / 2), leaf),
        plank(0, 0.04, -y - 0.04, -y + 0.04, 0, height + 0.04, frame),
        plank(0, 0.04, y - 0.04, y + 0.04, 0, height + 0.04, frame),
        plank(0, 0.04, -y, y, height, height + 0.06, frame),
        panel(y * 0.6, height * 0.16, 0.004, (0.032, 0, 0.25 * height), trim),
        panel(y * 0.6, height * 0.16, 0.004, (0.032, 0, 0.7 * height), trim),
        rod(0.012, (0.03, y - 0.08, 1.0), (0.07, y - 0.08, 1.0), metal),
        ball(0.028, (0.085, y - 0.08, 1.0), metal),
    ]
    return Item("door-stuff", tuple(solids))


def curtain(random: np.random.Generator, top: float, bottom: float, cloth: Material) -> Item:
    """A curtain in folds between these heights."""
    folds, thick = int(random.integers(5, 9)), random.uniform(0.035, 0.05)
    solids = []
    for index, y in enumerate((np.arange(folds) - (folds - 1) / 2) * thick * 1.6):
        low = (0.07 + 0.015 * (index % 2), y, bottom)  # every other fold stands out at the bottom
        solids.append(rod(thick, low, (0.07, y, top), cloth, round_ends=False))
    return Item("curtain", tuple(solids))


def painting(random: np.random.Generator, on_cord: bool = False) -> Item:
    """A painting with a frame, or a poster without, its middle at z = 0.

    With `on_cord` it has a frame and hangs on a cord from a nail above it.
    """
    y, z = random.uniform(0.2, 0.5), random.uniform(0.2, 0.4)
    rgb, seed = colour(random), int(random.integers(1 << 30))
    image = plain(rgb, texture="painting", repeat=0, seed=seed, shine=0.2)
    solids = [panel(y, z, 0.01, (0.01, 0, 0), image)]
    if on_cord or random.random() < 0.7:
        frame, t = plain(colour(random, (0, 0.8), (0.1, 0.9))), 0.02
        solids += [plank(0, 0.03, sy - t, sy + t, -z - t, z + t, frame) for sy in (-y, y)]
        solids += [plank(0, 0.03, -y, y, sz - t, sz + t, frame) for sz in (-z, z)]
    if on_cord:
        solids += cord(y * 0.8, z, z + random.uniform(0.14, 0.25))
    return Item("paper-merged", tuple(solids))


def cord(half_width: float, low: float, high: float) -> list[Solid]:
    """A cord on a wall: from two points at height `low` over a nail at height `high`."""
    line = plain((0.08, 0.07, 0.06), shine=0.0)
    ends = [rod(0.011, (0.015, side * half_width, low), (0.015, 0, high), line) for side in (-1, 1)]
    return [*ends, ball(0.025, (0.02, 0, high), plain((0.75, 0.75, 0.7), shine=0.8))]


def rug(random: np.random.Generator) -> Item:
    """A thin rug around the origin."""
    x, y = random.uniform(0.6, 1.3), random.uniform(0.5, 1.0)
    rgb, seed = colour(random, (0.4, 1), (0.3, 0.9)), int(random.integers(1 << 30))
    pattern = plain(rgb, texture="carpet", repeat=0, seed=seed, shine=0.0)
    return Item("rug-merged", (box((x, y, 0.006), (0, 0, 0.006), pattern),))


def on_wall(item: Item, side: int, along: float, z: float, width: float, depth: float) -> Item:
    """Move an item that was made for a wall at x = 0 to one of the room's walls.

    Args:
        item: the item.
        side: the wall: 0 is at x = 0, then counter-clockwise from above: 1 is at y = 0, 2 at
            x = width, 3 at y = depth.
        along: where on the wall, 0 to 1 from one end to the other.
        z: height of the item's origin, m.
        width: of the room along x, m.
        depth: of the room along y, m.
    """
    x, y, yaw = (
        (0, along * depth, 0.0),
        (along * width, 0, np.pi / 2),
        (width, along * depth, np.pi),
        (along * width, depth, -np.pi / 2),
    )[side]
    return item.at(x, y, z, yaw)


def lengths(width: float, depth: float) -> tuple[float, float, float, float]:
    """Lengths of the four walls, in the order of the sides in `on_wall`."""
    return depth, width, depth, width
