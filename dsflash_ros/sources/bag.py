"""ROS 1 and ROS 2 bags, read by `rosbags`, which needs no ROS."""

import logging
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rosbags.highlevel import AnyReaderError

from dsflash_ros.errors import ImageError, SourceError
from dsflash_ros.files import expand
from dsflash_ros.geometry.space import Space
from dsflash_ros.geometry.transforms import KEPT_S, TransformError
from dsflash_ros.graph.messages import stamp_seconds
from dsflash_ros.graph.topics import TRUTH_MAP_TOPIC
from dsflash_ros.images.encodings import compressed_to_rgb, image_to_rgb
from dsflash_ros.sources.bag_reader import open_bag
from dsflash_ros.sources.bag_space import WAITS_S, BagSpace, is_depth
from dsflash_ros.sources.bag_truth import BagTruth
from dsflash_ros.sources.source import Frame, Origin, Source

_log = logging.getLogger(__name__)

_READERS = {
    "sensor_msgs/msg/Image": image_to_rgb,
    "sensor_msgs/msg/CompressedImage": compressed_to_rgb,
}


class BagSource(Source):
    """The images of one topic.

    Stamps are the headers', or the times of recording where a header has none.

    Attributes:
        topic: of the images.
        with_truth: frames have their true graphs, where the bag has them. Set it to False where
            nobody asks for them: reading them takes time.
        start_ns, stop_ns: only images recorded from here on, and before here. Depth and poses of
            before the start are read nevertheless, so that each image has what goes with it.
    """

    def __init__(
        self,
        path: str | Path,
        topic: str | None = None,
        start_ns: int | None = None,
        stop_ns: int | None = None,
    ):
        path = expand(path)
        self._reader = open_bag(path)
        images = [c for c in self._reader.connections if c.msgtype in _READERS]
        colour = [c for c in images if not _is_special(c.topic, c.msgtype)]
        topics = {c.topic for c in (colour if colour and not topic else images)}
        try:
            self.topic = _choose_topic(path, topic, sorted(topics))
        except SourceError:
            self.close()
            raise
        self.start_ns, self.stop_ns, self.with_truth = start_ns, stop_ns, True
        self._images = [c for c in images if c.topic == self.topic]
        self.has_truth = bool(BagTruth(self._reader).graphs)
        self._has_reported_space = False
        length, seconds = sum(c.msgcount for c in self._images), self._reader.duration / 1e9
        rate = length / seconds if length > 1 and seconds > 0 else None
        super().__init__(str(path), rate, length)

    @property
    def begin_ns(self) -> int:
        """When the first message of the bag was recorded."""
        return self._reader.start_time

    @property
    def end_ns(self) -> int:
        """Just after the last message of the bag was recorded."""
        return self._reader.end_time

    def _frames(self) -> Iterator[Frame]:
        found = 0
        self._truth = BagTruth(self._reader, self.with_truth)
        self._truth.keep(data for data, *_ in self._messages(self._truth.graphs))
        for message, rgb, recorded in self._images_with_space():
            found += 1
            sec, nanosec = message.header.stamp.sec, message.header.stamp.nanosec
            stamp = sec + nanosec / 1e9 or recorded / 1e9
            stamp_ns = 1_000_000_000 * sec + nanosec or recorded
            origin = Origin(message.header.frame_id, stamp_ns, recorded)
            truth = self._truth.at((sec, nanosec))
            yield Frame(rgb, stamp, self.topic, truth, self._space_at(message), origin)
        if not found and self.start_ns is None:
            raise SourceError(
                f"none of the {len(self)} images on {self.topic} of {self.name} can be read"
            )

    def _images_with_space(self) -> Iterator[tuple[object, np.ndarray, int]]:
        """Messages, their pixels, and when they were recorded, ns.

        Each comes once all has come that goes with it.
        """
        self._space = BagSpace(self._reader.connections, self.topic)
        waiting: deque[tuple[object, np.ndarray, int]] = deque()
        for data, msgtype, recorded, topic in self._all_messages():
            is_over = self.stop_ns is not None and recorded >= self.stop_ns
            if is_over and not waiting:
                return
            if is_over and topic == self.topic:
                continue
            try:
                message = self._reader.deserialize(data, msgtype)
                if topic == self.topic:
                    waiting.append((message, _READERS[msgtype](message), recorded))
                elif topic == TRUTH_MAP_TOPIC:
                    self._truth.take(message)
                else:
                    self._space.take(topic, message)
            except (ImageError, TransformError, AnyReaderError) as error:
                if topic == self.topic:
                    self.skip(f"{topic}: {error}")
                continue
            while waiting and self._is_due(*waiting[0], now=recorded):
                yield waiting.popleft()
        yield from waiting

    def _all_messages(self) -> Iterator[tuple[bytes, str, int, str]]:
        """The images and what goes with them, in their order, from the start on."""
        start = self.start_ns
        beside = [*self._space.connections, *self._truth.maps]
        if start is not None:
            fixed = [c for c in beside if c.topic.endswith("tf_static")]
            moving = [c for c in beside if not c.topic.endswith("tf_static")]
            before = start - round(KEPT_S * 1e9)
            yield from self._messages(fixed, None, start)
            yield from self._messages(moving, before, start)
        yield from self._messages([*self._images, *beside], start)

    def _is_due(self, message, _, recorded: int, now: int) -> bool:
        sec, nanosec = message.header.stamp.sec, message.header.stamp.nanosec
        has_all = self._space.is_complete(sec + nanosec / 1e9)
        has_all = has_all and self._truth.is_complete((sec, nanosec))
        return has_all or now - recorded > WAITS_S * 1e9

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

    def _messages(
        self, connections: list, start: int | None = None, stop: int | None = None
    ) -> Iterator[tuple[bytes, str, int, str]]:
        """Serialised messages, their types, when they were recorded, ns, and their topics."""
        if not connections:  # rosbags takes none for all
            return
        messages = self._reader.messages(connections, start, stop)
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


def _is_special(topic: str, msgtype: str) -> bool:
    """Whether images are depth or label maps, not a camera's pictures."""
    return is_depth(topic, msgtype) or topic == TRUTH_MAP_TOPIC


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
