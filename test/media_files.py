"""Images, videos and bags for tests, and what a source reads from them."""

import cv2
import numpy as np
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from dsflash_ros.sources import open_source


def picture(height=24, width=32, seed=0, channels=3):
    return (
        np.random.default_rng(seed).integers(0, 255, (height, width, channels), np.uint8).squeeze()
    )


def write_image(path, rgb):
    cv2.imwrite(str(path), rgb[..., ::-1])
    return path


def write_video(path, frames=12, rate=25.0, size=(64, 48)):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), rate, size)
    for number in range(frames):
        writer.write(np.full((size[1], size[0], 3), (0, 0, 20 * number), np.uint8))
    writer.release()
    return path


def image_message(store, rgb, stamp=(0, 0), encoding="rgb8"):
    types = store.types
    header = types["std_msgs/msg/Header"](types["builtin_interfaces/msg/Time"](*stamp), "camera")
    return types["sensor_msgs/msg/Image"](
        header, *rgb.shape[:2], encoding, 0, rgb.shape[1] * 3, rgb.ravel()
    )


def jpeg_message(store, rgb, stamp=(0, 0)):
    types = store.types
    header = types["std_msgs/msg/Header"](types["builtin_interfaces/msg/Time"](*stamp), "camera")
    data = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 100])[1].ravel()
    return types["sensor_msgs/msg/CompressedImage"](header, "jpeg", data)


def write_bag(path, topics, storage=StoragePlugin.SQLITE3, compressed=False):
    """A ROS 2 bag of {topic: [make(store) or raw bytes]}, a message each 0.1 s from 100 s on.

    `compressed`: in chunks, by MCAP.
    """
    store = get_typestore(Stores.ROS2_JAZZY)
    bag = Writer(path, version=9, storage_plugin=storage)
    if compressed:
        bag.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
    with bag as writer:
        for topic, messages in topics.items():
            made = [make if isinstance(make, bytes) else make(store) for make in messages]
            kind = next(
                (m.__msgtype__ for m in made if not isinstance(m, bytes)), "std_msgs/msg/Empty"
            )
            connection = writer.add_connection(topic, kind, typestore=store)
            for number, message in enumerate(made):
                raw = message if isinstance(message, bytes) else store.serialize_cdr(message, kind)
                writer.write(connection, 100_000_000_000 + number * 100_000_000, raw)
    return path


def raw_images(count=3, **fields):
    return [
        lambda store, i=i: image_message(store, picture(seed=i), (10 + i, 500_000_000), **fields)
        for i in range(count)
    ]


def read_source(text, topic=None):
    with open_source(str(text), topic) as source:
        return list(source), source
