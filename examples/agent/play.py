"""One task as separate processes: the simulated robot, the ROS node, and the task planner.

    python examples/agent/play.py [GOAL] [--seed S] [--truth]

Prints what the planner says, and writes agent.mp4 and agent.png to --out. With --truth the planner
gets the true graphs instead of the node's.

Exit code: 0 when the goal holds, as far as the planner knows; else 1.
"""

import argparse
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import rclpy
from film import Film
from rclpy.executors import ExternalShutdownException

from dsflash_ros.argument_types import natural, positive
from dsflash_ros.graph.topics import TRUTH_MAP_TOPIC, TRUTH_TOPIC
from dsflash_ros.ros.process.transport import prepare_transport
from dsflash_ros.weights.shipped import DEFAULT_WEIGHTS

HERE = Path(__file__).resolve().parent
SEED, GOAL = 4_000_000_106, "all bottles on the dining table"
LONGEST_S = 900.0


class Processes:
    """The robot, the node (not with the truth) and the planner, whose words are collected."""

    def __init__(self, args: argparse.Namespace, lines: list[str]) -> None:
        self._lines = lines
        topic = TRUTH_TOPIC if args.truth else "scene_graph"
        robot = [str(HERE / "robot.py"), "--seed", str(args.seed)]
        node = ["-m", "dsflash_ros.cli", "node", "--ros-args", "-p", f"weights:={args.weights}"]
        planner = [str(HERE / "task_planner.py"), args.goal, "--topic", topic]
        planner += ["--places", str(args.places)]
        self._all = {"robot": self._start(robot)}
        if not args.truth:
            self._all["node"] = self._start([*node, "-p", "target_frame:=map"])
        self.planner = self._start(planner, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._listen, daemon=True).start()

    def dead(self) -> str:
        """Which of the processes that the planner needs has ended; empty while all run."""
        return next((name for name, one in self._all.items() if one.poll() is not None), "")

    def end(self) -> None:
        """End the planner, which has its action cancelled, and then the others."""
        for group in ([self.planner], list(self._all.values())):
            for process in group:
                if process.poll() is None:
                    process.terminate()
            for process in group:
                try:
                    process.wait(5.0)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    @staticmethod
    def _start(command: list[str], **options) -> subprocess.Popen:
        return subprocess.Popen([sys.executable, *command], **options)

    def _listen(self) -> None:
        for line in self.planner.stdout:
            print(line, end="", flush=True)
            self._lines.append(line.strip())


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("goal", nargs="?", default=GOAL, help="(default: %(default)s)")
    parser.add_argument("--seed", type=natural, default=SEED, help="of the room")
    parser.add_argument("--truth", action="store_true", help="act on the true graphs")
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS, help="(default: %(default)s)")
    parser.add_argument(
        "--places", type=positive, default=3, help="from which to look around first"
    )
    parser.add_argument("--out", type=Path, default=Path("out/agent"), help="folder")
    args = parser.parse_args()
    # a domain of its own on this machine only: no robot nearby is to act
    os.environ["ROS_DOMAIN_ID"] = str(10 + os.getpid() % 90)
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    prepare_transport()
    rclpy.init()
    topics = (TRUTH_TOPIC, TRUTH_MAP_TOPIC) if args.truth else ("scene_graph", "dsflash/panoptic")
    film = Film(args.out, *topics)
    processes = Processes(args, film.lines)
    end, failure = time.monotonic() + LONGEST_S, ""
    try:
        while processes.planner.poll() is None and not failure:
            film.spin_once()
            if dead := processes.dead():
                failure = f"the {dead} ended; see what it said above"
            elif time.monotonic() > end:
                failure = f"the task is not done after {LONGEST_S:.0f} s"
    except (KeyboardInterrupt, ExternalShutdownException):
        failure = "interrupted"
    finally:
        processes.end()
        film.close()
        rclpy.try_shutdown()
    if failure:
        print(f"play failed: {failure}", file=sys.stderr)
        return 1
    print(f"{film.count} pictures: {args.out / 'agent.mp4'}, {args.out / 'agent.png'}")
    return processes.planner.returncode


if __name__ == "__main__":
    sys.exit(main())
