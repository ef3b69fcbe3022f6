"""What the node did with the frames, as `/diagnostics`."""

import threading
import time
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


UNTRAINED = "the weights are untrained: the graphs mean nothing"


@dataclass
class Counts:
    """Frames since the node started.

    Every frame that came in is processed, dropped, rejected, failed or in work.
    """

    received: int = 0
    processed: int = 0
    dropped: int = 0  # a newer one came before its turn
    rejected: int = 0  # unreadable
    failed: int = 0  # the model raised an error
    stamps_back: int = 0  # older than the one before; processed all the same


@dataclass
class Statistics:
    """Counts of frames and the last latencies; called from the executor's and the inference thread."""

    counts: Counts = field(default_factory=Counts)
    last_problem: str = ""
    latency_ms: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._reported = Counts()
        self._reported_at = time.monotonic()
        self._last_stamp = (0, 0)

    def receive(self) -> None:
        with self._lock:
            self.counts.received += 1

    def drop(self) -> None:
        with self._lock:
            self.counts.dropped += 1

    def reject(self, reason: str) -> None:
        with self._lock:
            self.counts.rejected += 1
            self.last_problem = reason

    def fail(self, error: Exception) -> None:
        with self._lock:
            self.counts.failed += 1
            self.last_problem = f"{type(error).__name__}: {error}".splitlines()[0]

    def process(self, latency_ms: dict[str, float]) -> None:
        with self._lock:
            self.counts.processed += 1
            self.latency_ms = dict(latency_ms)

    def goes_back(self, stamp) -> bool:
        """Whether this `builtin_interfaces/Time` is older than the one before; counts it when so."""
        now = (stamp.sec, stamp.nanosec)
        with self._lock:
            back, self._last_stamp = now < self._last_stamp, now
            self.counts.stamps_back += back
        return back

    def frames_status(
        self, name: str, hardware_id: str, state: str, problem: str = ""
    ) -> DiagnosticStatus:
        """What became of the frames since the last call.

        `problem`, when given, keeps frames from coming at all.
        """
        with self._lock:
            counts, before = Counts(**vars(self.counts)), self._reported
            now = time.monotonic()
            seconds, self._reported, self._reported_at = now - self._reported_at, counts, now
            last_problem, latency_ms = self.last_problem, self.latency_ms
        rate = (counts.processed - before.processed) / seconds
        level, message = OK, f"{rate:.1f} graphs per second" if state == "active" else state
        if counts.failed > before.failed:
            level, message = ERROR, f"frames failed: {last_problem}"
        elif problem:
            level, message = WARN, problem
        elif counts.rejected > before.rejected:
            level, message = WARN, f"frames rejected: {last_problem}"
        elif counts.stamps_back > before.stamps_back:
            level, message = (
                WARN,
                "stamps go back in time: does more than one camera publish on the topic?",
            )
        values = {f"frames {what}": count for what, count in vars(counts).items()}
        values["rate (Hz)"] = f"{rate:.2f}"
        values["input rate (Hz)"] = f"{(counts.received - before.received) / seconds:.2f}"
        values["last problem"] = last_problem
        values |= {f"latency {stage} (ms)": f"{ms:.2f}" for stage, ms in latency_ms.items()}
        return _status(level, name, hardware_id, message, values)


def report(
    node: Node, statistics: Statistics, pipeline, state: str, problem: str
) -> DiagnosticArray:
    """The message for `/diagnostics`.

    Args:
        node: names the statuses and gives the time.
        statistics: of the frames.
        pipeline: the `SceneGraphPipeline`, or None when none is loaded.
        state: of the node, in a word.
        problem: what keeps frames from coming; empty when nothing does.
    """
    name = node.get_fully_qualified_name().lstrip("/")
    hardware_id = str(pipeline.device) if pipeline else "none"
    message = DiagnosticArray(
        status=[
            statistics.frames_status(f"{name}: frames", hardware_id, state, problem),
            _model_status(f"{name}: model", hardware_id, state, pipeline),
        ]
    )
    message.header.stamp = node.get_clock().now().to_msg()
    return message


def _model_status(name: str, hardware_id: str, state: str, pipeline) -> DiagnosticStatus:
    if pipeline is None:
        return _status(OK, name, hardware_id, "no model is loaded", {"state": state})
    values = {"state": state} | {
        key: getattr(pipeline, key) for key in ("weights", "device", "precision")
    }
    if not pipeline.is_trained:
        return _status(WARN, name, hardware_id, UNTRAINED, values)
    return _status(OK, name, hardware_id, f"{pipeline.weights} on {pipeline.device}", values)


def _status(
    level: bytes, name: str, hardware_id: str, message: str, values: dict
) -> DiagnosticStatus:
    pairs = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
    return DiagnosticStatus(
        level=level, name=name, hardware_id=hardware_id, message=message, values=pairs
    )
