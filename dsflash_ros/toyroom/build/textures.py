"""Textures, painted with NumPy. They tile, and each seed gives another variant."""

from collections.abc import Callable

import cv2
import numpy as np

SIDE = 128
"""Width and height of a texture, pixels."""


def paint(name: str, rgb: tuple[float, float, float], seed: int) -> np.ndarray:
    """Paint a texture, (SIDE, SIDE, 3) uint8, in shades of `rgb` (0 to 1 each)."""
    random = np.random.default_rng((seed, sorted(PAINTERS).index(name)))
    return np.clip(PAINTERS[name](random, np.array(rgb, np.float32)) * 255, 0, 255).astype(np.uint8)


def _grid() -> tuple[np.ndarray, np.ndarray]:
    """x and y of each pixel, (SIDE, SIDE) each, 0 to 1."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32) / SIDE
    return x, y


def _noise(random: np.random.Generator, cells: int, channels: int = 1) -> np.ndarray:
    """Smooth noise that tiles: (SIDE, SIDE, channels) float32, about -1 to 1."""
    coarse = random.normal(0, 0.5, (cells, cells, channels)).astype(np.float32)
    coarse = np.pad(coarse, ((1, 1), (1, 1), (0, 0)), mode="wrap")
    step = SIDE // cells
    fine = cv2.resize(coarse, None, fx=step, fy=step, interpolation=cv2.INTER_LINEAR)
    return fine.reshape(*fine.shape[:2], channels)[step:-step, step:-step]


def _shade(rgb: np.ndarray, brightness: np.ndarray) -> np.ndarray:
    return rgb * brightness[..., None]


def _wood(random: np.random.Generator, rgb: np.ndarray) -> np.ndarray:
    x, y = _grid()
    planks = 4
    board = np.floor(y * planks).astype(int)
    tone = random.uniform(0.8, 1.1, planks)[board]
    grain = 0.06 * np.sin(2 * np.pi * (8 * y * planks + 2 * _noise(random, 4)[..., 0]))
    seam = ((y * planks) % 1 < 0.05) | (np.abs(x - random.uniform(0, 1, planks)[board]) < 0.008)
    return _shade(rgb, np.where(seam, 0.55, tone + grain))


def _bricks(random: np.random.Generator, rgb: np.ndarray) -> np.ndarray:
    x, y = _grid()
    row = np.floor(y * 8).astype(int)
    along = x * 4 + 0.5 * (row % 2)
    tone = random.uniform(0.75, 1.15, (8, 4))[row, np.floor(along).astype(int) % 4]
    mortar = ((y * 8) % 1 < 0.12) | (along % 1 < 0.06)
    return np.where(mortar[..., None], 0.72, _shade(rgb, tone + 0.05 * _noise(random, 32)[..., 0]))


def _tiles(random: np.random.Generator, rgb: np.ndarray) -> np.ndarray:
    x, y = _grid()
    checker = (np.floor(x * 2) + np.floor(y * 2)) % 2
    joint = ((x * 2) % 1 < 0.04) | ((y * 2) % 1 < 0.04)
    tone = 1 - random.uniform(0, 0.35) * checker + 0.04 * _noise(random, 16)[..., 0]
    return _shade(rgb, np.where(joint, 0.6, tone))


def _plaster(random: np.random.Generator, rgb: np.ndarray) -> np.ndarray:
    return _shade(rgb, 1 + 0.04 * _noise(random, 4)[..., 0] + 0.03 * _noise(random, 64)[..., 0])


def _stripes(random: np.random.Generator, rgb: np.ndarray) -> np.ndarray:
    x, _ = _grid()
    other = np.clip(rgb * random.uniform(0.5, 1.3, 3), 0, 1)
    stripe = (x * random.integers(3, 9)) % 1 < random.uniform(0.2, 0.6)
    return np.where(stripe[..., None], other, rgb)


def _carpet(random: np.random.Generator, rgb: np.ndarray) -> np.ndarray:
    x, y = _grid()
    if random.random() < 0.5:
        distance = np.maximum(np.abs(x - 0.5), np.abs(y - 0.5))  # the rings are squares
    else:
        distance = np.hypot(x - 0.5, y - 0.5)
    rings = (np.floor(distance * random.integers(6, 16)) % 2)[..., None]
    other = np.clip(rgb[::-1] * random.uniform(0.5, 1.4), 0, 1)
    return rgb * rings + other * (1 - rings) + 0.06 * _noise(random, 64)


def _speckle(random: np.random.Generator, rgb: np.ndarray) -> np.ndarray:
    return rgb * (1 + 0.2 * _noise(random, 32)) + 0.05 * _noise(random, 64, 3)


def _painting(random: np.random.Generator, rgb: np.ndarray) -> np.ndarray:
    """Hills below a sky, with a sun of this colour."""
    x, y = _grid()
    canvas = random.uniform(0.5, 1, 3) * (1 - 0.4 * y[..., None])
    for _ in range(4):
        level = random.uniform(0.3, 0.9)
        wave = np.sin(2 * np.pi * (x * random.uniform(0.5, 2) + random.uniform()))
        hill = y > level + 0.15 * wave
        canvas = np.where(hill[..., None], random.uniform(0.1, 0.9, 3), canvas)
    distance = np.hypot(x - random.uniform(0.2, 0.8), y - random.uniform(0.1, 0.5))
    sun = distance < random.uniform(0.05, 0.15)
    return np.where(sun[..., None], rgb, canvas)


def _screen(random: np.random.Generator, rgb: np.ndarray) -> np.ndarray:
    """The image on a screen: mostly dark or blueish, with bright blocks."""
    x, y = _grid()
    canvas = np.array([0.05, 0.08, 0.15]) * random.uniform(0.5, 3) * (1 + 0.5 * y[..., None])
    for _ in range(random.integers(0, 7)):
        left, top = random.uniform(0, 0.8, 2)
        width, height = random.uniform(0.1, 0.5, 2)
        inside = (x > left) & (x < left + width) & (y > top) & (y < top + height)
        canvas = np.where(inside[..., None], random.uniform(0.2, 1, 3), canvas)
    return canvas * rgb


def _sky(random: np.random.Generator, rgb: np.ndarray) -> np.ndarray:
    """The view through a window: a cloudy sky over a green hill."""
    x, y = _grid()
    clouds = np.clip(_noise(random, 8), 0, 1)
    land = y > random.uniform(0.55, 0.85) + 0.05 * np.sin(2 * np.pi * x)
    return np.where(land[..., None], (0.3, 0.5, 0.25), rgb * (1 - clouds) + clouds)


def _clock(random: np.random.Generator, rgb: np.ndarray) -> np.ndarray:
    canvas = np.ones((SIDE, SIDE, 3), np.float32) * rgb
    dark = np.zeros((SIDE, SIDE), np.uint8)
    middle = SIDE // 2
    for hour in range(12):
        angle = hour * np.pi / 6
        cv2.line(dark, _clock_point(0.38, angle), _clock_point(0.46, angle), 1, 3)
    for length, width in ((0.22, 6), (0.36, 4)):  # the hands
        angle = random.uniform(0, 2 * np.pi)
        cv2.line(dark, (middle, middle), _clock_point(length, angle), 1, width)
    return np.where(dark[..., None] > 0, 0.05, canvas)


def _clock_point(radius: float, angle: float) -> tuple[int, int]:
    """Pixel at this distance from the middle (1 is the texture's width) and angle."""
    middle = SIDE // 2
    return (
        int(middle + radius * SIDE * np.cos(angle)),
        int(middle + radius * SIDE * np.sin(angle)),
    )


PAINTERS: dict[str, Callable[[np.random.Generator, np.ndarray], np.ndarray]] = {
    "wood": _wood,
    "bricks": _bricks,
    "tiles": _tiles,
    "plaster": _plaster,
    "stripes": _stripes,
    "carpet": _carpet,
    "speckle": _speckle,
    "painting": _painting,
    "screen": _screen,
    "sky": _sky,
    "clock": _clock,
}
"""Functions of a generator and (3,) rgb that return (SIDE, SIDE, 3) floats, 0 to 1.

The place of a name in the alphabet is a part of its seed: new names change the textures after it.
"""
