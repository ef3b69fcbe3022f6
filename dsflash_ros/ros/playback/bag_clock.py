"""The time of a bag that is being played, on /clock."""

import threading
import time

from rclpy.publisher import Publisher
from rclpy.time import Time
from rosgraph_msgs.msg import Clock


class BagClock:
    """Publishes /clock steadily, from a thread of its own. A context manager.

    It begins with `stand_at` or `go_from`: a time of 0 would mean that there is none.

    Args:
        publisher: of `rosgraph_msgs/Clock`.
        rate_hz: messages a second of wall time.
        speed: seconds of the bag in a second of wall time.
    """

    def __init__(self, publisher: Publisher, rate_hz: float, speed: float = 1.0) -> None:
        self._publisher, self._period_s, self._speed = publisher, 1 / rate_hz, speed
        self._since_s, self._from_ns, self._pace = time.monotonic(), 0, 0.0
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="clock", daemon=True)

    def stand_at(self, ns: int) -> None:
        """Jump to this time, nanoseconds, and stand still."""
        self._jump(ns, 0.0)

    def go_from(self, ns: int) -> None:
        """Jump to this time, nanoseconds, and go on from there."""
        self._jump(ns, self._speed)

    def wait_until(self, ns: int) -> float:
        """Return when it is that time; the clock must go.

        Returns how late it is, seconds of wall time.
        """
        while (left_s := (ns - self._now_ns()) / 1e9 / self._speed) > 0:
            time.sleep(left_s)
        return -left_s

    def _now_ns(self) -> int:
        return self._from_ns + round(1e9 * self._pace * (time.monotonic() - self._since_s))

    def _jump(self, ns: int, pace: float) -> None:
        with self._lock:
            self._since_s, self._from_ns, self._pace = time.monotonic(), ns, pace
            self._publish(ns)  # before whatever comes at that time
        if self._thread.ident is None:
            self._thread.start()

    def _publish(self, ns: int) -> None:
        self._publisher.publish(Clock(clock=Time(nanoseconds=ns).to_msg()))

    def _run(self) -> None:
        due_s = time.monotonic()
        while not self._ended.wait(max(due_s - time.monotonic(), 0)):
            with self._lock:  # nothing from before a jump may come after it
                self._publish(self._now_ns())
            due_s = max(due_s + self._period_s, time.monotonic())

    def __enter__(self) -> "BagClock":
        return self

    def __exit__(self, *_) -> None:
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()
