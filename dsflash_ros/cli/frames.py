"""What `dsflash run` and `dsflash view` share: which frames, and what makes their graphs."""

import argparse
import logging

from dsflash_ros.argument_types import positive
from dsflash_ros.cli.arguments import (
    add_model_arguments,
    add_option_arguments,
    pipeline_from,
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


def graph_maker(args: argparse.Namespace):
    """What makes the graph of a frame, a `loop.MakeGraph`."""
    if args.target_frame and not args.track:
        args.parser.error("--target-frame goes with --track")
    pipeline = pipeline_from(args)
    if not args.track:
        return lambda frame: pipeline(frame.rgb, frame.stamp, frame.name)
    from dsflash_ros.pipeline.tracked import TrackedPipeline

    tracked = TrackedPipeline(pipeline, tracking_from(args), args.target_frame)
    return lambda frame: tracked(frame.rgb, frame.stamp, frame.name, frame.space)


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
