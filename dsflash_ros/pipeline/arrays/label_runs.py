"""Runs of equal labels, and how many pixels of each segment lie where.

A label map has a hundred times fewer runs than pixels.
"""

from dataclasses import dataclass

import numpy as np

from dsflash_ros.graph.label_maps import runs_of


@dataclass(frozen=True)
class LabelRuns:
    """The runs of the S segments of a label map, (h, w).

    Attributes:
        shape: h and w.
        count: S.
        owners: (N,) int, the segment that a run belongs to.
        y, x0, x1: (N,) int, its row, its first column and one past its last.
    """

    shape: tuple[int, int]
    count: int
    owners: np.ndarray
    y: np.ndarray
    x0: np.ndarray
    x1: np.ndarray

    @classmethod
    def of(cls, labels: np.ndarray, count: int) -> "LabelRuns":
        """The runs of `count` segments; `labels` is (h, w) int, -1 where none is."""
        starts, lengths = runs_of(labels)
        owners = labels.reshape(-1)[starts]
        is_segment = owners >= 0
        owners, starts, lengths = owners[is_segment], starts[is_segment], lengths[is_segment]
        y, x0 = np.divmod(starts, labels.shape[1])
        return cls(labels.shape, count, owners.astype(np.int64), y, x0, x0 + lengths)

    def in_rows(self, column_weights: np.ndarray) -> np.ndarray:
        """(S, h) float64: pixels of each segment in each row, weighted by their columns, (w,)."""
        height = self.shape[0]
        up_to = np.append(0, column_weights.cumsum())
        places = self.owners * height + self.y
        weights = up_to[self.x1] - up_to[self.x0]
        return np.bincount(places, weights, self.count * height).reshape(self.count, height)

    def in_columns(self, row_weights: np.ndarray) -> np.ndarray:
        """(S, w) float64: pixels of each segment in each column, weighted by their rows, (h,)."""
        return _by_column(
            self.owners, self.x0, self.x1, (self.count, self.shape[1]), row_weights[self.y]
        )

    def coverage(self, cell: int, grid: int) -> np.ndarray:
        """(S, grid * grid) float32: the share of each cell that each segment covers.

        A cell is `cell` pixels wide and high; what lies beyond the last cell is left out.
        """
        side = cell * grid
        seen = self.y < side
        lines = self.owners[seen] * grid + self.y[seen] // cell
        x0, x1 = np.minimum(self.x0[seen], side), np.minimum(self.x1[seen], side)
        pixels = _by_column(lines, x0, x1, (self.count * grid, side))
        return (pixels.reshape(self.count, grid**2, cell).sum(2) / cell**2).astype(np.float32)


def _by_column(
    lines: np.ndarray,
    x0: np.ndarray,
    x1: np.ndarray,
    shape: tuple[int, int],
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """The sum of the weights (default: 1) of all runs over each place, float64 of this shape.

    A run covers the columns `x0` to `x1` (exclusive) of its line; all are (N,) int.
    """
    count, width = shape
    steps = width + 1  # each line ends with a column for what ends behind the last
    begins = np.bincount(lines * steps + x0, weights, count * steps)
    ends = np.bincount(lines * steps + x1, weights, count * steps)
    return (begins - ends).reshape(count, steps).cumsum(1, dtype=np.float64)[:, :width]
