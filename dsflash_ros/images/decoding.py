"""Encoded images (JPEG, PNG, …) to arrays."""

import struct

import cv2
import numpy as np

from dsflash_ros.errors import ImageError

MAX_PIXELS = 8192 * 8192
"""Images that say that they are larger are damaged: decoding takes many seconds and gigabytes."""


def decode_image(data: np.ndarray, apply_orientation: bool = True) -> np.ndarray:
    """Decode the bytes of an image file; the content decides on the format.

    Args:
        data: (N,) uint8.
        apply_orientation: turn the image as its EXIF tag says.

    Returns:
        (H, W, 3) uint8 RGB, a new array. Grey gets three channels, alpha is dropped, 16 bit become
        8.

    Raises:
        ImageError: no data, broken data, more than `MAX_PIXELS`, or a format that OpenCV does not
            read.
    """
    if not data.size:
        raise ImageError("the image has no data: zero bytes came")
    width, height = _announced_size(data.tobytes())
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"the image says that it is {width}x{height}: more than {MAX_PIXELS} pixels, so it is "
            "damaged"
        )
    if _is_cut_off_jpeg(data.tobytes()):
        raise ImageError(
            f"the JPEG image is cut off after {data.size} bytes: its end marker is missing"
        )
    flags = cv2.IMREAD_COLOR
    if not apply_orientation:
        flags |= cv2.IMREAD_IGNORE_ORIENTATION
    try:
        bgr = cv2.imdecode(data, flags)
    except cv2.error:
        bgr = None
    if bgr is None:
        raise ImageError(
            f"the image cannot be decoded ({data.size} bytes): it is broken, or of a format that "
            "OpenCV does not read"
        )
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB, dst=bgr)


def _announced_size(data: bytes) -> tuple[int, int]:
    """Width and height in the header of a JPEG or PNG image; (0, 0) for other formats."""
    if data.startswith(b"\x89PNG") and len(data) >= 24:
        return struct.unpack_from(">II", data, 16)
    at = 2 if data.startswith(b"\xff\xd8") else len(data)
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker, length = struct.unpack_from(">BH", data, at + 1)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # start of frame
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        at += 1 if marker == 0xFF else 2 + length
    return 0, 0


def _is_cut_off_jpeg(data: bytes) -> bool:
    """Whether a JPEG lacks its end, which many decoders fill up with grey without a word.

    Compressed pixels hold no markers, so the end marker must come after the last start of scan.
    """
    return data.startswith(b"\xff\xd8") and data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")
