"""Publish images on a ROS 2 topic as a camera would: stamped with the time of publishing, at a steady rate.

examples:
  dsflash play clip.mp4 --loop
  dsflash play photos/ --topic /front/image --rate 2 --wait 1
  dsflash play bag/ --bag-topic /camera/image_raw --compressed    (on /image/compressed)
"""

import argparse
import logging
import time
from collections.abc import Iterator

from dsflash_ros.cli.node import missing_ros
from dsflash_ros.cli.options import positive, positive_float

HELP = "publish images as a camera would"

_DEFAULT_RATE = 10.0

_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Sources, topic, timing and quality of service."""
    parser.add_argument(
        "source", nargs="+", metavar="SOURCE", help="image, folder of images, video, camera index, or ROS bag"
    )
    parser.add_argument("--topic", default="image", help="topic to publish on (default: image)")
    parser.add_argument("--bag-topic", metavar="TOPIC", help="image topic of a bag; needed when it has several")
    parser.add_argument("--frame-id", default="camera_optical_frame", help="header.frame_id (default: %(default)s)")
    parser.add_argument(
        "--rate", type=positive_float, metavar="HZ", help=f"default: that of the video or bag, or {_DEFAULT_RATE:g}"
    )
    parser.add_argument("--loop", action="store_true", help="begin again at the end, until interrupted")
    parser.add_argument("--count", type=positive, metavar="N", help="stop after N images")
    parser.add_argument("--compressed", action="store_true", help="publish JPEG images on TOPIC/compressed")
    parser.add_argument(
        "--best-effort", action="store_true", help="as most camera drivers do; by default reliable, which suits all"
    )
    parser.add_argument("--wait", type=positive, metavar="N", help="wait for N subscribers before the first image")


def run(args: argparse.Namespace) -> int:
    """Publish until the sources end, or for ever."""
    try:
        import rclpy
        from rclpy.signals import SignalHandlerOptions

        from dsflash_ros.ros.player import Player
        from dsflash_ros.ros.transport import prepare_transport
    except ImportError as error:
        raise missing_ros(error) from error
    from dsflash_ros.sources import open_sources

    sources = open_sources(args.source, args.bag_topic)
    prepare_transport()
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)  # Ctrl-C is the command's own matter
    player = Player(args.topic, args.frame_id, compressed=args.compressed, reliable=not args.best_effort)
    try:
        if args.wait:
            player.wait_for_subscribers(args.wait)
        start = time.monotonic()
        for rgb, seconds in _timed_images(sources, args):
            player.publish(rgb, seconds)
        player.flush()
        seconds = time.monotonic() - start
        print(f"published {player.count} images on {player.topic} in {seconds:.1f} s")
        if not player.was_heard:
            _log.warning("nobody subscribed to %s while it was played", player.topic)
    finally:
        player.close()
        rclpy.try_shutdown()
        for source in sources:
            source.close()
    return 0


def _timed_images(sources: list, args: argparse.Namespace) -> Iterator[tuple]:
    """Images, (H, W, 3) uint8, each with how long it lasts, seconds."""
    count = 0
    while True:
        for source in sources:
            period = 1 / (args.rate or source.rate or _DEFAULT_RATE)
            for frame in source:
                yield frame.rgb, period
                count += 1
                if count == args.count:
                    return
        if not args.loop:
            return
