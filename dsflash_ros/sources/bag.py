"""ROS 1 and ROS 2 bags, read by `rosbags`, which needs no ROS."""

import logging
import struct
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.typesys import Stores, get_typestore

from dsflash_ros.errors import ImageError, SourceError
from dsflash_ros.geometry.space import Space
from dsflash_ros.geometry.transforms import TransformError
from dsflash_ros.graph.messages import message_to_graph, stamp_seconds
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.graph.topics import TRUTH_TOPIC
from dsflash_ros.images.encodings import compressed_to_rgb, image_to_rgb
from dsflash_ros.sources.bag_space import WAITS_S, BagSpace, is_depth
from dsflash_ros.sources.source import Frame, Source

_log = logging.getLogger(__name__)

_TRUTH_TYPE = "dsflash_ros/msg/SceneGraph"

_READERS = {
    "sensor_msgs/msg/Image": image_to_rgb,
    "sensor_msgs/msg/CompressedImage": compressed_to_rgb,
}


class BagSource(Source):
    """The images of one topic.

    Stamps are the headers', or the times of recording where a header has none.
    """

    def __init__(self, path: Path, topic: str | None = None):
        # Bags of old distributions carry no message definitions; these have not changed since.
        typestore = get_typestore(Stores.LATEST)
        try:
            self._reader = AnyReader([path], default_typestore=typestore)
            self._reader.open()
        except Exception as error:  # rosbags lets errors of YAML, SQLite, struct, … through
            raise SourceError(f"the bag {path} cannot be read: {error}") from error
        images = [c for c in self._reader.connections if c.msgtype in _READERS]
        colour = [c for c in images if not is_depth(c.topic, c.msgtype)]
        topics = {c.topic for c in (colour if colour and not topic else images)}
        try:
            self.topic = _choose_topic(path, topic, sorted(topics))
        except SourceError:
            self.close()
            raise
        self._images = [c for c in images if c.topic == self.topic]
        truth = TRUTH_TOPIC, _TRUTH_TYPE
        self._truths = [c for c in self._reader.connections if (c.topic, c.msgtype) == truth]
        self.has_truth = bool(self._truths)
        self._has_reported_space = False
        length, seconds = sum(c.msgcount for c in self._images), self._reader.duration / 1e9
        rate = length / seconds if length > 1 and seconds > 0 else None
        super().__init__(str(path), rate, length)

    def _frames(self) -> Iterator[Frame]:
        found = 0
        truths = {_stamp_of(data): bytes(data) for data, *_ in self._messages(self._truths)}
        for message, rgb, recorded in self._images_with_space():
            found += 1
            sec, nanosec = message.header.stamp.sec, message.header.stamp.nanosec
            stamp = sec + nanosec / 1e9 or recorded / 1e9
            truth = self._truth(truths.get((sec, nanosec)), stamp)
            yield Frame(rgb, stamp, self.topic, truth, self._space_at(message))
        if not found:
            raise SourceError(
                f"none of the {len(self)} images on {self.topic} of {self.name} can be read"
            )

    def _images_with_space(self) -> Iterator[tuple[object, np.ndarray, int]]:
        """Messages, their pixels, and when they were recorded, ns; each once its depth has come."""
        self._space = BagSpace(self._reader.connections, self.topic)
        waiting: deque[tuple[object, np.ndarray, int]] = deque()
        for data, msgtype, recorded, topic in self._messages(
            [*self._images, *self._space.connections]
        ):
            try:
                message = self._reader.deserialize(data, msgtype)
                if topic == self.topic:
                    waiting.append((message, _READERS[msgtype](message), recorded))
                else:
                    self._space.take(topic, message)
            except (ImageError, TransformError, AnyReaderError) as error:
                if topic == self.topic:
                    self.skip(f"{topic}: {error}")
                continue
            while waiting and self._is_due(*waiting[0], now=recorded):
                yield waiting.popleft()
        yield from waiting

    def _is_due(self, message, _, recorded: int, now: int) -> bool:
        stamp = message.header.stamp.sec + message.header.stamp.nanosec / 1e9
        return self._space.is_complete(stamp) or now - recorded > WAITS_S * 1e9

    def _space_at(self, message) -> Space | None:
        """What else is known of that time; nothing where it is broken."""
        try:
            stamp = stamp_seconds(message.header.stamp)
            return self._space.at(stamp, message.header.frame_id)
        except ImageError as error:
            self._report_space(error)
            return None

    def _report_space(self, error: ImageError) -> None:
        if not self._has_reported_space:
            self._has_reported_space = True
            _log.warning("no positions from %s: %s", self.name, error)

    def _truth(self, data: bytes | None, stamp: float) -> SceneGraph | None:
        """The true graph, read by the definition in the bag."""
        if data is None:
            return None
        try:
            return message_to_graph(self._reader.deserialize(data, _TRUTH_TYPE))
        except Exception as error:  # of damaged bytes rosbags raises anything
            raise SourceError(
                f"the true scene graph of {self.name} at {stamp} s cannot be read: it is damaged; "
                "leave the topic out of the bag"
            ) from error

    def _messages(self, connections: list) -> Iterator[tuple[bytes, str, int, str]]:
        """Serialised messages, their types, when they were recorded, ns, and their topics."""
        if not connections:  # rosbags takes none for all
            return
        messages = self._reader.messages(connections)
        while True:
            try:
                connection, recorded, data = next(messages)
            except StopIteration:
                return
            except Exception as error:  # rosbags lets others' errors through, as above
                self.skip(f"the bag {self.name} is damaged, what follows is lost: {error}")
                return
            yield data, connection.msgtype, recorded, connection.topic

    def close(self) -> None:
        self._reader.close()


def _stamp_of(data: bytes) -> tuple[int, int]:
    """Seconds and nanoseconds of a serialised ROS 2 message that begins with a header.

    It may be of either byte order.
    """
    if len(data) < 12:
        return 0, 0
    is_little_endian = data[1] & 1
    return struct.unpack_from("<iI" if is_little_endian else ">iI", data, 4)


def _choose_topic(path: Path, topic: str | None, topics: list[str]) -> str:
    """The topic asked for, or the only one."""
    if not topics:
        raise SourceError(f"the bag {path} has no images (sensor_msgs Image or CompressedImage)")
    if topic is None:
        if len(topics) > 1:
            raise SourceError(
                f"the bag {path} has several image topics, say which one: {', '.join(topics)}"
            )
        return topics[0]
    topic = "/" + topic.lstrip("/")
    if topic not in topics:
        raise SourceError(f"the bag {path} has no image topic {topic}; it has {', '.join(topics)}")
    return topic
