"""Listens to a running node: its graphs with their images, maps and cameras' places."""

import logging
import math
import time
from collections.abc import Iterator
from threading import Event
from typing import NamedTuple

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from dsflash_ros.errors import DSFlashError, ImageError, first_line
from dsflash_ros.geometry.camera import Intrinsics
from dsflash_ros.geometry.viewpoint import Viewpoint
from dsflash_ros.graph.messages import message_to_graph
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.images.encodings import compressed_to_rgb, image_to_rgb
from dsflash_ros.images.panoptic_maps import image_to_panoptic
from dsflash_ros.msg import SceneGraph as SceneGraphMessage
from dsflash_ros.ros import qos
from dsflash_ros.ros.transform_listener import TransformListener
from dsflash_ros.ros.view.stamp_matching import Matched, StampMatcher

SILENCE_S = 5.0
"""After so long without a graph the log says what is missing; again after twice that time."""

_POLL_S = 0.03
_DISCOVER_S = 0.5

_log = logging.getLogger(__name__)


class LiveFrame(NamedTuple):
    """A graph of a running node.

    Attributes:
        graph: with the panoptic map, where it came.
        rgb: (H, W, 3) uint8, its image; None when it did not come.
        viewpoint: where the camera stood; None without positions.
        arrived: when the graph came, seconds of `time.monotonic`.
    """

    graph: SceneGraph
    rgb: np.ndarray | None
    viewpoint: Viewpoint | None
    arrived: float


class LiveView:
    """A node that listens. `rclpy.init()` must come before.

    Args:
        image_topic: the camera's, without /compressed. Its camera_info is beside it.
        graph_topic: of the graphs.
        map_topic: of the panoptic maps; empty: that of the node which publishes the graphs.

    Attributes:
        topic: full name of that of the graphs.
        ended: ends `frames` when it is set.

    Raises:
        DSFlashError: one of them is no name for a topic.
    """

    def __init__(self, image_topic: str, graph_topic: str, map_topic: str = "") -> None:
        self._node = rclpy.create_node("dsflash_view")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        try:
            names = [image_topic, graph_topic, map_topic or graph_topic]
            self._image, self.topic, asked = map(self._node.resolve_topic_name, names)
        except Exception as error:
            self.close()
            raise DSFlashError(f"no name for a topic: {first_line(error)}") from error
        self._map, self._is_map_known = asked, bool(map_topic)
        self.ended = Event()
        self._matcher, self._taken = StampMatcher(), 0
        self._camera: Intrinsics | None = None
        self._transforms = TransformListener(self._node)
        self._subscribed: set[str] = set()
        self._node.create_subscription(
            SceneGraphMessage, self.topic, self._take_graph, qos.results()
        )
        beside = f"{self._image.rpartition('/')[0]}/camera_info"
        self._node.create_subscription(CameraInfo, beside, self._take_camera, qos.camera_images())

    def frames(self, most_hz: float = math.inf) -> Iterator[LiveFrame]:
        """The newest graph, at most `most_hz` a second, until `ended` is set.

        Those that come before the next one is due, or while the caller is busy, are left out but
        for the last. The log says what is missing while none come.
        """
        last, patience = time.monotonic(), SILENCE_S
        discovered = due = 0.0
        while not self.ended.is_set():
            self._drain()
            now = time.monotonic()
            if now >= due and (seen := self._matcher.newest(now)):
                last, patience = now, SILENCE_S
                due = max(due, now - 1 / most_hz) + 1 / most_hz
                if frame := self._frame(seen):
                    yield frame
            if now - discovered > _DISCOVER_S:
                discovered = now
                self._discover()
            if now - last > patience:
                patience *= 2
                _log.warning("%s", self._missing())

    def close(self) -> None:
        """Take the node down."""
        self._executor.shutdown()
        self._node.destroy_node()

    def _drain(self) -> None:
        """Wait a little, then take in all that has come: waking for each message costs more."""
        self.ended.wait(_POLL_S)
        before = -1
        while before != (taken := self._taken + self._transforms.taken):
            before = taken
            self._executor.spin_once(timeout_sec=0.0)

    def _take_graph(self, message: SceneGraphMessage) -> None:
        self._taken += 1
        self._matcher.take_graph(message, time.monotonic())

    def _take_image(self, data: bytes) -> None:
        self._taken += 1
        self._matcher.take_image(data)

    def _take_map(self, data: bytes) -> None:
        self._taken += 1
        self._matcher.take_map(data)

    def _take_camera(self, message: CameraInfo) -> None:
        self._taken += 1
        try:
            self._camera = Intrinsics.of_message(message)
        except ImageError:
            self._camera = None  # who computes positions says what is wrong with it

    def _discover(self) -> None:
        """Subscribe to images and maps once it is known where they are."""
        kinds = {self._image: Image, f"{self._image}/compressed": CompressedImage}
        if not self._subscribed & set(kinds):
            published = [topic for topic in kinds if self._node.count_publishers(topic)]
            for topic in published[:1]:
                self._listen(kinds[topic], topic, self._take_image, qos.watched_images())
        if not self._is_map_known:
            self._discover_map()
        if self._is_map_known and self._map not in self._subscribed:
            self._listen(Image, self._map, self._take_map, qos.results())

    def _discover_map(self) -> None:
        """Name the topic of the maps after the node that publishes the graphs, once it is known."""
        nodes = set(self._node.get_node_names_and_namespaces())
        for publisher in self._node.get_publishers_info_by_topic(self.topic):
            name, space = publisher.node_name, publisher.node_namespace
            if (name, space) in nodes:  # a publisher can be found before its node's name is
                self._map, self._is_map_known = map_topic_of(space, name, self.topic), True
                return

    def _listen(self, kind: type, topic: str, take, profile) -> None:
        """Subscribe without decoding what comes."""
        self._subscribed.add(topic)
        self._node.create_subscription(kind, topic, take, profile, raw=True)

    def _frame(self, seen: Matched) -> LiveFrame | None:
        """What the messages say; None, and a line in the log, when they cannot be read."""
        try:
            graph = message_to_graph(seen.graph, self._panoptic(seen))
            rgb = self._rgb(seen.image)
        except (ValueError, DSFlashError) as error:
            _log.warning("a graph is left out: %s", error)
            return None
        if not graph.position_frame:
            return LiveFrame(graph, rgb, None, seen.arrived)
        self._transforms.open()
        frame, transforms = seen.graph.header.frame_id, self._transforms.buffer
        viewpoint = self._camera and Viewpoint.of(graph, self._camera, frame, transforms)
        return LiveFrame(graph, rgb, viewpoint, seen.arrived)

    def _panoptic(self, seen: Matched) -> np.ndarray | None:
        if seen.panoptic is None:
            return None
        return image_to_panoptic(deserialize_message(seen.panoptic, Image))

    def _rgb(self, data: bytes | None) -> np.ndarray | None:
        if data is None:
            return None
        if self._image in self._subscribed:
            return image_to_rgb(deserialize_message(data, Image))
        return compressed_to_rgb(deserialize_message(data, CompressedImage))

    def _missing(self) -> str:
        """Why no graphs come, as a sentence."""
        if not self._node.count_publishers(self.topic):
            return (
                f"nothing publishes graphs on {self.topic}: start the node, or name its topic "
                "with --graphs"
            )
        if not self._subscribed & {self._image, f"{self._image}/compressed"}:
            return (
                f"nothing publishes images on {self._image}, and no graph comes: start the camera, "
                "or name its topic with --topic"
            )
        return f"no graph comes on {self.topic}: is the node active, and does it get images?"


def map_topic_of(namespace: str, node: str, graph_topic: str) -> str:
    """The topic of the panoptic maps of the node that publishes these graphs.

    As /robot/dsflash/front/panoptic of the node dsflash in /robot with the graphs
    /robot/front/scene_graph.
    """
    space = namespace.rstrip("/")
    prefix = graph_topic.removeprefix(f"{space}/").rpartition("/")[0]
    parts = [part for part in (space, node, prefix.strip("/"), "panoptic") if part]
    return "/" + "/".join(part.strip("/") for part in parts)
