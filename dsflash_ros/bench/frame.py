"""Stage latencies of the pipeline, without ROS."""

from collections.abc import Iterator
from itertools import islice

import cv2
import numpy as np

from dsflash_ros.bench.results import spread
from dsflash_ros.errors import SourceError
from dsflash_ros.sources import open_sources
from dsflash_ros.text_tables import Row

WARM_UP = 3
"""Images that do not count."""


def noise(width: int, height: int) -> Iterator[np.ndarray]:
    """(height, width, 3) uint8 images without end, smooth and all different."""
    random = np.random.default_rng(0)
    while True:
        coarse = random.integers(0, 256, (12, 12, 3), np.uint8)
        yield cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def frames_of(source: str, size: tuple[int, int] | None = None) -> Iterator[np.ndarray]:
    """The images of a source over and over, without end; scaled to `size` if that is given.

    Args:
        source: as for `dsflash run`.
        size: width, height.

    Raises:
        SourceError: it cannot be opened, or none of its images can be read.
    """
    while True:
        count = 0
        for opened in open_sources([source]):
            with opened:
                for frame in opened:
                    count += 1
                    if size is None:
                        yield frame.rgb
                    else:
                        yield cv2.resize(frame.rgb, size, interpolation=cv2.INTER_AREA)
        if not count:
            raise SourceError(f"{source} has no image that can be read")


def measure(pipeline, images: Iterator[np.ndarray], repeat: int) -> list[Row]:
    """A row for each stage, over `repeat` images after `WARM_UP` others.

    `segments` is their mean number: the time of the relation stage grows with its square.
    """
    latencies: dict[str, list[float]] = {}
    segments = []
    for number, rgb in enumerate(islice(images, WARM_UP + repeat)):
        graph = pipeline(rgb)
        if number >= WARM_UP:
            segments.append(len(graph.nodes))
            for stage, ms in graph.latency_ms.items():
                latencies.setdefault(stage, []).append(ms)
    height, width = rgb.shape[:2]
    same = {"size": f"{width}x{height}", "segments": round(float(np.mean(segments)), 1)}
    return [{"stage": stage, **same, **spread(times)} for stage, times in latencies.items()]
