"""Make scene graphs of images, folders, videos, a camera or ROS bags.

Writes DIR/scene_graph.jsonl, one graph a line in the order of the frames, and pictures of the
graphs: DIR/overlay/NAME.jpg for images, DIR/overlay/NAME.mp4 for videos, cameras and bags (H.264,
which browsers play). What was written before an interrupt stays whole. Frames that cannot be read
are left out, counted and reported.

examples:
  dsflash run photo.jpg folder/ --out results
  dsflash run clip.mp4 --out results --stride 5 --limit 100
  dsflash run bag/ --topic /camera/image_raw --out results --no-overlay
  dsflash run bag/ --track --out results          (objects keep their numbers over time)
  dsflash run 0 --out results                     (the first camera, until Ctrl-C)
"""

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

HELP = "make scene graphs of images, videos, a camera or bags"

_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Sources, output, model and options."""
    parser.add_argument(
        "source",
        nargs="+",
        metavar="SOURCE",
        help="image, folder of images, video, camera index, or ROS bag",
    )
    parser.add_argument(
        "--out",
        required=True,
        metavar="DIR",
        help="folder for the results; made where it is not there",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace results that are in DIR already"
    )
    parser.add_argument(
        "--no-overlay", action="store_true", help="make no pictures, only scene_graph.jsonl"
    )
    parser.add_argument("--topic", help="image topic of a bag; needed when it has several")
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


def run(args: argparse.Namespace) -> int:
    """Make the graphs."""
    from dsflash_ros.loop import Loop
    from dsflash_ros.sinks.folder import ResultFolder
    from dsflash_ros.sources import open_sources

    sources = open_sources(args.source, args.topic)
    with ResultFolder(args.out, not args.no_overlay, args.overwrite, args.stride) as results:
        loop = Loop(_graph_maker(args), [results], args.stride, args.limit)
        try:
            loop.run(sources)
        finally:  # also after an interrupt
            _summarize(loop.tally, results)
    return 0


def _graph_maker(args: argparse.Namespace):
    """What makes the graph of a frame."""
    pipeline = pipeline_from(args)
    if args.target_frame and not args.track:
        args.parser.error("--target-frame goes with --track")
    if not args.track:
        return lambda frame: pipeline(frame.rgb, frame.stamp, frame.name)
    from dsflash_ros.pipeline.tracked import TrackedPipeline

    tracked = TrackedPipeline(pipeline, tracking_from(args), args.target_frame)
    return lambda frame: tracked(frame.rgb, frame.stamp, frame.name, frame.space)


def _summarize(tally, results) -> None:
    if tally.graphs:
        print(
            f"{tally.graphs} frames in {tally.seconds:.1f} s ({tally.rate:.1f} a second), "
            f"median latency {tally.median_latency_ms:.1f} ms"
        )
        print(f"written: {results.paths}")
    if tally.skipped or tally.bad_stamps:
        _log.warning(
            "%d frames skipped, %d stamps that go back or are no number",
            tally.skipped,
            tally.bad_stamps,
        )
