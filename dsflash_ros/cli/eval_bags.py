"""`dsflash eval` of several bags, one after the other or on a Ray cluster."""

import argparse
import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from dsflash_ros.cli.arguments import check_fleet_extra, output_files, pipeline_from
from dsflash_ros.errors import DSFlashError, SourceError
from dsflash_ros.files import expand, write_whole

_log = logging.getLogger(__name__)


def evaluate_bags(args: argparse.Namespace, told: dict) -> int:
    """Evaluate each bag, store its report in --out, print and store the scores of all.

    `told`: options of the graphs that are tracked, where they differ from those of `args`.
    """
    from dsflash_ros.evaluation.bag_evaluation import BagEvaluation
    from dsflash_ros.evaluation.merged_report import merge_reports
    from dsflash_ros.evaluation.report_text import bags_text, report_text
    from dsflash_ros.pipeline.choice import OPTIONS, asked_of
    from dsflash_ros.weights.loading import open_weights

    (json_path,) = output_files(args, "json")
    choice = {option.name: getattr(args, option.name) for option in OPTIONS}
    how = args.protocol, args.topic, args.limit, args.target_frame
    evaluation = BagEvaluation(*how, choice, told)
    reports, failed = {}, 0
    for name, bag, end in (_here if args.ray is None else _on_ray)(args, evaluation):
        if isinstance(end, DSFlashError):
            failed += 1
            _log.error("%s: %s", bag, end)
        else:
            reports[name] = end
    if failed:
        _log.error("%d of %d bags could not be evaluated", failed, failed + len(reports))
    if reports:
        reports = dict(sorted(reports.items()))
        # known classes that asked ones mean are in it, too, but occur in no bag: they do not count
        known = open_weights(args.weights).header.vocabulary
        merged = merge_reports(reports, asked_of(choice).vocabulary(known))
        print(report_text(merged))
        print(bags_text(reports, merged))
        if json_path:
            merged.write(json_path)
            print(f"written: {json_path}")
    return 1 if failed else 0


def _here(args: argparse.Namespace, evaluation) -> Iterator[tuple]:
    """Name, bag, and report or what is wrong, one bag after the other."""
    from dsflash_ros.evaluation.bag_evaluation import ModelFacts
    from dsflash_ros.evaluation.prediction import predict_all
    from dsflash_ros.evaluation.report import Report
    from dsflash_ros.sources.bag_names import local_bag, named_bags
    from dsflash_ros.weights.loading import open_weights

    given = None
    for name, bag in named_bags(expand(bag) for bag in args.dataset):
        place = expand(args.out) / f"{name}.json"
        try:
            _check_bag(bag)
            if place.exists() and not args.overwrite:
                report = Report.read(place)
                evaluation.check(place, report, local_bag(bag))
            else:
                if given is None:
                    opened = open_weights(args.weights)
                    pipeline = pipeline_from(args, opened)
                    pipeline.for_trackers = evaluation.is_tracked
                    facts = ModelFacts.of(opened, pipeline, args.compile)
                    given = facts, partial(predict_all, pipeline, args.protocol)
                report = evaluation.report(*given, bag, local_bag(bag))
                write_whole(place, report.to_text())
            yield name, bag, report
        except DSFlashError as problem:
            yield name, bag, problem


def _check_bag(bag: Path) -> None:
    from dsflash_ros.sources import is_bag

    if bag.exists() and not is_bag(bag):
        raise SourceError(f"{bag} is no bag, and several are evaluated together only of bags")


def _on_ray(args: argparse.Namespace, evaluation) -> Iterator[tuple]:
    """Name, bag, and report or what is wrong, as they end."""
    check_fleet_extra()
    from dsflash_ros.fleet.fleet_evaluation import evaluate_fleet
    from dsflash_ros.fleet.jobs import find_jobs

    jobs = find_jobs(args.dataset, args.out)
    ends = evaluate_fleet(jobs, evaluation, args.overwrite, args.ray, args.ray_cores or 1)
    for job, end in ends:
        yield job.name, job.bag, end
