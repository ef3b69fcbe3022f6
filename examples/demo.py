"""The whole way in one command: a player, the node and a planner as three processes that talk over DDS.

    python examples/demo.py [SOURCE]

SOURCE is an image, a folder, a video or a bag; without it the photographs next to this file are played. Records the
graphs in out/demo/scene_graph.jsonl and the newest overlay in out/demo/overlay.png. The model is untrained unless
--weights names one: its graphs show that the machinery works, and mean nothing.

Exit code: 0 when the graphs of the frames that were played arrived, 1 when not.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from sensor_msgs.msg import Image

from dsflash_ros.errors import SourceError
from dsflash_ros.graph import is_trained
from dsflash_ros.msg import SceneGraph
from dsflash_ros.ros.conversions import image_to_rgb
from dsflash_ros.ros.messages import message_to_graph
from dsflash_ros.ros.transport import prepare_transport
from dsflash_ros.sources import open_sources

HERE = Path(__file__).resolve().parent
PHOTOS = HERE / "photos"
START_S = 60.0  # for loading the model and finding each other
PLAY_S = 30.0  # longer sources are cut
LAST_S = 15.0  # for the last graph after the last frame


class Recorder:
    """Notes which frames were sent and which graphs came, and stores the graphs and the newest overlay."""

    def __init__(self, out: Path) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self.overlay_path = out / "overlay.png"
        self.overlay_path.unlink(missing_ok=True)
        self._graphs = (out / "scene_graph.jsonl").open("w")
        self._overlay = Image()
        self.sent: list[tuple[int, int]] = []
        self.received: list[tuple[int, int]] = []
        self._node = rclpy.create_node("recorder")
        self._node.create_subscription(Image, "image", self._on_image, 10)
        self._node.create_subscription(SceneGraph, "scene_graph", self._on_graph, 10)
        self._node.create_subscription(Image, "dsflash/overlay", self._on_overlay, 10)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)

    def spin_once(self) -> None:
        self._executor.spin_once(timeout_sec=0.1)

    def close(self) -> None:
        self._graphs.close()
        if self._overlay.data:
            cv2.imwrite(str(self.overlay_path), cv2.cvtColor(image_to_rgb(self._overlay), cv2.COLOR_RGB2BGR))
        self._executor.shutdown()
        self._node.destroy_node()

    @property
    def has_last_results(self) -> bool:
        """Only a newer frame may take another's place, so that the last one must have its graph and overlay."""
        return bool(self.sent) and self.sent[-1] in self.received and stamp_of(self._overlay) == self.sent[-1]

    def failure(self) -> str:
        """What is wrong with the results, as a sentence; empty when they are right."""
        if strangers := set(self.received) - set(self.sent):
            return f"{len(strangers)} graphs have a stamp that no frame has"
        return "" if self.has_last_results else f"of {len(self.sent)} frames the last has no graph or no overlay"

    def summary(self) -> str:
        dropped = len(self.sent) - len(self.received)
        note = f"; {dropped} came while the model was busy and gave way to newer ones" if dropped else ""
        return (
            f"{len(self.received)} graphs for {len(self.sent)} frames{note}.\n"
            f"{self._graphs.name}: the graphs\n{self.overlay_path}: the newest overlay"
        )

    def _on_image(self, image: Image) -> None:
        self.sent.append(stamp_of(image))

    def _on_graph(self, message: SceneGraph) -> None:
        self.received.append(stamp_of(message))
        self._graphs.write(json.dumps(message_to_graph(message).to_json()) + "\n")
        self._graphs.flush()

    def _on_overlay(self, image: Image) -> None:
        self._overlay = image


def stamp_of(message) -> tuple[int, int]:
    """Seconds and nanoseconds of the message's header."""
    return message.header.stamp.sec, message.header.stamp.nanosec


class Processes:
    """The three child processes."""

    def __init__(self, source: str, weights: str) -> None:
        source = [source] if source else [str(PHOTOS), "--loop", "--count", "9", "--rate", "1"]
        play = ["-m", "dsflash_ros.cli", "play", *source, "--wait", "2"]  # for the node and the recorder
        node = ["-m", "dsflash_ros.ros.node", "--ros-args", "-p", f"weights:={weights}"]
        self.planner = subprocess.Popen([sys.executable, str(HERE / "planner.py")])
        self.node = subprocess.Popen([sys.executable, *node])
        self.player = subprocess.Popen([sys.executable, *play])

    def failure(self) -> str:
        """Which process ended that should not have, as a sentence; empty while all is well."""
        for name in ("node", "planner", "player"):
            code = getattr(self, name).poll()
            if code is not None and (name, code) not in (("player", 0), ("player", 128 + signal.SIGTERM)):
                return f"the {name} ended with exit code {code}; see what it said above"
        return ""

    def end(self) -> None:
        for process in (self.player, self.planner, self.node):
            if process.poll() is None:
                process.terminate()  # not SIGINT, whose KeyboardInterrupt prints a traceback while Python starts
        for process in (self.player, self.planner, self.node):
            try:
                process.wait(5.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def follow(processes: Processes, recorder: Recorder) -> str:
    """Record until the source is played and its last graph is there. Returns what went wrong; empty for nothing."""
    end = time.monotonic() + START_S
    playing = False
    while True:
        recorder.spin_once()
        if failure := processes.failure():
            return failure
        if not playing and recorder.sent:
            playing, end = True, time.monotonic() + PLAY_S
        elif playing and processes.player.poll() is not None and recorder.has_last_results:
            return ""
        if time.monotonic() < end:
            continue
        if not playing:
            return f"no frame was played within {START_S:.0f} s: the node and the player did not find each other"
        if processes.player.poll() is not None:
            return f"the last frame that was played got no graph within {LAST_S:.0f} s"
        processes.player.terminate()
        processes.player.wait()
        end = time.monotonic() + LAST_S


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", nargs="?", default="", help="image, folder, video or bag (default: photographs)")
    parser.add_argument("--weights", default="random", help="as for the node (default: random, an untrained model)")
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="folder for the results (default: out/demo)")
    args = parser.parse_args()
    if not is_trained(args.weights):
        print("The model is untrained: the graphs below show that the machinery works, and mean nothing.", flush=True)
    try:
        for source in open_sources([args.source or str(PHOTOS)]):  # rather than start three processes in vain
            source.close()
    except SourceError as error:
        print(f"demo failed: {error}", file=sys.stderr)
        return 1
    # a domain of the demo's own on this machine only: no robot nearby is to see its messages
    os.environ["ROS_DOMAIN_ID"] = str(10 + os.getpid() % 90)
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    prepare_transport()
    rclpy.init()
    recorder = Recorder(args.out)
    processes = Processes(args.source, args.weights)
    try:
        failure = follow(processes, recorder)
    except (KeyboardInterrupt, ExternalShutdownException):
        failure = "interrupted"
    finally:
        processes.end()
        recorder.close()
        rclpy.try_shutdown()
    failure = failure or recorder.failure()
    if failure:
        print(f"demo failed: {failure}", file=sys.stderr)
        return 1
    print(recorder.summary())
    return 0


if __name__ == "__main__":
    sys.exit(main())
