"""Televisions, lamps and potted plants.

Each function makes one with random shape, size and colour, standing on z = 0 around the origin,
unless its own description says otherwise. A screen faces x.
"""

import numpy as np

from dsflash_ros.toyroom.build.scene import Item, Material, Solid
from dsflash_ros.toyroom.build.solids import (
    along,
    ball,
    colour,
    disc,
    egg,
    lathe,
    panel,
    plain,
    plank,
    rod,
)


def television(random: np.random.Generator, on_foot: bool) -> Item:
    """A flat screen on a foot, or one for a wall at x = 0 with its middle at z = 0."""
    y = random.uniform(0.35, 0.55)
    z = y * 0.58
    frame = plain((0.04, 0.04, 0.05), shine=0.5)
    glow = 0.5 if random.random() < 0.6 else 0.1
    seed = int(random.integers(1 << 30))
    screen = plain((1, 1, 1), texture="screen", repeat=0, seed=seed, glow=glow)
    middle, back = (z + 0.07, -0.02) if on_foot else (0.0, 0.0)
    solids = [
        plank(back, back + 0.04, -y, y, middle - z, middle + z, frame),
        panel(y - 0.02, z - 0.02, 0.004, (back + 0.042, 0, middle), screen),
    ]
    if on_foot:
        solids += [
            plank(-0.1, 0.1, -0.15, 0.15, 0, 0.015, frame),
            plank(-0.015, 0.015, -0.03, 0.03, 0.015, 0.09, frame),
        ]
    return Item("tv", tuple(solids))


def potted_plant(random: np.random.Generator) -> Item:
    """Leaves in a pot, small or tall."""
    pot_radius, pot_height = random.uniform(0.09, 0.16), random.uniform(0.14, 0.26)
    height = random.uniform(0.3, 0.9) * random.uniform(0.6, 1.0)
    clay = plain(colour(random, (0.2, 0.8), (0.4, 0.9), (0.0, 0.12)))
    greens = [
        plain(colour(random, (0.5, 0.9), (0.25, 0.65), (0.22, 0.4)), shine=0.2) for _ in range(3)
    ]
    if random.random() < 0.5:
        leaves = _blades(random, pot_height, height, greens)
    else:
        leaves = _crown(random, pot_height, height, greens)
    return Item("potted plant", (disc(pot_radius, 0, pot_height, clay), *leaves))


def _blades(
    random: np.random.Generator, pot_height: float, height: float, greens: list[Material]
) -> list[Solid]:
    """Long leaves that spread from the middle of the pot."""
    solids = []
    for _ in range(int(random.integers(7, 14))):
        angle, spread = random.uniform(0, 2 * np.pi), random.uniform(0.3, 1.0)
        reach = spread * 0.35
        rise = height * random.uniform(0.6, 1.1)
        tip = np.array([reach * np.cos(angle), reach * np.sin(angle), rise])
        half = (0.012, 0.045, np.linalg.norm(tip) / 2)
        green = greens[int(random.integers(3))]
        solids.append(egg(half, tip / 2 + (0, 0, pot_height), green, along(tip), collides=False))
    return solids


def _crown(
    random: np.random.Generator, pot_height: float, height: float, greens: list[Material]
) -> list[Solid]:
    """A round crown on a stem."""
    bark = plain((0.35, 0.25, 0.15))
    bottom, top = (0, 0, pot_height), (0, 0, pot_height + height * 0.6)
    solids = [rod(0.018, bottom, top, bark, collides=False)]
    crown = random.uniform(0.13, 0.22)
    for _ in range(int(random.integers(4, 8))):
        at = random.normal(0, crown * 0.5, 3) + np.array([0, 0, pot_height + height * 0.7])
        radius = crown * random.uniform(0.5, 0.8)
        solids.append(ball(radius, at, greens[int(random.integers(3))], collides=False))
    return solids


def lamp(random: np.random.Generator, drop: float) -> Item:
    """A lamp that hangs `drop` metres down from a ceiling at z = 0."""
    wire, shade = plain((0.1, 0.1, 0.1)), plain(colour(random, (0.0, 0.6), (0.7, 1.0)), glow=0.7)
    radius, height = random.uniform(0.14, 0.26), random.uniform(0.14, 0.24)
    solids = [rod(0.008, (0, 0, -drop + height), (0, 0, 0), wire, round_ends=False)]
    if random.random() < 0.4:
        solids.append(ball(radius * 0.8, (0, 0, -drop + height / 2), shade))
    else:
        profile = [
            (0.01, -drop + 0.02),
            (radius, -drop),
            (radius * random.uniform(0.3, 0.8), -drop + height),
            (0.008, -drop + height + 0.01),
        ]
        solids.append(lathe(profile, shade))
    return Item("light", tuple(solids))


def ceiling_lamp(random: np.random.Generator) -> Item:
    """A flat lamp for a ceiling at z = 0."""
    radius, height = random.uniform(0.18, 0.3), random.uniform(0.07, 0.14)
    shade = plain(colour(random, (0.0, 0.5), (0.75, 1.0)), glow=0.7)
    rim = plain((0.6, 0.6, 0.6), shine=0.6)
    dome = [
        (0.005, -height),
        (radius * 0.6, -height * 0.85),
        (radius * 0.92, -height * 0.4),
        (radius, 0.0),
    ]
    return Item("light", (lathe(dome, shade), disc(radius * 1.05, -0.02, 0.0, rim)))
