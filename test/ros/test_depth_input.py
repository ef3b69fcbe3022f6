"""The depth of an image is kept while the model works on it, whatever comes meanwhile."""

import time

import numpy as np
import pytest
from harness import eventually

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from dsflash_ros.errors import ImageError
from dsflash_ros.ros.depth_input import DepthInput
from dsflash_ros.ros.messages.image_messages import depth_to_image

TOLERANCE_S = 0.01


@pytest.fixture
def camera(client):
    """A depth input, and what sends it the depth of a number of tenths of a second."""
    source = DepthInput(client.node, "tested/")
    source.open()
    depths = client.publisher(Image, "/tested/depth")
    infos = client.publisher(CameraInfo, "/tested/camera_info")

    def send(*tenths):
        infos.publish(CameraInfo(width=4, height=3, k=np.array([5, 0, 2, 0, 5, 1, 0, 0, 1], float)))
        for number in tenths:
            header = Header(stamp=Time(sec=number // 10, nanosec=number % 10 * 10**8))
            depths.publish(depth_to_image(np.full((3, 4), number, np.float32), header))
            time.sleep(0.02)  # best effort, and one is kept

    yield source, send
    source.close()


def metres(source, stamp):
    try:
        return float(source.at(stamp, TOLERANCE_S).metres[0, 0])
    except ImageError:
        return None


def test_depth_without_a_time_is_left_out_and_said(camera, client):
    source, send = camera
    source.expect(1.0)
    send()
    wrong = Header(stamp=Time(sec=1, nanosec=1_500_000_000))
    image = depth_to_image(np.ones((3, 4), np.float32), wrong)
    client.publisher(Image, "/tested/depth").publish(image)
    eventually(lambda: source.has_depth)
    with pytest.raises(ImageError, match="a depth image is left out: invalid stamp: nanosec is 15"):
        source.at(1.0, TOLERANCE_S)
    source.expect(1.0)
    send(10)
    assert eventually(lambda: metres(source, 1.0)) == 10


def test_later_depth_does_not_push_it_out(camera):
    source, send = camera
    send(10, 11, 12)
    eventually(lambda: source.has_depth)
    source.expect(1.1)
    send(*range(13, 40))
    assert metres(source, 1.1) == 11


def test_it_may_come_after_it_is_expected(camera):
    source, send = camera
    source.expect(2.0)
    send(18, 19)
    with pytest.raises(ImageError, match="-100 ms from the colour image"):
        eventually(lambda: source.has_depth) and time.sleep(0.2)
        source.at(2.0, TOLERANCE_S)
    send(*range(20, 40))
    assert eventually(lambda: metres(source, 2.0)) == 20


def test_closing_forgets(camera):
    source, send = camera
    source.expect(1.0)
    send(10)
    eventually(lambda: metres(source, 1.0))
    source.close()
    with pytest.raises(ImageError, match="no depth image has come"):
        source.at(1.0, TOLERANCE_S)
