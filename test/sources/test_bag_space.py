"""Depth, calibration and poses of bags."""

import logging

import cv2
import numpy as np
import pytest
from media_files import image_message, picture, write_bag
from places import ROOT

from dsflash_ros.geometry.transforms import TransformError
from dsflash_ros.sources import open_source

K = [50.0, 0, 15.5, 0, 50.0, 11.5, 0, 0, 1]


def stamped(store, kind, stamp, frame="camera", **fields):
    """A message with a header; what is not given is empty."""
    types = store.types
    sec, nanosec = divmod(round(stamp * 1e9), 10**9)
    header = types["std_msgs/msg/Header"](types["builtin_interfaces/msg/Time"](sec, nanosec), frame)
    return types[kind](header=header, **fields)


def colour(stamp):
    return lambda store: image_message(store, picture(), divmod(round(stamp * 1e9), 10**9))


def depth(stamp, metres=2.0, **changes):
    def make(store):
        rows = np.full((24, 32), round(1000 * metres), np.uint16)
        fields = {"height": 24, "width": 32, "encoding": "16UC1", "is_bigendian": 0, "step": 64}
        fields["data"] = rows.view(np.uint8).ravel()
        return stamped(store, "sensor_msgs/msg/Image", stamp, **fields | changes)

    return make


def packed_depth(stamp, metres=2.0):
    def make(store):
        png = cv2.imencode(".png", np.full((24, 32), round(1000 * metres), np.uint16))[1]
        data = np.concatenate((np.zeros(12, np.uint8), png.ravel()))
        kind = "sensor_msgs/msg/CompressedImage"
        return stamped(store, kind, stamp, format="16UC1; compressedDepth png", data=data)

    return make


def info(stamp, k=K):
    def make(store):
        roi = store.types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
        fields = {"height": 24, "width": 32, "distortion_model": "plumb_bob", "roi": roi}
        fields |= {"d": np.zeros(5), "k": np.array(k), "r": np.zeros(9), "p": np.zeros(12)}
        fields |= {"binning_x": 0, "binning_y": 0}
        return stamped(store, "sensor_msgs/msg/CameraInfo", stamp, **fields)

    return make


def transform(stamp, x, parent="map"):
    def make(store):
        types = store.types
        place = types["geometry_msgs/msg/Transform"](
            types["geometry_msgs/msg/Vector3"](x, 0.0, 0.0),
            types["geometry_msgs/msg/Quaternion"](0.0, 0.0, 0.0, 1.0),
        )
        kind = "geometry_msgs/msg/TransformStamped"
        one = stamped(store, kind, stamp, parent, child_frame_id="camera", transform=place)
        return types["tf2_msgs/msg/TFMessage"]([one])

    return make


def spaces(path, topic=None):
    with open_source(str(path), topic) as source:
        return [frame.space for frame in source]


def test_depth_goes_with_the_image_of_its_time(tmp_path):
    """Bags have a message each 0.1 s; the depth of an image comes with the next ones."""
    topics = {
        "/camera/image": [colour(1.0), colour(2.0), colour(3.0)],
        "/camera/depth": [depth(1.01, 1.0), depth(2.2, 9.0), depth(3.0, 3.0)],
        "/camera/camera_info": [info(1.0)],
        "/tf": [transform(1.0, 5.0), transform(3.0, 7.0)],
    }
    first, second, third = spaces(write_bag(tmp_path / "bag", topics))
    assert second is None  # the nearest is 0.2 s away
    assert first.depth.metres == pytest.approx(1) and third.depth.metres == pytest.approx(3)
    assert (first.depth.camera.fx, first.depth.camera.width) == (50.0, 32)
    assert first.frame == "camera"
    assert third.transforms.lookup("map", "camera", 2.0).translation[0] == pytest.approx(6.0)
    with pytest.raises(TransformError):
        third.transforms.lookup("moon", "camera", 2.0)


def test_packed_depth(tmp_path):
    topics = {
        "/image": [colour(1.0)],
        "/depth/compressedDepth": [packed_depth(1.0, 2.5)],
        "/camera_info": [info(1.0)],
    }
    [space] = spaces(write_bag(tmp_path / "bag", topics))
    assert space.depth.metres == pytest.approx(2.5)


def test_depth_of_the_same_camera_is_taken(tmp_path):
    topics = {
        "/left/image": [colour(1.0)],
        "/right/image": [colour(1.0)],
        "/left/depth": [depth(1.0, 1.0)],
        "/right/depth": [depth(1.0, 2.0)],
        "/left/camera_info": [info(1.0)],
        "/right/camera_info": [info(1.0)],
    }
    path = write_bag(tmp_path / "bag", topics)
    for topic, metres in (("/left/image", 1.0), ("/right/image", 2.0)):
        [space] = spaces(path, topic)
        assert space.depth.metres == pytest.approx(metres)
    del topics["/right/image"]
    other = {"/front/image": topics.pop("/left/image"), **topics}
    assert spaces(write_bag(tmp_path / "other", other)) == [None]  # whose depth is not clear


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"/depth": [depth(1.0, encoding="rgb8")]}, "is this the colour image's topic"),
        ({"/depth": [depth(1.0, data=np.zeros(7, np.uint8))]}, "cut off"),
        ({"/camera_info": [info(1.0, [0.0] * 9)]}, "calibrate"),
    ],
)
def test_broken_depth_leaves_the_images(tmp_path, caplog, broken, words):
    caplog.set_level(logging.WARNING)
    topics = {"/image": [colour(1.0)], "/depth": [depth(1.0)], "/camera_info": [info(1.0)]}
    assert spaces(write_bag(tmp_path / "bag", topics | broken)) == [None]
    assert caplog.text.count("no positions from") == 1 and words in caplog.text


@pytest.mark.parametrize("topic", ["/depth", "/camera_info"])
def test_garbage_beside_the_images_leaves_them(tmp_path, topic):
    topics = {"/image": [colour(1.0)], "/depth": [depth(1.0)], "/camera_info": [info(1.0)]}
    topics[topic] = [*topics[topic], b"\0\1\0\0garbage"]
    assert len(spaces(write_bag(tmp_path / "bag", topics))) == 1


def test_the_recorded_drive_has_depth_and_places():
    with open_source(str(ROOT / "examples" / "drive")) as source:
        frames = [frame for frame, _ in zip(source, range(20), strict=False)]
    places = []
    for frame in frames:
        assert frame.space.depth.metres.shape == (120, 160)
        pose = frame.space.transforms.lookup("map", frame.space.frame, frame.stamp)
        places.append(pose.translation)
    assert np.ptp(places, axis=0)[:2].max() > 0.01  # it drives
    assert 0.3 < np.median(frames[0].space.depth.metres) < 6
