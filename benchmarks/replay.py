"""What a replay costs beside the pipeline: seconds of both for the same images, in turn.

    python benchmarks/replay.py [BAG] [--end S] [--repeat 3] [--json FILE]

`alone` is the pipeline, with images that were read before. `replay` is `dsflash replay` without the
start of the program: reading and decoding, pipeline, tracking, drawing, writing. The weights are
those of the package.
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

from dsflash_ros.argument_types import positive, positive_float
from dsflash_ros.bench.results import store
from dsflash_ros.cli import replay as command
from dsflash_ros.machine import machine
from dsflash_ros.pipeline.choice import pipeline_of
from dsflash_ros.ros.replay.cameras import Cameras
from dsflash_ros.ros.replay.graph_maker import GraphMaker
from dsflash_ros.ros.replay.recipe import Recipe
from dsflash_ros.text_tables import Row, show


def measure(recipe: Recipe, bag: Path, repeat: int) -> list[Row]:
    """Medians, and the ratio to the pipeline in the same round."""
    maker = GraphMaker(pipeline_of(dict(recipe.choice)), recipe.is_tracked)
    with Cameras(bag, end_s=recipe.end_s) as cameras:
        images = list(cameras)
    rounds: dict[str, list[float]] = {"alone": [], "replay": []}
    for _ in range(repeat):
        start = time.perf_counter()
        for _ in maker(images):
            pass
        rounds["alone"].append(time.perf_counter() - start)
        with tempfile.TemporaryDirectory() as out:
            start = time.perf_counter()
            recipe.replay(maker, bag, Path(out) / "replayed")
            rounds["replay"].append(time.perf_counter() - start)
    return [
        {
            "what": name,
            "images": len(images),
            "seconds": round(median(found), 3),
            "of alone": round(
                median(a / b for a, b in zip(found, rounds["alone"], strict=True)), 3
            ),
        }
        for name, found in rounds.items()
    ]


def main() -> None:
    """Measure, print, store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bag", nargs="?", type=Path, default=Path("examples/drive"))
    parser.add_argument("--end", type=positive_float, metavar="S", help="seconds into the bag")
    parser.add_argument("--repeat", type=positive, default=3)
    parser.add_argument("--json", type=Path)
    args, rest = parser.parse_known_args()
    end = ["--end", args.end] if args.end else []
    recipe = command.recipe_of(args.bag, *end, *rest)
    on = machine()
    rows = measure(recipe, args.bag, args.repeat)
    show(f"{args.bag}", rows)
    if args.json:
        settings = {"bag": args.bag.name, "end": args.end, "repeat": args.repeat, "options": rest}
        store(args.json, "replay", settings, rows, on)


if __name__ == "__main__":
    main()
