"""Many bags on a Ray cluster.

The costly part, the model, needs one image at a time: the images of a bag are split into ranges,
which go to models anywhere. What depends on all images before, tracking, and the writing, are done
by one process for each bag, in order. So the result is that of `dsflash replay` without Ray.
"""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import ray
from ray.exceptions import RayError

from dsflash_ros.errors import DSFlashError, FleetError
from dsflash_ros.fleet.bag_task import replay_job
from dsflash_ros.fleet.cluster import cluster, start_workers, told
from dsflash_ros.fleet.jobs import Job, known_ends
from dsflash_ros.fleet.storage import check_writable
from dsflash_ros.progress_bar import progress
from dsflash_ros.ros.replay.recipe import Recipe, Replayed

MOST_TRIES = 4
"""So often a bag is tried whose process is lost."""

_FEWEST_RANGES = 8

_log = logging.getLogger(__name__)


def replay_fleet(
    jobs: Sequence[Job], recipe: Recipe, address: str, cores: int
) -> Iterator[tuple[Job, Replayed | DSFlashError]]:
    """Replay bags; what is finished already stays, and Ray is not needed for it.

    Args:
        jobs: the bags, and where their results go.
        recipe: for all of them.
        address: of the cluster, see `cluster`; empty: Ray is started on this machine.
        cores: of each model.

    Yields each job as it ends, with its end or with what is wrong with the bag.

    Raises:
        FleetError: Ray does not answer, or has no room for a model.
        WeightsError, DeviceError: the models cannot be loaded.
        OutputError: the folder of the results cannot be written.
    """
    left = []
    for job, end in zip(jobs, known_ends(jobs, recipe), strict=True):
        if end is None:
            left.append(job)
        else:
            yield job, end
    if not left:
        return
    check_writable(left[0].folder.rpartition("/")[0])
    with cluster(address):
        yield from progress(_ends(left, recipe, cores), "replay", len(left), "bag")


def _ends(
    jobs: Sequence[Job], recipe: Recipe, cores: int
) -> Iterator[tuple[Job, Replayed | DSFlashError]]:
    """The jobs as they end. As many bags as there are models are read at a time."""
    try:
        workers = start_workers(recipe, cores)
        options = ray.get([worker.options.remote() for worker in workers])[0]
    except RayError as error:
        raise told(error) from error
    # Reading, tracking and writing keep few cores busy, and the models have most of them.
    task = ray.remote(replay_job).options(
        num_cpus=0, max_retries=MOST_TRIES - 1, scheduling_strategy="SPREAD"
    )
    at_once = min(len(jobs), len(workers))
    most_ranges = min(2 * len(workers), max(_FEWEST_RANGES, 2 * len(workers) // at_once))
    running: dict[Any, Job] = {}
    for number, job in enumerate(jobs):
        if len(running) == at_once:
            yield _next_end(running)
        first = number % len(workers)  # bags begin with different models
        turned = workers[first:] + workers[:first]
        running[task.remote(job, recipe, turned, options, most_ranges)] = job
    while running:
        yield _next_end(running)


def _next_end(running: dict[Any, Job]) -> tuple[Job, Replayed | DSFlashError]:
    answer = ray.wait(list(running), num_returns=1)[0][0]
    job = running.pop(answer)
    try:
        return job, ray.get(answer)
    except RayError as error:  # a bug, or a process that was lost each time
        problem = told(error)
        if not isinstance(problem, DSFlashError):
            _log.error("%s", error)
            problem = FleetError(f"it failed unexpectedly: {problem!r}")
        return job, problem
