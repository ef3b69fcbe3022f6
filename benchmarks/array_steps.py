"""What follows the segmenter on a CPU: NumPy's arrays beside PyTorch's tensors.

    python benchmarks/array_steps.py [--queries 5 15 40] [--rounds 15] [--threads N] [--json FILE]

Scenes of blurry discs at 640 pixels go through both ways in turn, in one process.
"""

import argparse
import sys
from pathlib import Path
from statistics import median
from types import SimpleNamespace

import numpy as np
import torch

from dsflash_ros.argument_types import positive
from dsflash_ros.bench.results import store
from dsflash_ros.errors import DSFlashError
from dsflash_ros.images.letterbox import Letterbox
from dsflash_ros.machine import machine
from dsflash_ros.model.segmenters.segmentation import Segmentation
from dsflash_ros.pipeline.arrays import ARRAY_STEPS
from dsflash_ros.pipeline.device import use_threads
from dsflash_ros.pipeline.options import Options
from dsflash_ros.pipeline.stopwatch import Stopwatch
from dsflash_ros.pipeline.tensor_steps import TENSOR_STEPS
from dsflash_ros.text_tables import Row, show

SIDE, CLASSES, THINGS = 640, 133, 80
BOX = Letterbox(480, 640, SIDE)
OPTIONS = Options(mask_threshold=0.8, overlap_threshold=0.3)
STAGE = SimpleNamespace(cell=48, grid=13, prepare=lambda features: features)
"""What the steps ask of a backend: the paper's grid."""


def scene(queries: int) -> Segmentation:
    """An image in which so many of 200 queries are sure."""
    rng, side = np.random.default_rng(queries), SIDE // 4
    y, x = np.mgrid[:side, :side].astype(np.float32)
    masks = np.full((1, 200, side, side), -9, np.float32)
    classes = rng.normal(size=(1, 200, CLASSES + 1)).astype(np.float32)
    classes[..., -1] += 9
    for query in range(queries):
        (centre_y, centre_x), radius = rng.uniform(0, side, 2), rng.uniform(6, side / 4)
        noise = 0.3 * rng.normal(size=(side, side))
        masks[0, query] = 0.7 * (radius - np.hypot(y - centre_y, x - centre_x)) + noise
        classes[0, query] = 0
        classes[0, query, rng.integers(CLASSES)] = 12
    features = rng.normal(size=(1, 64, SIDE // 16, SIDE // 16)).astype(np.float32)
    return Segmentation(masks, classes, features)


def measure(steps, given: Segmentation) -> dict[str, float]:
    """Milliseconds of each stage."""
    with torch.inference_mode():
        watch = Stopwatch(lambda: None)
        found = steps.merge_segments(given, 0, THINGS, BOX, OPTIONS)
        watch.lap("merge")
        steps.pairs_of_found([found], given.features, STAGE)
        watch.lap("pairs")
        found.panoptic()
        watch.lap("panoptic")
    return watch.latency_ms()


def rows_of(queries: int, rounds: int) -> list[Row]:
    """A row for each way."""
    arrays = scene(queries)
    tensors = Segmentation(*map(torch.from_numpy, arrays))
    ways = {"tensors": (TENSOR_STEPS, tensors), "arrays": (ARRAY_STEPS, arrays)}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            found[name].append(measure(*way))
    plain = median(times["total"] for times in found["tensors"])
    rows = []
    for name, times in found.items():
        row = {stage: median(one[stage] for one in times) for stage in times[0]}
        ratio = f"{row['total'] / plain:.2f}"
        ms = {stage: f"{value:.2f}" for stage, value in row.items()}
        rows.append({"queries": str(queries), "on": name, **ms, "ratio": ratio})
    return rows


def main() -> int:
    """Measure, and print a table. Returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--queries", nargs="+", type=positive, default=[5, 15, 40])
    parser.add_argument("--rounds", type=positive, default=15)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--json", type=Path)
    args, on = parser.parse_args(), machine()
    use_threads(args.threads)
    rows = [row for queries in args.queries for row in rows_of(queries, args.rounds)]
    show("what follows the segmenter, ms, medians", rows)
    try:
        if args.json:
            settings = {"rounds": args.rounds, "threads": torch.get_num_threads()}
            store(args.json, "array_steps", settings, rows, on)
    except DSFlashError as error:
        print(f"array_steps.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
