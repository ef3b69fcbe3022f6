"""The film of a task: what the robot sees, the graph over it, and what the planner says below."""

from pathlib import Path

import cv2
import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import Image

from dsflash_ros.drawing.overlay import draw_overlay
from dsflash_ros.graph.messages import message_to_graph
from dsflash_ros.images.encodings import image_to_rgb
from dsflash_ros.msg import SceneGraph
from dsflash_ros.sinks.video_file import VideoFile

_KEPT = 20
"""Images, graphs and maps that wait for those of the same stamp."""

_LINES, _LINE_PX = 4, 22
_WIDEST = 84
"""Letters in a line."""


class Film:
    """Writes `agent.mp4` and a picture from its end, `agent.png`.

    Attributes:
        lines: what is written below the next pictures.
        count: of the pictures.
    """

    def __init__(self, out: Path, graphs: str, maps: str, rate_hz: float = 4.0) -> None:
        """Subscribe to `image`, and to the topics of graphs and of panoptic maps."""
        out.mkdir(parents=True, exist_ok=True)
        self._video_path, self._still_path, self._rate = (
            out / "agent.mp4",
            out / "agent.png",
            rate_hz,
        )
        self.lines: list[str] = []
        self.count = 0
        self._video: VideoFile | None = None
        self._picture: np.ndarray | None = None
        self._waiting: dict[tuple[int, int], dict[str, object]] = {}
        self._node = rclpy.create_node("film")
        for name, kind, topic in (
            ("image", Image, "image"),
            ("graph", SceneGraph, graphs),
            ("map", Image, maps),
        ):
            self._node.create_subscription(
                kind, topic, lambda message, name=name: self._take(name, message), 5
            )
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)

    def spin_once(self) -> None:
        self._executor.spin_once(timeout_sec=0.1)

    def close(self) -> None:
        """Finish the files."""
        if self._video is not None:
            for _ in range(round(2 * self._rate)):  # the end stays for two seconds
                self._write(self._picture)
            self._video.close()
            captioned = _captioned(self._picture, self.lines)
            cv2.imwrite(str(self._still_path), cv2.cvtColor(captioned, cv2.COLOR_RGB2BGR))
        self._executor.shutdown()
        self._node.destroy_node()

    def _take(self, name: str, message: Image | SceneGraph) -> None:
        stamp = message.header.stamp.sec, message.header.stamp.nanosec
        found = self._waiting.setdefault(stamp, {})
        found[name] = message
        if len(found) == 3:
            del self._waiting[stamp]
            graph = message_to_graph(found["graph"], _map(found["map"]))
            self._picture = draw_overlay(image_to_rgb(found["image"]), graph, max_relations=6)
            self._write(self._picture)
        for old in sorted(self._waiting)[:-_KEPT]:
            del self._waiting[old]

    def _write(self, picture: np.ndarray) -> None:
        captioned = _captioned(picture, self.lines)
        if self._video is None:
            self._video = VideoFile(self._video_path, *captioned.shape[:2], self._rate)
        self._video.write(captioned)
        self.count += 1


def _map(message: Image) -> np.ndarray:
    """The panoptic map of a message, (H, W) int32."""
    return np.frombuffer(message.data, np.int32).reshape(message.height, message.width)


def _captioned(picture: np.ndarray, lines: list[str]) -> np.ndarray:
    """The picture with the last lines below it."""
    band = np.full((_LINES * _LINE_PX + 10, picture.shape[1], 3), 24, np.uint8)
    wrapped = [line[i : i + _WIDEST] for line in lines for i in range(0, len(line), _WIDEST)]
    for row, line in enumerate(wrapped[-_LINES:], 1):
        place, white = (8, row * _LINE_PX), (235, 235, 235)
        cv2.putText(band, line, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, white, 1, cv2.LINE_AA)
    return np.vstack((picture, band))
