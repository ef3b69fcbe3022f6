"""Listens to a live replay: the clock, the images, and the graphs that the node makes of them."""

import time
from collections.abc import Callable
from threading import Event

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image

from dsflash_ros.errors import DSFlashError, first_line
from dsflash_ros.evaluation.live_replay import LiveRecord
from dsflash_ros.graph.messages import serialized_stamp
from dsflash_ros.msg import SceneGraph
from dsflash_ros.ros.qos import BEST_EFFORT, RELIABLE

SETTLE_S = 5.0
"""So long after the end of the clock the graph of the last image is waited for."""

_POLL_S = 0.05
_DEPTH = 100


class Meter:
    """A node that listens. `rclpy.init()` must come before.

    Attributes:
        record: what was heard so far.
        interrupted: once it is set, waiting ends with a `KeyboardInterrupt`.

    Args:
        image_topic: of the images; those on `<image_topic>/compressed` will do, too.
        graph_topic: of the graphs.

    Raises:
        DSFlashError: one of them is no name for a topic.
    """

    def __init__(self, image_topic: str, graph_topic: str) -> None:
        self.record = LiveRecord()
        self.interrupted = Event()
        self._node = rclpy.create_node("dsflash_watch")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        try:
            self._image_topics = {
                self._node.resolve_topic_name(name): kind
                for name, kind in (
                    (image_topic, Image),
                    (f"{image_topic}/compressed", CompressedImage),
                )
            }
            self._graph_topic = self._node.resolve_topic_name(graph_topic)
        except Exception as error:
            self.close()
            raise DSFlashError(f"no name for a topic: {first_line(error)}") from error
        self._listen(Clock, "/clock", self.record.clock, BEST_EFFORT)
        self._listen(SceneGraph, self._graph_topic, self.record.graphs, RELIABLE)

    def wait_for_node(self, timeout_s: float) -> None:
        """Return when a node is there that subscribes to the images and publishes graphs.

        Raises `DSFlashError` when none is in time.
        """
        self._spin_until(self._node_listens, timeout_s) or self._give_up(
            f"no node subscribes to {' or '.join(self._image_topics)} and publishes on "
            f"{self._graph_topic}",
            timeout_s,
            "start it with use_sim_time:=true, or name its topics",
        )

    def listen(self, timeout_s: float) -> None:
        """Record until the player has gone, and with it the publisher of /clock.

        Raises `DSFlashError` when it does not begin in time.
        """
        if not self._spin_until(self._open_images, timeout_s):
            topics = " or ".join(self._image_topics)
            self._give_up(f"nothing publishes images on {topics}", timeout_s, "play a bag")
        if not self._spin_until(lambda: self.record.clock, timeout_s):
            self._give_up("nothing publishes /clock", timeout_s, "play the bag with --clock")
        self._spin_until(lambda: not self._node.count_publishers("/clock"))
        self._spin_until(self._has_last_graph, SETTLE_S)

    def close(self) -> None:
        """Take the node down."""
        self._executor.shutdown()
        self._node.destroy_node()

    def _listen(self, message_type, topic: str, heard: list, reliability) -> None:
        """Keep when messages come, and their stamps; the rest of them is not even decoded."""

        def take(data: bytes) -> None:
            now = time.monotonic()
            seconds, nanoseconds = serialized_stamp(data)
            heard.append((now, 1_000_000_000 * seconds + nanoseconds))

        profile = QoSProfile(depth=_DEPTH, reliability=reliability)
        self._node.create_subscription(message_type, topic, take, profile, raw=True)

    def _node_listens(self) -> bool:
        is_read = any(self._node.count_subscribers(topic) for topic in self._image_topics)
        return is_read and self._node.count_publishers(self._graph_topic) > 0

    def _open_images(self) -> bool:
        """Subscribe to those images that are published and that the node subscribes."""
        for topic, kind in self._image_topics.items():
            publishers = self._node.get_publishers_info_by_topic(topic)
            if publishers and self._node.count_subscribers(topic):
                offered = {publisher.qos_profile.reliability for publisher in publishers}
                all_are_reliable = offered == {RELIABLE}
                reliability = RELIABLE if all_are_reliable else BEST_EFFORT
                self._listen(kind, topic, self.record.images, reliability)
                return True
        return False

    def _has_last_graph(self) -> bool:
        images, graphs = self.record.images, self.record.graphs
        return bool(images and graphs) and graphs[-1][1] == images[-1][1]

    def _spin_until(self, condition: Callable[[], object], timeout_s: float | None = None) -> bool:
        """Take in messages until the condition holds. Returns whether it does.

        Raises `KeyboardInterrupt` once `interrupted` is set.
        """
        start = asked = time.monotonic()
        while not condition():
            while (now := time.monotonic()) < asked + _POLL_S:
                self._executor.spin_once(timeout_sec=asked + _POLL_S - now)
                if self.interrupted.is_set():
                    raise KeyboardInterrupt
            asked = now
            if timeout_s is not None and now - start > timeout_s:
                return False
        return True

    def _give_up(self, what: str, timeout_s: float, advice: str) -> None:
        raise DSFlashError(f"{what} for {timeout_s:g} s: {advice}")
