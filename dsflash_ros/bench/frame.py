"""Stage latencies of the pipeline, without ROS."""

import numpy as np

from dsflash_ros.bench.report import Row, spread

WARM_UP = 3


def measure(pipeline, width: int, height: int, repeat: int) -> list[Row]:
    """A row for each stage, over `repeat` frames of noise after some that do not count."""
    random = np.random.default_rng(0)
    latencies: dict[str, list[float]] = {}
    for number in range(WARM_UP + repeat):
        graph = pipeline(random.integers(0, 256, (height, width, 3), np.uint8))
        if number >= WARM_UP:
            for stage, ms in graph.latency_ms.items():
                latencies.setdefault(stage, []).append(ms)
    return [{"stage": stage, "size": f"{width}x{height}", **spread(times)} for stage, times in latencies.items()]
