"""How long a robot waits after the start: from the node's process to its first graph.

    python benchmarks/first_graph.py [WEIGHTS ...] [--repeat 5] [--json FILE]

A camera sends 640x480 at 10 Hz all the while. The node is started anew for each number, with the
weights in turn (default: toyroom). The first start with each is left out: it reads from the disk.
"""

import argparse
import sys
import time
from pathlib import Path
from statistics import median

import rclpy

from dsflash_ros.argument_types import positive
from dsflash_ros.bench.node import child_process, own_domain
from dsflash_ros.bench.results import store
from dsflash_ros.machine import machine
from dsflash_ros.msg import SceneGraph
from dsflash_ros.text_tables import Row, show

CAMERA = ("dsflash_ros.bench.image_sender", "640", "480", "10")
MOST_S = 60.0


def seconds_to_first_graph(listener, graphs: list, weights: str) -> float:
    """From starting `dsflash node` with these weights until its first graph is here."""
    end = time.monotonic() + 0.5
    while time.monotonic() < end:  # what the node before still had under way
        rclpy.spin_once(listener, timeout_sec=0.1)
    graphs.clear()
    words = ("--ros-args", "--log-level", "error", "-p", f"weights:={weights}")
    start = time.monotonic()
    with child_process("dsflash_ros.cli", "node", *words) as node:
        while not graphs:
            rclpy.spin_once(listener, timeout_sec=0.5)
            if node.poll() is not None:
                raise SystemExit("the node ended; see what it said above")
            if time.monotonic() > start + MOST_S:
                raise SystemExit(f"no graph came in {MOST_S:.0f} s")
        seconds = time.monotonic() - start
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("weights", nargs="*", default=["toyroom"])
    parser.add_argument("--repeat", type=positive, default=5)
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()

    on = machine()
    own_domain()
    rclpy.init(args=[])
    listener, graphs = rclpy.create_node("first_graph"), []
    listener.create_subscription(SceneGraph, "scene_graph", graphs.append, 1, raw=True)
    seconds: dict[str, list[float]] = {weights: [] for weights in args.weights}
    with child_process(*CAMERA):
        for turn in range(args.repeat + 1):
            for weights, found in seconds.items():
                found.append(seconds_to_first_graph(listener, graphs, weights))
                print(f"{weights}: {found[-1]:.2f} s", "(left out)" * (turn == 0), file=sys.stderr)
    rows: list[Row] = [
        {
            "weights": Path(weights).name,
            "median s": round(median(found[1:]), 2),
            "fastest s": round(min(found[1:]), 2),
            "slowest s": round(max(found[1:]), 2),
        }
        for weights, found in seconds.items()
    ]
    show("from the start of the node's process to its first graph", rows)
    if args.json:
        store(args.json, "first graph", {"repeat": args.repeat}, rows, on)
    listener.destroy_node()
    rclpy.try_shutdown()


if __name__ == "__main__":
    main()
