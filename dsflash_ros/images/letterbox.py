"""Where an image of any size lies in the square network input, and the way back."""

from dataclasses import dataclass

import numpy as np

from dsflash_ros.errors import ImageError

MIN_SIDE, MAX_SIDE = 16, 8192
"""Pixels; sides of an image that the pipeline takes."""


@dataclass(frozen=True)
class Letterbox:
    """How a source image lies in the network input: scaled to fit, top left, padding elsewhere.

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
        """Sample a label map of the source, (H, W), at the content's pixel centres.

        Returns (height, width) of the same type.
        """
        rows = _sample(self.height, self.source_height, 1)
        columns = _sample(self.width, self.source_width, 1)
        return labels.take(rows, 0).take(columns, 1)

    def scale_boxes(self, boxes: np.ndarray) -> np.ndarray:
        """Turn boxes (N, 4), x0, y0, x1, y1, from pixels of the source to those of the input."""
        scale = self.width / self.source_width, self.height / self.source_height
        return boxes * np.tile(scale, 2)

    def sample_rows(self, stride: int) -> np.ndarray:
        """For each source row, the row under its centre in a map of the input: (H,) int.

        A pixel of that map stands for `stride` pixels of the input.
        """
        return _sample(self.source_height, self.height, stride)

    def sample_columns(self, stride: int) -> np.ndarray:
        """The same for the columns: (W,) int."""
        return _sample(self.source_width, self.width, stride)


def _sample(source: int, content: int, stride: int) -> np.ndarray:
    centres = (np.arange(source) + 0.5) * content / source
    return np.minimum(centres, content - 1).astype(np.int64) // stride


def check_image(rgb: object) -> np.ndarray:
    """Return the image, (H, W, 3) uint8 RGB.

    Raises `ImageError`, saying what is wrong, when it is anything else, or too small or large.
    """
    what = type(rgb).__name__
    if isinstance(rgb, np.ndarray):
        if rgb.dtype == np.uint8 and rgb.ndim == 3 and rgb.shape[2] == 3:
            _check_sides(*rgb.shape[:2])
            return rgb
        what = f"{rgb.dtype} array of shape {rgb.shape}"
    raise ImageError(
        f"an image must be a uint8 array of shape (height, width, 3) in RGB, got {what}"
    )


def _check_sides(height: int, width: int) -> None:
    if not all(MIN_SIDE <= side <= MAX_SIDE for side in (height, width)):
        raise ImageError(
            f"an image's sides must be {MIN_SIDE} to {MAX_SIDE} pixels, got {width}x{height}"
        )
