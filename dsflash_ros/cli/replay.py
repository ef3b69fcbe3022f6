"""Make the graphs of all images of bags, in order, as fast as the machine goes.

DIR gets a folder for each bag: bag/ (rosbag2, mcap) with the messages of the node, /scene_graph,
/dsflash/panoptic, /dsflash/events and /dsflash/overlay/compressed, beside the bag's own, and
scene_graph.jsonl. The graphs' messages have the headers of their images. With several cameras the
topics have their names, as /front/scene_graph for /front/image.

The same command goes on where it was interrupted, without repeating or losing an image.

examples:
  dsflash replay drive/ --out replayed
  dsflash replay *.mcap --out replayed --topic /front/image --topic /rear/image
  dsflash replay drive/ --out replayed --start 60 --end 90 --target-frame map --no-originals
"""

import argparse
import logging
from dataclasses import asdict
from pathlib import Path

from dsflash_ros.argument_types import not_negative_float, positive, positive_float
from dsflash_ros.cli.arguments import (
    add_model_arguments,
    add_option_arguments,
    pipeline_from,
    tracking_from,
)
from dsflash_ros.errors import DSFlashError, missing_ros
from dsflash_ros.files import expand
from dsflash_ros.option import Option
from dsflash_ros.pipeline.options import FRAME_OPTIONS, MODEL_OPTIONS
from dsflash_ros.tracking.tracking_options import TRACKING_OPTIONS

HELP = "make the graphs of bags, as bags"

_log = logging.getLogger(__name__)

_OF_THIS_MACHINE = ("threads", "device")
"""Options that may change when a replay goes on."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Bags, what of them, what is written, model and options."""
    parser.add_argument("bag", nargs="+", type=Path, metavar="BAG", help="of ROS 2 or ROS 1")
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="folder for the results"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="begin anew where DIR holds results already"
    )
    what = parser.add_argument_group("what is replayed")
    what.add_argument(
        "--topic",
        action="append",
        default=[],
        help="image topic, again for each further camera; needed when a bag has several",
    )
    what.add_argument(
        "--start", type=not_negative_float, default=0.0, metavar="S", help="seconds into the bag"
    )
    what.add_argument("--end", type=positive_float, metavar="S", help="seconds into the bag")
    what.add_argument(
        "--stride", type=positive, default=1, metavar="N", help="use each N-th image (default: 1)"
    )
    what.add_argument("--no-track", action="store_true", help="each image alone")
    what.add_argument(
        "--target-frame",
        default="",
        metavar="FRAME",
        help="frame of the positions, which bags with depth, camera_info and /tf give, such as map "
        "(default: the camera's)",
    )
    written = parser.add_argument_group("what is written")
    written.add_argument(
        "--no-originals", action="store_true", help="leave out the bag's own messages"
    )
    written.add_argument("--no-overlay", action="store_true", help="make no pictures")
    written.add_argument(
        "--no-latency",
        action="store_true",
        help="leave out how long the stages took: two replays then give the same messages",
    )
    add_model_arguments(parser)
    add_option_arguments(parser.add_argument_group("tracking"), TRACKING_OPTIONS)


def run(args: argparse.Namespace) -> int:
    """Replay one bag after the other. One that cannot be replayed does not keep the others."""
    try:
        import dsflash_ros.msg
        import dsflash_ros.ros.replay.bag_replay  # noqa: F401
    except ImportError as error:
        raise missing_ros(error) from error
    pipeline = pipeline_from(args)
    failed = 0
    for bag, folder in zip(args.bag, _folders(args.bag, expand(args.out)), strict=True):
        try:
            _replay(args, pipeline, expand(bag), folder)
        except DSFlashError as error:
            if len(args.bag) == 1:
                raise
            failed += 1
            _log.error("%s: %s", bag, error)
    if failed:
        _log.error("%d of %d bags could not be replayed", failed, len(args.bag))
    return 1 if failed else 0


def _replay(args: argparse.Namespace, pipeline, bag: Path, folder: Path) -> None:
    from dsflash_ros.ros.replay.bag_replay import Replay, Written, replay_bag
    from dsflash_ros.ros.replay.cameras import Cameras
    from dsflash_ros.ros.replay.parts import Parts

    written = Written(not args.no_originals, not args.no_overlay, not args.no_latency)
    with Cameras(bag, args.topic, args.start, args.end, args.stride) as cameras:
        settings = _settings(args, bag, cameras, written)
        with Parts(folder, settings, args.overwrite) as parts:
            if parts.is_complete:
                print(f"{folder} is complete already")
                return
            tracking = None if args.no_track else tracking_from(args)
            replay = Replay(pipeline, cameras, tracking, args.target_frame)
            replay_bag(replay, bag, parts, written)
        skipped = sum(source.skipped for source in cameras.sources)
    print(f"{replay.position.graphs} graphs of {bag} in {folder}")
    if skipped:
        _log.warning("%d images or messages of %s could not be used", skipped, bag)


def _settings(args: argparse.Namespace, bag: Path, cameras, written) -> dict:
    """What must not change when a replay goes on."""
    options: tuple[Option, ...] = (*MODEL_OPTIONS, *FRAME_OPTIONS, *TRACKING_OPTIONS)
    names = [option.name for option in options if option.name not in _OF_THIS_MACHINE]
    return {
        "bag": str(bag.resolve()),
        "begin_ns": cameras.sources[0].begin_ns,
        "topics": [source.topic for source in cameras.sources],
        "start": args.start,
        "end": args.end,
        "stride": args.stride,
        "track": not args.no_track,
        "target_frame": args.target_frame,
        "written": asdict(written),
        "options": {name: getattr(args, name) for name in names},
    }


def _folders(bags: list[Path], out: Path) -> list[Path]:
    """A folder for each bag, named after it."""
    names: dict[str, int] = {}
    folders = []
    for bag in bags:
        name = bag.resolve().name.removesuffix(".mcap").removesuffix(".db3").removesuffix(".bag")
        names[name] = names.get(name, 0) + 1
        folders.append(out / (name if names[name] == 1 else f"{name}_{names[name]}"))
    return folders
