"""The subscription of a camera's images, and what keeps images from coming."""

from collections.abc import Callable

from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import qos_policy_name_from_kind
from sensor_msgs.msg import CompressedImage, Image

from dsflash_ros.ros import qos
from dsflash_ros.ros.process.rclpy_gaps import declare_qos_overrides
from dsflash_ros.ros.qos_overrides import qos_overriding_options
from dsflash_ros.ros.silence import Silence

TYPE_NAMES = {Image: "sensor_msgs/msg/Image", CompressedImage: "sensor_msgs/msg/CompressedImage"}


class ImageInput:
    """Subscribes raw or compressed images while it is open.

    Args:
        node: whose executor calls `on_image`.
        on_image: gets each `sensor_msgs/Image` or `CompressedImage`.
        topic: of the raw images; the compressed ones are on `<topic>/compressed`.
    """

    def __init__(
        self,
        node: Node,
        on_image: Callable[[Image | CompressedImage], None],
        topic: str = "image",
    ) -> None:
        self._node = node
        self._on_image = on_image
        self._raw_topic = topic
        self._subscription = None
        self._incompatible_policy = ""
        self._silence = Silence(node)
        self._has_received = False

    @property
    def is_open(self) -> bool:
        return self._subscription is not None

    @property
    def topic(self) -> str:
        """The topic's full name after remapping; only while open."""
        return self._subscription.topic_name

    def check(self, transport: str) -> None:
        """Raise `ParameterError` if `open` would, because of QoS overrides that cannot be."""
        topic = self._topic(transport)
        with qos_overriding_options(topic) as overrides:
            declare_qos_overrides(self._node, topic, qos.camera_images(), overrides)

    def open(self, transport: str) -> None:
        """Subscribe to raw or compressed images; nothing when open already."""
        if self.is_open:
            return
        topic = self._topic(transport)
        events = SubscriptionEventCallbacks(incompatible_qos=self._note_incompatible_qos)
        with qos_overriding_options(topic) as overrides:
            self._subscription = self._node.create_subscription(
                CompressedImage if transport == "compressed" else Image,
                topic,
                self._receive,
                qos.camera_images(),
                event_callbacks=events,
                qos_overriding_options=overrides,
            )
        self._incompatible_policy = ""
        self._silence.end()
        self._has_received = False

    def close(self) -> None:
        """Unsubscribe; nothing when closed already."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def publishers(self) -> int:
        """How many publish on the topic; 0 while closed."""
        return self._node.count_publishers(self.topic) if self.is_open else 0

    def heard_publishers(self) -> int:
        """How many publish on the topic; 0 until an image has come."""
        return self.publishers() if self._has_received else 0

    def problem(self, patience_s: float) -> str:
        """What keeps images from coming and what to do about it; empty while they come.

        Args:
            patience_s: seconds without an image that are not yet a problem, see `Silence`.
        """
        if not self.is_open:
            return ""
        if self._incompatible_policy and self._node.count_publishers(self.topic):
            return (
                f"a publisher on {self.topic} offers less than this node asks for in the QoS "
                f"policy {self._incompatible_policy}, so nothing arrives from it; change it there "
                f"or here, with the parameters qos_overrides.{self.topic}.subscription.*"
            )
        if self._silence.seconds() < patience_s:
            return ""
        reason = self._silence_reason()
        if self._silence.lacks_clock():
            reason += (
                "; nor does anything publish /clock, though use_sim_time is true: "
                "play the bag with --clock"
            )
        return f"no frame for more than {patience_s:g} s on {self.topic}: {reason}"

    def _topic(self, transport: str) -> str:
        if transport != "compressed":
            return self._raw_topic
        # as image_transport does it: whoever remaps the raw images' topic means this one, too
        return self._node.resolve_topic_name(self._raw_topic) + "/compressed"

    def _receive(self, message: Image | CompressedImage) -> None:
        self._silence.end()
        self._has_received = True
        self._on_image(message)

    def _note_incompatible_qos(self, event) -> None:
        self._incompatible_policy = qos_policy_name_from_kind(event.last_policy_kind)

    def _silence_reason(self) -> str:
        wanted = TYPE_NAMES[self._subscription.msg_type]
        publishers = self._node.get_publishers_info_by_topic(self.topic)
        if not publishers:
            return (
                "no publisher is there; remap it, as in "
                f"`--ros-args -r image:=/camera/image_raw` ({self._elsewhere(wanted)})"
            )
        types = {publisher.topic_type for publisher in publishers}
        if wanted not in types:
            published = ", ".join(sorted(types))
            return f"{published} is published there, not {wanted}; set image_transport, or remap"
        if self._has_received:
            return "frames came before, so the camera has stopped sending, or its process has died"
        return (
            f"{len(publishers)} publisher(s) there, but nothing arrives; if they do send, images "
            "are lost on the way: start the camera's process, too, with the Fast DDS profile "
            "(FASTRTPS_DEFAULT_PROFILES_FILE)"
        )

    def _elsewhere(self, wanted: str) -> str:
        """On which other topics messages of that type are published, as words."""
        topics = [
            name
            for name, types in sorted(self._node.get_topic_names_and_types())
            if wanted in types and self._is_published_by_others(name)
        ]
        if topics:
            return f"published here: {', '.join(topics)}"
        return f"no {wanted} is published anywhere here"

    def _is_published_by_others(self, topic: str) -> bool:
        us = (self._node.get_namespace(), self._node.get_name())
        publishers = self._node.get_publishers_info_by_topic(topic)
        return any((other.node_namespace, other.node_name) != us for other in publishers)
