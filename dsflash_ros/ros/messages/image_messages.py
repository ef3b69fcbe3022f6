"""Arrays to `sensor_msgs/Image`, without cv_bridge; back is `dsflash_ros.images.encodings`."""

import sys

import cv2
import numpy as np

from dsflash_ros.errors import ImageError
from dsflash_ros.sources.source import Origin


def origin_to_header(origin: Origin):
    """The `std_msgs/Header` that an image of a bag had: its time and its frame's name."""
    from builtin_interfaces.msg import Time
    from std_msgs.msg import Header

    seconds, nanoseconds = divmod(origin.stamp_ns, 1_000_000_000)
    return Header(stamp=Time(sec=seconds, nanosec=nanoseconds), frame_id=origin.frame_id)


def rgb_to_image(rgb: np.ndarray, header):
    """A `sensor_msgs/Image` (rgb8) of an (H, W, 3) uint8 array, with that header."""
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
        raise ImageError(f"an rgb8 image needs (H, W, 3) uint8, got {rgb.shape} {rgb.dtype}")
    return _image(rgb, "rgb8", header)


def panoptic_to_image(panoptic: np.ndarray, header):
    """A `sensor_msgs/Image` (32SC1) of `SceneGraph.panoptic`, (H, W) int32, with that header."""
    if panoptic.ndim != 2 or panoptic.dtype != np.int32:
        raise ImageError(
            f"a panoptic image needs (H, W) int32, got {panoptic.shape} {panoptic.dtype}"
        )
    return _image(panoptic, "32SC1", header)


def depth_to_image(depth: np.ndarray, header):
    """A `sensor_msgs/Image` (32FC1, REP-118) of a depth map, with that header.

    `depth` is (H, W) float32 metres, 0 where nothing is; the message has infinity there (REP-117:
    out of range).
    """
    if depth.ndim != 2 or depth.dtype != np.float32:
        raise ImageError(f"a depth image needs (H, W) float32, got {depth.shape} {depth.dtype}")
    return _image(np.where(depth > 0, depth, np.float32(np.inf)), "32FC1", header)


def compressed_depth(depth: np.ndarray, header):
    """A `sensor_msgs/CompressedImage` of a depth map at a quarter of its size, for small bags.

    `depth` is (H, W) float32 metres, 0 where nothing is; the message is a 16 bit PNG of
    millimetres, as image_transport's compressedDepth of 16UC1.
    """
    from sensor_msgs.msg import CompressedImage

    small = depth[2::4, 2::4] * 1000
    millimetres = np.where(small < 65535, small, 0).round().astype(np.uint16)
    png = cv2.imencode(".png", millimetres, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1]
    message = CompressedImage(header=header, format="16UC1; compressedDepth png")
    message.data.frombytes(bytes(12) + png.tobytes())  # before the PNG: parameters of 32FC1
    return message


def _image(pixels: np.ndarray, encoding: str, header):
    from sensor_msgs.msg import Image

    height, width = pixels.shape[:2]
    message = Image(header=header, height=height, width=width, encoding=encoding)
    message.step = pixels.nbytes // height
    message.is_bigendian = int(sys.byteorder == "big")
    # The data setter looks at every byte of anything but an array.array. Filling the array that is
    # there already copies once.
    message.data.frombytes(np.ascontiguousarray(pixels).view(np.uint8).data)
    return message
