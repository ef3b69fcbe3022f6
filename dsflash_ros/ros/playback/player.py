"""Publishes images at a steady rate, as a camera driver does."""

import time

import cv2
import numpy as np
import rclpy
from rclpy.duration import Duration
from rclpy.publisher import Publisher
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from dsflash_ros.errors import DSFlashError, ImageError
from dsflash_ros.ros import qos
from dsflash_ros.ros.messages.image_messages import rgb_to_image

_JPEG_QUALITY = 95
_LONGEST_FLUSH = Duration(seconds=2)


class Player:
    """A node that publishes images, and what goes with them. `rclpy.init()` must come before.

    Args:
        topic: of the images; compressed ones are on `<topic>/compressed`.
        frame_id: of the images' headers.
        compressed: publish JPEG images.
        reliable: quality of service, see `dsflash_ros.ros.qos.played`.

    Attributes:
        topic: the images' topic in full.
        count: of the images published.
        was_heard: whether anybody subscribed to them.
        first_s: monotonic time when the first one was published; None before.

    Raises:
        DSFlashError: `topic` is no name for a topic.
    """

    def __init__(self, topic: str, frame_id: str, compressed: bool = False, reliable: bool = True):
        self.count = 0
        self.was_heard = False
        self.first_s: float | None = None
        self._frame_id = frame_id
        self._compressed = compressed
        self._due = 0.0
        self._node = rclpy.create_node("dsflash_player")
        self._reliable = reliable
        self._others: list[Publisher] = []
        kind = Image
        if compressed:
            kind, topic = CompressedImage, f"{topic}/compressed"
        try:
            self._publisher = self._node.create_publisher(kind, topic, qos.played(reliable))
        except Exception as error:
            self.close()
            raise DSFlashError(
                f"{topic!r} is no name for a topic: {str(error).splitlines()[0]}"
            ) from error
        self.topic = self._publisher.topic_name

    def advertise(self, message_type, topic: str) -> Publisher:
        """A publisher of what goes with the images, of the same quality of service."""
        publisher = self._node.create_publisher(message_type, topic, qos.played(self._reliable))
        self._others.append(publisher)
        return publisher

    def beside(self, name: str) -> str:
        """The topic of that name in the images' namespace: /front/depth beside /front/image."""
        topic = self.topic.removesuffix("/compressed") if self._compressed else self.topic
        return f"{topic.rpartition('/')[0]}/{name}"

    def wait_for_subscribers(self, count: int) -> None:
        """Return when that many are there."""
        while self._publisher.get_subscription_count() < count:
            time.sleep(0.02)

    def publish(self, rgb: np.ndarray, seconds: float) -> Header:
        """Publish an image once the one before has lasted its time.

        Args:
            rgb: (H, W, 3) uint8.
            seconds: how long this one lasts.

        Returns:
            The image's header, for messages that go with it.
        """
        message = self.message(rgb, Header(frame_id=self._frame_id))
        now = time.monotonic()
        # One that comes late shifts those after it: a camera does not catch up by sending a burst.
        due = max(now, self._due)
        time.sleep(due - now)
        self._due = due + seconds
        message.header.stamp = self._node.get_clock().now().to_msg()
        self.send(message)
        return message.header

    def message(self, rgb: np.ndarray, header: Header) -> Image | CompressedImage:
        """An image, (H, W, 3) uint8, as it is published, under that header."""
        return rgb_to_jpeg(rgb, header) if self._compressed else rgb_to_image(rgb, header)

    def send(self, message: Image | CompressedImage) -> None:
        """Publish one at once."""
        self.first_s = self.first_s or time.monotonic()
        self._publisher.publish(message)
        self.count += 1
        self.was_heard = self.was_heard or self._publisher.get_subscription_count() > 0

    def flush(self) -> None:
        """Wait until reliable subscribers have everything, at most two seconds for each topic."""
        for publisher in (self._publisher, *self._others):
            publisher.wait_for_all_acked(_LONGEST_FLUSH)

    def close(self) -> None:
        """Take the node down."""
        self._node.destroy_node()


def rgb_to_jpeg(rgb: np.ndarray, header: Header, quality: int = _JPEG_QUALITY) -> CompressedImage:
    """A JPEG of an (H, W, 3) uint8 array, with that header; quality 1 to 100.

    Raises `ImageError` if it is too large for a JPEG.
    """
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    try:
        data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    except cv2.error as error:
        raise ImageError(
            f"an image of {rgb.shape[1]}x{rgb.shape[0]} cannot be a JPEG: {error}"
        ) from error
    message = CompressedImage(header=header, format="jpeg")
    message.data.frombytes(data.tobytes())
    return message
