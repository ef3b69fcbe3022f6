"""Suitcases, backpacks and umbrellas.

Each function makes one with random size and colour. It stands on z = 0 around the origin and faces
x, unless its own description says otherwise.
"""

from itertools import pairwise

import numpy as np

from dsflash_ros.toyroom.build.scene import Item, Material, turn_y
from dsflash_ros.toyroom.build.solids import box, colour, egg, lathe, plain, plank, rod


def suitcase(random: np.random.Generator) -> Item:
    """A suitcase: half of them stand, the others lie, closed or open."""
    cloth = plain(colour(random, (0.2, 0.9), (0.2, 0.7)), shine=0.3)
    dark = plain((0.08, 0.08, 0.08))
    kind = random.random()
    if kind < 0.5:
        return _standing_suitcase(random, cloth, dark)
    half = random.uniform(0.2, 0.26), random.uniform(0.28, 0.36)
    height = random.uniform(0.12, 0.16)
    if kind < 0.7:
        return _closed_suitcase(*half, height, cloth, dark)
    lining = plain(colour(random, (0, 0.3), (0.7, 0.95)), shine=0.0)
    return _open_suitcase(*half, height, cloth, lining)


def _standing_suitcase(random: np.random.Generator, cloth: Material, dark: Material) -> Item:
    """One on wheels, with a telescopic handle."""
    x, y, z = random.uniform(0.1, 0.14), random.uniform(0.2, 0.27), random.uniform(0.25, 0.34)
    low = 0.04
    solids = [box((x, y, z), (0, 0, z + low), cloth)]
    for sy in (-y * 0.5, y * 0.5):
        solids.append(box((x * 1.02, 0.012, z * 0.98), (0, sy, z + low), dark, collides=False))
    for sy in (-y * 0.8, y * 0.8):
        solids.append(plank(-x, x, sy - 0.02, sy + 0.02, 0, low, dark))
    top, arm = 2 * z + low, random.uniform(0.04, 0.2)
    for sy in (-0.07, 0.07):
        solids.append(rod(0.01, (0, sy, top), (0, sy, top + arm), dark, collides=False))
    solids.append(rod(0.014, (0, -0.07, top + arm), (0, 0.07, top + arm), dark, collides=False))
    return Item("suitcase", tuple(solids), moves=True)


def _closed_suitcase(x: float, y: float, height: float, cloth: Material, dark: Material) -> Item:
    """One that lies, with these half sizes; things can be put on it."""
    solids = [
        plank(-x, x, -y, y, 0, height, cloth),
        plank(-x - 0.005, x + 0.005, -y, y, height * 0.45, height * 0.55, dark),
    ]
    for sy in (-y * 0.5, 0, y * 0.5):
        solids.append(plank(x, x + 0.02, sy - 0.03, sy + 0.03, height * 0.35, height * 0.65, dark))
    return Item("suitcase", tuple(solids), tops=np.array([[-x, -y, x, y, height]]))


def _open_suitcase(x: float, y: float, height: float, cloth: Material, lining: Material) -> Item:
    """One that lies open, with these half sizes; things can be put into it."""
    wall = 0.012
    tilt = turn_y(-0.25)  # the lid leans back a little
    hinge = (-x - 0.02, 0, height * 0.7)
    lid, lid_lining = (wall, y, x * 0.9), (0.002, y * 0.95, x * 0.85)
    solids = (
        plank(-x, x, -y, y, 0, wall, lining),
        plank(-x, x, -y, -y + wall, 0, height, cloth),
        plank(-x, x, y - wall, y, 0, height, cloth),
        plank(-x, -x + wall, -y, y, 0, height, cloth),
        plank(x - wall, x, -y, y, 0, height, cloth),
        box(lid, tilt @ (0, 0, x * 0.9) + hinge, cloth, tilt),
        box(lid_lining, tilt @ (wall, 0, x * 0.9) + hinge, lining, tilt, collides=False),
    )
    cavity = np.array([[-x, -y, 0.0], [x, y, 2.0 * height]])
    tops = np.array([[-x + 0.03, -y + 0.03, x - 0.03, y - 0.03, wall]])
    return Item("suitcase", solids, cavity=cavity, tops=tops)


def backpack(random: np.random.Generator) -> Item:
    """A backpack that stands; its straps are at -x."""
    cloth = plain(colour(random, (0.4, 1), (0.3, 0.9)), shine=0.0)
    dark = plain((0.1, 0.1, 0.12), shine=0.0)
    y, z = random.uniform(0.14, 0.18), random.uniform(0.2, 0.25)
    pocket = plain(np.array(cloth.rgb) * random.uniform(0.5, 0.85))
    solids = [
        egg((0.12, y, z), (0, 0, z), cloth, collides=False),
        plank(-0.09, 0.09, -y * 0.85, y * 0.85, 0, 1.7 * z, cloth),
        egg((0.06, y * 0.75, z * 0.5), (0.09, 0, z * 0.65), pocket, collides=False),
        rod(0.012, (-0.06, -0.03, 2 * z), (-0.06, 0.03, 2 * z), dark, collides=False),
    ]
    for sy in (-y * 0.5, y * 0.5):
        strap = [
            (-0.09, sy, 1.7 * z),
            (-0.15, sy, 1.2 * z),
            (-0.13, sy, 0.5 * z),
            (-0.09, sy, 0.2 * z),
        ]
        solids += [rod(0.018, a, b, dark, collides=False) for a, b in pairwise(strap)]
    return Item("backpack", tuple(solids), moves=True)


def umbrella(random: np.random.Generator, is_open: bool | None = None) -> Item:
    """An umbrella, open or closed; by default one of the two at random.

    An open one has its grip at the origin and its handle upright. A closed one stands on its tip.
    """
    cloth = plain(colour(random, (0.4, 1), (0.4, 1)), shine=0.2)
    dark = plain((0.12, 0.1, 0.1), shine=0.4)
    length = random.uniform(0.75, 0.9)
    if is_open is None:
        is_open = random.random() < 0.5
    if is_open:
        radius, rise = random.uniform(0.42, 0.55), random.uniform(0.16, 0.24)
        dome = [
            (radius, length - rise),
            (radius * 0.75, length - rise * 0.45),
            (radius * 0.4, length - rise * 0.12),
            (0.005, length),
        ]
        underside = [(r * 0.98, z - 0.006) for r, z in dome[::-1]]
        solids = (
            lathe([*dome, *underside], cloth, collides=False),
            rod(0.009, (0, 0, -0.12), (0, 0, length + 0.04), dark, collides=False),
        )
        return Item("umbrella", solids)
    folded = [
        (0.006, 0.1),
        (0.02, 0.14),
        (0.05, length * 0.65),
        (0.02, length * 0.75),
        (0.008, length * 0.78),
    ]
    solids = (
        lathe(folded, cloth),
        rod(0.009, (0, 0, 0), (0, 0, length), dark, collides=False),
        rod(0.013, (0, 0, length), (0.07, 0, length + 0.03), dark, collides=False),
    )
    return Item("umbrella", solids)
