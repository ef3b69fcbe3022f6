"""Images a second that one model and two replay of a bag, on a Ray of this machine.

Models are loaded before anything is timed. What is compared is done in turn, so that a slower
machine slows all of it:

model alone   the images, read before, through the pipeline of this process, with as many threads as
              a model of the fleet has
1, 2 models   `dsflash replay --ray`, with reading, tracking, drawing, writing

The efficiency is that of the models' time: images a second over those of as many models alone.
"""

import argparse
import tempfile
import time
from itertools import islice
from pathlib import Path
from statistics import median

import ray

from dsflash_ros.bench.results import store
from dsflash_ros.cli import replay as command
from dsflash_ros.fleet.bag_task import replay_job
from dsflash_ros.fleet.cluster import cluster, start_workers
from dsflash_ros.fleet.jobs import Job
from dsflash_ros.machine import machine
from dsflash_ros.pipeline.choice import pipeline_of
from dsflash_ros.ros.replay.cameras import Cameras
from dsflash_ros.ros.replay.graph_maker import GraphMaker
from dsflash_ros.ros.replay.recipe import Recipe
from dsflash_ros.text_tables import Row, show

ALONE = "model alone"


def replays(recipe: Recipe, bag: Path, workers: list) -> float:
    """Images a second of a replay by these models."""
    task = ray.remote(replay_job).options(num_cpus=0)
    options = ray.get(workers[0].options.remote())
    with tempfile.TemporaryDirectory() as out:
        job = Job("bag", str(bag.resolve()), f"{out}/bag")
        start = time.perf_counter()
        end = ray.get(task.remote(job, recipe, workers, options, 2 * len(workers)))
        seconds = time.perf_counter() - start
    if isinstance(end, Exception):
        raise end
    return end.graphs / seconds


def alone(maker: GraphMaker, images: list) -> float:
    """Images a second of the pipeline."""
    start = time.perf_counter()
    for _ in maker(images):
        pass
    return len(images) / (time.perf_counter() - start)


def measure(recipe: Recipe, bag: Path, cores: int, repeat: int) -> dict[str, list[float]]:
    """Images a second, of each and in each round."""
    maker = GraphMaker(pipeline_of({**recipe.choice, "threads": cores}), recipe.is_tracked)
    with Cameras(bag, end_s=recipe.end_s) as cameras:
        images = list(islice(cameras, 50))
    with cluster(""):
        workers = start_workers(recipe.choice, recipe.is_tracked, cores)
        counts = [count for count in (1, 2) if count <= len(workers)]
        ray.get([worker.options.remote() for worker in workers])
        rates: dict[str, list[float]] = {}
        for _ in range(repeat):
            rates.setdefault(ALONE, []).append(alone(maker, images))
            for count in counts:
                name = f"{count} model{'s' * (count > 1)}"
                rates.setdefault(name, []).append(replays(recipe, bag, workers[:count]))
    return rates


def rows_of(rates: dict[str, list[float]]) -> list[Row]:
    """Medians. Ratios are taken within a round."""

    def ratio(name: str, other: str, models: int = 1) -> float:
        return median(a / b / models for a, b in zip(rates[name], rates[other], strict=True))

    return [
        {
            "what": name,
            "images/s": median(found),
            "over 1 model": ratio(name, "1 model"),
            "efficiency": ratio(name, ALONE, 1 if name == ALONE else int(name.split()[0])),
        }
        for name, found in rates.items()
    ]


def main() -> None:
    """Measure, print, store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bag", nargs="?", type=Path, default=Path("examples/drive"))
    parser.add_argument("--cores", type=int, default=1, help="of each model")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--end", type=float, metavar="S", help="seconds into the bag")
    parser.add_argument("--json", type=Path)
    args, rest = parser.parse_known_args()
    end = ["--end", args.end] if args.end else []
    recipe = command.recipe_of(args.bag, *end, *rest)
    on = machine()
    rows = rows_of(measure(recipe, args.bag, args.cores, args.repeat))
    show(f"{args.bag}: {args.cores} core(s) for each model", rows)
    if args.json:
        settings = {"bag": args.bag.name, "cores": args.cores, "repeat": args.repeat}
        settings |= {"end": args.end, "options": rest}
        store(args.json, "fleet", settings, rows, on)


if __name__ == "__main__":
    main()
