"""Read depth images of ROS without ROS. Messages are duck-typed, as in `encodings`."""

import cv2
import numpy as np

from dsflash_ros.errors import ImageError

ENCODINGS = {"16UC1": ("u2", 0.001), "mono16": ("u2", 0.001), "32FC1": ("f4", 1.0)}
"""Type of a value, and metres for each unit (REP-118)."""

_HEADER_BYTES = 12
"""Before the PNG of `compressedDepth`: a format and two floats."""


def depth_to_metres(message) -> np.ndarray:
    """Read a `sensor_msgs/Image` with depth.

    Returns:
        (H, W) float32, metres; 0 or NaN where nothing was measured, as it was sent.

    Raises:
        ImageError: no pixels, too little data, an impossible step, not an encoding of depth.
    """
    known = ENCODINGS.get(message.encoding)
    if known is None:
        raise ImageError(
            f"a depth image has the encoding {message.encoding[:40]!r}: it must be one of "
            f"{', '.join(ENCODINGS)}; is this the colour image's topic?"
        )
    (kind, scale), width, height = known, message.width, message.height
    row_bytes = width * int(kind[1])
    data = np.frombuffer(message.data, np.uint8)
    if not width or not height or message.step < row_bytes or data.size < message.step * height:
        raise ImageError(
            f"a depth image of {width}x{height} {message.encoding} with step {message.step} cannot "
            f"have {data.size} bytes: it is cut off or its driver is wrong"
        )
    rows = data[: message.step * height].reshape(height, message.step)[:, :row_bytes]
    order = ">" if message.is_bigendian else "<"
    values = np.ascontiguousarray(rows).view(order + kind)
    return values.astype(np.float32) * np.float32(scale)


def compressed_depth_to_metres(message) -> np.ndarray:
    """Read a `sensor_msgs/CompressedImage` with depth: 16 bit PNG, plain or of `compressedDepth`.

    Returns and raises as `depth_to_metres`. The inverse depth coding of 32FC1 is refused.
    """
    data = np.frombuffer(message.data, np.uint8)
    if "compressedDepth" in message.format:
        if "32FC1" in message.format:
            raise ImageError(
                "compressedDepth of 32FC1 is not read: send 16UC1, or the raw depth image"
            )
        data = data[_HEADER_BYTES:]
    found = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    if found is None or found.dtype != np.uint16 or found.ndim != 2:
        raise ImageError(
            f"a compressed depth image (format {message.format[:40]!r}) is no 16 bit PNG: it is "
            "broken, or of another kind"
        )
    return found.astype(np.float32) * np.float32(0.001)
