"""Score a model on a data set in PSG's format, as the DSFlash paper does.

Recall of relations (R@k, mR@k, mR@inf) and of instances, panoptic quality, latency and relations
per second, under the single-mask-per-object protocol: one mask for each object, one relation for
each directed pair. predcls gives the model the true segments; sgdet gives it only the image.
Here all relations are ranked: the relation threshold is 0 and there may be 65535 of them, unless
    you say otherwise.

examples:
  dsflash eval psg/psg.json --weights dsflash_base.safetensors --json base.json
  dsflash eval psg/psg.json --images coco --masks coco --weights W --protocol predcls --no-speed
  dsflash eval psg/psg.json --weights W --low-resolution-masks --export sgbench predictions.zip
  dsflash tables base.json                        the paper's tables with these numbers beside
"""

import argparse
import logging
from pathlib import Path

from dsflash_ros.argument_types import positive
from dsflash_ros.cli.arguments import (
    add_dataset_arguments,
    add_model_arguments,
    dataset_from,
    pipeline_from,
)

HELP = "score a model on a data set: recall, panoptic quality, speed"

_log = logging.getLogger(__name__)

SPEED_IMAGES = 32
"""How many images of the data set, spread evenly, the speed is measured on."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Data set, protocol, output, speed, model."""
    add_dataset_arguments(parser)
    protocols = ("sgdet", "predcls")
    parser.add_argument(
        "--protocol", choices=protocols, default="sgdet", help="what is given (default: sgdet)"
    )
    parser.add_argument("--json", metavar="FILE", help="store everything there")
    parser.add_argument(
        "--export",
        nargs=2,
        metavar=("FORMAT", "FILE"),
        help="write the predictions, too; FORMAT is sgbench: a zip",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the files of --json and --export"
    )
    speed = parser.add_argument_group("speed")
    speed.add_argument("--no-speed", action="store_true", help="do not measure it")
    for name, default, text in (
        ("warm-up", 200, "forward passes before the clock starts"),
        ("timed", 200, "forward passes to time"),
        ("batch", 16, "images in a pass, for relations per second"),
    ):
        speed.add_argument(
            f"--{name}",
            type=positive,
            default=default,
            metavar="N",
            help=f"{text} (default: {default})",
        )
    add_model_arguments(parser)
    parser.set_defaults(relation_threshold=0.0, max_relations=0xFFFF)


def run(args: argparse.Namespace) -> int:
    """Evaluate, measure, print, store."""
    from dsflash_ros.evaluation.report import Report, about_dataset
    from dsflash_ros.evaluation.runner import check_vocabulary
    from dsflash_ros.machine import machine
    from dsflash_ros.weights.loading import open_weights

    if args.export and args.export[0] != "sgbench":
        args.parser.error(f"--export writes sgbench only, not {args.export[0]!r}")
    json_path = None if args.json is None else _output(args.json, args.overwrite)
    export_path = _output(args.export[1], args.overwrite) if args.export else None
    if json_path and json_path == export_path:
        args.parser.error(f"--json and --export cannot both write {json_path}")
    dataset = dataset_from(args)
    print(dataset.report())
    opened = open_weights(args.weights)
    check_vocabulary(args.weights, opened.header.vocabulary, dataset)
    pipeline = pipeline_from(args, opened)
    _warn_untrained(opened.header, pipeline)

    about = {
        "dataset": about_dataset(dataset, min(args.limit or len(dataset), len(dataset))),
        "protocol": args.protocol,
        **_about_model(args, opened, pipeline),
        "machine": machine(),
    }
    scores, failure = _evaluate(args, pipeline, dataset, export_path, about)
    report = Report(
        **about, **scores, speed=None if args.no_speed else _speed(args, pipeline, dataset)
    )
    report.print()
    if json_path:
        report.write(json_path)
        print(f"written: {json_path}")
    if failure:
        raise failure
    if export_path:
        print(f"written: {export_path}")
    return 0


def _warn_untrained(header, pipeline) -> None:
    if not (header.trained and pipeline.is_trained):
        _log.warning("the weights %r are untrained: these scores mean nothing", pipeline.weights)
    elif "segmenter" not in header.trained:
        _log.warning(
            "the weights %r have no trained segmenter: only predcls means anything",
            pipeline.weights,
        )


def _about_model(args: argparse.Namespace, opened, pipeline) -> dict:
    from dataclasses import asdict

    from dsflash_ros.conversion.checkpoint_files import sha256_of

    config = opened.header.config
    return {
        "weights": {
            "name": opened.title,
            "sha256": sha256_of(opened.path) if opened.path else None,
            "trained": list(opened.header.trained) if pipeline.is_trained else [],
        },
        "model": {
            "size": config.size,
            "backbone": config.backbone,
            "image_size": config.image_size,
            "parameters": sum(parameter.numel() for parameter in pipeline.model.parameters()),
        },
        "options": {
            **asdict(pipeline.options),
            "device": str(pipeline.device),
            "precision": pipeline.precision,
            "compile": args.compile,
        },
    }


def _evaluate(args: argparse.Namespace, pipeline, dataset, export_path: Path | None, about: dict):
    """The scores, and why the export failed, or None: that does not take the scores along."""
    from contextlib import nullcontext

    from dsflash_ros.errors import OutputError
    from dsflash_ros.evaluation.export import sgbench_file
    from dsflash_ros.evaluation.runner import evaluate

    scores = None
    try:
        with sgbench_file(export_path, about) if export_path else nullcontext() as export:
            scores = evaluate(pipeline, dataset, args.protocol, args.limit, export).results()
    except OutputError as error:
        if scores is None:
            raise
        return scores, error
    return scores, None


def _speed(args: argparse.Namespace, pipeline, dataset) -> dict:
    from dsflash_ros.evaluation.speed import measure_speed

    count = min(len(dataset), SPEED_IMAGES)
    images = [dataset[index * len(dataset) // count].image() for index in range(count)]
    return measure_speed(pipeline, images, args.warm_up, args.timed, args.batch)


def _output(path: str, overwrite: bool) -> Path:
    """Where a result goes, in a folder that is made; what is in the way comes up before the work."""
    from dsflash_ros.errors import OutputError
    from dsflash_ros.files import check_output, expand

    try:
        expand(path).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
    return check_output(path, overwrite)
