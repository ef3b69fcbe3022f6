"""The whole way in one command: player, node and planner as three processes that talk over DDS.

    python examples/demo.py [SOURCE]

SOURCE is an image, a folder, a video or a bag. Without it a drive through a simulated room is
played that the model has never seen, with the true graphs beside the images. Meanwhile the planner
answers three questions. In the end the demo says how much of the truth the graphs told, and how
much of what they told is true. It records the graphs in out/demo/scene_graph.jsonl, the newest
overlay in out/demo/overlay.png and, unless SOURCE is images, all of them in out/demo/overlay.mp4.

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

import rclpy
from rclpy.executors import ExternalShutdownException
from recorder import Recorder

from dsflash_ros.errors import SourceError
from dsflash_ros.graph.scene_graph import is_trained
from dsflash_ros.ros.process.transport import prepare_transport
from dsflash_ros.sources import Source, open_source
from dsflash_ros.weights.shipped import DEFAULT_WEIGHTS

HERE = Path(__file__).resolve().parent
# dsflash toyroom camera --seed 4000000018 --rate 6 --duration 25 --record examples/drive
DRIVE = HERE / "drive"
DEFAULT_RATE = 10.0  # Hz, the player's
START_S = 120.0  # for loading the model and finding each other
PLAY_S = 40.0  # longer sources are cut
LAST_S = 15.0  # for the last graph after the last frame


class Processes:
    """The three child processes."""

    def __init__(self, source: Source, text: str, weights: str, predicates: list[str]) -> None:
        command = ["-m", "dsflash_ros.cli"]
        play = [*command, "play", text, "--wait", "2"]  # for the node and the recorder
        if not source.is_sequence:
            play += ["--rate", "1"]
        node = [*command, "node", "--ros-args", "-p", f"weights:={weights}"]
        if predicates:
            node += ["-p", f"predicates:={json.dumps(predicates, ensure_ascii=False)}"]
        if text == str(DRIVE):
            node += ["-p", "target_frame:=map"]
        self.planner = subprocess.Popen([sys.executable, str(HERE / "planner.py")])
        self.node = subprocess.Popen([sys.executable, *node])
        self.player = subprocess.Popen([sys.executable, *play])

    def failure(self) -> str:
        """Which process ended that should not have, as a sentence; empty while all is well."""
        for name in ("node", "planner", "player"):
            code = getattr(self, name).poll()
            is_done = name == "player" and code in (0, 128 + signal.SIGTERM)
            if code is not None and not is_done:
                return f"the {name} ended with exit code {code}; see what it said above"
        return ""

    def end(self) -> None:
        for process in (self.player, self.planner, self.node):
            if process.poll() is None:
                # not SIGINT, which makes a process that is about to start print a traceback
                process.terminate()
        for process in (self.player, self.planner, self.node):
            try:
                process.wait(5.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def follow(processes: Processes, recorder: Recorder) -> str:
    """Record until the source is played and its last graph is there.

    Returns what went wrong; empty for nothing.
    """
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
            return (
                f"no frame was played within {START_S:.0f} s: "
                "the node and the player did not find each other"
            )
        if processes.player.poll() is not None:
            return f"the last frame that was played got no graph within {LAST_S:.0f} s"
        processes.player.terminate()
        processes.player.wait()
        end = time.monotonic() + LAST_S


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "source",
        nargs="?",
        default=str(DRIVE),
        help="image, folder, video or bag (default: a drive)",
    )
    parser.add_argument(
        "--weights", default=DEFAULT_WEIGHTS, help="as for the node (default: %(default)s)"
    )
    parser.add_argument(
        "--predicates",
        type=lambda text: [name.strip() for name in text.split(",")],
        default=[],
        metavar="NAMES",
        help="only these relations, as in holding,on (default: all)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("out/demo"),
        help="folder for the results (default: out/demo)",
    )
    return parser.parse_args()


def main() -> int:
    args = parse_arguments()
    if not is_trained(args.weights):
        print(
            "The model is untrained: its graphs show that the machinery works, and mean nothing.",
            flush=True,
        )
    try:
        with open_source(args.source) as source:  # rather than start three processes in vain
            rate_hz = (source.rate or DEFAULT_RATE) if source.is_sequence else None
    except SourceError as error:
        print(f"demo failed: {error}", file=sys.stderr)
        return 1
    # a domain of the demo's own on this machine only: no robot nearby is to see its messages
    os.environ["ROS_DOMAIN_ID"] = str(10 + os.getpid() % 90)
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    prepare_transport()
    rclpy.init()
    recorder = Recorder(args.out, rate_hz, args.predicates)
    processes = Processes(source, args.source, args.weights, args.predicates)
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
