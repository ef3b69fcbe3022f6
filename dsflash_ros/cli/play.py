"""Publish images on a ROS 2 topic as a camera would: at a steady rate, each stamped as it is sent.

Where a bag has true scene graphs on /ground_truth/scene_graph, they are published there, with the
headers of their images. Where it has depth and camera_info, they are published beside the images,
and where its /tf tells, the camera's place on /tf.

examples:
  dsflash play clip.mp4 --loop
  dsflash play photos/ --topic /front/image --rate 2 --wait 1
  dsflash play bag/ --bag-topic /camera/image_raw --compressed    (on /image/compressed)
"""

import argparse
import logging
import time
from collections.abc import Iterator

from dsflash_ros.argument_types import positive, positive_float
from dsflash_ros.cli.publishing import add_topic_arguments, open_player
from dsflash_ros.errors import missing_ros

HELP = "publish images as a camera would"

_DEFAULT_RATE = 10.0

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
    add_topic_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Publish until the sources end, or for ever."""
    try:
        import dsflash_ros.msg
        import dsflash_ros.ros.playback.player  # noqa: F401
    except ImportError as error:
        raise missing_ros(error) from error
    from dsflash_ros.sources import open_sources

    sources = open_sources(args.source, args.bag_topic)
    try:
        with open_player(args) as player:
            _play(player, sources, args)
    finally:
        for source in sources:
            source.close()
    return 0


def _play(player, sources: list, args: argparse.Namespace) -> None:
    from dsflash_ros.graph.topics import TRUTH_TOPIC
    from dsflash_ros.msg import SceneGraph
    from dsflash_ros.ros.messages.graph_messages import graph_to_message
    from dsflash_ros.ros.playback.space_player import SpacePlayer

    truths = space = None
    if any(source.has_truth for source in sources):
        truths = player.advertise(SceneGraph, TRUTH_TOPIC)
    if args.wait:
        player.wait_for_subscribers(args.wait)
    start = time.monotonic()
    for frame, seconds in _timed_frames(sources, args):
        header = player.publish(frame.rgb, seconds)
        if frame.space is not None:
            space = space or SpacePlayer(player)
            space.publish(frame.space, frame.stamp, header)
        if frame.truth is not None:
            truths.publish(graph_to_message(frame.truth, header))
    player.flush()
    seconds = time.monotonic() - start
    print(f"published {player.count} images on {player.topic} in {seconds:.1f} s")
    if not player.was_heard:
        _log.warning("nobody subscribed to %s while it was played", player.topic)


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
