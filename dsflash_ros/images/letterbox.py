"""Where an image of any size lies in the square network input, and the way back."""

from dataclasses import dataclass

import numpy as np

from dsflash_ros.errors import ImageError

MIN_SIDE, MAX_SIDE = 16, 8192
"""Pixels; sides of an image that the pipeline takes."""


@dataclass(frozen=True)
class Letterbox:
    """How a source image lies in the network input: scaled to touch, top left, padded below and to
    the right.

    Attributes:
        source_height, source_width: pixels of the source image.
        image_size: side of the square network input, pixels.
    """

    source_height: int
    source_width: int
    image_size: int

    @property
    def height(self) -> int:
        """Rows of the network input that show the image."""
        return max(1, round(self.source_height * self.scale))

    @property
    def width(self) -> int:
        """Columns of the network input that show the image."""
        return max(1, round(self.source_width * self.scale))

    @property
    def scale(self) -> float:
        """Network pixels for a source pixel."""
        return self.image_size / max(self.source_height, self.source_width)

    def sample_labels(self, labels: np.ndarray) -> np.ndarray:
        """A label map of the source, (H, W), under the pixel centres of what shows it: (height,
        width).
        """
        rows, columns = (
            _sample(self.height, self.source_height, 1),
            _sample(self.width, self.source_width, 1),
        )
        return labels.take(rows, 0).take(columns, 1)

    def scale_boxes(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes (N, 4), x0, y0, x1, y1 in pixels of the source, in pixels of the network input."""
        return boxes * np.tile(
            (self.width / self.source_width, self.height / self.source_height), 2
        )

    def sample_rows(self, stride: int) -> np.ndarray:
        """(H,) int: for each source row, the row under its centre of a map with one pixel for
        `stride` input pixels.
        """
        return _sample(self.source_height, self.height, stride)

    def sample_columns(self, stride: int) -> np.ndarray:
        """(W,) int: the same for the columns."""
        return _sample(self.source_width, self.width, stride)


def _sample(source: int, content: int, stride: int) -> np.ndarray:
    centres = (np.arange(source) + 0.5) * content / source
    return np.minimum(centres, content - 1).astype(np.int64) // stride


def check_image(rgb: object) -> np.ndarray:
    """Return the image, (H, W, 3) uint8, or raise an `ImageError` that says what is wrong with it."""
    if (
        not isinstance(rgb, np.ndarray)
        or rgb.dtype != np.uint8
        or rgb.ndim != 3
        or rgb.shape[2] != 3
    ):
        what = (
            f"{rgb.dtype} array of shape {rgb.shape}"
            if isinstance(rgb, np.ndarray)
            else type(rgb).__name__
        )
        raise ImageError(
            f"an image must be a uint8 array of shape (height, width, 3) in RGB, got {what}"
        )
    if not all(MIN_SIDE <= side <= MAX_SIDE for side in rgb.shape[:2]):
        raise ImageError(
            f"an image's sides must be {MIN_SIDE} to {MAX_SIDE} pixels, got {rgb.shape[1]}x{rgb.shape[0]}"
        )
    return rgb
