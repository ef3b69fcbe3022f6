"""How the image moves from one frame to the next."""

from functools import lru_cache

import cv2
import numpy as np

WIDTH = 160
"""Pixels along the longer side of the small images in which motion and overlaps are computed."""

_LEAST = 24
"""Pixels along the shorter side; in smaller images no motion is measured."""


class ImageMotion:
    """Dense optical flow between consecutive frames, at `WIDTH` (DIS; Kroeger et al., 2016)."""

    def __init__(self) -> None:
        self._flow = _flow()
        self._before: np.ndarray | None = None

    def __getstate__(self) -> np.ndarray | None:
        return self._before

    def __setstate__(self, before: np.ndarray | None) -> None:
        self._flow, self._before = _flow(), before

    def __call__(self, rgb: np.ndarray) -> np.ndarray | None:
        """Where each pixel of this frame was in the frame before.

        `rgb` is (H, W, 3) uint8. The result is (h, w, 2) float32, x and y in pixels of the small
        image. None for the first frame, and for one of another or a tiny size.
        """
        height, width = small_size(*rgb.shape[:2])
        grey = cv2.resize(
            cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), (width, height), interpolation=cv2.INTER_AREA
        )
        before, self._before = self._before, grey
        if before is None or before.shape != grey.shape or min(grey.shape) < _LEAST:
            return None
        return self._flow.calc(grey, before, None) + _places(height, width)

    def reset(self) -> None:
        """Forget the frame before."""
        self._before = None


def _flow() -> cv2.DISOpticalFlow:
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    flow.setFinestScale(1)
    return flow


@lru_cache(maxsize=4)
def _places(height: int, width: int) -> np.ndarray:
    """(h, w, 2) float32: x and y of each pixel."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack((columns, rows), axis=2).astype(np.float32)


def small_size(height: int, width: int) -> tuple[int, int]:
    """Height and width of the small image of a frame."""
    scale = min(1.0, WIDTH / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def shrink(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A label map, (H, W) of any integer type, at (h, w): each pixel is the nearest one's."""
    return labels.ravel().take(_nearest(labels.shape, size))


@lru_cache(maxsize=4)
def _nearest(shape: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """(h, w) int: for each pixel of a small image the one of the flat large image."""
    rows = (np.arange(size[0]) + 0.5) * shape[0] / size[0]
    columns = (np.arange(size[1]) + 0.5) * shape[1] / size[1]
    return rows.astype(int)[:, None] * shape[1] + columns.astype(int)
