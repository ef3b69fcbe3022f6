"""The things of toyroom but for people: each call makes another one, standing on z = 0 around the
origin, facing x.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np

from dsflash_ros.toyroom.build import furniture
from dsflash_ros.toyroom.build.scene import Item, turn_y
from dsflash_ros.toyroom.build.shell import cord
from dsflash_ros.toyroom.build.solids import (
    ball,
    box,
    colour,
    disc,
    egg,
    extent,
    lathe,
    plain,
    plank,
    rod,
)


def make(name: str, random: np.random.Generator) -> Item:
    """A thing of this class. Raises `KeyError` for what is not in `MAKERS`."""
    return MAKERS[name](random)


def cup(random: np.random.Generator) -> Item:
    """A mug with a handle, full or empty."""
    radius, height = random.uniform(0.042, 0.055), random.uniform(0.09, 0.13)
    china = plain(colour(random, (0.0, 0.9), (0.4, 1.0)), shine=0.6)
    inside = plain((0.2, 0.1, 0.05) if random.random() < 0.5 else np.array(china.rgb) * 0.5)
    side, low, high = radius + 0.03, 0.25 * height, 0.75 * height
    solids = [
        lathe(
            [(0.001, 0), (radius * random.uniform(0.75, 1), 0), (radius, height), (0.001, height)],
            china,
        ),
        disc(radius * 0.85, height - 0.001, height + 0.001, inside, collides=False),
        rod(0.008, (radius - 0.005, 0, high), (side, 0, high), china, collides=False),
        rod(0.008, (side, 0, high), (side, 0, low), china, collides=False),
        rod(0.008, (side, 0, low), (radius - 0.008, 0, low), china, collides=False),
    ]
    return Item("cup", tuple(solids), moves=True)


def bowl(random: np.random.Generator, upside_down: bool = False) -> Item:
    """An open bowl, in whose cavity things lie; or one turned over, with a foot on top."""
    radius, height = random.uniform(0.11, 0.17), random.uniform(0.07, 0.1)
    china = plain(colour(random, (0.0, 0.9), (0.4, 1.0)), shine=0.5)
    outside = [(0.001, 0), (radius * 0.45, 0), (radius * 0.85, height * 0.5), (radius, height)]
    if upside_down:
        profile = [(0.001, 0), *((r, height - z) for r, z in outside[::-1])]
        foot = radius * 0.3
        tops = np.array([[-foot, -foot, foot, foot, height]])
        return Item("bowl", (lathe(profile, china),), moves=True, tops=tops)
    inside = [
        (radius * 0.93, height),
        (radius * 0.78, height * 0.5),
        (radius * 0.4, 0.012),
        (0.001, 0.012),
    ]
    cavity = np.array([[-radius, -radius, 0.0], [radius, radius, 3.2 * height]])
    return Item("bowl", (lathe(outside + inside, china),), moves=True, cavity=cavity)


def bottle(random: np.random.Generator) -> Item:
    """A bottle with a cap, maybe with a label."""
    radius, height = random.uniform(0.035, 0.05), random.uniform(0.24, 0.34)
    glass = plain(colour(random, (0.2, 0.9), (0.2, 0.8)), shine=0.8)
    shoulder, neck = height * random.uniform(0.55, 0.7), height * 0.85
    profile = [
        (0.001, 0),
        (radius, 0.005),
        (radius, shoulder),
        (radius * 0.35, neck),
        (radius * 0.35, height * 0.93),
    ]
    solids = [
        lathe([*profile, (0.001, height * 0.93)], glass),
        disc(radius * 0.42, height * 0.92, height, plain(colour(random)), collides=False),
    ]
    if random.random() < 0.6:
        solids.append(
            disc(
                radius * 1.03,
                shoulder * 0.3,
                shoulder * 0.8,
                plain(colour(random, (0, 0.4), (0.8, 1))),
                collides=False,
            )
        )
    return Item("bottle", tuple(solids), moves=True)


def book(random: np.random.Generator) -> Item:
    """A book, lying or standing."""
    x, y, z = random.uniform(0.08, 0.11), random.uniform(0.11, 0.15), random.uniform(0.015, 0.03)
    cover, paper = (
        plain(colour(random, (0.3, 0.95), (0.25, 0.9))),
        plain((0.92, 0.9, 0.82), shine=0.0),
    )
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
    upright = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])  # its front faces x
    solids = tuple(
        replace(s, position=upright @ s.position + (0, 0, y), rotation=upright @ s.rotation)
        for s in flat
    )
    return Item("book", solids, moves=True)


def sports_ball(random: np.random.Generator, radius: float | None = None) -> Item:
    """A ball, plain or with a pattern."""
    radius = random.uniform(0.09, 0.14) if radius is None else radius
    texture = str(random.choice(["", "stripes", "tiles", "speckle"]))
    skin = plain(
        colour(random, (0.4, 1), (0.5, 1)),
        texture=texture,
        repeat=0,
        seed=int(random.integers(1 << 30)),
        shine=0.4,
    )
    return Item("sports ball", (ball(radius, (0, 0, radius), skin),), moves=True)


def suitcase(random: np.random.Generator) -> Item:
    """A closed suitcase that stands, with a handle above; a closed or an open one that lies."""
    cloth = plain(colour(random, (0.2, 0.9), (0.2, 0.7)), shine=0.3)
    dark = plain((0.08, 0.08, 0.08))
    kind = random.random()
    if kind < 0.5:
        x, y, z = random.uniform(0.1, 0.14), random.uniform(0.2, 0.27), random.uniform(0.25, 0.34)
        low = 0.04
        solids = [box((x, y, z), (0, 0, z + low), cloth)]
        solids += [
            box((x * 1.02, 0.012, z * 0.98), (0, sy, z + low), dark, collides=False)
            for sy in (-y * 0.5, y * 0.5)
        ]
        solids += [plank(-x, x, sy - 0.02, sy + 0.02, 0, low, dark) for sy in (-y * 0.8, y * 0.8)]
        top, arm = 2 * z + low, random.uniform(0.04, 0.2)
        solids += [
            rod(0.01, (0, sy, top), (0, sy, top + arm), dark, collides=False)
            for sy in (-0.07, 0.07)
        ]
        solids.append(rod(0.014, (0, -0.07, top + arm), (0, 0.07, top + arm), dark, collides=False))
        return Item("suitcase", tuple(solids), moves=True)
    x, y, z = random.uniform(0.2, 0.26), random.uniform(0.28, 0.36), random.uniform(0.12, 0.16)
    if kind < 0.7:
        solids = [
            plank(-x, x, -y, y, 0, z, cloth),
            plank(-x - 0.005, x + 0.005, -y, y, z * 0.45, z * 0.55, dark),
        ]
        solids += [
            plank(x, x + 0.02, sy - 0.03, sy + 0.03, z * 0.35, z * 0.65, dark)
            for sy in (-y * 0.5, 0, y * 0.5)
        ]
        return Item("suitcase", tuple(solids), tops=np.array([[-x, -y, x, y, z]]))
    wall, lining = 0.012, plain(colour(random, (0, 0.3), (0.7, 0.95)), shine=0.0)
    solids = [
        plank(-x, x, -y, y, 0, wall, lining),
        plank(-x, x, -y, -y + wall, 0, z, cloth),
        plank(-x, x, y - wall, y, 0, z, cloth),
        plank(-x, -x + wall, -y, y, 0, z, cloth),
        plank(x - wall, x, -y, y, 0, z, cloth),
    ]
    lid = turn_y(-0.25)  # leans back a little
    solids.append(
        box((wall, y, x * 0.9), lid @ (0, 0, x * 0.9) + (-x - 0.02, 0, z * 0.7), cloth, lid)
    )
    solids.append(
        box(
            (0.002, y * 0.95, x * 0.85),
            lid @ (wall, 0, x * 0.9) + (-x - 0.02, 0, z * 0.7),
            lining,
            lid,
            collides=False,
        )
    )
    cavity = np.array([[-x, -y, 0.0], [x, y, 2.0 * z]])
    return Item(
        "suitcase",
        tuple(solids),
        cavity=cavity,
        tops=np.array([[-x + 0.03, -y + 0.03, x - 0.03, y - 0.03, wall]]),
    )


def backpack(random: np.random.Generator) -> Item:
    """A backpack that stands; its straps are at -x."""
    cloth, dark = (
        plain(colour(random, (0.4, 1), (0.3, 0.9)), shine=0.0),
        plain((0.1, 0.1, 0.12), shine=0.0),
    )
    y, z = random.uniform(0.14, 0.18), random.uniform(0.2, 0.25)
    solids = [
        egg((0.12, y, z), (0, 0, z), cloth, collides=False),
        plank(-0.09, 0.09, -y * 0.85, y * 0.85, 0, 1.7 * z, cloth),
        egg(
            (0.06, y * 0.75, z * 0.5),
            (0.09, 0, z * 0.65),
            plain(np.array(cloth.rgb) * random.uniform(0.5, 0.85)),
            collides=False,
        ),
        rod(0.012, (-0.06, -0.03, 2 * z), (-0.06, 0.03, 2 * z), dark, collides=False),
    ]
    for sy in (-y * 0.5, y * 0.5):
        points = [
            (-0.09, sy, 1.7 * z),
            (-0.15, sy, 1.2 * z),
            (-0.13, sy, 0.5 * z),
            (-0.09, sy, 0.2 * z),
        ]
        solids += [rod(0.018, a, b, dark, collides=False) for a, b in pairwise(points)]
    return Item("backpack", tuple(solids), moves=True)


def umbrella(random: np.random.Generator, is_open: bool | None = None) -> Item:
    """An umbrella: open, its handle upright with the grip at the origin; or closed, standing on its
    tip.
    """
    cloth, dark = (
        plain(colour(random, (0.4, 1), (0.4, 1)), shine=0.2),
        plain((0.12, 0.1, 0.1), shine=0.4),
    )
    length = random.uniform(0.75, 0.9)
    if is_open if is_open is not None else random.random() < 0.5:
        radius, rise = random.uniform(0.42, 0.55), random.uniform(0.16, 0.24)
        dome = [
            (radius, length - rise),
            (radius * 0.75, length - rise * 0.45),
            (radius * 0.4, length - rise * 0.12),
            (0.005, length),
        ]
        solids = [lathe([*dome, *[(r * 0.98, z - 0.006) for r, z in dome[::-1]]], cloth, collides=False),
                  rod(0.009, (0, 0, -0.12), (0, 0, length + 0.04), dark, collides=False)]  # fmt: skip
        return Item("umbrella", tuple(solids))
    folded = [
        (0.006, 0.1),
        (0.02, 0.14),
        (0.05, length * 0.65),
        (0.02, length * 0.75),
        (0.008, length * 0.78),
    ]
    solids = [lathe(folded, cloth), rod(0.009, (0, 0, 0), (0, 0, length), dark, collides=False),
              rod(0.013, (0, 0, length), (0.07, 0, length + 0.03), dark, collides=False)]  # fmt: skip
    return Item("umbrella", tuple(solids))


def laptop(random: np.random.Generator) -> Item:
    """An open laptop; its screen faces x."""
    x, y = random.uniform(0.11, 0.13), random.uniform(0.16, 0.2)
    case = plain(colour(random, (0, 0.15), (0.2, 0.85)), shine=0.5)
    screen = plain(
        (1, 1, 1), texture="screen", repeat=0, seed=int(random.integers(1 << 30)), glow=0.6
    )
    back = turn_y(-random.uniform(0.15, 0.5))
    lid = np.array([-x, 0, 0.02])
    face = back @ np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
    solids = (
        plank(-x, x, -y, y, 0, 0.018, case),
        box(
            (x * 0.5, y * 0.85, 0.001),
            (-x * 0.3, 0, 0.019),
            plain((0.08, 0.08, 0.09)),
            collides=False,
        ),
        box((0.005, y, x), back @ (0, 0, x) + lid, case, back),
        box((y * 0.93, x * 0.9, 0.001), back @ (0.006, 0, x) + lid, screen, face, collides=False),
    )
    return Item("laptop", solids, moves=True)


def clock(random: np.random.Generator, on_cord: bool = False) -> Item:
    """A round clock for a wall at x = 0, its middle at z = 0; maybe on a cord with a nail above."""
    radius = random.uniform(0.16, 0.24)
    frame = plain(colour(random, (0, 0.9), (0.1, 0.9)))
    face = plain(
        colour(random, (0, 0.15), (0.85, 1)),
        texture="clock",
        repeat=0,
        seed=int(random.integers(1 << 30)),
    )
    upright = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
    dial = replace(
        disc(radius * 0.88, -0.002, 0.002, face), position=np.array([0.042, 0, 0]), rotation=upright
    )
    solids = [rod(radius, (0, 0, 0), (0.04, 0, 0), frame, round_ends=False), dial]
    if on_cord:
        solids += cord(radius * 0.7, radius * 0.7, radius + random.uniform(0.14, 0.25))
    return Item("clock", tuple(solids))


def teddy_bear(random: np.random.Generator, posture: str | None = None) -> Item:
    """A teddy bear that sits, stands, or lies on its back or belly."""
    size = random.uniform(0.75, 1.2)
    posture = posture or str(random.choice(["sitting", "lying", "standing"]))
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
    toe = (0.17, 0.045) if posture == "sitting" else (0.02, -0.1)
    for side in (-1, 1):
        solids += [
            ball(0.033, (0, side * 0.075, 0.365), fur, collides=False),
            ball(0.011, (0.085, side * 0.035, 0.32), black, collides=False),
            rod(0.037, (0.02, side * 0.09, 0.18), (0.11, side * 0.13, 0.11), fur, collides=False),
            rod(0.045, (0.03, side * 0.06, 0.045), (toe[0], side * 0.08, toe[1]), fur),
            ball(0.045, (toe[0] + 0.03, side * 0.08, toe[1] + 0.01), light),
        ]
    turn = turn_y(float(random.choice([-1, 1])) * np.pi / 2) if posture == "lying" else np.eye(3)
    solids = [
        replace(
            s, size=s.size * size, position=turn @ s.position * size, rotation=turn @ s.rotation
        )
        for s in solids
    ]
    low = extent(Item("teddy bear", tuple(solids)))[0, 2]
    solids = [replace(s, position=s.position - np.array([0, 0, low])) for s in solids]
    return Item("teddy bear", tuple(solids), posture=posture)


MAKERS: dict[str, Callable[[np.random.Generator], Item]] = {
    "backpack": backpack,
    "umbrella": umbrella,
    "suitcase": suitcase,
    "sports ball": sports_ball,
    "bottle": bottle,
    "cup": cup,
    "bowl": bowl,
    "chair": furniture.chair,
    "couch": furniture.couch,
    "potted plant": furniture.potted_plant,
    "bed": furniture.bed,
    "dining table": furniture.dining_table,
    "tv": lambda random: furniture.television(random, on_foot=True),
    "laptop": laptop,
    "book": book,
    "clock": clock,
    "teddy bear": teddy_bear,
}
