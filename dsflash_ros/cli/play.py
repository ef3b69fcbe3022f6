"""Publish images on a ROS 2 topic as a camera would: at a steady rate, each stamped as it is sent.

Where a bag has true scene graphs on /ground_truth/scene_graph, they are published there, with the
headers of their images. Where it has depth and camera_info, they are published beside the images,
and where its /tf tells, the camera's place on /tf.

With --clock a bag is played in its own time, as `ros2 bag play --clock` does: /clock is the time of
recording, images come when they were recorded, and all headers are those of the bag's images. Nodes
follow that time with the parameter use_sim_time.

examples:
  dsflash play clip.mp4 --loop
  dsflash play photos/ --topic /front/image --rate 2 --wait 1
  dsflash play bag/ --bag-topic /camera/image_raw --compressed    (on /image/compressed)
  dsflash play bag/ --clock --speed 0.5 --wait 1                  (half as fast as recorded)
"""

import argparse
import logging
import time
from collections.abc import Iterator

from dsflash_ros.argument_types import positive, positive_float
from dsflash_ros.cli.publishing import FRAME_ID, add_topic_arguments, open_player
from dsflash_ros.errors import SourceError, missing_ros

HELP = "publish images as a camera would"

_DEFAULT_RATE = 10.0
_CLOCK_HZ = 40.0  # as of ros2 bag play
_LATE_S = 0.1

_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Sources, timing, and how the images are published."""
    parser.add_argument(
        "source",
        nargs="+",
        metavar="SOURCE",
        help="image, folder of images, video, camera index, or ROS bag",
    )
    parser.add_argument(
        "--bag-topic", metavar="TOPIC", help="image topic of a bag; needed when it has several"
    )
    parser.add_argument(
        "--rate",
        type=positive_float,
        metavar="HZ",
        help=f"default: that of the video or bag, or {_DEFAULT_RATE:g}",
    )
    parser.add_argument(
        "--loop", action="store_true", help="begin again at the end, until interrupted"
    )
    parser.add_argument("--count", type=positive, metavar="N", help="stop after N images")
    parser.add_argument(
        "--clock",
        nargs="?",
        type=positive_float,
        const=_CLOCK_HZ,
        metavar="HZ",
        help="play a bag in its own time, with its own stamps, and publish that time on /clock so "
        f"often a second (default: {_CLOCK_HZ:g})",
    )
    parser.add_argument(
        "--speed",
        type=positive_float,
        metavar="X",
        help="with --clock: so many times as fast as recorded (ros2 bag play calls this --rate)",
    )
    add_topic_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Publish until the sources end, or for ever."""
    _check_usage(args)
    try:
        import dsflash_ros.msg
        import dsflash_ros.ros.playback.player  # noqa: F401
    except ImportError as error:
        raise missing_ros(error) from error
    from dsflash_ros.sources import open_sources

    sources = open_sources(args.source, args.bag_topic)
    try:
        if args.clock:
            _check_bags(sources)
        with open_player(args) as player:
            (_play_in_bag_time if args.clock else _play_as_camera)(player, sources, args)
            player.flush()
            seconds = time.monotonic() - (player.first_s or time.monotonic())
            print(f"published {player.count} images on {player.topic} in {seconds:.1f} s")
            if not player.was_heard:
                _log.warning("nobody subscribed to %s while it was played", player.topic)
    finally:
        for source in sources:
            source.close()
    return 0


def _check_usage(args: argparse.Namespace) -> None:
    if args.clock is None and args.speed is not None:
        args.parser.error("--speed needs --clock; without it, --rate HZ says how fast images come")
    if args.clock is not None and args.rate is not None:
        args.parser.error("--rate does not go with --clock, where images come as recorded: --speed")
    if args.clock is not None and args.frame_id != FRAME_ID:
        args.parser.error("--frame-id does not go with --clock, where headers are those of the bag")


def _check_bags(sources: list) -> None:
    from dsflash_ros.sources.bag import BagSource

    for source in sources:
        if not isinstance(source, BagSource):
            raise SourceError(f"{source.name} is no bag, and --clock needs a bag's time")


def _play_in_bag_time(player, sources: list, args: argparse.Namespace) -> None:
    from dsflash_ros.ros.playback.bag_player import BagPlayer

    bags = BagPlayer(player, sources, args.clock, args.speed or 1.0)
    bags.play(args.wait, args.count, args.loop)
    if bags.late_s > _LATE_S:
        _log.warning(
            "images were up to %.1f s late, as they cannot be read faster here: "
            "give a smaller --speed",
            bags.late_s,
        )


def _play_as_camera(player, sources: list, args: argparse.Namespace) -> None:
    from dsflash_ros.ros.playback.companions import Companions

    companions = Companions(player, any(source.has_truth for source in sources))
    if args.wait:
        player.wait_for_subscribers(args.wait)
    for frame, seconds in _timed_frames(sources, args):
        header = player.publish(frame.rgb, seconds)
        companions.publish(frame, header)


def _timed_frames(sources: list, args: argparse.Namespace) -> Iterator[tuple]:
    """Frames, each with how long it lasts, seconds."""
    count = 0
    while True:
        for source in sources:
            period = 1 / (args.rate or source.rate or _DEFAULT_RATE)
            for frame in source:
                yield frame, period
                count += 1
                if count == args.count:
                    return
        if not args.loop:
            return
