"""Read ROS image messages without ROS, and without cv_bridge for what cameras usually send.

Messages are duck-typed: rclpy's and those that `rosbags` reads work alike. Their `data` may be a
numpy array, an `array.array` or bytes.
"""

import importlib
from typing import NamedTuple

import cv2
import numpy as np

from dsflash_ros.errors import ImageError
from dsflash_ros.images.decoding import MAX_PIXELS, decode_image


class _Encoding(NamedTuple):
    """How pixels lie in memory: values a pixel, bytes a value, and OpenCV's conversion to RGB.

    Without a conversion they are RGB.
    """

    channels: int
    size: int
    to_rgb: int | None


_ENCODINGS = {
    f"{name}{8 * size}": _Encoding(channels, size, to_rgb)
    for size in (1, 2)
    for name, channels, to_rgb in (
        ("rgb", 3, None),
        ("bgr", 3, cv2.COLOR_BGR2RGB),
        ("rgba", 4, cv2.COLOR_RGBA2RGB),
        ("bgra", 4, cv2.COLOR_BGRA2RGB),
        ("mono", 1, cv2.COLOR_GRAY2RGB),
        ("bayer_rggb", 1, cv2.COLOR_BayerRGGB2RGB),
        ("bayer_bggr", 1, cv2.COLOR_BayerBGGR2RGB),
        ("bayer_gbrg", 1, cv2.COLOR_BayerGBRG2RGB),
        ("bayer_grbg", 1, cv2.COLOR_BayerGRBG2RGB),
    )
}

# OpenCV's own type names say nothing of colour; those who send them mean OpenCV's channel order.
_ENCODINGS |= {
    "8UC1": _ENCODINGS["mono8"],
    "8UC3": _ENCODINGS["bgr8"],
    "8UC4": _ENCODINGS["bgra8"],
    "16UC1": _ENCODINGS["mono16"],
    "16UC3": _ENCODINGS["bgr16"],
    "16UC4": _ENCODINGS["bgra16"],
}

_YUV422 = {
    "uyvy": cv2.COLOR_YUV2RGB_UYVY,
    "yuv422": cv2.COLOR_YUV2RGB_UYVY,
    "yuyv": cv2.COLOR_YUV2RGB_YUYV,
    "yuv422_yuy2": cv2.COLOR_YUV2RGB_YUYV,
}
_YUV420 = {"nv12": cv2.COLOR_YUV2RGB_NV12, "nv21": cv2.COLOR_YUV2RGB_NV21}
_ENCODINGS |= {name: _Encoding(2, 1, to_rgb) for name, to_rgb in _YUV422.items()}
_ENCODINGS |= {name: _Encoding(1, 1, to_rgb) for name, to_rgb in _YUV420.items()}

ENCODINGS = tuple(_ENCODINGS)
"""The encodings of `sensor_msgs/Image` that are read without cv_bridge."""


def image_to_rgb(message) -> np.ndarray:
    """Read a `sensor_msgs/Image`.

    Args:
        message: of any of `ENCODINGS`, or of one that cv_bridge, where it is installed, turns into
            rgb8.

    Returns:
        (H, W, 3) uint8 RGB. For rgb8 it is a view of `message.data` (padded rows included), else a
        new array. 16 bit values are scaled so that 65535 becomes 255.

    Raises:
        ImageError: no pixels, too little data, an impossible step, an unknown encoding.
    """
    _check_size(message.width, message.height)
    encoding = _ENCODINGS.get(message.encoding)
    if encoding is None:
        return _with_cv_bridge(message)
    _check_parity(message)
    rows = _rows(message, message.width * encoding.channels * encoding.size)
    if encoding.size == 2:
        rows = _high_to_low(rows, message.is_bigendian)
    if encoding.channels > 1:
        rows = rows.reshape(len(rows), message.width, encoding.channels)
    return rows if encoding.to_rgb is None else cv2.cvtColor(rows, encoding.to_rgb)


def compressed_to_rgb(message) -> np.ndarray:
    """Read a `sensor_msgs/CompressedImage` holding JPEG, PNG or another format that OpenCV decodes.

    The content decides, not `message.format`. Orientation tags are ignored: a camera's stream has
    the orientation of its frame_id.

    Returns:
        (H, W, 3) uint8 RGB, a new array.

    Raises:
        ImageError: no data, data that is broken or cut off, or a depth image (`compressedDepth`).
    """
    if "compressedDepth" in message.format:
        raise ImageError(
            f"a compressed depth image (format {message.format!r}) has no colours: subscribe the "
            "colour camera's topic"
        )
    return decode_image(np.frombuffer(message.data, np.uint8), apply_orientation=False)


def _check_size(width: int, height: int) -> None:
    if not width or not height:
        raise ImageError(
            f"the image is {width}x{height}: it has no pixels; check the camera driver"
        )
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"the image is {width}x{height}: more than {MAX_PIXELS} pixels must be a broken message"
        )


def _check_parity(message) -> None:
    """Raise `ImageError` for an odd side along which pixels share their colours in pairs."""
    odd_width, odd_height = message.width % 2, message.height % 2
    shares_columns = message.encoding in _YUV422 or message.encoding in _YUV420
    shares_rows = message.encoding in _YUV420
    if (shares_columns and odd_width) or (shares_rows and odd_height):
        raise ImageError(
            f"a {message.encoding} image of {message.width}x{message.height} cannot be: "
            "pixels share colours in pairs, so its sides must be even"
        )


def _rows(message, row_bytes: int) -> np.ndarray:
    """The message's rows without their padding: (rows, row_bytes) uint8, a view of its data."""
    step, rows = message.step, message.height
    if message.encoding in _YUV420:
        rows += rows // 2  # the colours' plane follows the brightness plane
    what = f"{message.width}x{message.height} {message.encoding} image"
    if step < row_bytes:
        raise ImageError(
            f"a row of this {what} takes {row_bytes} bytes, but its step is {step}: the driver "
            "sets it wrong"
        )
    data = np.frombuffer(message.data, np.uint8)
    if data.size < step * rows:
        raise ImageError(
            f"this {what} with step {step} takes {step * rows} bytes, but {data.size} came: "
            "it is cut off or its step is wrong"
        )
    return data[: step * rows].reshape(rows, step)[:, :row_bytes]


def _high_to_low(rows: np.ndarray, is_bigendian: int) -> np.ndarray:
    """16 bit values of either byte order, (H, 2 N) uint8, to 8 bit, (H, N) uint8, rounded."""
    values = np.ascontiguousarray(rows).view(">u2" if is_bigendian else "<u2")
    return cv2.convertScaleAbs(values.astype(np.uint16, copy=False), alpha=1 / 257)


def _with_cv_bridge(message) -> np.ndarray:
    try:
        cv_bridge = importlib.import_module("cv_bridge")
    except ImportError as error:
        raise ImageError(
            f"unknown image encoding {message.encoding[:40]!r}: "
            f"install cv_bridge, or send one of {', '.join(ENCODINGS)}"
        ) from error
    _rows(message, 1)
    try:
        return np.ascontiguousarray(cv_bridge.CvBridge().imgmsg_to_cv2(message, "rgb8"))
    except Exception as error:  # cv_bridge raises classes of its C++ side too
        raise ImageError(
            f"cv_bridge cannot turn the encoding {message.encoding!r} into rgb8: {error}"
        ) from error
