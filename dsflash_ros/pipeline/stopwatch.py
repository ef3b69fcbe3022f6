"""What each stage of a frame takes."""

import time
from collections.abc import Callable


class Stopwatch:
    """Milliseconds of consecutive stages; waits for the device at the end of each."""

    def __init__(self, wait: Callable[[], None]) -> None:
        """`wait` waits until what was begun on the device is done."""
        self._wait = wait
        self._stages: dict[str, float] = {}
        self._start = self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        """End a stage; the next one begins."""
        self._wait()
        now = time.perf_counter()
        self._stages[stage] = (now - self._last) * 1e3
        self._last = now

    def latency_ms(self) -> dict[str, float]:
        """By stage, in their order, and `total`."""
        return {**self._stages, "total": (self._last - self._start) * 1e3}
