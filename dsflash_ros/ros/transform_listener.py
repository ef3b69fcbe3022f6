"""What /tf and /tf_static say, for the worker's thread."""

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from tf2_msgs.msg import TFMessage

from dsflash_ros.geometry.transforms import TransformBuffer, TransformError

LOG_PERIOD_S = 10.0


class TransformListener:
    """Fills a `TransformBuffer` while it is open. (tf2's own Python needs tf2_py, which ROS 2 has
    and its wheels do not; this reads the same topics.)

    Attributes:
        taken: how many messages came.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self.buffer = TransformBuffer()
        self._listening = []
        self.taken = 0

    def open(self) -> None:
        """Subscribe; nothing when open already."""
        if self._listening:
            return
        moving = QoSProfile(depth=100)
        still = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._listening = [
            self._node.create_subscription(TFMessage, "/tf", self._move, moving),
            self._node.create_subscription(TFMessage, "/tf_static", self._fix, still),
        ]

    def close(self) -> None:
        """Unsubscribe, and forget everything."""
        for subscription in self._listening:
            self._node.destroy_subscription(subscription)
        self._listening = []
        self.buffer.clear()

    def _move(self, message: TFMessage) -> None:
        self._take(message, is_static=False)

    def _fix(self, message: TFMessage) -> None:
        self._take(message, is_static=True)

    def _take(self, message: TFMessage, is_static: bool) -> None:
        self.taken += 1
        try:
            self.buffer.add_message(message, is_static)
        except TransformError as error:
            self._node.get_logger().warning(str(error), throttle_duration_sec=LOG_PERIOD_S)
