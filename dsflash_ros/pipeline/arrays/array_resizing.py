"""Fitting images into the square network input, as `resizing` does."""

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from dsflash_ros.images.letterbox import Letterbox


def stack_images(images: Sequence[np.ndarray], boxes: Sequence[Letterbox], device: str):
    """Images, each (H, W, 3) uint8, to (B, S, S, 3) uint8: at the top left, the rest black.

    They stay in this process's memory, whatever the device.
    """
    side = boxes[0].image_size
    squares = np.zeros((len(images), side, side, 3), np.uint8)
    for square, rgb, box in zip(squares, images, boxes, strict=True):
        square[: box.height, : box.width] = _resize(rgb, box)
    return squares


def _resize(rgb: np.ndarray, box: Letterbox) -> np.ndarray:
    size = box.width, box.height
    if box.scale >= 1:
        return cv2.resize(np.ascontiguousarray(rgb), size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BILINEAR))
