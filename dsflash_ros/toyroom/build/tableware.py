"""Cups, bowls and bottles.

Each function makes one with random size and colour. It stands on z = 0 around the origin.
"""

import numpy as np

from dsflash_ros.toyroom.build.scene import Item
from dsflash_ros.toyroom.build.solids import colour, disc, lathe, plain, rod


def cup(random: np.random.Generator) -> Item:
    """A mug with a handle, full or empty."""
    radius, height = random.uniform(0.042, 0.055), random.uniform(0.09, 0.13)
    china = plain(colour(random, (0.0, 0.9), (0.4, 1.0)), shine=0.6)
    is_full = random.random() < 0.5
    content = plain((0.2, 0.1, 0.05)) if is_full else plain(np.array(china.rgb) * 0.5)
    foot = radius * random.uniform(0.75, 1)
    side, low, high = radius + 0.03, 0.25 * height, 0.75 * height
    solids = (
        lathe([(0.001, 0), (foot, 0), (radius, height), (0.001, height)], china),
        disc(radius * 0.85, height - 0.001, height + 0.001, content, collides=False),
        rod(0.008, (radius - 0.005, 0, high), (side, 0, high), china, collides=False),
        rod(0.008, (side, 0, high), (side, 0, low), china, collides=False),
        rod(0.008, (side, 0, low), (radius - 0.008, 0, low), china, collides=False),
    )
    return Item("cup", solids, moves=True)


def bowl(random: np.random.Generator, upside_down: bool = False) -> Item:
    """An open bowl that things can lie in; or one upside down that things can stand on."""
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
    """A bottle with a cap, with or without a label."""
    radius, height = random.uniform(0.035, 0.05), random.uniform(0.24, 0.34)
    glass = plain(colour(random, (0.2, 0.9), (0.2, 0.8)), shine=0.8)
    shoulder, neck = height * random.uniform(0.55, 0.7), height * 0.85
    profile = [
        (0.001, 0),
        (radius, 0.005),
        (radius, shoulder),
        (radius * 0.35, neck),
        (radius * 0.35, height * 0.93),
        (0.001, height * 0.93),
    ]
    cap = plain(colour(random))
    solids = [
        lathe(profile, glass),
        disc(radius * 0.42, height * 0.92, height, cap, collides=False),
    ]
    if random.random() < 0.6:
        paper = plain(colour(random, (0, 0.4), (0.8, 1)))
        low, high = shoulder * 0.3, shoulder * 0.8
        solids.append(disc(radius * 1.03, low, high, paper, collides=False))
    return Item("bottle", tuple(solids), moves=True)
