"""Jobs on a Ray cluster: each bag has a task, all share the models."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import ray
from ray.exceptions import RayError

from dsflash_ros.errors import DSFlashError, FleetError
from dsflash_ros.fleet.cluster import cluster, told
from dsflash_ros.fleet.jobs import Job
from dsflash_ros.fleet.storage import check_writable
from dsflash_ros.progress_bar import progress

MOST_TRIES = 4
"""So often a bag is tried whose process is lost."""

_FEWEST_RANGES = 8

End = TypeVar("End")

_log = logging.getLogger(__name__)


def run_missing(
    jobs: Sequence[Job],
    known: Sequence[End | DSFlashError | None],
    address: str,
    what: str,
    run: Callable[[list[Job]], Iterator[tuple[Job, End | DSFlashError]]],
) -> Iterator[tuple[Job, End | DSFlashError]]:
    """All jobs with their ends: first those that are known, then those that `run` runs on Ray.

    Args:
        jobs: the bags, and where their results go.
        known: how each has ended or must end, as far as that is known; else None.
        address: of the cluster, see `cluster`; it is not needed when all is known.
        what: is done to the bags, a word for the progress that is shown.
        run: runs jobs on the cluster.
    """
    left = []
    for job, end in zip(jobs, known, strict=True):
        if end is None:
            left.append(job)
        else:
            yield job, end
    if not left:
        return
    check_writable(left[0].folder.rpartition("/")[0])
    with cluster(address):
        yield from progress(run(left), what, len(left), "bag")


def run_jobs(
    jobs: Sequence[Job], workers: Sequence, do: Callable[..., End], *given: object
) -> Iterator[tuple[Job, End | DSFlashError]]:
    """The jobs as they end. As many bags as there are models are read at a time.

    Args:
        jobs: the bags, and where their results go.
        workers: handles of `ModelWorker` actors.
        do: is called with a job, `given`, the workers, and how many ranges of the job they may
            have at most; on any machine of the cluster.
    """
    # Reading, tracking and writing keep few cores busy, and the models have most of them.
    task = ray.remote(do).options(
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
        running[task.remote(job, *given, turned, most_ranges)] = job
    while running:
        yield _next_end(running)


def _next_end(running: dict[Any, Job]) -> tuple[Job, Any]:
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
