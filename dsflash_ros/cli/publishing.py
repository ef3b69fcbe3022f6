"""What `dsflash play` and `dsflash toyroom camera` share: options and the publishing node."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from dsflash_ros.argument_types import positive

FRAME_ID = "camera_optical_frame"


def add_topic_arguments(parser: argparse.ArgumentParser) -> None:
    """How images are published: topic, frame, encoding, quality of service, and when they begin."""
    parser.add_argument("--topic", default="image", help="topic of the images (default: image)")
    parser.add_argument(
        "--frame-id", default=FRAME_ID, help="header.frame_id (default: %(default)s)"
    )
    parser.add_argument(
        "--compressed", action="store_true", help="publish JPEG images on TOPIC/compressed"
    )
    parser.add_argument(
        "--best-effort",
        action="store_true",
        help="as most camera drivers do; by default reliable, which suits all",
    )
    parser.add_argument(
        "--wait", type=positive, metavar="N", help="wait for N subscribers before the first image"
    )


@contextmanager
def open_player(args: argparse.Namespace) -> Iterator:
    """The `Player` for these options, in a ROS context of its own."""
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    from dsflash_ros.ros.playback.player import Player
    from dsflash_ros.ros.process.transport import prepare_transport

    prepare_transport()
    # Ctrl-C is left to the command
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    try:
        player = Player(
            args.topic, args.frame_id, compressed=args.compressed, reliable=not args.best_effort
        )
        try:
            yield player
        finally:
            player.close()
    finally:
        rclpy.try_shutdown()
