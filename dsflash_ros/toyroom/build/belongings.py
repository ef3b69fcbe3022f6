"""Books, balls, laptops, clocks and teddy bears.

Each function makes one with random size and colour. It stands on z = 0 around the origin and faces
x, unless its own description says otherwise.
"""

from dataclasses import replace

import numpy as np

from dsflash_ros.toyroom.build.scene import Item, Solid, turn_y
from dsflash_ros.toyroom.build.shell import cord
from dsflash_ros.toyroom.build.solids import (
    ball,
    box,
    colour,
    disc,
    egg,
    extent,
    plain,
    plank,
    rod,
    upright,
)


def book(random: np.random.Generator) -> Item:
    """A book, lying or standing."""
    x, y, z = random.uniform(0.08, 0.11), random.uniform(0.11, 0.15), random.uniform(0.015, 0.03)
    cover = plain(colour(random, (0.3, 0.95), (0.25, 0.9)))
    paper = plain((0.92, 0.9, 0.82), shine=0.0)
    title = plain(np.array(colour(random, (0, 0.5), (0.6, 1))), shine=0.0)
    flat = (
        plank(-x, x, -y, y, 0, 0.005, cover),
        plank(-x, x, -y, y, 2 * z - 0.005, 2 * z, cover),
        plank(-x, -x + 0.006, -y, y, 0, 2 * z, cover),
        plank(-x + 0.006, x - 0.006, -y + 0.006, y - 0.006, 0.005, 2 * z - 0.005, paper),
        box((x * 0.5, y * 0.3, 0.001), (0, 0, 2 * z), title, collides=False),
    )
    if random.random() < 0.6:
        return Item("book", flat, moves=True)
    turn = upright()  # its front faces x
    standing = tuple(
        replace(solid, position=turn @ solid.position + (0, 0, y), rotation=turn @ solid.rotation)
        for solid in flat
    )
    return Item("book", standing, moves=True)


def sports_ball(random: np.random.Generator, radius: float | None = None) -> Item:
    """A ball, plain or with a pattern, of a random radius by default."""
    if radius is None:
        radius = random.uniform(0.09, 0.14)
    texture = str(random.choice(["", "stripes", "tiles", "speckle"]))
    skin = plain(
        colour(random, (0.4, 1), (0.5, 1)),
        texture=texture,
        repeat=0,
        seed=int(random.integers(1 << 30)),
        shine=0.4,
    )
    return Item("sports ball", (ball(radius, (0, 0, radius), skin),), moves=True)


def laptop(random: np.random.Generator) -> Item:
    """An open laptop; its screen faces x."""
    x, y = random.uniform(0.11, 0.13), random.uniform(0.16, 0.2)
    case = plain(colour(random, (0, 0.15), (0.2, 0.85)), shine=0.5)
    seed = int(random.integers(1 << 30))
    screen = plain((1, 1, 1), texture="screen", repeat=0, seed=seed, glow=0.6)
    keys = plain((0.08, 0.08, 0.09))
    tilt = turn_y(-random.uniform(0.15, 0.5))
    hinge = np.array([-x, 0, 0.02])
    front, glass = tilt @ upright(), (y * 0.93, x * 0.9, 0.001)
    solids = (
        plank(-x, x, -y, y, 0, 0.018, case),
        box((x * 0.5, y * 0.85, 0.001), (-x * 0.3, 0, 0.019), keys, collides=False),
        box((0.005, y, x), tilt @ (0, 0, x) + hinge, case, tilt),
        box(glass, tilt @ (0.006, 0, x) + hinge, screen, front, collides=False),
    )
    return Item("laptop", solids, moves=True)


def clock(random: np.random.Generator, on_cord: bool = False) -> Item:
    """A round clock for a wall at x = 0, its middle at z = 0.

    With `on_cord` it hangs on a cord from a nail above it.
    """
    radius = random.uniform(0.16, 0.24)
    frame = plain(colour(random, (0, 0.9), (0.1, 0.9)))
    face = plain(
        colour(random, (0, 0.15), (0.85, 1)),
        texture="clock",
        repeat=0,
        seed=int(random.integers(1 << 30)),
    )
    lying = disc(radius * 0.88, -0.002, 0.002, face)
    dial = replace(lying, position=np.array([0.042, 0, 0]), rotation=upright())
    solids = [rod(radius, (0, 0, 0), (0.04, 0, 0), frame, round_ends=False), dial]
    if on_cord:
        solids += cord(radius * 0.7, radius * 0.7, radius + random.uniform(0.14, 0.25))
    return Item("clock", tuple(solids))


def teddy_bear(random: np.random.Generator, posture: str | None = None) -> Item:
    """A teddy bear that sits, stands, or lies on its back or belly."""
    size = random.uniform(0.75, 1.2)
    posture = posture or str(random.choice(["sitting", "lying", "standing"]))
    solids = _bear(random, sits=posture == "sitting")
    turn = np.eye(3)
    if posture == "lying":
        turn = turn_y(float(random.choice([-1, 1])) * np.pi / 2)
    solids = [
        replace(
            solid,
            size=solid.size * size,
            position=turn @ solid.position * size,
            rotation=turn @ solid.rotation,
        )
        for solid in solids
    ]
    low = extent(Item("teddy bear", tuple(solids)))[0, 2]
    solids = [replace(solid, position=solid.position - np.array([0, 0, low])) for solid in solids]
    return Item("teddy bear", tuple(solids), posture=posture)


def _bear(random: np.random.Generator, sits: bool) -> list[Solid]:
    """The solids of an upright bear, about 0.4 m high, sitting or standing."""
    fur = plain(colour(random, (0.3, 0.7), (0.35, 0.85), (0.05, 0.11)), shine=0.0)
    light = plain(np.clip(np.array(fur.rgb) * 1.35 + 0.05, 0, 1), shine=0.0)
    black = plain((0.03, 0.03, 0.03), shine=0.6)
    solids = [
        egg((0.09, 0.1, 0.12), (0, 0, 0.12), fur),
        egg((0.05, 0.065, 0.08), (0.055, 0, 0.12), light, collides=False),
        ball(0.09, (0.01, 0, 0.29), fur),
        egg((0.04, 0.045, 0.035), (0.085, 0, 0.275), light, collides=False),
        ball(0.014, (0.125, 0, 0.285), black, collides=False),
    ]
    toe_x, toe_z = (0.17, 0.045) if sits else (0.02, -0.1)
    for side in (-1, 1):
        solids += [
            ball(0.033, (0, side * 0.075, 0.365), fur, collides=False),
            ball(0.011, (0.085, side * 0.035, 0.32), black, collides=False),
            rod(0.037, (0.02, side * 0.09, 0.18), (0.11, side * 0.13, 0.11), fur, collides=False),
            rod(0.045, (0.03, side * 0.06, 0.045), (toe_x, side * 0.08, toe_z), fur),
            ball(0.045, (toe_x + 0.03, side * 0.08, toe_z + 0.01), light),
        ]
    return solids
