"""Pictures small enough to be in a page, and which frames of a drive get one."""

import base64

import cv2
import numpy as np

WIDEST = 640
"""Pixels of a picture's longer side at most."""

MOST_BYTES = 48_000
"""Of a picture. 70 frames with two of them stay below 10 MB, with Plotly the page below 15."""

_STEPS = ((WIDEST, 80), (WIDEST, 65), (WIDEST, 50), (480, 50), (320, 40))
"""Longer sides, pixels, and JPEG qualities, tried until a picture is small enough."""


def thumbnail(rgb: np.ndarray) -> bytes:
    """A JPEG of (H, W, 3) uint8 RGB, of about `MOST_BYTES` at most."""
    jpeg = b""
    for side, quality in _STEPS:
        bgr = cv2.cvtColor(_shrunk(rgb, side), cv2.COLOR_RGB2BGR)
        jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
        if len(jpeg) <= MOST_BYTES:
            break
    return jpeg


def data_uri(jpeg: bytes) -> str:
    """What an <img> takes as its source in place of an address."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def spread(count: int, most: int) -> list[int]:
    """At most so many of the numbers from 0 to count - 1, evenly, the first and the last too."""
    return sorted(set(np.linspace(0, count - 1, min(count, most)).round().astype(int).tolist()))


def _shrunk(rgb: np.ndarray, side: int) -> np.ndarray:
    scale = side / max(rgb.shape[:2])
    if scale >= 1:
        return rgb
    size = max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale))
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
