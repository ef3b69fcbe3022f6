"""What the demo keeps: graphs, overlays, and how far the graphs agree with the true ones."""

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import rclpy
from agreement import Agreement
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import Image

from dsflash_ros.graph.messages import message_to_graph
from dsflash_ros.graph.topics import TRUTH_TOPIC
from dsflash_ros.images.encodings import image_to_rgb
from dsflash_ros.msg import SceneGraph
from dsflash_ros.sinks.video_file import VideoFile

Stamp = tuple[int, int]


class Recorder:
    """Notes which frames were sent and which graphs came, and stores graphs and overlays.

    Args:
        out: folder for the results.
        rate_hz: of the overlays' video; None for no video, because the images differ in size.
        predicates: those of true graphs that count; none for all.
    """

    def __init__(self, out: Path, rate_hz: float | None, predicates: Sequence[str] = ()) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self._picture_path, self._video_path = out / "overlay.png", out / "overlay.mp4"
        for path in (self._picture_path, self._video_path):
            path.unlink(missing_ok=True)
        self._lines = (out / "scene_graph.jsonl").open("w")
        self._rate_hz, self._predicates = rate_hz, predicates
        self._video: VideoFile | None = None
        self._overlay = Image()
        self.sent: list[Stamp] = []
        self._graphs: dict[Stamp, SceneGraph] = {}
        self._truths: dict[Stamp, SceneGraph] = {}
        self._node = rclpy.create_node("recorder")
        self._node.create_subscription(SceneGraph, TRUTH_TOPIC, self._on_truth, 10)
        self._node.create_subscription(SceneGraph, "scene_graph", self._on_graph, 10)
        self._node.create_subscription(Image, "dsflash/overlay", self._on_overlay, 10)
        # last, because the player waits for it
        self._node.create_subscription(Image, "image", self._on_image, 10)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)

    def spin_once(self) -> None:
        self._executor.spin_once(timeout_sec=0.1)

    def close(self) -> None:
        self._lines.close()
        if self._overlay.data:
            bgr = cv2.cvtColor(image_to_rgb(self._overlay), cv2.COLOR_RGB2BGR)
            cv2.imwrite(str(self._picture_path), bgr)
        if self._video is not None:
            self._video.close()
        self._executor.shutdown()
        self._node.destroy_node()

    @property
    def has_last_results(self) -> bool:
        """Whether the last frame has its graph and overlay. It must get them.

        The ROS node leaves a frame out for a newer one only.
        """
        if not self.sent:
            return False
        return self.sent[-1] in self._graphs and stamp_of(self._overlay) == self.sent[-1]

    def failure(self) -> str:
        """What is wrong with the results, as a sentence; empty when they are right."""
        if strangers := set(self._graphs) - set(self.sent):
            return f"{len(strangers)} graphs have a stamp that no frame has"
        if not self.has_last_results:
            return f"of {len(self.sent)} frames the last has no graph or no overlay"
        return ""

    def summary(self) -> str:
        note, dropped = "", len(self.sent) - len(self._graphs)
        if dropped:
            note = f"; {dropped} came while the model was busy and gave way to newer ones"
        lines = [
            f"{len(self._graphs)} graphs for {len(self.sent)} frames{note}.",
            self._agreement(),
        ]
        lines += [f"{self._lines.name}: the graphs", f"{self._picture_path}: the newest overlay"]
        if self._video is not None:
            lines.append(f"{self._video_path}: all overlays")
        return "\n".join(lines)

    def _agreement(self) -> str:
        agreement = Agreement()
        for stamp, truth in self._truths.items():
            if stamp in self._graphs:
                agreement.add(self._graphs[stamp], truth)
        if not agreement.frames:
            return "The source has no true graphs, so that nothing here says how right these are."
        return agreement.report()

    def _on_image(self, image: Image) -> None:
        self.sent.append(stamp_of(image))

    def _on_truth(self, message: SceneGraph) -> None:
        if self._predicates:
            told = [one for one in message.relations if one.predicate in self._predicates]
            message.relations = told
        self._truths[stamp_of(message)] = message

    def _on_graph(self, message: SceneGraph) -> None:
        self._graphs[stamp_of(message)] = message
        self._lines.write(json.dumps(message_to_graph(message).to_json()) + "\n")
        self._lines.flush()

    def _on_overlay(self, image: Image) -> None:
        self._overlay = image
        if self._rate_hz is None:
            return
        rgb = image_to_rgb(image)
        if self._video is None:
            self._video = VideoFile(self._video_path, *rgb.shape[:2], self._rate_hz)
        if rgb.shape == self._video.shape:  # a video has pictures of one size
            self._video.write(rgb)


def stamp_of(message) -> Stamp:
    """Seconds and nanoseconds of the message's header."""
    return message.header.stamp.sec, message.header.stamp.nanosec
