"""Depth, calibration and poses beside the images of a bag."""

from collections import deque

from dsflash_ros.geometry.camera import Intrinsics
from dsflash_ros.geometry.positions import Depth
from dsflash_ros.geometry.space import Space
from dsflash_ros.geometry.transforms import TransformBuffer
from dsflash_ros.graph.messages import stamp_seconds
from dsflash_ros.images.depth import compressed_depth_to_metres, depth_to_metres

TOLERANCE_S = 0.05
"""How far the stamps of depth and colour may be apart."""

WAITS_S = 0.5
"""So long after an image, in the bag's time, its depth is waited for."""

_IMAGE, _COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
_INFO, _TRANSFORMS = "sensor_msgs/msg/CameraInfo", "tf2_msgs/msg/TFMessage"
_KEPT = 16


def is_depth(topic: str, msgtype: str) -> bool:
    """Whether a topic has depth images, going by its name, as in /depth/image_rect."""
    return msgtype in (_IMAGE, _COMPRESSED) and "depth" in topic.lower()


class BagSpace:
    """Takes messages in the order of the bag, and answers what was there at a time.

    Attributes:
        connections: of the bag, those whose messages it takes; empty when there is no depth, or
            depth of several cameras, of which none is nearer to the images.
    """

    def __init__(self, connections: list, image_topic: str) -> None:
        """`image_topic`: of the images; its depth and calibration are beside it, or alone."""
        depth = _beside(image_topic, [c for c in connections if is_depth(c.topic, c.msgtype)])
        infos = _beside(image_topic, [c for c in connections if c.msgtype == _INFO])
        transforms = [c for c in connections if c.msgtype == _TRANSFORMS]
        self.connections = [*depth, *infos, *transforms] if depth and infos else []
        self._depths: deque = deque(maxlen=_KEPT)
        self._info = None
        self._transforms = TransformBuffer()

    def take(self, topic: str, message) -> None:
        """Take in a message. Raises `TransformError` for a transform that cannot be."""
        name = message.__msgtype__
        if name == _INFO:
            self._info = message
        elif name == _TRANSFORMS:
            self._transforms.add_message(message, is_static=topic.endswith("static"))
        else:
            self._depths.append(message)

    def is_complete(self, stamp: float) -> bool:
        """Whether all has come that goes with that time; always where there is no depth."""
        if not self.connections:
            return True
        return self._info is not None and any(_stamp(depth) >= stamp for depth in self._depths)

    def at(self, stamp: float, frame: str) -> Space | None:
        """What goes with an image of that time; None when no depth does.

        Raises `ImageError` when depth or calibration cannot be.
        """
        if not self._depths or self._info is None:
            return None
        nearest = min(self._depths, key=lambda depth: abs(_stamp(depth) - stamp))
        if abs(_stamp(nearest) - stamp) > TOLERANCE_S:
            return None
        read = depth_to_metres if nearest.__msgtype__ == _IMAGE else compressed_depth_to_metres
        depth = Depth(read(nearest), Intrinsics.of_message(self._info))
        return Space(depth, frame, self._transforms.copy())  # who reads ahead changes it


def _stamp(message) -> float:
    return stamp_seconds(message.header.stamp)


def _beside(image_topic: str, candidates: list) -> list:
    """Of the candidates those whose topic shares most of the image's; none if two share as much."""
    topics = sorted({c.topic for c in candidates}, key=lambda topic: -_shared(image_topic, topic))
    if len(topics) > 1 and _shared(image_topic, topics[0]) == _shared(image_topic, topics[1]):
        return []
    return [c for c in candidates if c.topic == topics[0]] if topics else []


def _shared(one: str, other: str) -> int:
    """How many parts both topics begin with alike."""
    count = 0
    for a, b in zip(one.split("/"), other.split("/"), strict=False):
        if a != b:
            break
        count += 1
    return count
