"""The subscriptions of a camera's depth and calibration, matched with its images by stamp."""

import threading
from collections import deque

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image

from dsflash_ros.errors import ImageError
from dsflash_ros.geometry.camera import Intrinsics
from dsflash_ros.geometry.positions import Depth
from dsflash_ros.graph.messages import stamp_seconds
from dsflash_ros.images.depth import depth_to_metres
from dsflash_ros.ros import qos
from dsflash_ros.ros.qos_overrides import qos_overriding_options

_KEPT = 8
"""Latest depth images, among which is that of a colour image which comes."""


class DepthInput:
    """Subscribes `depth` and `camera_info` while it is open.

    Args:
        node: whose executor receives.
        prefix: before the topics' names, as `front/`; empty for none.
    """

    def __init__(self, node: Node, prefix: str = "") -> None:
        self._node, self._prefix = node, prefix
        self._lock = threading.Lock()
        self._images: deque[Image] = deque(maxlen=_KEPT)
        self._info: CameraInfo | None = None
        self._awaited: float | None = None
        self._nearest: Image | None = None
        self._refused = ""
        self._listening = []

    def open(self) -> None:
        """Subscribe; nothing when open already."""
        if not self._listening:
            self._listening = [
                self._subscribe(Image, "depth", self._take_image),
                self._subscribe(CameraInfo, "camera_info", self._take_info),
            ]

    def close(self) -> None:
        """Unsubscribe, and forget what came."""
        for subscription in self._listening:
            self._node.destroy_subscription(subscription)
        self._listening = []
        with self._lock:
            self._images.clear()
            self._info = self._awaited = self._nearest = None
            self._refused = ""

    @property
    def has_depth(self) -> bool:
        """Whether a depth image has come, of whatever time."""
        return bool(self._images or self._refused)

    def expect(self, stamp: float) -> None:
        """Keep from now on the depth nearest to that time, however many come until it is asked."""
        with self._lock:
            self._awaited, self._nearest = stamp, None
            for image in self._images:
                self._keep_nearest(image)

    def at(self, stamp: float, tolerance_s: float) -> Depth:
        """The depth nearest to that time, which was expected.

        Raises `ImageError`, which says what is missing or does not match.
        """
        with self._lock:
            nearest, info = self._nearest, self._info
        if nearest is None:
            raise ImageError(self._refused or "no depth image has come")
        if info is None:
            raise ImageError(
                "there is depth, but no camera_info: remap it, as in -r camera_info:=..."
            )
        late_s = stamp_seconds(nearest.header.stamp) - stamp
        if abs(late_s) > tolerance_s:
            raise ImageError(
                f"the nearest depth image is {1000 * late_s:+.0f} ms from the colour image, more "
                f"than depth_tolerance_s = {tolerance_s:g} s: do their clocks agree?"
            )
        return Depth(depth_to_metres(nearest), Intrinsics.of_message(info))

    def _subscribe(self, message_type, name: str, take):
        topic = self._prefix + name
        with qos_overriding_options(topic) as overrides:
            return self._node.create_subscription(
                message_type,
                topic,
                take,
                qos.camera_images(),
                qos_overriding_options=overrides,
            )

    def _take_image(self, message: Image) -> None:
        try:
            stamp_seconds(message.header.stamp)
        except ImageError as error:
            self._refused = f"a depth image is left out: {error}"
            return
        self._refused = ""
        with self._lock:
            self._images.append(message)
            self._keep_nearest(message)

    def _keep_nearest(self, image: Image) -> None:
        if self._awaited is None:
            return
        nearest = self._nearest
        if nearest is None or self._distance(image) < self._distance(nearest):
            self._nearest = image

    def _distance(self, image: Image) -> float:
        return abs(stamp_seconds(image.header.stamp) - self._awaited)

    def _take_info(self, message: CameraInfo) -> None:
        with self._lock:
            self._info = message
