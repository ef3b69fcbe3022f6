"""A small synthetic data set in PSG's format, for trying and testing: coloured shapes that stand,
hang and overlap.

    python -m dsflash_ros.data.shapes DIR --count 100 --test-share 0.2

Relations follow exactly from the geometry, so that a model can learn them, and depend on the
direction; see `_relate`.
"""

import argparse
import math
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from dsflash_ros.argument_types import natural, positive, share
from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.data.psg_writer import PsgWriter
from dsflash_ros.errors import DSFlashError, OutputError
from dsflash_ros.files import expand
from dsflash_ros.graph.label_maps import label_boxes
from dsflash_ros.graph.vocabulary import Vocabulary

VOCABULARY = Vocabulary(
    things=("ball", "box", "cone", "plate", "star", "bar"),
    stuff=("sky", "ground"),
    predicates=("inside", "in front of", "on", "above", "beside", "larger than"),
)
_INSIDE, _IN_FRONT, _ON, _ABOVE, _BESIDE, _LARGER = range(6)
_SKY, _GROUND = 6, 7

_MIN_VISIBLE = 0.35
"""Share of a shape that no later one may hide."""

_NEAR = 0.1
"""Gap between shapes that are near each other, over the picture's longer side."""


@dataclass(frozen=True, eq=False)
class Scene:
    """One picture with its truth.

    Attributes:
        rgb: (H, W, 3) uint8.
        labels: (H, W) int32, index of the segment; no pixel is without one.
        class_ids: (S,) int64, of `VOCABULARY`; the things in the order in which they were drawn,
            then the stuff.
        relations: (R, 3) int64, subject, object, predicate; at most one for each directed pair.
    """

    rgb: np.ndarray
    labels: np.ndarray
    class_ids: np.ndarray
    relations: np.ndarray


def write_shapes(
    directory: str | Path,
    count: int,
    seed: int = 0,
    height: int = 240,
    width: int = 320,
    test_share: float = 0.0,
) -> None:
    """Write `count` images of `height` x `width` pixels; the last `test_share` (0 to 1) of them are
    the split "test".

    The same seed gives the same bytes. Raises `OutputError` when something cannot be written.
    """
    first_test = count - round(count * test_share)
    with PsgWriter(directory, VOCABULARY) as writer:
        for index in range(count):
            scene = make_scene(np.random.default_rng((seed, index)), height, width)
            split = "train" if index < first_test else "test"
            writer.add(
                f"{index:06}", scene.rgb, scene.labels, scene.class_ids, scene.relations, split
            )


def make_scene(random: np.random.Generator, height: int, width: int) -> Scene:
    """Draw 3 to 8 things before sky and ground."""
    masks: list[np.ndarray] = []  # (H, W) bool each: whole shapes, also what later ones hide
    class_ids: list[int] = []
    wanted = random.integers(3, 9)
    for _ in range(200):  # in a small picture there is no room for many
        class_id = int(random.integers(len(VOCABULARY.things)))
        mask = _place(random, class_id, masks, height, width)
        if _all_visible([*masks, mask]):
            masks.append(mask)
            class_ids.append(class_id)
        if len(masks) == wanted:
            break

    horizon = int(height * random.uniform(0.4, 0.7))
    labels = np.full((height, width), len(masks), np.int32)
    labels[horizon:] = len(masks) + 1
    for index, mask in enumerate(masks):
        labels[mask] = index
    visible = np.isin(np.arange(len(masks) + 2), labels)  # sky or ground may be hidden wholly
    labels = (np.cumsum(visible) - 1).astype(np.int32)[labels]
    class_ids = np.array([*class_ids, _SKY, _GROUND])[visible]
    return Scene(
        _paint(random, labels, len(class_ids)), labels, class_ids, _relate(masks, labels, class_ids)
    )


def _place(
    random: np.random.Generator, class_id: int, masks: list[np.ndarray], height: int, width: int
) -> np.ndarray:
    """(H, W) bool: a shape somewhere; now and then upon an earlier one, or before its middle."""
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
    """(N, 2) float: x and y of a polygon that fills about -1..1."""
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
    hidden = np.zeros_like(masks[0])
    for mask in reversed(masks):
        area, left = np.count_nonzero(mask), np.count_nonzero(mask & ~hidden)
        if area < 20 or left < _MIN_VISIBLE * area:
            return False
        hidden |= mask
    return True


def _relate(masks: list[np.ndarray], labels: np.ndarray, class_ids: np.ndarray) -> np.ndarray:
    """(R, 3) int64: for each directed pair the first predicate that holds, if any.

    Between things a and b, by their visible boxes:
        a inside b        a covers a part of b, and its box lies within b's
        a in front of b   a covers a part of b
        a on b            the lowest pixels of a lie right above a pixel of b
        a above b         a ends above b's beginning; they share columns and are near each other
        a beside b        they share rows, no columns, and are near each other
        a larger than b   a shows at least three times the pixels of b, and they are near each other

    Near: the gap between the boxes, in x and in y, is less than a tenth of the picture's longer
    side. A thing is on the ground when its lowest pixels lie right above a pixel of it. Stuff is
    never a subject.
    """
    boxes = label_boxes(labels, len(class_ids))
    areas = np.bincount(labels.reshape(-1), minlength=len(class_ids))
    relations = []
    for a, whole in enumerate(masks):
        bottom = boxes[a, 3]
        below = (
            labels[bottom][labels[bottom - 1] == a]
            if bottom < len(labels)
            else np.zeros(0, np.int32)
        )
        rests_on = set(below.tolist())
        for b, class_id in enumerate(class_ids):
            if a == b or class_id == _SKY:
                continue
            predicate = None
            if class_id == _GROUND:
                predicate = _ON if b in rests_on else None
            else:
                covers = b < a and bool((whole & masks[b]).any())
                near = _gap(boxes[a], boxes[b]) < _NEAR * max(labels.shape)
                predicate = _predicate(
                    boxes[a], boxes[b], areas[a], areas[b], covers, b in rests_on, near
                )
            if predicate is not None:
                relations.append((a, b, predicate))
    return np.array(relations, np.int64).reshape(-1, 3)


def _predicate(
    a: np.ndarray,
    b: np.ndarray,
    area_a: int,
    area_b: int,
    a_covers_b: bool,
    a_rests_on_b: bool,
    near: bool,
) -> int | None:
    share_columns, share_rows = a[0] < b[2] and b[0] < a[2], a[1] < b[3] and b[1] < a[3]
    holds = {
        _INSIDE: a_covers_b and (a[:2] >= b[:2]).all() and (a[2:] <= b[2:]).all(),
        _IN_FRONT: a_covers_b,
        _ON: a_rests_on_b,
        _ABOVE: near and a[3] <= b[1] and share_columns,
        _BESIDE: near and share_rows and not share_columns,
        _LARGER: near and area_a >= 3 * area_b,
    }
    return next((predicate for predicate, is_true in holds.items() if is_true), None)


def _gap(a: np.ndarray, b: np.ndarray) -> int:
    """Pixels between two boxes, in x or in y, whichever is more; negative where they overlap."""
    return int(np.maximum(a[:2] - b[2:], b[:2] - a[2:]).max())


def _paint(random: np.random.Generator, labels: np.ndarray, count: int) -> np.ndarray:
    """(H, W, 3) uint8: each segment in a colour of its own with stripes, shade and noise; sky
    light, ground dark.
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


def main(argv: list[str] | None = None) -> int:
    """Write a data set; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m dsflash_ros.data.shapes", description="Write a small data set."
    )
    parser.add_argument("directory", type=expand)
    parser.add_argument("--count", type=positive, default=100, help="images (default: 100)")
    parser.add_argument(
        "--seed", type=natural, default=0, help="the same seed gives the same images (default: 0)"
    )
    parser.add_argument(
        "--height", type=positive, default=240, help="of the images, pixels (default: 240)"
    )
    parser.add_argument(
        "--width", type=positive, default=320, help="of the images, pixels (default: 320)"
    )
    parser.add_argument(
        "--test-share", type=share, default=0.2, help="of the images, 0 to 1 (default: 0.2)"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace a data set that is there already"
    )
    args = parser.parse_args(argv)
    try:
        if (args.directory / "psg.json").exists() and not args.overwrite:
            raise OutputError(
                f"{args.directory} holds a data set already; give --overwrite to replace it"
            )
        write_shapes(
            args.directory, args.count, args.seed, args.height, args.width, args.test_share
        )
        print(PsgDataset.open(args.directory).report())
    except DSFlashError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
