"""The arguments of `dsflash eval`."""

import argparse

from dsflash_ros.argument_types import folder, positive, positive_float
from dsflash_ros.cli.arguments import (
    add_dataset_arguments,
    add_fleet_arguments,
    add_model_arguments,
    add_option_arguments,
)
from dsflash_ros.pipeline.options import Options
from dsflash_ros.tracking.tracking_options import TRACKING_OPTIONS

RANKED = {"relation_threshold": 0.0, "max_relations": 0xFFFF}
"""Recall ranks all relations; tracks are scored with the pipeline's own values."""

SPEED_SETTINGS = {"warm_up": 200, "timed": 200, "batch": 16, "speed_seconds": 30.0}
"""How `--speed` measures."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Data set, protocol, output, speed, model."""
    add_dataset_arguments(parser, "+")
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
    bag.add_argument(
        "--out", type=folder, metavar="DIR", help="folder for a report of each of several bags"
    )
    add_fleet_arguments(parser)
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
        "--overwrite",
        action="store_true",
        help="replace the files of --json, --export, --report, and the reports in --out",
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
    usual = {name: getattr(Options(), name) for name in RANKED}
    add_model_arguments(
        parser, {name: f"{RANKED[name]:g}; of tracks {usual[name]}" for name in RANKED}
    )
    add_option_arguments(parser.add_argument_group("tracks, of bags"), TRACKING_OPTIONS)
    parser.set_defaults(**SPEED_SETTINGS)
