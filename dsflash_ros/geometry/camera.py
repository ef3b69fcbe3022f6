"""How a camera projects: the intrinsics that `sensor_msgs/CameraInfo` tells."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from dsflash_ros.errors import ImageError

_COEFFICIENTS = (4, 5, 8, 12, 14)
"""How many a model of distortion may have."""


@dataclass(frozen=True)
class Intrinsics:
    """A camera's size, pixels, its matrix K, and its distortion.

    Of a camera that sends a part of its image (a region of interest), these are that part's.

    Attributes:
        fx, fy: focal lengths, pixels.
        cx, cy: principal point, pixels; the centre of the top left pixel is (0, 0), as in ROS.
        distortion: coefficients of OpenCV's model (plumb_bob, rational_polynomial); none is a
            rectified image.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion: tuple[float, ...] = ()

    @classmethod
    def of_message(cls, message: Any) -> "Intrinsics":
        """Those of a `sensor_msgs/CameraInfo`, or of an object with its fields.

        Raises `ImageError` for a camera that is not calibrated, or numbers that cannot be.
        """
        k, d = (_numbers(message, name) for name in ("k", "d"))
        if len(k) != 9 or not all(map(math.isfinite, [*k, *d])) or min(k[0], k[4]) <= 0:
            raise ImageError(
                f"camera_info has the matrix k = {k}: focal lengths must be above 0; "
                "calibrate the camera, or let its driver load the calibration"
            )
        if message.distortion_model == "equidistant":
            raise ImageError(
                "camera_info is of a fisheye lens (equidistant): rectify its images first"
            )
        if any(d) and len(d) not in _COEFFICIENTS:
            raise ImageError(
                f"camera_info has {len(d)} distortion coefficients d: OpenCV's models have 4, 5, "
                "8, 12 or 14, and a rectified image none"
            )
        left, top, width, height = _part(message)
        distortion = tuple(d) if any(d) else ()
        return cls(width, height, k[0], k[4], k[2] - left, k[5] - top, distortion)

    def scaled(self, width: int, height: int) -> "Intrinsics":
        """Those of the same image at another size, of the same shape."""
        right, down = width / self.width, height / self.height
        return Intrinsics(
            width,
            height,
            self.fx * right,
            self.fy * down,
            (self.cx + 0.5) * right - 0.5,
            (self.cy + 0.5) * down - 0.5,
            self.distortion,
        )

    def rays(self) -> np.ndarray:
        """(height, width, 2) float32: x and y, at depth 1, of the ray through each pixel's centre.

        x points right, y down, z forward (REP-103's optical frame). The array is shared: read only.
        """
        return _rays(self)


def _part(message: Any) -> tuple[int, int, int, int]:
    """Left, top, width and height of what the camera sends of its image, before any binning."""
    if min(message.width, message.height) < 1:
        raise ImageError(f"camera_info has the size {message.width}x{message.height}")
    roi = getattr(message, "roi", None)
    if roi is None or not (roi.width and roi.height):
        return 0, 0, message.width, message.height
    right, bottom = roi.x_offset + roi.width, roi.y_offset + roi.height
    if right > message.width or bottom > message.height:
        raise ImageError(
            f"camera_info has a region of interest up to {right}x{bottom}, outside of the image of "
            f"{message.width}x{message.height}"
        )
    return roi.x_offset, roi.y_offset, roi.width, roi.height


def _numbers(message: Any, name: str) -> list[float]:
    """The values of a field, which ROS 1 writes with a capital letter."""
    values = getattr(message, name, None)
    return [float(v) for v in (getattr(message, name.upper(), ()) if values is None else values)]


@lru_cache(maxsize=8)
def _rays(camera: Intrinsics) -> np.ndarray:
    columns, rows = np.meshgrid(
        np.arange(camera.width, dtype=np.float64), np.arange(camera.height, dtype=np.float64)
    )
    if not camera.distortion:
        rays = np.stack(((columns - camera.cx) / camera.fx, (rows - camera.cy) / camera.fy), 2)
    else:
        matrix = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1.0]])
        pixels = np.stack((columns, rows), 2).reshape(-1, 1, 2)
        rays = cv2.undistortPoints(pixels, matrix, np.array(camera.distortion))
        rays = rays.reshape(camera.height, camera.width, 2)
    rays = rays.astype(np.float32)
    rays.flags.writeable = False
    return rays
