"""Scenes of coloured shapes before sky and ground, with their truth."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from dsflash_ros.data.shapes.shape_relations import GROUND, PREDICATES, SKY, relate
from dsflash_ros.graph.label_maps import label_boxes
from dsflash_ros.graph.vocabulary import Vocabulary

VOCABULARY = Vocabulary(
    things=("ball", "box", "cone", "plate", "star", "bar"),
    stuff=("sky", "ground"),
    predicates=PREDICATES,
)

_LEAST_VISIBLE = 0.35
"""Share of a shape that later ones must not hide."""

_LEAST_AREA = 20
"""Pixels of a shape."""

_TRIES = 200
"""In a small picture there is no room for many shapes."""


@dataclass(frozen=True, eq=False)
class ShapeScene:
    """A picture with its truth.

    Attributes:
        rgb: (H, W, 3) uint8.
        labels: (H, W) int32, index of the segment; each pixel has one.
        class_ids: (S,) int64, of `VOCABULARY`; the things in the order in which they were drawn,
            then the stuff.
        relations: (R, 3) int64, subject, object, predicate; at most one for each directed pair.
    """

    rgb: np.ndarray
    labels: np.ndarray
    class_ids: np.ndarray
    relations: np.ndarray


def make_scene(random: np.random.Generator, height: int, width: int) -> ShapeScene:
    """Draw 3 to 8 things before sky and ground."""
    masks, class_ids = _place_things(random, height, width)
    horizon = int(height * random.uniform(0.4, 0.7))
    labels = np.full((height, width), len(masks), np.int32)
    labels[horizon:] = len(masks) + 1
    for index, mask in enumerate(masks):
        labels[mask] = index
    visible = np.isin(np.arange(len(masks) + 2), labels)  # sky or ground may be hidden wholly
    labels = (np.cumsum(visible) - 1).astype(np.int32)[labels]
    class_ids = np.array([*class_ids, SKY, GROUND])[visible]
    rgb = _paint(random, labels, len(class_ids))
    return ShapeScene(rgb, labels, class_ids, relate(masks, labels, class_ids))


def _place_things(
    random: np.random.Generator, height: int, width: int
) -> tuple[list[np.ndarray], list[int]]:
    """Masks (H, W) bool of whole shapes, also of what later ones hide; and their class ids."""
    masks: list[np.ndarray] = []
    class_ids: list[int] = []
    wanted = random.integers(3, 9)
    for _ in range(_TRIES):
        class_id = int(random.integers(len(VOCABULARY.things)))
        mask = _place(random, class_id, masks, height, width)
        if _all_visible([*masks, mask]):
            masks.append(mask)
            class_ids.append(class_id)
        if len(masks) == wanted:
            break
    return masks, class_ids


def _place(
    random: np.random.Generator, class_id: int, masks: list[np.ndarray], height: int, width: int
) -> np.ndarray:
    """Draw a shape: (H, W) bool. Now and then it is on an earlier one, or before its middle."""
    size = min(height, width) * random.uniform(0.12, 0.4)
    x, y = random.uniform(0.1, 0.9) * width, random.uniform(0.1, 0.9) * height
    turn = random.uniform(0, math.tau)
    how = random.random()
    if masks and how < 0.4:
        x0, y0, x1, y1 = label_boxes(masks[random.integers(len(masks))].astype(np.int32) - 1, 1)[0]
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        if how < 0.15:
            size = 0.35 * min(x1 - x0, y1 - y0)
        else:
            y = y0 - size / 2
    points = _outline(VOCABULARY.things[class_id], turn) * (size / 2) + (x, y)
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [np.round(points).astype(np.int32)], 1)
    return mask.astype(bool)


def _outline(thing: str, turn: float) -> np.ndarray:
    """The corners of a thing's polygon, which fills about -1..1: (N, 2) float, x and y."""
    angles = np.linspace(0, math.tau, 40, endpoint=False)
    circle = np.stack((np.cos(angles), np.sin(angles)), axis=1)
    wobble = 0.15 * math.sin(turn)
    if thing == "ball":
        return circle
    if thing == "plate":
        return circle * (1, 0.4 + wobble)
    if thing == "box":
        return np.array([(-0.9, -0.8 + wobble), (0.9, -0.8 + wobble), (0.9, 0.8), (-0.9, 0.8)])
    if thing == "cone":
        return np.array([(wobble, -1), (0.7, 0.9), (-0.7, 0.9)])
    if thing == "bar":
        return np.array([(-0.18, -1), (0.18, -1), (0.18 + wobble, 1), (-0.18 + wobble, 1)])
    return circle[::4] * np.where(np.arange(10) % 2, 0.45, 1)[:, None]  # star


def _all_visible(masks: list[np.ndarray]) -> bool:
    """Whether each shape is large enough and the later ones leave enough of it."""
    hidden = np.zeros_like(masks[0])
    for mask in reversed(masks):
        area, left = np.count_nonzero(mask), np.count_nonzero(mask & ~hidden)
        if area < _LEAST_AREA or left < _LEAST_VISIBLE * area:
            return False
        hidden |= mask
    return True


def _paint(random: np.random.Generator, labels: np.ndarray, count: int) -> np.ndarray:
    """Give each segment a colour with stripes, shade and noise: (H, W, 3) uint8.

    It is lighter above than below.
    """
    height, width = labels.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    colours = random.uniform(40, 215, (count, 3)).astype(np.float32)
    directions = random.uniform(-0.5, 0.5, (count, 2)).astype(np.float32)
    strengths = random.uniform(0, 25, count).astype(np.float32)
    wave = np.sin(x * directions[labels, 0] + y * directions[labels, 1]) * strengths[labels]
    shade = 20 - 40 * y / height
    noise = random.normal(0, 6, (height, width, 3)).astype(np.float32)
    return np.clip(colours[labels] + (wave + shade)[..., None] + noise, 0, 255).astype(np.uint8)
