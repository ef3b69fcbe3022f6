"""Score a model on a data set in PSG's format, or on a bag with the truth, as the paper does.

Recall of relations (R@k, mR@k, mR@inf) and of instances, and panoptic quality, under the
single-mask-per-object protocol: one mask for each object, one relation for each directed pair.
predcls gives the model the true segments; sgdet gives it only the image. All relations are ranked:
the relation threshold is 0 and there may be 65535 of them, unless you say otherwise.

On a bag with the true graphs, as `dsflash toyroom camera --record` makes, sgdet also scores tracks
(HOTA, IDF1), graphs with and without tracking, and positions; --tracking scores nothing else.

Several bags need --out: each has its own report there, the scores of all together are printed, and
the same command again evaluates only bags that have no report yet.

--speed also measures the latency of the forward pass and relations a second, in half a minute;
--speed-seconds gives it longer, as the paper's 400 passes and 25 batches take on a CPU.

examples:
  dsflash eval psg/psg.json --weights dsflash_base.safetensors --json base.json --speed
  dsflash eval psg/psg.json --images coco --masks coco --weights W --protocol predcls
  dsflash eval psg/psg.json --weights W --low-resolution-masks --export sgbench predictions.zip
  dsflash eval psg/psg.json --weights W --report base.html       as a page
  dsflash tables base.json                        the paper's tables with these numbers beside
  dsflash eval drive/ --protocol sgdet            on a recorded drive with the truth ...
  dsflash eval drive/ --tracking --true-segments  ... its tracks alone, of the true segments
  dsflash eval drives/* --out scores --json all.json     many of them, each and together ...
  dsflash eval 's3://drives/*/*.mcap' --out s3://scores --ray head:6379   ... on a cluster
"""

import argparse
import logging
from dataclasses import replace
from pathlib import Path

from dsflash_ros.cli.arguments import (
    dataset_from,
    output_files,
    pipeline_from,
    tracking_from,
)
from dsflash_ros.cli.eval_arguments import RANKED, add_arguments
from dsflash_ros.cli.eval_usage import are_many, check_usage, scores_tracks
from dsflash_ros.files import expand
from dsflash_ros.pipeline.options import Options

__all__ = ["HELP", "add_arguments", "run"]

HELP = "score a model on a data set: recall, panoptic quality, speed"

_log = logging.getLogger(__name__)

SPEED_IMAGES = 32
"""How many images of the data set, spread evenly, --speed uses."""


def run(args: argparse.Namespace) -> int:
    """Evaluate, measure, print, store."""
    from dsflash_ros.evaluation.report import Report, about_dataset, about_model
    from dsflash_ros.evaluation.report_text import report_text
    from dsflash_ros.evaluation.runner import check_vocabulary
    from dsflash_ros.machine import machine

    check_usage(args)
    not_given = [name for name in RANKED if getattr(args, name) is None]
    usual = {name: getattr(Options(), name) for name in not_given}
    vars(args).update(usual if args.tracking else {name: RANKED[name] for name in not_given})
    if are_many(args):
        from dsflash_ros.cli.eval_bags import evaluate_bags

        return evaluate_bags(args, usual)
    (args.dataset,) = args.dataset
    if args.tracking:
        return _run_tracking(args)
    json_path, export_path, report_path = output_files(args, "json", "export", "report")
    if args.no_speed:
        _log.warning("--no-speed is the default now and does nothing: leave it out")
    if report_path:
        from dsflash_ros.reports.page import check_extra

        check_extra()
    dataset, opened = _open(args)
    print(dataset.report())
    check_vocabulary(args.weights, opened.header.vocabulary, dataset)
    pipeline = pipeline_from(args, opened)
    _warn_untrained(opened.header, pipeline)

    about = {
        "dataset": about_dataset(dataset, min(args.limit or len(dataset), len(dataset))),
        "protocol": args.protocol,
        **about_model(opened, pipeline, args.compile),
        "machine": machine(),
    }
    details = _details(pipeline) if report_path else None
    tracks = _tracks(args, dataset, pipeline, usual)
    observers = [observer for observer in (details, tracks) if observer]
    scores, failure = _evaluate(args, pipeline, dataset, export_path, about, observers)
    tracking = tracks and tracks.results()
    speed = _speed(args, pipeline, dataset) if args.speed else None
    report = Report(**about, **scores, speed=speed, tracking=tracking)
    print(report_text(report))
    if json_path:
        report.write(json_path)
        print(f"written: {json_path}")
    if report_path:
        from dsflash_ros.reports.evaluation_page import write_evaluation

        write_evaluation(report_path, report, details)
        print(f"written: {report_path}")
    if failure:
        raise failure
    if export_path:
        print(f"written: {export_path}")
    return 0


def _open(args: argparse.Namespace):
    """The data set, or the frames of a bag with the truth; and the weights."""
    from dsflash_ros.data.psg import PsgDataset
    from dsflash_ros.evaluation.bag_records import BagRecords
    from dsflash_ros.sources import is_bag
    from dsflash_ros.weights.loading import open_weights

    path = expand(args.dataset)
    if not is_bag(path):
        return dataset_from(args), open_weights(args.weights)
    opened = open_weights(args.weights)
    annotations = None
    if args.annotations:
        annotations = PsgDataset.open(args.annotations, masks=args.masks, with_images=False)
    return BagRecords(path, opened.header.vocabulary, args.topic, annotations), opened


def _run_tracking(args: argparse.Namespace) -> int:
    """Score tracking on a bag, print, store."""
    import json

    from dsflash_ros.evaluation.bag_tracking import evaluate_bag
    from dsflash_ros.evaluation.tracking_text import tracking_text
    from dsflash_ros.files import replacing

    (json_path,) = output_files(args, "json")
    how = tracking_from(args), args.limit, args.target_frame, args.true_segments, args.topic
    scores = evaluate_bag(pipeline_from(args), expand(args.dataset), *how)
    print(tracking_text(scores))
    if json_path:
        about = {"format": "dsflash-tracking-1", "bag": args.dataset, "weights": args.weights}
        with replacing(json_path) as partial:
            partial.write_text(json.dumps(about | scores, indent=2) + "\n")
        print(f"written: {json_path}")
    return 0


def _warn_untrained(header, pipeline) -> None:
    if not (header.trained and pipeline.is_trained):
        _log.warning("the weights %r are untrained: these scores mean nothing", pipeline.weights)
    elif "segmenter" not in header.trained:
        _log.warning(
            "the weights %r have no trained segmenter: only predcls means anything",
            pipeline.weights,
        )


def _details(pipeline):
    """Collects what the page shows of each image."""
    from dsflash_ros.reports.evaluation_details import EvaluationDetails

    return EvaluationDetails(pipeline.vocabulary, pipeline.weights, pipeline.relates)


def _tracks(args: argparse.Namespace, dataset, pipeline, usual: dict):
    """Scores tracks in the same pass, where frames of a bag with the true graphs are scored.

    `usual`: options for the graphs that are tracked, in place of those that rank all relations.
    """
    from dsflash_ros.evaluation.bag_records import BagRecords

    if not isinstance(dataset, BagRecords) or not scores_tracks(args):
        return None
    from dsflash_ros.evaluation.bag_tracking import TracksObserver

    graph_options = replace(pipeline.options, **usual)
    pipeline.for_trackers = True
    return TracksObserver(tracking_from(args), graph_options, args.target_frame)


def _evaluate(
    args: argparse.Namespace, pipeline, dataset, export_path: Path | None, about: dict, observers
):
    """The scores, and the error of the export or None: an export that fails leaves the scores."""
    from contextlib import nullcontext

    from dsflash_ros.errors import OutputError
    from dsflash_ros.evaluation.export import sgbench_file
    from dsflash_ros.evaluation.runner import evaluate

    scores = None
    try:
        with sgbench_file(export_path, about) if export_path else nullcontext() as export:
            scores = evaluate(
                pipeline, dataset, args.protocol, args.limit, export, observers
            ).results()
    except OutputError as error:
        if scores is None:
            raise
        return scores, error
    return scores, None


def _speed(args: argparse.Namespace, pipeline, dataset) -> dict:
    from dsflash_ros.evaluation.speed import measure_speed

    count = min(len(dataset), SPEED_IMAGES)
    images = [dataset[index * len(dataset) // count].image() for index in range(count)]
    return measure_speed(pipeline, images, args.warm_up, args.timed, args.batch, args.speed_seconds)
