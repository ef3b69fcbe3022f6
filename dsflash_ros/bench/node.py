"""The node's own cost, with three processes: a camera, the node, and this one, which receives.

The own cost of a graph is the time from its image's stamp until it is received, minus the time that
the pipeline took.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor

from dsflash_ros.bench.results import spread
from dsflash_ros.errors import DSFlashError
from dsflash_ros.graph.messages import stamp_seconds
from dsflash_ros.msg import SceneGraph
from dsflash_ros.ros.parameter_table import yaml_value
from dsflash_ros.ros.process.transport import prepare_transport
from dsflash_ros.text_tables import Row

WARM_UP_S = 3.0
START_S = 120.0
MEBIBYTE = 1 << 20


def measure_cost(size: tuple[int, int], graphs: int, parameters: dict[str, object]) -> Row:
    """The own cost over that many graphs. Each frame is sent when the one before is done.

    Args:
        size: width and height of the frames.
        graphs: how many to measure.
        parameters: of the node.
    """
    with _processes(size, 0.0, parameters) as receiver:
        receiver.spin(lambda: len(receiver.graphs) >= graphs, START_S + graphs * 10.0)
    own = [(latency - pipeline) * 1e3 for latency, pipeline in receiver.graphs[:graphs]]
    pipeline = np.median([pipeline for _, pipeline in receiver.graphs]) * 1e3
    return {
        "size": f"{size[0]}x{size[1]}",
        "graphs": graphs,
        **spread(own),
        "pipeline median ms": round(pipeline, 2),
    }


def measure_load(
    size: tuple[int, int], rate: float, duration_s: float, parameters: dict[str, object]
) -> Row:
    """Drops, latency and memory of the node, with a camera that sends at `rate`, Hz."""
    with _processes(size, rate, parameters) as receiver:
        end = time.monotonic() + duration_s
        receiver.spin(lambda: time.monotonic() > end, duration_s + 5.0)
    excess = [(latency - pipeline) * 1e3 for latency, pipeline in receiver.graphs]
    pipeline = [pipeline for _, pipeline in receiver.graphs]
    counts = {
        f"frames {what}": count
        for what, count in receiver.counts.items()
        if what in ("received", "dropped")
    }
    period = 1e3 / rate
    seconds, memory = np.array(receiver.memory_mib).T
    return {
        "size": f"{size[0]}x{size[1]}",
        "rate Hz": rate,
        "graphs": len(receiver.graphs),
        **counts,
        "pipeline median ms": round(float(np.median(pipeline)) * 1e3, 1),
        **spread(excess, "beyond it "),
        "more than a period": sum(ms > period for ms in excess),
        "memory MiB": round(float(memory[0])),
        "memory max MiB": round(float(memory.max())),
        "memory MiB/min": round(float(np.polyfit(seconds, memory, 1)[0]) * 60, 2),
    }


class _Receiver:
    """Receives graphs and diagnostics, and watches the memory of the node's process."""

    def __init__(self, node_process: subprocess.Popen, watched: list[subprocess.Popen]) -> None:
        # seconds from the stamp, seconds in the pipeline
        self.graphs: list[tuple[float, float]] = []
        self.counts: dict[str, int] = {}
        self.memory_mib: list[tuple[float, float]] = []
        self._pid = node_process.pid
        self._watched = watched
        self._node = rclpy.create_node("bench_receiver")
        self._node.create_subscription(SceneGraph, "scene_graph", self._on_graph, 10)
        self._node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)

    def spin(self, done: Callable[[], object], timeout_s: float) -> None:
        """Receive until `done` is true. Raises `DSFlashError` when that takes too long."""
        end = time.monotonic() + timeout_s
        while not done():
            self._executor.spin_once(timeout_sec=0.1)
            if time.monotonic() > end:
                raise DSFlashError(
                    f"the benchmark got only {len(self.graphs)} graphs within {timeout_s:.0f} s"
                )
            if any(process.poll() is not None for process in self._watched):
                raise DSFlashError(
                    "the node or the camera of the benchmark ended; see what it said above"
                )

    def forget(self) -> None:
        """Leave out what came so far."""
        self.graphs.clear()
        self.memory_mib.clear()

    def close(self) -> None:
        self._executor.shutdown()
        self._node.destroy_node()

    def _on_graph(self, graph: SceneGraph) -> None:
        latency = time.time() - stamp_seconds(graph.header.stamp)
        total_ms = next(stage.latency_ms for stage in graph.latencies if stage.stage == "total")
        self.graphs.append((latency, total_ms / 1e3))

    def _on_diagnostics(self, report: DiagnosticArray) -> None:
        for pair in report.status[0].values:
            if pair.key.startswith("frames "):
                self.counts[pair.key.removeprefix("frames ")] = int(pair.value)
        pages = int(Path(f"/proc/{self._pid}/statm").read_text().split()[1])
        self.memory_mib.append((time.monotonic(), pages * os.sysconf("SC_PAGE_SIZE") / MEBIBYTE))


@contextmanager
def _processes(
    size: tuple[int, int], rate: float, parameters: dict[str, object]
) -> Iterator[_Receiver]:
    """Camera, node and receiver, warmed up. In a ROS domain of their own."""
    own_domain()
    settings = [
        word
        for name, value in parameters.items()
        for word in ("-p", f"{name}:={yaml_value(value)}")
    ]
    with ExitStack() as stack:
        node = stack.enter_context(
            child_process("dsflash_ros.ros.main", "--ros-args", "--log-level", "error", *settings)
        )
        sender = child_process("dsflash_ros.bench.image_sender", *size, rate)
        camera = stack.enter_context(sender)
        rclpy.init(args=[])
        stack.callback(rclpy.try_shutdown)
        receiver = _Receiver(node, [node, camera])
        stack.callback(receiver.close)
        receiver.spin(lambda: receiver.graphs, START_S)
        end = time.monotonic() + WARM_UP_S
        receiver.spin(lambda: time.monotonic() > end, START_S)
        receiver.forget()
        yield receiver


def own_domain() -> None:
    """Let this process and its children speak with each other alone: a ROS domain on loopback."""
    os.environ["ROS_DOMAIN_ID"] = str(10 + os.getpid() % 90)
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    prepare_transport()


@contextmanager
def child_process(module: str, *arguments: object) -> Iterator[subprocess.Popen]:
    """A module of Python's as a process, which ends with the block: by Ctrl-C, or it is killed."""
    process = subprocess.Popen([sys.executable, "-m", module, *map(str, arguments)])
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(5.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
