"""Score a model on a data set in PSG's format, or on a bag with the truth, as the paper does.

Recall of relations (R@k, mR@k, mR@inf) and of instances, and panoptic quality, under the
single-mask-per-object protocol: one mask for each object, one relation for each directed pair.
predcls gives the model the true segments; sgdet gives it only the image. All relations are ranked:
the relation threshold is 0 and there may be 65535 of them, unless you say otherwise.

On a bag with the true graphs, as `dsflash toyroom camera --record` makes, sgdet also scores tracks
(HOTA, IDF1), graphs with and without tracking, and positions; --tracking scores nothing else.

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
"""

import argparse
import logging
from dataclasses import replace
from pathlib import Path

from dsflash_ros.argument_types import positive, positive_float
from dsflash_ros.cli.arguments import (
    add_dataset_arguments,
    add_model_arguments,
    add_option_arguments,
    dataset_from,
    output_files,
    pipeline_from,
    tracking_from,
)
from dsflash_ros.files import expand
from dsflash_ros.pipeline.options import Options
from dsflash_ros.tracking.tracking_options import TRACKING_OPTIONS

HELP = "score a model on a data set: recall, panoptic quality, speed"

_log = logging.getLogger(__name__)

_RANKED = {"relation_threshold": 0.0, "max_relations": 0xFFFF}
"""Recall ranks all relations; tracks are scored with the pipeline's own values."""

_SPEED_SETTINGS = {"warm_up": 200, "timed": 200, "batch": 16, "speed_seconds": 30.0}

SPEED_IMAGES = 32
"""How many images of the data set, spread evenly, --speed uses."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Data set, protocol, output, speed, model."""
    add_dataset_arguments(parser)
    protocols = ("sgdet", "predcls")
    parser.add_argument(
        "--protocol", choices=protocols, default="sgdet", help="what is given (default: sgdet)"
    )
    bag = parser.add_argument_group("bags")
    bag.add_argument("--topic", help="image topic of a bag; needed when it has several")
    bag.add_argument(
        "--annotations",
        metavar="FILE",
        help="truth of some of a bag's frames in PSG's format, in place of that in the bag; each "
        "image's file is named after the stamp of its frame, seconds; --masks as for data sets",
    )
    parser.add_argument("--json", metavar="FILE", help="store everything there")
    parser.add_argument(
        "--export",
        nargs=2,
        metavar=("FORMAT", "FILE"),
        help="write the predictions, too; FORMAT is sgbench: a zip",
    )
    parser.add_argument(
        "--report", metavar="FILE.html", help="write a page with plots and the worst pictures"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the files of --json, --export, --report"
    )
    parser.add_argument(
        "--tracking",
        action="store_true",
        help="score nothing but tracks; DATASET is a bag with the true graphs",
    )
    parser.add_argument(
        "--target-frame",
        default="",
        metavar="FRAME",
        help="frame of the positions that bags with depth give, such as map",
    )
    parser.add_argument(
        "--true-segments",
        action="store_true",
        help="with --tracking: track those of /ground_truth/panoptic in place of the model's",
    )
    speed = parser.add_argument_group("speed")
    speed.add_argument("--speed", action="store_true", help="measure it, too")
    speed.add_argument(
        "--speed-seconds",
        type=positive_float,
        metavar="S",
        help="begin no further pass after so long (default: %(default)g)",
    )
    for name, text in (
        ("warm-up", "at most so many forward passes before the clock starts"),
        ("timed", "at most so many forward passes to time"),
        ("batch", "images in a pass, for relations per second"),
    ):
        help = f"{text} (default: %(default)s)"
        speed.add_argument(f"--{name}", type=positive, metavar="N", help=help)
    speed.add_argument("--no-speed", action="store_true", help="the default now; does nothing")
    usual = {name: getattr(Options(), name) for name in _RANKED}
    add_model_arguments(
        parser, {name: f"{_RANKED[name]:g}; of tracks {usual[name]}" for name in _RANKED}
    )
    add_option_arguments(parser.add_argument_group("tracks, of bags"), TRACKING_OPTIONS)
    parser.set_defaults(**_SPEED_SETTINGS)


def run(args: argparse.Namespace) -> int:
    """Evaluate, measure, print, store."""
    from dsflash_ros.evaluation.report import Report, about_dataset, about_model
    from dsflash_ros.evaluation.report_text import report_text
    from dsflash_ros.evaluation.runner import check_vocabulary
    from dsflash_ros.machine import machine

    not_given = [name for name in _RANKED if getattr(args, name) is None]
    usual = {name: getattr(Options(), name) for name in not_given}
    vars(args).update(usual if args.tracking else {name: _RANKED[name] for name in not_given})
    if args.tracking:
        return _run_tracking(args)
    if args.export and args.export[0] != "sgbench":
        args.parser.error(f"--export writes sgbench only, not {args.export[0]!r}")
    json_path, export_path, report_path = output_files(args, "json", "export", "report")
    changed = [name for name, value in _SPEED_SETTINGS.items() if getattr(args, name) != value]
    if changed and not args.speed:
        option = changed[0].replace("_", "-")
        args.parser.error(f"--{option} says how to measure speed: give --speed, too")
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
    details = _details(dataset, pipeline) if report_path else None
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
        if args.annotations or args.topic:
            args.parser.error("--annotations and --topic say what of a bag is meant: give a bag")
        return dataset_from(args), open_weights(args.weights)
    if args.speed:
        args.parser.error("--speed needs a data set; on a bag: dsflash bench frame BAG")
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

    if args.export or args.speed or args.report:
        args.parser.error("--tracking goes with --json, not with --export, --speed or --report")
    (json_path,) = output_files(args, "json")
    how = tracking_from(args), args.limit, args.target_frame, args.true_segments
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


def _details(dataset, pipeline):
    """Collects what the page shows of each image."""
    from dsflash_ros.reports.evaluation_details import EvaluationDetails

    return EvaluationDetails(dataset.vocabulary, pipeline.weights, pipeline.relates)


def _tracks(args: argparse.Namespace, dataset, pipeline, usual: dict):
    """Scores tracks in the same pass, where frames of a bag with the true graphs are scored.

    `usual`: options for the graphs that are tracked, in place of those that rank all relations.
    """
    from dsflash_ros.evaluation.bag_records import BagRecords

    if not isinstance(dataset, BagRecords) or args.annotations or args.protocol != "sgdet":
        return None
    from dsflash_ros.evaluation.bag_tracking import TracksObserver

    graph_options = replace(pipeline.options, **usual)
    return TracksObserver(pipeline, tracking_from(args), graph_options, args.target_frame)


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
