"""Segments of the network's label map measured in the pixels of the source image. No torch."""

from typing import NamedTuple

import numpy as np

from dsflash_ros.images.letterbox import Letterbox


class SampledLines(NamedTuple):
    """How often a source image samples each row and column of its label map.

    Source pixels sample the map row by row and column by column, so that sums over the source image
    are sums over the much smaller map, weighted by these counts.

    Attributes:
        rows, columns: (H,) and (W,) int, which row or column of the map each source line samples.
        row_count, column_count: (h,) and (w,) int, how many source lines sample each.
    """

    rows: np.ndarray
    columns: np.ndarray
    row_count: np.ndarray
    column_count: np.ndarray

    @classmethod
    def of(cls, letterbox: Letterbox, stride: int, shape: tuple[int, int]) -> "SampledLines":
        """For a map of this shape, (h, w), one pixel for `stride` x `stride` of the input."""
        rows, columns = letterbox.sample_rows(stride), letterbox.sample_columns(stride)
        height, width = shape
        row_count = np.bincount(rows, minlength=height)
        return cls(rows, columns, row_count, np.bincount(columns, minlength=width))


class SourceMeasures(NamedTuple):
    """What S segments measure in the source image, pixels.

    Attributes:
        areas: (S,) int; 0 for segments that no source pixel falls on.
        boxes: (S, 4) int, x0, y0, x1, y1, the last two exclusive.
        centroids: (S, 2) float, mean x and y of the pixel centres.
    """

    areas: np.ndarray
    boxes: np.ndarray
    centroids: np.ndarray

    @classmethod
    def of(cls, in_row: np.ndarray, in_column: np.ndarray, lines: SampledLines) -> "SourceMeasures":
        """From the source pixels that each segment has in each row and column of the label map.

        `in_row` is (S, h), `in_column` (S, w).
        """
        areas = in_row.sum(1)
        x0, x1 = _extent(in_column, lines.columns)
        y0, y1 = _extent(in_row, lines.rows)
        x = in_column @ _mean_centre(lines.columns, in_column.shape[1])
        y = in_row @ _mean_centre(lines.rows, in_row.shape[1])
        centroids = np.stack((x, y), axis=1) / np.maximum(areas, 1)[:, None]
        return cls(areas.astype(int), np.stack((x0, y0, x1, y1), axis=1), centroids)


def _extent(occupied: np.ndarray, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and one past last source index that samples an occupied line of each segment.

    `occupied` is (S, lines), more than 0 where a segment is.
    """
    lines = occupied > 0
    first, last = lines.argmax(1), lines.shape[1] - 1 - lines[:, ::-1].argmax(1)
    return samples.searchsorted(first, "left"), samples.searchsorted(last, "right")


def _mean_centre(samples: np.ndarray, length: int) -> np.ndarray:
    """(length,) mean centre, in source pixels, of the source lines that sample each line.

    0 where none does.
    """
    total = np.bincount(samples, weights=np.arange(len(samples)) + 0.5, minlength=length)
    return total / np.maximum(np.bincount(samples, minlength=length), 1)
