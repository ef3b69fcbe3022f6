"""Works that take turns, so that whatever else keeps the machine busy hits them alike."""

import time
from collections.abc import Callable

from dsflash_ros.bench.frame import WARM_UP
from dsflash_ros.pipeline.backends.base import Backend


def in_turn(
    backend: Backend, works: dict[str | int, Callable[[], object]], repeat: int
) -> dict[str | int, list[float]]:
    """Milliseconds of each work, `repeat` times, one after the other; after `WARM_UP` others."""
    times: dict[str | int, list[float]] = {name: [] for name in works}
    for number in range(WARM_UP + repeat):
        for name, work in works.items():
            with backend.running():
                start = time.perf_counter()
                work()
                backend.wait()
                ms = 1000 * (time.perf_counter() - start)
            if number >= WARM_UP:
                times[name].append(ms)
    return times
