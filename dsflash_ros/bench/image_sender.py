"""A camera for `dsflash bench node`, in a process of its own.

python -m dsflash_ros.bench.image_sender WIDTH HEIGHT RATE

With rate 0 it sends a frame 20 ms after the graph of the one before has come, so that no frame ever
waits.
"""

import sys
import time

import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

from dsflash_ros.msg import SceneGraph
from dsflash_ros.ros.process.transport import prepare_transport

PAUSE_S = 0.02
FIRST_RETRY_S = 2.0  # the node may not yet have found this camera


class ImageSender(Node):
    """Publishes the same image on `image`, at that rate, Hz, or whenever its graph has come."""

    def __init__(self, width: int, height: int, rate: float) -> None:
        super().__init__("bench_camera")
        self._publisher = self.create_publisher(Image, "image", qos_profile_sensor_data)
        self._image = Image(width=width, height=height, step=3 * width, encoding="rgb8")
        pixels = np.random.default_rng(0).integers(0, 256, height * width * 3, np.uint8)
        self._image.data = pixels.tobytes()
        if rate:
            self.create_timer(1 / rate, self.send)
        else:
            self._due = time.monotonic()
            self._answered = False
            self.create_subscription(SceneGraph, "scene_graph", self.on_graph, 1)
            self.create_timer(0.001, self.send_when_due)

    def send(self) -> None:
        """Publish the image, with the present time, if somebody subscribes."""
        if self._publisher.get_subscription_count():
            self._image.header.stamp = self.get_clock().now().to_msg()
            self._publisher.publish(self._image)

    def on_graph(self, graph: SceneGraph) -> None:
        """Have the next image sent in a moment."""
        self._answered = True
        self._due = time.monotonic() + PAUSE_S

    def send_when_due(self) -> None:
        """Publish the image when it is time, then wait for its graph."""
        if time.monotonic() < self._due:
            return
        self._due = float("inf")
        if not self._answered:
            self._due = time.monotonic() + FIRST_RETRY_S
        self.send()


def main() -> None:
    """Send until interrupted."""
    width, height, rate = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    prepare_transport()
    rclpy.init(args=[])
    try:
        rclpy.spin(ImageSender(width, height, rate))
    except (KeyboardInterrupt, rclpy.executors.ExternalShutdownException):
        pass
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
