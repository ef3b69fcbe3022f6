"""The evaluation of one bag on a machine of a cluster, as a Ray task."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from dsflash_ros.data.psg import Record
from dsflash_ros.errors import DSFlashError
from dsflash_ros.evaluation.bag_evaluation import BagEvaluation, ModelFacts
from dsflash_ros.evaluation.prediction import Predicted, query_of
from dsflash_ros.evaluation.report import Report
from dsflash_ros.fleet.bag_task import scratch
from dsflash_ros.fleet.jobs import Job
from dsflash_ros.fleet.model_worker import show_log
from dsflash_ros.fleet.split_maker import owned
from dsflash_ros.fleet.splitter import Splitter
from dsflash_ros.fleet.storage import fetch, local_path, read_files, write_text

Given = tuple[Record, np.ndarray]
"""An image and the labels of its true segments."""


def evaluate_job(
    job: Job,
    evaluation: BagEvaluation,
    is_anew: bool,
    model: ModelFacts,
    workers: Sequence,
    most_ranges: int,
) -> Report | DSFlashError:
    """Read the images, have the workers predict, compare with the truth, store the report.

    Args:
        job: the bag.
        evaluation: what is scored.
        is_anew: although the report may be there already.
        model: of the workers.
        workers, most_ranges: as of `Splitter`.

    Returns the report, which is stored; what is wrong with the bag is returned, not raised.
    """
    show_log()
    ask = partial(_ask, evaluation.protocol)
    split = Splitter(workers, most_ranges, ask, lambda given: given[0].image().nbytes)
    try:
        known = None if is_anew else known_reports([job], evaluation)[0]
        if known is not None:  # of an attempt that was lost later
            return known
        with scratch(job) as own:
            bag = local_path(job.bag) or fetch(job.bag, own)
            report = evaluation.report(model, partial(_predicted, split), bag, job.about)
        if not local_path(job.bag):
            report = replace(report, dataset={**report.dataset, "name": job.bag})
        write_text(place_of(job), report.to_text())
        return report
    except DSFlashError as problem:
        return problem


def _ask(protocol: str, worker: Any, some: Sequence[Given]) -> Any:
    return worker.predictions.remote([query_of(*given, protocol) for given in some])


def _predicted(split: Splitter[Given], records: Iterable[Record]) -> Iterator[Predicted]:
    for given, prediction in split((record, record.labels()) for record in records):
        if prediction.graph is not None:
            prediction = replace(prediction, graph=owned(prediction.graph))
        yield Predicted(*given, prediction)


def place_of(job: Job) -> str:
    """The path or URL of a job's report."""
    return f"{job.folder}.json"


def known_reports(
    jobs: Sequence[Job], evaluation: BagEvaluation
) -> list[Report | DSFlashError | None]:
    """The reports that are there already, or why one cannot be used; None where there is none.

    Raises `OutputError` when their storage cannot be reached.
    """
    found = read_files(place_of(job) for job in jobs)
    return [_known(job, evaluation, found.get(place_of(job))) for job in jobs]


def _known(
    job: Job, evaluation: BagEvaluation, content: bytes | None
) -> Report | DSFlashError | None:
    if job.problem or content is None:
        return job.problem
    try:
        report = Report.parse(content, place_of(job))
        evaluation.check(place_of(job), report, job.about)
        return report
    except DSFlashError as problem:
        return problem
