"""The evaluation of many bags on a Ray cluster.

As in a replay, the models get the images of a bag in ranges, and one process for each bag compares,
tracks and counts in order. So the reports are those of `dsflash eval` without Ray.
"""

from collections.abc import Iterator, Sequence
from functools import partial

import ray
from ray.exceptions import RayError

from dsflash_ros.errors import DSFlashError
from dsflash_ros.evaluation.bag_evaluation import BagEvaluation
from dsflash_ros.evaluation.report import Report
from dsflash_ros.fleet.cluster import start_workers, told
from dsflash_ros.fleet.evaluation_task import evaluate_job, known_reports
from dsflash_ros.fleet.job_runner import run_jobs, run_missing
from dsflash_ros.fleet.jobs import Job


def evaluate_fleet(
    jobs: Sequence[Job], evaluation: BagEvaluation, is_anew: bool, address: str, cores: int
) -> Iterator[tuple[Job, Report | DSFlashError]]:
    """Evaluate bags; reports that are there already stay, and Ray is not needed for them.

    Args:
        jobs: the bags; a job's report is the file `place_of` it.
        evaluation: of all of them.
        is_anew: replace the reports that are there.
        address: of the cluster, see `cluster`; empty: Ray is started on this machine.
        cores: of each model.

    Yields each job as it ends, with its report or with what is wrong with the bag.

    Raises:
        FleetError: Ray does not answer, or has no room for a model.
        WeightsError, DeviceError: the models cannot be loaded.
        OutputError: the folder of the reports cannot be written.
    """
    known = [job.problem for job in jobs] if is_anew else known_reports(jobs, evaluation)
    ends = partial(_ends, evaluation, is_anew, cores)
    yield from run_missing(jobs, known, address, "eval", ends)


def _ends(
    evaluation: BagEvaluation, is_anew: bool, cores: int, jobs: Sequence[Job]
) -> Iterator[tuple[Job, Report | DSFlashError]]:
    try:
        workers = start_workers(evaluation.choice, evaluation.is_tracked, cores)
        model = ray.get([worker.facts.remote() for worker in workers])[0]
    except RayError as error:
        raise told(error) from error
    yield from run_jobs(jobs, workers, evaluate_job, evaluation, is_anew, model)
