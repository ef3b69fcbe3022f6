"""Colours of nodes that stay over time, and ink that can be read on them."""

import colorsys
import math
from functools import cache

import numpy as np

from dsflash_ros.graph.scene_graph import Node

Colour = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""

BLACK, WHITE = (0, 0, 0), (255, 255, 255)

_COUNT = 255


@cache
def palette() -> np.ndarray:
    """Black for nothing, then 255 bright colours: (256, 1, 3) uint8.

    The hue of each is far from those before it.
    """
    golden = (math.sqrt(5) - 1) / 2
    saturations, values = (0.85, 0.6, 1.0), (1.0, 0.95, 0.8)
    colours = [
        colorsys.hsv_to_rgb(i * golden % 1, saturations[i % 3], values[i // 3 % 3])
        for i in range(_COUNT + 1)
    ]
    found = (np.array(colours) * 255).astype(np.uint8).reshape(-1, 1, 3)
    found[0] = 0
    return found


def node_colour(node: Node) -> Colour:
    """The colour that all pictures give a node.

    By track, so that an object keeps its colour; without tracking by id. 255 are told apart.
    """
    number = node.id if node.track_id is None else node.track_id
    return tuple(map(int, palette()[number % _COUNT + 1, 0]))


def luminance(colour: Colour) -> float:
    """How bright a colour looks, 0 to 1 (WCAG's relative luminance)."""
    share = np.array(colour) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def contrast(one: Colour, other: Colour) -> float:
    """How well one can be read on the other, 1 to 21; WCAG asks texts for 4.5."""
    dark, bright = sorted((luminance(one), luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


@cache
def ink_on(ground: Colour) -> Colour:
    """Black or white, whichever is read better; the contrast is 4.5 at least."""
    return max(BLACK, WHITE, key=lambda ink: contrast(ink, ground))
