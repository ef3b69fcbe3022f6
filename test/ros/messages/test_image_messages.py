"""Arrays as `sensor_msgs/Image`."""

import sys

import numpy as np
import pytest

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

from std_msgs.msg import Header

from dsflash_ros.errors import ImageError
from dsflash_ros.images.encodings import image_to_rgb
from dsflash_ros.ros.messages.image_messages import panoptic_to_image, rgb_to_image

SIZES = [(1, 1), (2, 3), (5, 7), (48, 64), (37, 101)]


@pytest.mark.parametrize("size", SIZES)
def test_rgb_message_round_trip(size):
    header = Header(frame_id="camera")
    header.stamp.sec, header.stamp.nanosec = 12, 345
    padded = np.random.default_rng(0).integers(0, 256, (size[0], size[1] + 2, 3), np.uint8)
    for rgb in (padded, padded[:, :-2], padded[::-1]):  # contiguous or not
        message = rgb_to_image(rgb, header)
        assert message.header == header and message.encoding == "rgb8"
        assert (message.height, message.width, message.step) == (*rgb.shape[:2], rgb.shape[1] * 3)
        np.testing.assert_array_equal(image_to_rgb(message), rgb)


@pytest.mark.parametrize("size", SIZES)
def test_panoptic_message(size):
    panoptic = np.random.default_rng(0).integers(-1, 132 << 16, size, np.int32)
    message = panoptic_to_image(panoptic, Header(frame_id="camera"))
    assert (message.height, message.width, message.step) == (*size, size[1] * 4)
    assert message.encoding == "32SC1" and message.is_bigendian == (sys.byteorder == "big")
    np.testing.assert_array_equal(np.frombuffer(message.data, np.int32).reshape(size), panoptic)


def test_arrays_of_another_kind_are_refused():
    with pytest.raises(ImageError, match=r"\(H, W, 3\) uint8, got \(2, 2\) float64"):
        rgb_to_image(np.zeros((2, 2)), None)
    with pytest.raises(ImageError, match=r"\(H, W\) int32, got \(2, 2\) int64"):
        panoptic_to_image(np.zeros((2, 2), np.int64), None)
