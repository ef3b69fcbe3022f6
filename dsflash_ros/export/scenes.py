"""Random scenes: images and label maps that try what exported models must do like PyTorch."""

from typing import NamedTuple

import cv2
import numpy as np

COUNTS = (0, 1, 2, 10, 100, 2, 10, 3, 10, 20)
"""Segments of the scenes, in turn."""


class Scene(NamedTuple):
    """A scene in the network's frame.

    Attributes:
        image: (S, S, 3) uint8 RGB.
        labels: (S, S) int32, the segment of each pixel, or -1.
        class_ids: (count,) int64.
        class_probabilities: (count, classes) float32; they sum to less than 1.
    """

    image: np.ndarray
    labels: np.ndarray
    class_ids: np.ndarray
    class_probabilities: np.ndarray


def random_scene(seed: int, side: int, num_classes: int) -> Scene:
    """A scene whose segments touch, nest, have a few pixels or fill the image."""
    rng = np.random.default_rng(seed)
    count = COUNTS[seed % len(COUNTS)]
    coarse = rng.integers(0, 256, (rng.integers(2, 12), rng.integers(2, 12), 3)).astype(np.uint8)
    image = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    probabilities = rng.dirichlet(np.full(num_classes + 1, 0.2), count).astype(np.float32)
    labels = _labels(rng, count, side)
    return Scene(image, labels, probabilities[:, :-1].argmax(1), probabilities[:, :-1])


def _labels(rng: np.random.Generator, count: int, side: int) -> np.ndarray:
    labels = np.full((side, side), -1, np.int32)
    if count and rng.random() < 0.5:
        labels[:] = 0  # fills the image; all others lie in it
    for index in range(1 if labels[0, 0] == 0 else 0, count):
        shape = rng.integers(4)
        if shape == 0:  # tiny
            y, x = rng.integers(0, side, 2)
            labels[y : y + 2, x : x + 2] = index
        elif shape == 1:  # nested: an ellipse around which the last segment remains
            y, x = np.argwhere(labels == labels.max())[0]
            radii = tuple(int(r) for r in rng.integers(1, max(2, side // 6), 2))
            cv2.ellipse(labels, (int(x), int(y)), radii, 0, 0, 360, index, -1)
        else:  # boxes on a grid of their own size, so that they touch
            height, width = rng.integers(2, max(3, side // 3), 2)
            y, x = rng.integers(0, side // height) * height, rng.integers(0, side // width) * width
            labels[y : y + height, x : x + width] = index
    marks = np.arange(count) * (side**2 // max(1, count))
    labels.flat[marks] = np.arange(count)  # none may be covered wholly
    return labels
