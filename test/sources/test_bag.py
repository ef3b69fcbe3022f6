"""ROS bags written here, whole and broken ones."""

import cv2
import numpy as np
import pytest
from media_files import image_message, jpeg_message, picture, raw_images, read_source, write_bag
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import StoragePlugin
from rosbags.typesys import Stores, get_typestore

from dsflash_ros.errors import SourceError
from dsflash_ros.sources import open_source
from dsflash_ros.sources.bag import BagSource


@pytest.mark.parametrize("storage", StoragePlugin)
def test_bag(tmp_path, storage):
    path = write_bag(tmp_path / "bag", {"/camera/image": raw_images()}, storage)
    [file] = [p for p in path.iterdir() if p.suffix in (".db3", ".mcap")]
    for text in (path, file):
        frames, source = read_source(text)
        assert [f.stamp for f in frames] == [10.5, 11.5, 12.5]
        assert {f.name for f in frames} == {"/camera/image"}
        assert len(source) == 3 and source.rate == pytest.approx(15, abs=0.1)
        np.testing.assert_array_equal(frames[2].rgb, picture(seed=2))
        with BagSource(str(text)) as named:
            assert [frame.stamp for frame in named] == [10.5, 11.5, 12.5]


def test_compressed_bag(tmp_path):
    rgb = cv2.resize(picture(4, 5), (64, 48))
    path = write_bag(
        tmp_path / "bag", {"/image/compressed": [lambda store: jpeg_message(store, rgb, (3, 0))]}
    )
    [frame], _ = read_source(path)
    assert frame.stamp == 3 and np.abs(frame.rgb.astype(int) - rgb).mean() < 4


def test_ros1_bag(tmp_path):
    store = get_typestore(Stores.ROS1_NOETIC)
    types = store.types
    with Writer1(tmp_path / "a.bag") as writer:
        connection = writer.add_connection("/image", "sensor_msgs/msg/Image", typestore=store)
        header = types["std_msgs/msg/Header"](
            0, types["builtin_interfaces/msg/Time"](7, 0), "camera"
        )
        rgb = picture()
        message = types["sensor_msgs/msg/Image"](header, 24, 32, "rgb8", 0, 96, rgb.ravel())
        writer.write(connection, 0, store.serialize_ros1(message, "sensor_msgs/msg/Image"))
    [frame], _ = read_source(tmp_path / "a.bag")
    assert frame.stamp == 7
    np.testing.assert_array_equal(frame.rgb, rgb)


def test_bag_without_header_stamps_has_times_of_recording(tmp_path):
    frames, _ = read_source(
        write_bag(tmp_path / "bag", {"/image": [lambda store: image_message(store, picture())] * 2})
    )
    assert [f.stamp for f in frames] == [100.0, 100.1]


def test_bag_with_several_image_topics(tmp_path):
    path = write_bag(
        tmp_path / "bag",
        {"/left": raw_images(1), "/right": raw_images(2), "/other": [b"\0\1\0\0\0"]},
    )
    with pytest.raises(SourceError, match="several image topics, say which one: /left, /right"):
        open_source(str(path))
    with pytest.raises(SourceError, match="no image topic /up; it has /left, /right"):
        open_source(str(path), "/up")
    assert len(read_source(path, "/right")[0]) == len(read_source(path, "right")[0]) == 2


def test_broken_messages_in_a_bag_are_skipped(tmp_path, caplog):
    good, unknown = raw_images(1), raw_images(1, encoding="32FC1")
    path = write_bag(
        tmp_path / "bag", {"/image": [*good, b"\0\1\0\0\xff\xff\xff\xff", *unknown, *good]}
    )
    frames, source = read_source(path)
    assert len(frames) == 2 and source.skipped == 2
    assert "unknown image encoding '32FC1'" in caplog.text


def test_bag_without_images(tmp_path):
    with pytest.raises(SourceError, match="has no images"):
        open_source(str(write_bag(tmp_path / "bag", {"/other": [b"\0\1\0\0\0"]})))


def test_bag_of_broken_images(tmp_path):
    path = write_bag(tmp_path / "bag", {"/image": raw_images(2, encoding="32FC1")})
    with pytest.raises(SourceError, match="none of the 2 images on /image"):
        read_source(path)


def test_damaged_bag(tmp_path, caplog):
    path = write_bag(tmp_path / "bag", {"/image": raw_images(200)})
    [file] = path.glob("*.db3")
    content = bytearray(file.read_bytes())
    content[len(content) // 2 :: 7] = bytes(len(content[len(content) // 2 :: 7]))
    file.write_bytes(content)
    try:
        frames, source = read_source(path)
    except SourceError:
        return
    assert source.skipped > 0 and len(frames) < 200
