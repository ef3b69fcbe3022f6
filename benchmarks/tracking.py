"""What tracking costs a frame, on one core: identities, and positions where a bag has depth.

    python benchmarks/tracking.py [BAG] [--end S] [--repeat 3] [--json FILE]

The graphs are made first, with the weights of the package; they go through a new tracker in each
round, once without and once with positions in the frame `map`.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import cv2
import numpy as np

from dsflash_ros import SceneGraph, SceneGraphPipeline
from dsflash_ros.argument_types import positive, positive_float
from dsflash_ros.bench.results import store
from dsflash_ros.machine import machine
from dsflash_ros.pipeline.tracked import GraphFollower
from dsflash_ros.sources import Frame, open_source
from dsflash_ros.text_tables import Row, show


def timed(
    frames: list[Frame], graphs: list[SceneGraph], pipeline: SceneGraphPipeline, located: bool
) -> Iterator[float]:
    """Milliseconds of each frame."""
    follower = GraphFollower(target_frame="map" if located else "")
    for frame, graph in zip(frames, graphs, strict=True):
        start = time.perf_counter()
        follower.follow(graph, frame.rgb, frame.space if located else None, pipeline.options)
        yield 1000 * (time.perf_counter() - start)


def measure(bag: Path, end_s: float | None, repeat: int) -> list[Row]:
    """A row without positions, and one with them if the bag has depth."""
    pipeline = SceneGraphPipeline.from_weights()
    pipeline.for_trackers = True
    with open_source(str(bag)) as source:
        first, *others = source
    frames = [first, *(f for f in others if end_s is None or f.stamp - first.stamp <= end_s)]
    graphs = [pipeline(frame.rgb, frame.stamp) for frame in frames]
    rows = []
    for located in (False, True) if first.space else (False,):
        found = [ms for _ in range(repeat) for ms in timed(frames, graphs, pipeline, located)]
        rows.append(
            {
                "positions": "in map" if located else "none",
                "frames": len(found),
                "nodes": median(len(graph.nodes) for graph in graphs),
                "median ms": round(median(found), 2),
                "p90 ms": round(float(np.percentile(found, 90)), 2),
                "p99 ms": round(float(np.percentile(found, 99)), 2),
            }
        )
    return rows


def main() -> None:
    """Measure, print, store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bag", nargs="?", type=Path, default=Path("examples/drive"))
    parser.add_argument("--end", type=positive_float, metavar="S", help="seconds into the bag")
    parser.add_argument("--repeat", type=positive, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE", help="store everything there, too")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    about = machine()
    rows = measure(args.bag, args.end, args.repeat)
    show(f"{args.bag}", rows)
    if args.json:
        settings = {"bag": args.bag.name, "end": args.end, "repeat": args.repeat}
        store(args.json, "tracking", settings, rows, about)


if __name__ == "__main__":
    main()
