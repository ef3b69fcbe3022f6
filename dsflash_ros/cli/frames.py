"""What commands over sources share: which frames, and what makes their graphs."""

import argparse
import logging
from collections.abc import Callable

from dsflash_ros.argument_types import positive
from dsflash_ros.cli.arguments import (
    TRACKING_NAMES,
    add_model_arguments,
    add_option_arguments,
    pipeline_from,
    refuse,
    tracking_from,
)
from dsflash_ros.tracking.tracking_options import TRACKING_OPTIONS

_log = logging.getLogger(__name__)


def add_frame_arguments(parser: argparse.ArgumentParser) -> None:
    """Which frames of the sources, tracking, model and options."""
    parser.add_argument(
        "--stride", type=positive, default=1, metavar="N", help="use each N-th frame (default: 1)"
    )
    parser.add_argument(
        "--limit", type=positive, metavar="N", help="at most N frames of each source"
    )
    add_graph_arguments(parser)


def add_graph_arguments(parser: argparse.ArgumentParser) -> None:
    """Tracking, model and options: what `graph_maker` reads."""
    parser.add_argument(
        "--track",
        action="store_true",
        help="give nodes a track_id and steady their classes and relations over time; of videos, "
        "cameras and bags",
    )
    parser.add_argument(
        "--target-frame",
        default="",
        metavar="FRAME",
        help="frame of the positions, which bags with depth, camera_info and /tf give, such as map "
        "(default: the camera's)",
    )
    add_model_arguments(parser)
    add_option_arguments(parser.add_argument_group("with --track"), TRACKING_OPTIONS)


def refuse_without_source(
    args: argparse.Namespace, add: Callable[[argparse.ArgumentParser], None], *besides: str
) -> None:
    """Wrong usage when one of the arguments that `add` adds is given, but for those `besides`."""
    defaults = argparse.ArgumentParser()
    add(defaults)
    for name, default in vars(defaults.parse_args([])).items():
        if name not in besides and getattr(args, name) != default:
            flag = name.replace("_", "-")
            args.parser.error(f"--{flag} goes with a SOURCE; a running node has its own parameters")


def graph_maker(args: argparse.Namespace):
    """What makes the graph of a frame, a `loop.MakeGraph`, and the vocabulary of its model."""
    if not args.track:
        refuse(args, ("target_frame", *TRACKING_NAMES), "goes with --track")
    pipeline = pipeline_from(args)
    if args.track:
        from dsflash_ros.pipeline.tracked import TrackedPipeline

        tracked = TrackedPipeline(pipeline, tracking_from(args), args.target_frame)

    def make_graph(frame):
        if args.track:
            return tracked(frame.rgb, frame.stamp, frame.name, frame.space)
        return pipeline(frame.rgb, frame.stamp, frame.name)

    return make_graph, pipeline.vocabulary


def tell(tally, where: str) -> None:
    """Say what a loop did. `where`: what became of the graphs, as "written: DIR"."""
    if tally.graphs:
        print(
            f"{tally.graphs} frames in {tally.seconds:.1f} s ({tally.rate:.1f} a second), "
            f"median latency {tally.median_latency_ms:.1f} ms"
        )
        print(where)
    if tally.skipped or tally.bad_stamps:
        _log.warning(
            "%d frames skipped, %d stamps that go back or are no number",
            tally.skipped,
            tally.bad_stamps,
        )
