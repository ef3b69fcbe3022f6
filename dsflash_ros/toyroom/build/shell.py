"""A room's shell: floor, walls, ceiling, and what belongs to a wall."""

import numpy as np

from dsflash_ros.toyroom.build.scene import Item, Material, Solid
from dsflash_ros.toyroom.build.solids import ball, box, colour, panel, plain, plank, rod

THICK = 0.1
"""Of walls, floor and ceiling, metres."""


def floor(random: np.random.Generator, width: float, depth: float) -> Item:
    """Boards, tiles or carpet over 0..width, 0..depth, its upper side at z = 0."""
    seed = int(random.integers(1 << 30))
    if random.random() < 0.55:
        name, surface = (
            "floor-wood",
            plain(
                colour(random, (0.35, 0.7), (0.35, 0.75), (0.05, 0.1)),
                texture="wood",
                repeat=random.uniform(1.2, 2.0),
                seed=seed,
            ),
        )
    else:
        texture = str(random.choice(["tiles", "speckle"]))
        rgb = colour(random, (0.0, 0.3), (0.4, 0.85))
        name, surface = (
            "floor-other-merged",
            plain(rgb, texture=texture, repeat=random.uniform(1.0, 3.0), seed=seed),
        )
    half = np.array([width / 2, depth / 2, THICK / 2])
    return Item(name, (box(half, (width / 2, depth / 2, -THICK / 2), surface),))


def ceiling(random: np.random.Generator, width: float, depth: float, height: float) -> Item:
    """Its lower side at `height`."""
    surface = plain(np.full(3, random.uniform(0.85, 0.97)), shine=0.0, glow=0.15)
    half = np.array([width / 2, depth / 2, THICK / 2])
    return Item("ceiling-merged", (box(half, (width / 2, depth / 2, height + THICK / 2), surface),))


def wall_surface(random: np.random.Generator, bricks: bool) -> Material:
    """Of a wall: bricks, or plaster in some light colour."""
    seed = int(random.integers(1 << 30))
    if bricks:
        return plain(
            colour(random, (0.3, 0.7), (0.4, 0.75), (0.0, 0.07)),
            texture="bricks",
            repeat=random.uniform(1.4, 2.4),
            seed=seed,
        )
    rgb = colour(random, (0.0, 0.35), (0.6, 0.95))
    return plain(rgb, texture="plaster", repeat=0.5, seed=seed, shine=0.0)


def wall(surface: Material, length: float, height: float, bricks: bool) -> Item:
    """A wall at x = 0 that faces x, from y = -length/2 to length/2."""
    name = "wall-brick" if bricks else "wall-other-merged"
    return Item(
        name, (panel(length / 2, height / 2, THICK / 2, (-THICK / 2, 0, height / 2), surface),)
    )


def window(random: np.random.Generator, half_width: float, half_height: float) -> Item:
    """For a wall at x = 0, around z = 0."""
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
    """For a wall at x = 0, standing on z = 0."""
    y, height = random.uniform(0.4, 0.48), random.uniform(1.95, 2.05)
    leaf = plain(
        colour(random, (0.1, 0.7), (0.35, 0.9)),
        texture="wood" if random.random() < 0.4 else "",
        repeat=0,
        seed=3,
    )
    frame = plain(np.clip(np.array(leaf.rgb) * random.uniform(0.6, 1.3), 0, 1))
    trim = plain(np.array(leaf.rgb) * 0.8)
    solids = [panel(y, height / 2, 0.015, (0.015, 0, height / 2), leaf)]
    solids += [plank(0, 0.04, sy - 0.04, sy + 0.04, 0, height + 0.04, frame) for sy in (-y, y)]
    solids.append(plank(0, 0.04, -y, y, height, height + 0.06, frame))
    solids += [
        panel(y * 0.6, height * 0.16, 0.004, (0.032, 0, z * height), trim) for z in (0.25, 0.7)
    ]
    solids += [rod(0.012, (0.03, y - 0.08, 1.0), (0.07, y - 0.08, 1.0), plain((0.7, 0.7, 0.65), shine=0.9)),
               ball(0.028, (0.085, y - 0.08, 1.0), plain((0.7, 0.7, 0.65), shine=0.9))]  # fmt: skip
    return Item("door-stuff", tuple(solids))


def curtain(random: np.random.Generator, top: float, bottom: float, cloth: Material) -> Item:
    """Folds for a wall at x = 0, between these heights."""
    folds, thick = int(random.integers(5, 9)), random.uniform(0.035, 0.05)
    y = (np.arange(folds) - (folds - 1) / 2) * thick * 1.6
    solids = [
        rod(
            thick,
            (0.07 + 0.015 * (i % 2), fold, bottom),
            (0.07, fold, top),
            cloth,
            round_ends=False,
        )
        for i, fold in enumerate(y)
    ]
    return Item("curtain", tuple(solids))


def picture(random: np.random.Generator, on_cord: bool = False) -> Item:
    """A framed picture or a poster for a wall at x = 0, around z = 0; on a cord it is framed and
    has a nail above.
    """
    y, z = random.uniform(0.2, 0.5), random.uniform(0.2, 0.4)
    image = plain(
        colour(random), texture="picture", repeat=0, seed=int(random.integers(1 << 30)), shine=0.2
    )
    solids = [panel(y, z, 0.01, (0.01, 0, 0), image)]
    if on_cord or random.random() < 0.7:
        frame, t = plain(colour(random, (0, 0.8), (0.1, 0.9))), 0.02
        solids += [plank(0, 0.03, sy - t, sy + t, -z - t, z + t, frame) for sy in (-y, y)]
        solids += [plank(0, 0.03, -y, y, sz - t, sz + t, frame) for sz in (-z, z)]
    if on_cord:
        solids += cord(y * 0.8, z, z + random.uniform(0.14, 0.25))
    return Item("paper-merged", tuple(solids))


def cord(half_width: float, low: float, high: float) -> list[Solid]:
    """A cord before a wall at x = 0 from two points at height `low` over a nail at `high`."""
    line = plain((0.08, 0.07, 0.06), shine=0.0)
    ends = [rod(0.011, (0.015, side * half_width, low), (0.015, 0, high), line) for side in (-1, 1)]
    return [*ends, ball(0.025, (0.02, 0, high), plain((0.75, 0.75, 0.7), shine=0.8))]


def rug(random: np.random.Generator) -> Item:
    """A thin rug around the origin."""
    x, y = random.uniform(0.6, 1.3), random.uniform(0.5, 1.0)
    pattern = plain(
        colour(random, (0.4, 1), (0.3, 0.9)),
        texture="carpet",
        repeat=0,
        seed=int(random.integers(1 << 30)),
        shine=0.0,
    )
    return Item("rug-merged", (box((x, y, 0.006), (0, 0, 0.006), pattern),))


def on_wall(item: Item, side: int, along: float, z: float, width: float, depth: float) -> Item:
    """The item, made for a wall at x = 0, on one of the room's walls.

    Args:
        side: 0 the wall at x = 0, then counter-clockwise from above: 1 at y = 0, 2 at x = width, 3
            at y = depth.
        along: 0 to 1, from the wall's one end to the other.
        z: height that its origin gets.
    """
    x, y, yaw = (
        (0, along * depth, 0.0),
        (along * width, 0, np.pi / 2),
        (width, along * depth, np.pi),
        (along * width, depth, -np.pi / 2),
    )[side]
    return item.at(x, y, z, yaw)


def lengths(width: float, depth: float) -> tuple[float, float, float, float]:
    """Of the walls, in the order of their sides."""
    return depth, width, depth, width
