"""The node's image subscription, and what keeps frames from coming."""

import time
from collections.abc import Callable

from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_policy_name_from_kind
from sensor_msgs.msg import CompressedImage, Image

from dsflash_ros.ros.process.shared_memory import map_shared_memory
from dsflash_ros.ros.qos_overrides import qos_overriding_options

QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
TYPE_NAMES = {Image: "sensor_msgs/msg/Image", CompressedImage: "sensor_msgs/msg/CompressedImage"}


class ImageInput:
    """Subscribes raw or compressed images while it is open.

    Args:
        node: whose executor calls `on_image`.
        on_image: gets each `sensor_msgs/Image` or `CompressedImage`.
    """

    def __init__(self, node: Node, on_image: Callable[[Image | CompressedImage], None]) -> None:
        self._node = node
        self._on_image = on_image
        self._subscription = None
        self._incompatible_policy = ""
        self._quiet_since = 0.0
        self._has_received = False
        self._mapped_publishers = 0

    @property
    def is_open(self) -> bool:
        return self._subscription is not None

    @property
    def topic(self) -> str:
        """The topic's full name after remapping; only while open."""
        return self._subscription.topic_name

    def open(self, transport: str) -> None:
        """Subscribe `image` (transport `raw`) or `image/compressed` (`compressed`); nothing when
        open already.
        """
        if self.is_open:
            return
        message_type, topic = Image, "image"
        if transport == "compressed":
            # as image_transport does it: whoever remaps `image` means this topic, too
            message_type, topic = (
                CompressedImage,
                self._node.resolve_topic_name("image") + "/compressed",
            )
        with qos_overriding_options(topic) as overrides:
            self._subscription = self._node.create_subscription(
                message_type,
                topic,
                self._receive,
                QOS,
                event_callbacks=SubscriptionEventCallbacks(
                    incompatible_qos=self._note_incompatible_qos
                ),
                qos_overriding_options=overrides,
            )
        self._incompatible_policy = ""
        self._quiet_since = time.monotonic()
        self._has_received = False

    def close(self) -> None:
        """Unsubscribe; nothing when closed already."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def map_senders_memory(self) -> None:
        """Map the shared memory of publishers that have come, once there are frames from them."""
        if not self.is_open or not self._has_received:
            return
        publishers = self._node.count_publishers(self.topic)
        if publishers != self._mapped_publishers:
            map_shared_memory()
            self._mapped_publishers = publishers

    def problem(self, patience_s: float) -> str:
        """What keeps frames from coming and what to do about it; empty while they come.

        Args:
            patience_s: seconds without a frame that are not yet a problem.
        """
        if not self.is_open:
            return ""
        if self._incompatible_policy and self._node.count_publishers(self.topic):
            return (
                f"a publisher on {self.topic} offers less than this node asks for in the QoS policy "
                f"{self._incompatible_policy}, so nothing arrives from it; change it there or here, with the "
                f"parameters qos_overrides.{self.topic}.subscription.*"
            )
        if time.monotonic() - self._quiet_since < patience_s:
            return ""
        return f"no frame for more than {patience_s:g} s on {self.topic}: {self._silence_reason()}"

    def _receive(self, message: Image | CompressedImage) -> None:
        self._quiet_since = time.monotonic()
        self._has_received = True
        self._on_image(message)

    def _note_incompatible_qos(self, event) -> None:
        self._incompatible_policy = qos_policy_name_from_kind(event.last_policy_kind)

    def _is_published_by_others(self, topic: str) -> bool:
        publishers = self._node.get_publishers_info_by_topic(topic)
        us = (self._node.get_namespace(), self._node.get_name())
        return any(
            (publisher.node_namespace, publisher.node_name) != us for publisher in publishers
        )

    def _silence_reason(self) -> str:
        wanted = TYPE_NAMES[self._subscription.msg_type]
        publishers = self._node.get_publishers_info_by_topic(self.topic)
        if not publishers:
            topics = sorted(
                name for name, types in self._node.get_topic_names_and_types() if wanted in types
            )
            others = ", ".join(filter(self._is_published_by_others, topics))
            here = (
                f"published here: {others}" if others else f"no {wanted} is published anywhere here"
            )
            return f"no publisher is there; remap it, as in `--ros-args -r image:=/camera/image_raw` ({here})"
        types = {publisher.topic_type for publisher in publishers}
        if wanted not in types:
            return f"{', '.join(sorted(types))} is published there, not {wanted}; set image_transport, or remap"
        if self._has_received:
            return "frames came before, so the camera has stopped sending, or its process has died"
        return (
            f"{len(publishers)} publisher(s) there, but nothing arrives; if they do send, images are lost on the way: "
            "start the camera's process, too, with the Fast DDS profile (FASTRTPS_DEFAULT_PROFILES_FILE)"
        )
