"""Stage latencies of the pipeline, without ROS."""

import cv2
import numpy as np

from dsflash_ros.bench.report import Row, spread

WARM_UP = 3


def measure(pipeline, width: int, height: int, repeat: int) -> list[Row]:
    """A row for each stage, over `repeat` frames of smooth noise after some that do not count.

    `segments` is their mean number: the relation stage's time grows with its square.
    """
    random = np.random.default_rng(0)
    latencies: dict[str, list[float]] = {}
    segments = []
    for number in range(WARM_UP + repeat):
        coarse = random.integers(0, 256, (12, 12, 3), np.uint8)
        graph = pipeline(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))
        if number >= WARM_UP:
            segments.append(len(graph.nodes))
            for stage, ms in graph.latency_ms.items():
                latencies.setdefault(stage, []).append(ms)
    same = {"size": f"{width}x{height}", "segments": round(float(np.mean(segments)), 1)}
    return [{"stage": stage, **same, **spread(times)} for stage, times in latencies.items()]
