"""Many bags on a Ray cluster.

The costly part, the model, needs one image at a time: the images of a bag are split into ranges,
which go to models anywhere. What depends on all images before, tracking, and the writing, are done
by one process for each bag, in order. So the result is that of `dsflash replay` without Ray.
"""

from collections.abc import Iterator, Sequence
from functools import partial

import ray
from ray.exceptions import RayError

from dsflash_ros.errors import DSFlashError
from dsflash_ros.fleet.bag_task import replay_job
from dsflash_ros.fleet.cluster import start_workers, told
from dsflash_ros.fleet.job_runner import run_jobs, run_missing
from dsflash_ros.fleet.jobs import Job, known_ends
from dsflash_ros.ros.replay.recipe import Recipe, Replayed


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
    known = known_ends(jobs, recipe)
    yield from run_missing(jobs, known, address, "replay", partial(_ends, recipe, cores))


def _ends(
    recipe: Recipe, cores: int, jobs: Sequence[Job]
) -> Iterator[tuple[Job, Replayed | DSFlashError]]:
    try:
        workers = start_workers(recipe.choice, recipe.is_tracked, cores)
        options = ray.get([worker.options.remote() for worker in workers])[0]
    except RayError as error:
        raise told(error) from error
    yield from run_jobs(jobs, workers, replay_job, recipe, options)
