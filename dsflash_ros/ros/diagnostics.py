"""What became of the frames, and the model, as statuses for /diagnostics."""

import math
import threading
import time
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

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
    """Counts of frames, and the latest latencies.

    Called from the executor's thread and from the worker's.
    """

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

    def goes_back(self, stamp, restart_s: float = math.inf) -> bool:
        """Whether this `builtin_interfaces/Time` is older than the one before; counts it if so.

        One that is older by `restart_s` and more, seconds, is that of a bag that begins again, as
        it may in simulated time: this is no trouble.
        """
        now = (stamp.sec, stamp.nanosec)
        with self._lock:
            last, self._last_stamp = self._last_stamp, now
            back_s = last[0] - now[0] + (last[1] - now[1]) / 1e9
            back = now < last and back_s < restart_s
            if back:
                self.counts.stamps_back += 1
        return back

    def frames_status(
        self,
        name: str,
        hardware_id: str,
        state: str,
        problem: str = "",
        others: dict[str, int] | None = None,
    ) -> DiagnosticStatus:
        """What became of the frames since the last call.

        Args:
            name: of the status.
            hardware_id: of the device.
            state: of the node, in a word; a sentence of its own unless it is `active`.
            problem: what keeps frames from coming; empty when nothing does.
            others: how many publish the images, and how many subscribe the graphs.
        """
        with self._lock:
            counts, before = Counts(**vars(self.counts)), self._reported
            now = time.monotonic()
            seconds, self._reported, self._reported_at = now - self._reported_at, counts, now
            last_problem, latency_ms = self.last_problem, self.latency_ms
        rate = (counts.processed - before.processed) / seconds
        level, message = _trouble(counts, before, problem, last_problem)
        if level == OK:
            message = f"{rate:.1f} graphs per second" if state == "active" else state
        values = {f"frames {what}": count for what, count in vars(counts).items()}
        values["rate (Hz)"] = f"{rate:.2f}"
        values["input rate (Hz)"] = f"{(counts.received - before.received) / seconds:.2f}"
        values |= others or {}
        values["last problem"] = last_problem
        values |= {f"latency {stage} (ms)": f"{ms:.2f}" for stage, ms in latency_ms.items()}
        return _status(level, name, hardware_id, message, values)


def model_status(name: str, hardware_id: str, state: str, pipeline) -> DiagnosticStatus:
    """Which model runs where.

    `pipeline` is the `SceneGraphPipeline`, or None when none is loaded.
    """
    if pipeline is None:
        return _status(OK, name, hardware_id, "no model is loaded", {"state": state})
    values = {
        "state": state,
        "weights": pipeline.weights,
        "backend": pipeline.backend.name,
        "device": pipeline.device,
        "precision": pipeline.precision,
    }
    if not pipeline.is_trained:
        return _status(WARN, name, hardware_id, UNTRAINED, values)
    return _status(OK, name, hardware_id, f"{pipeline.weights} on {pipeline.device}", values)


def _trouble(counts: Counts, before: Counts, problem: str, last_problem: str) -> tuple[bytes, str]:
    """Level and message of the worst that happened between two counts; OK for nothing."""
    if counts.failed > before.failed:
        return ERROR, f"frames failed: {last_problem}"
    if problem:
        return WARN, problem
    if counts.rejected > before.rejected:
        return WARN, f"frames rejected: {last_problem}"
    if counts.stamps_back > before.stamps_back:
        return WARN, "stamps go back in time: does more than one camera publish on the topic?"
    return OK, ""


def _status(
    level: bytes, name: str, hardware_id: str, message: str, values: dict
) -> DiagnosticStatus:
    pairs = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
    return DiagnosticStatus(
        level=level, name=name, hardware_id=hardware_id, message=message, values=pairs
    )
