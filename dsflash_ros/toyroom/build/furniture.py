"""Chairs, couches, beds, tables and shelves.

Each function makes one with random shape, size and colour. It stands on z = 0 around the origin and
faces x, unless its own description says otherwise.
"""

from itertools import pairwise

import numpy as np

from dsflash_ros.toyroom.build.scene import Item, Material
from dsflash_ros.toyroom.build.solids import colour, disc, egg, plain, plank


def _cloth(random: np.random.Generator) -> Material:
    return plain(colour(random, (0.15, 0.8), (0.3, 0.85)), shine=0.0)


def _timber(random: np.random.Generator) -> Material:
    """Brown or white, with or without a visible grain."""
    rgb = (0.88, 0.88, 0.86)
    if random.random() < 0.7:
        rgb = colour(random, (0.3, 0.75), (0.35, 0.8), (0.04, 0.12))
    texture = "wood" if random.random() < 0.5 else ""
    return plain(rgb, texture=texture, repeat=3.0, seed=int(random.integers(1 << 30)))


def chair(random: np.random.Generator) -> Item:
    """A chair with a back, on four legs or a swivelling foot."""
    seat = random.uniform(0.43, 0.48)
    y, x = random.uniform(0.4, 0.48) / 2, random.uniform(0.4, 0.46) / 2
    back = seat + random.uniform(0.38, 0.55)
    wood = _timber(random)
    cushion = _cloth(random) if random.random() < 0.5 else wood
    solids = [plank(-x, x, -y, y, seat - 0.045, seat, cushion)]
    if random.random() < 0.75:
        half = random.uniform(0.015, 0.025)
        for lx in (-x + 0.025, x - 0.025):
            for ly in (-y + 0.025, y - 0.025):
                solids.append(
                    plank(lx - half, lx + half, ly - half, ly + half, 0, seat - 0.045, wood)
                )
    else:
        metal = plain((0.2, 0.2, 0.22), shine=0.6)
        solids += [
            disc(0.03, 0.05, seat - 0.045, metal),
            plank(-0.25, 0.25, -0.03, 0.03, 0, 0.05, metal),
            plank(-0.03, 0.03, -0.25, 0.25, 0, 0.05, metal),
        ]
    if random.random() < 0.6:
        solids.append(plank(-x, -x + 0.035, -y, y, seat + random.uniform(0, 0.15), back, cushion))
    else:
        for sy in np.linspace(-y + 0.02, y - 0.02, 4):
            solids.append(plank(-x, -x + 0.03, sy - 0.02, sy + 0.02, seat, back, wood))
        solids.append(plank(-x, -x + 0.03, -y, y, back - 0.08, back, wood))
    return Item("chair", tuple(solids), tops=np.array([[-x + 0.05, -y, x, y, seat]]))


def couch(random: np.random.Generator) -> Item:
    """A couch with arm rests, for two or three."""
    y, x = random.uniform(1.4, 2.0) / 2, random.uniform(0.8, 0.9) / 2
    seat = random.uniform(0.4, 0.45)
    back, arm = random.uniform(0.75, 0.9), random.uniform(0.55, 0.65)
    cloth = _cloth(random)
    seats = int(random.integers(2, 4))
    edges = np.linspace(-y + 0.16, y - 0.16, seats + 1)
    solids = [
        plank(-x, x, -y, y, 0.06, seat - 0.12, cloth),
        plank(-x, -x + 0.2, -y, y, 0.06, back, cloth),
        plank(-x, x, -y, -y + 0.15, 0.06, arm, cloth),
        plank(-x, x, y - 0.15, y, 0.06, arm, cloth),
        plank(-x + 0.05, x - 0.05, -y + 0.1, y - 0.1, 0, 0.06, plain((0.15, 0.12, 0.1))),
    ]
    pad = plain(np.clip(np.array(cloth.rgb) * random.uniform(0.8, 1.2), 0, 1), shine=0.0)
    for a, b in pairwise(edges):
        solids.append(plank(-x + 0.2, x, a + 0.008, b - 0.008, seat - 0.12, seat, pad))
    return Item("couch", tuple(solids), tops=np.array([[-x + 0.22, -y + 0.17, x, y - 0.17, seat]]))


def bed(random: np.random.Generator) -> Item:
    """A bed with frame, mattress, blanket, pillows and a head board, which is at -x."""
    x, y = random.uniform(1.9, 2.05) / 2, random.uniform(0.9, 1.5) / 2
    top = random.uniform(0.42, 0.55)
    wood, sheet = _timber(random), plain((0.93, 0.92, 0.9), shine=0.0)
    rgb = colour(random, (0.2, 0.8), (0.4, 0.9))
    texture = "stripes" if random.random() < 0.4 else ""
    blanket = plain(rgb, texture=texture, seed=int(random.integers(1 << 30)), shine=0.0)
    solids = [
        plank(-x, x, -y, y, 0.15, top - 0.2, wood),
        plank(-x + 0.03, x - 0.03, -y + 0.02, y - 0.02, top - 0.2, top - 0.02, sheet),
        plank(-x + 0.55, x - 0.02, -y, y, top - 0.18, top, blanket),
        plank(-x - 0.05, -x, -y, y, 0, random.uniform(0.75, 1.1), wood),
    ]
    for lx in (-x + 0.1, x - 0.1):
        for ly in (-y + 0.08, y - 0.08):
            solids.append(plank(lx - 0.04, lx + 0.04, ly - 0.04, ly + 0.04, 0, 0.15, wood))
    pillows = (-y / 2, y / 2) if y > 0.6 else (0.0,)
    for py in pillows:
        solids.append(egg((0.17, 0.26, 0.07), (-x + 0.25, py, top + 0.03), sheet))
    return Item("bed", tuple(solids), tops=np.array([[-x + 0.6, -y, x, y, top]]))


def dining_table(random: np.random.Generator) -> Item:
    """A table, rectangular or round, as high as a dining table or as low as a couch table."""
    is_high = random.random() < 0.75
    top = random.uniform(0.7, 0.78) if is_high else random.uniform(0.38, 0.5)
    wood = _timber(random)
    if random.random() < 0.3:
        radius = random.uniform(0.45, 0.65)
        solids = (
            disc(radius, top - 0.04, top, wood),
            disc(0.05, 0.03, top - 0.04, wood),
            disc(0.28, 0, 0.03, wood),
        )
        inner = radius * 0.68
        tops = np.array([[-inner, -inner, inner, inner, top]])
        return Item("dining table", solids, tops=tops)
    x, y = random.uniform(0.35, 0.5), random.uniform(0.5, 0.9)
    solids = [plank(-x, x, -y, y, top - 0.04, top, wood)]
    leg, inset = random.uniform(0.02, 0.04), random.uniform(0.04, 0.1)
    for lx in (-x + inset, x - inset):
        for ly in (-y + inset, y - inset):
            solids.append(plank(lx - leg, lx + leg, ly - leg, ly + leg, 0, top - 0.04, wood))
    return Item("dining table", tuple(solids), tops=np.array([[-x, -y, x, y, top]]))


def bookcase(random: np.random.Generator) -> Item:
    """A shelf that stands: boards between two sides and a back. Its compartments are its cavity."""
    y, x = random.uniform(0.8, 1.3) / 2, random.uniform(0.32, 0.4) / 2
    boards = int(random.integers(2, 5))
    pitch = random.uniform(0.36, 0.44)
    height = boards * pitch
    wood = _timber(random)
    levels = [0.04 + pitch * board for board in range(boards)] + [height]
    solids = [
        plank(-x, x, -y - 0.03, -y, 0, height, wood),
        plank(-x, x, y, y + 0.03, 0, height, wood),
        plank(-x - 0.02, -x, -y - 0.03, y + 0.03, 0, height, wood),
    ]
    solids += [plank(-x, x, -y, y, z - 0.03, z, wood) for z in levels]
    tops = np.array([[-x + 0.03, -y, x, y, z] for z in levels])
    cavity = np.array([[-x, -y, 0.03], [x, y, height - 0.03]])
    return Item("shelf", tuple(solids), cavity=cavity, tops=tops)


def wall_shelf(random: np.random.Generator) -> Item:
    """A board for a wall at x = 0, with its upper side at z = 0."""
    depth, y, wood = random.uniform(0.22, 0.3), random.uniform(0.35, 0.6), _timber(random)
    solids = [plank(0, depth, -y, y, -0.035, 0, wood)]
    for sy in (-y + 0.1, y - 0.1):
        solids.append(plank(0, depth * 0.7, sy - 0.015, sy + 0.015, -0.12, -0.035, wood))
    return Item("shelf", tuple(solids), tops=np.array([[0.03, -y, depth, y, 0.0]]))
