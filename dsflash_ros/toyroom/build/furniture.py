"""Things to sit, lie and put things on. Each stands on z = 0 around the origin and faces x."""

from itertools import pairwise

import numpy as np

from dsflash_ros.toyroom.build.scene import Item, Solid
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


def _cloth(random: np.random.Generator):
    return plain(colour(random, (0.15, 0.8), (0.3, 0.85)), shine=0.0)


def _timber(random: np.random.Generator):
    rgb = (
        colour(random, (0.3, 0.75), (0.35, 0.8), (0.04, 0.12))
        if random.random() < 0.7
        else (0.88, 0.88, 0.86)
    )
    return plain(
        rgb,
        texture="wood" if random.random() < 0.5 else "",
        repeat=3.0,
        seed=int(random.integers(1 << 30)),
    )


def chair(random: np.random.Generator) -> Item:
    """A chair with a back: four legs, or a swivelling foot."""
    seat, width, depth = (
        random.uniform(0.43, 0.48),
        random.uniform(0.4, 0.48),
        random.uniform(0.4, 0.46),
    )
    back = seat + random.uniform(0.38, 0.55)
    wood = _timber(random)
    cushion = _cloth(random) if random.random() < 0.5 else wood
    x, y = depth / 2, width / 2
    solids = [plank(-x, x, -y, y, seat - 0.045, seat, cushion)]
    if random.random() < 0.75:
        legs = [(sx * (x - 0.025), sy * (y - 0.025)) for sx in (-1, 1) for sy in (-1, 1)]
        thick = random.uniform(0.015, 0.025)
        solids += [
            plank(lx - thick, lx + thick, ly - thick, ly + thick, 0, seat - 0.045, wood)
            for lx, ly in legs
        ]
    else:
        metal = plain((0.2, 0.2, 0.22), shine=0.6)
        solids.append(disc(0.03, 0.05, seat - 0.045, metal))
        solids += [
            plank(-0.25, 0.25, -0.03, 0.03, 0, 0.05, metal),
            plank(-0.03, 0.03, -0.25, 0.25, 0, 0.05, metal),
        ]
    if random.random() < 0.6:
        solids.append(plank(-x, -x + 0.035, -y, y, seat + random.uniform(0, 0.15), back, cushion))
    else:
        solids += [
            plank(-x, -x + 0.03, sy - 0.02, sy + 0.02, seat, back, wood)
            for sy in np.linspace(-y + 0.02, y - 0.02, 4)
        ]
        solids.append(plank(-x, -x + 0.03, -y, y, back - 0.08, back, wood))
    return Item("chair", tuple(solids), tops=np.array([[-x + 0.05, -y, x, y, seat]]))


def couch(random: np.random.Generator) -> Item:
    """A couch with arm rests."""
    width, depth, seat = (
        random.uniform(1.4, 2.0),
        random.uniform(0.8, 0.9),
        random.uniform(0.4, 0.45),
    )
    back, arm = random.uniform(0.75, 0.9), random.uniform(0.55, 0.65)
    cloth = _cloth(random)
    x, y = depth / 2, width / 2
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
    solids += [
        plank(-x + 0.2, x, a + 0.008, b - 0.008, seat - 0.12, seat, pad) for a, b in pairwise(edges)
    ]
    return Item("couch", tuple(solids), tops=np.array([[-x + 0.22, -y + 0.17, x, y - 0.17, seat]]))


def bed(random: np.random.Generator) -> Item:
    """A bed: frame, mattress, blanket, head board. Its head is at -x."""
    length, width, top = (
        random.uniform(1.9, 2.05),
        random.uniform(0.9, 1.5),
        random.uniform(0.42, 0.55),
    )
    wood, sheet = _timber(random), plain((0.93, 0.92, 0.9), shine=0.0)
    blanket = plain(colour(random, (0.2, 0.8), (0.4, 0.9)), texture="stripes" if random.random() < 0.4 else "",
                    repeat=1.0, seed=int(random.integers(1 << 30)), shine=0.0)  # fmt: skip
    x, y = length / 2, width / 2
    solids = [
        plank(-x, x, -y, y, 0.15, top - 0.2, wood),
        plank(-x + 0.03, x - 0.03, -y + 0.02, y - 0.02, top - 0.2, top - 0.02, sheet),
        plank(-x + 0.55, x - 0.02, -y, y, top - 0.18, top, blanket),
        plank(-x - 0.05, -x, -y, y, 0, random.uniform(0.75, 1.1), wood),
    ]
    solids += [plank(sx - 0.04, sx + 0.04, sy - 0.04, sy + 0.04, 0, 0.15, wood)
               for sx in (-x + 0.1, x - 0.1) for sy in (-y + 0.08, y - 0.08)]  # fmt: skip
    for sy in (-y / 2, y / 2) if width > 1.2 else (0.0,):
        solids.append(egg((0.17, 0.26, 0.07), (-x + 0.25, sy, top + 0.03), sheet))
    return Item("bed", tuple(solids), tops=np.array([[-x + 0.6, -y, x, y, top]]))


def dining_table(random: np.random.Generator) -> Item:
    """A table, angular or round, high or low."""
    high = random.random() < 0.75
    top = random.uniform(0.7, 0.78) if high else random.uniform(0.38, 0.5)
    wood = _timber(random)
    if random.random() < 0.3:
        radius = random.uniform(0.45, 0.65)
        solids = [
            disc(radius, top - 0.04, top, wood),
            disc(0.05, 0.03, top - 0.04, wood),
            disc(0.28, 0, 0.03, wood),
        ]
        inner = radius * 0.68
        return Item(
            "dining table", tuple(solids), tops=np.array([[-inner, -inner, inner, inner, top]])
        )
    x, y = random.uniform(0.35, 0.5), random.uniform(0.5, 0.9)
    solids = [plank(-x, x, -y, y, top - 0.04, top, wood)]
    leg, inset = random.uniform(0.02, 0.04), random.uniform(0.04, 0.1)
    solids += [plank(sx - leg, sx + leg, sy - leg, sy + leg, 0, top - 0.04, wood)
               for sx in (-x + inset, x - inset) for sy in (-y + inset, y - inset)]  # fmt: skip
    return Item("dining table", tuple(solids), tops=np.array([[-x, -y, x, y, top]]))


def bookcase(random: np.random.Generator) -> Item:
    """A shelf that stands: boards between two sides, a back. Its compartments are its cavity."""
    width, depth = random.uniform(0.8, 1.3), random.uniform(0.32, 0.4)
    boards = int(random.integers(2, 5))
    pitch = random.uniform(0.36, 0.44)
    height = boards * pitch
    wood = _timber(random)
    x, y = depth / 2, width / 2
    solids = [plank(-x, x, -y - 0.03, -y, 0, height, wood), plank(-x, x, y, y + 0.03, 0, height, wood),
              plank(-x - 0.02, -x, -y - 0.03, y + 0.03, 0, height, wood)]  # fmt: skip
    levels = [0.04 + pitch * i for i in range(boards)] + [height]
    solids += [plank(-x, x, -y, y, z - 0.03, z, wood) for z in levels]
    tops = [[-x + 0.03, -y, x, y, z] for z in levels]
    return Item(
        "shelf",
        tuple(solids),
        cavity=np.array([[-x, -y, 0.03], [x, y, height - 0.03]]),
        tops=np.array(tops),
    )


def wall_shelf(random: np.random.Generator) -> Item:
    """A board for a wall at x = 0, with its upper side at z = 0."""
    depth, y, wood = random.uniform(0.22, 0.3), random.uniform(0.35, 0.6), _timber(random)
    solids = [plank(0, depth, -y, y, -0.035, 0, wood)]
    solids += [
        plank(0, depth * 0.7, sy - 0.015, sy + 0.015, -0.12, -0.035, wood)
        for sy in (-y + 0.1, y - 0.1)
    ]
    return Item("shelf", tuple(solids), tops=np.array([[0.03, -y, depth, y, 0.0]]))


def television(random: np.random.Generator, on_foot: bool) -> Item:
    """A flat screen on a foot, or for a wall at x = 0 with its middle at z = 0."""
    y, z = (w := random.uniform(0.35, 0.55)), w * 0.58
    frame = plain((0.04, 0.04, 0.05), shine=0.5)
    bright = random.random() < 0.6
    screen = plain(
        (1, 1, 1),
        texture="screen",
        repeat=0,
        seed=int(random.integers(1 << 30)),
        glow=0.5 if bright else 0.1,
    )
    middle = z + 0.07 if on_foot else 0.0
    back = -0.02 if on_foot else 0.0
    solids: list[Solid] = [
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
    solids = [
        disc(pot_radius, 0, pot_height, plain(colour(random, (0.2, 0.8), (0.4, 0.9), (0.0, 0.12))))
    ]
    green = [
        plain(colour(random, (0.5, 0.9), (0.25, 0.65), (0.22, 0.4)), shine=0.2) for _ in range(3)
    ]
    if random.random() < 0.5:  # blades from the middle
        for _ in range(int(random.integers(7, 14))):
            angle, spread = random.uniform(0, 2 * np.pi), random.uniform(0.3, 1.0)
            tip = np.array(
                [
                    spread * 0.35 * np.cos(angle),
                    spread * 0.35 * np.sin(angle),
                    height * random.uniform(0.6, 1.1),
                ]
            )
            middle, half = tip / 2 + (0, 0, pot_height), np.linalg.norm(tip) / 2

            solids.append(
                egg(
                    (0.012, 0.045, half),
                    middle,
                    green[int(random.integers(3))],
                    along(tip),
                    collides=False,
                )
            )
    else:  # a crown on a stem
        solids.append(
            rod(
                0.018,
                (0, 0, pot_height),
                (0, 0, pot_height + height * 0.6),
                plain((0.35, 0.25, 0.15)),
                collides=False,
            )
        )
        crown = random.uniform(0.13, 0.22)
        for _ in range(int(random.integers(4, 8))):
            at = random.normal(0, crown * 0.5, 3) + np.array([0, 0, pot_height + height * 0.7])
            solids.append(
                ball(
                    crown * random.uniform(0.5, 0.8),
                    at,
                    green[int(random.integers(3))],
                    collides=False,
                )
            )
    return Item("potted plant", tuple(solids))


def lamp(random: np.random.Generator, drop: float) -> Item:
    """A lamp for a ceiling at z = 0 that hangs `drop` metres down."""
    cord, shade = plain((0.1, 0.1, 0.1)), plain(colour(random, (0.0, 0.6), (0.7, 1.0)), glow=0.7)
    radius, height = random.uniform(0.14, 0.26), random.uniform(0.14, 0.24)
    solids = [rod(0.008, (0, 0, -drop + height), (0, 0, 0), cord, round_ends=False)]
    if random.random() < 0.4:
        solids.append(ball(radius * 0.8, (0, 0, -drop + height / 2), shade))
    else:
        profile = [
            (radius, -drop),
            (radius * random.uniform(0.3, 0.8), -drop + height),
            (0.008, -drop + height + 0.01),
        ]
        solids.append(lathe([(0.01, -drop + 0.02), *profile], shade))
    return Item("light", tuple(solids))


def ceiling_lamp(random: np.random.Generator) -> Item:
    """A flat lamp for a ceiling at z = 0."""
    radius, height = random.uniform(0.18, 0.3), random.uniform(0.07, 0.14)
    shade, rim = (
        plain(colour(random, (0.0, 0.5), (0.75, 1.0)), glow=0.7),
        plain((0.6, 0.6, 0.6), shine=0.6),
    )
    dome = [
        (0.005, -height),
        (radius * 0.6, -height * 0.85),
        (radius * 0.92, -height * 0.4),
        (radius, 0.0),
    ]
    return Item("light", (lathe(dome, shade), disc(radius * 1.05, -0.02, 0.0, rim)))
