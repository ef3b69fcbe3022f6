"""Make the graphs of all images of bags, in order, as fast as the machine goes.

DIR gets a folder for each bag: bag/ (rosbag2, mcap) with the messages of the node, /scene_graph,
/dsflash/panoptic, /dsflash/events and /dsflash/overlay/compressed, beside the bag's own, and
scene_graph.jsonl. The graphs' messages have the headers of their images. With several cameras the
topics have their names, as /front/scene_graph for /front/image.

The same command goes on where it was interrupted, without repeating or losing an image.

With --ray, bags are replayed on the machines of a Ray cluster, or on the cores or GPUs of this one.
Bags and DIR may then be URLs, as s3://bucket/drives, and bags quoted patterns.

examples:
  dsflash replay drive/ --out replayed
  dsflash replay *.mcap --out replayed --topic /front/image --topic /rear/image
  dsflash replay drive/ --out replayed --start 60 --end 90 --target-frame map --no-originals
  dsflash replay 's3://drives/2024-*/*.mcap' --out s3://replayed --ray head:6379
"""

import argparse
import logging

from dsflash_ros.argument_types import folder, not_negative_float, positive, positive_float
from dsflash_ros.cli.arguments import (
    TRACKING_NAMES,
    add_fleet_arguments,
    add_model_arguments,
    add_option_arguments,
    check_fleet_extra,
    pipeline_from,
    refuse,
)
from dsflash_ros.errors import DSFlashError, missing_ros
from dsflash_ros.files import expand
from dsflash_ros.tracking.tracking_options import TRACKING_OPTIONS

HELP = "make the graphs of bags, as bags"

_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Bags, what of them, what is written, model and options."""
    parser.add_argument("bag", nargs="+", metavar="BAG", help="of ROS 2 or ROS 1")
    parser.add_argument(
        "--out", required=True, type=folder, metavar="DIR", help="folder for the results"
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
    add_fleet_arguments(parser)
    add_model_arguments(parser)
    add_option_arguments(parser.add_argument_group("tracking"), TRACKING_OPTIONS)


def run(args: argparse.Namespace) -> int:
    """Replay one bag after the other. One that cannot be replayed does not keep the others."""
    try:
        import dsflash_ros.msg
        import dsflash_ros.ros.replay.bag_replay  # noqa: F401
    except ImportError as error:
        raise missing_ros(error) from error
    _check_usage(args)
    return _replay_here(args) if args.ray is None else _replay_on_ray(args)


def _check_usage(args: argparse.Namespace) -> None:
    if args.no_track:
        names = ("target_frame", *TRACKING_NAMES)
        refuse(args, names, "is of tracks and positions, which --no-track leaves out")
    if args.end is not None and args.end <= args.start:
        args.parser.error(f"--end {args.end:g} is not after --start {args.start:g}")
    if args.ray is not None:
        return
    for text in [*args.bag, args.out]:
        if "://" in text:
            args.parser.error(f"{text}: a URL needs --ray")
    for text in args.bag:
        if set(text) & set("*?[") and not expand(text).exists():
            args.parser.error(
                f"{text}: a quoted pattern needs --ray; without, leave out the quotes"
            )
    refuse(args, ("ray_cores",), "needs --ray")


def _replay_here(args: argparse.Namespace) -> int:
    from dsflash_ros.ros.replay.graph_maker import GraphMaker
    from dsflash_ros.sources.bag_names import named_bags

    recipe = recipe_from(args)
    maker = GraphMaker(pipeline_from(args), recipe.is_tracked)
    bags = named_bags(expand(bag) for bag in args.bag)
    failed = 0
    for name, bag in bags:
        folder = expand(args.out) / name
        try:
            _tell(bag, folder, recipe.replay(maker, bag, folder))
        except DSFlashError as error:
            if len(bags) == 1:
                raise
            failed += 1
            _log.error("%s: %s", bag, error)
    return _code(failed, len(bags))


def _replay_on_ray(args: argparse.Namespace) -> int:
    check_fleet_extra()
    from dsflash_ros.fleet.fleet_replay import replay_fleet
    from dsflash_ros.fleet.jobs import find_jobs

    recipe, failed = recipe_from(args), 0
    jobs = find_jobs(args.bag, args.out)
    for job, end in replay_fleet(jobs, recipe, args.ray, args.ray_cores or 1):
        if isinstance(end, DSFlashError):
            failed += 1
            _log.error("%s: %s", job.bag, end)
        else:
            _tell(job.bag, job.folder, end)
    return _code(failed, len(jobs))


def _tell(bag: object, folder: object, end) -> None:
    if end.was_complete:
        print(f"{folder} is complete already")
        return
    print(f"{end.graphs} graphs of {bag} in {folder}")
    if end.skipped:
        _log.warning("%d images or messages of %s could not be used", end.skipped, bag)


def _code(failed: int, count: int) -> int:
    if failed:
        _log.error("%d of %d bags could not be replayed", failed, count)
    return 1 if failed else 0


def recipe_of(*arguments: object):
    """The `Recipe` of a command line, without the folder for results."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return recipe_from(parser.parse_args([*map(str, arguments), "--out", "unused"]))


def recipe_from(args: argparse.Namespace):
    """The `Recipe` that the arguments ask for."""
    from dsflash_ros.pipeline.choice import OPTIONS
    from dsflash_ros.ros.replay.bag_replay import Written
    from dsflash_ros.ros.replay.recipe import Recipe

    return Recipe(
        topics=tuple(args.topic),
        start_s=args.start,
        end_s=args.end,
        stride=args.stride,
        is_tracked=not args.no_track,
        target_frame=args.target_frame,
        written=Written(not args.no_originals, not args.no_overlay, not args.no_latency),
        choice={option.name: getattr(args, option.name) for option in OPTIONS},
        overwrite=args.overwrite,
    )
