"""Publish what a robot's camera sees that drives through a simulated room, and what is really
there.

Publishes
    image (sensor_msgs/Image, rgb8), or image/compressed (sensor_msgs/CompressedImage, jpeg) with
    --compressed. depth (sensor_msgs/Image, 32FC1): metres along the optical axis, as REP-118 has
    them. camera_info (sensor_msgs/CameraInfo): no distortion.
    /tf (tf2_msgs/TFMessage): the camera's optical frame in `map`, where tf2_msgs is installed.
    /ground_truth/scene_graph (dsflash_ros/SceneGraph): what is in view, all scores 1.
    /ground_truth/panoptic (sensor_msgs/Image, 32SC1): class id << 16 | node id for each pixel, -1
    where nothing is.
All have the image's stamp. depth and camera_info are beside the image, as in /front/depth for
--topic /front/image. With --record nothing is published: image/compressed, camera_info, /tf and
/ground_truth/scene_graph go into a new bag, as fast as they are rendered, with stamps that begin at
1 s. The same arguments give the same bag on the same machine.

examples:
  dsflash toyroom camera                                               a drive that never ends ...
  dsflash node --ros-args -p weights:=toyroom                        ... and the node that looks at
  it dsflash toyroom camera --seed 7 --rate 6 --duration 25 --record bag
"""

import argparse
from itertools import chain, islice
from pathlib import Path

from dsflash_ros.argument_types import natural, positive, positive_float, size
from dsflash_ros.errors import missing_ros

HELP = "publish a robot camera that drives through a room, with depth, pose and the true graph"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The room, the picture, and the options that `dsflash play` has."""
    parser.add_argument(
        "--seed", type=natural, default=0, metavar="S", help="of room and drive (default: 0)"
    )
    parser.add_argument(
        "--size", type=size, default=(640, 480), metavar="WxH", help="pixels (default: 640x480)"
    )
    parser.add_argument(
        "--rate", type=positive_float, default=10.0, metavar="HZ", help="default: 10"
    )
    parser.add_argument(
        "--duration", type=positive_float, metavar="S", help="seconds (default: until interrupted)"
    )
    parser.add_argument("--topic", default="image", help="topic of the images (default: image)")
    parser.add_argument(
        "--frame-id", default="camera_optical_frame", help="header.frame_id (default: %(default)s)"
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
    parser.add_argument("--record", metavar="BAG", help="write a bag instead; needs --duration")


def run(args: argparse.Namespace) -> int:
    """Publish or record until the drive ends, or for ever."""
    if args.record is not None and args.duration is None:
        args.parser.error("--record needs --duration: how many seconds")
    try:
        from dsflash_ros.ros.playback.robot_camera import record
    except ImportError as error:
        raise missing_ros(error) from error
    from dsflash_ros.toyroom.camera.drive import drive_shots

    frames = None if args.duration is None else max(1, round(args.duration * args.rate))
    shots = islice(drive_shots(args.seed, args.rate, *args.size), frames)
    if args.record is None:
        _publish(shots, args)
    else:
        count = record(shots, args.rate, Path(args.record).expanduser(), args.topic, args.frame_id)
        print(f"recorded {count} images in {args.record}")
    return 0


def _publish(shots, args: argparse.Namespace) -> None:
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    from dsflash_ros.ros.playback.player import Player
    from dsflash_ros.ros.playback.robot_camera import RobotCamera
    from dsflash_ros.ros.process.transport import prepare_transport

    first = next(shots)  # fails before anything is advertised where it cannot be rendered
    prepare_transport()
    rclpy.init(
        args=[], signal_handler_options=SignalHandlerOptions.NO
    )  # Ctrl-C is the command's own matter
    player = Player(
        args.topic, args.frame_id, compressed=args.compressed, reliable=not args.best_effort
    )
    try:
        camera = RobotCamera(player)
        if args.wait:
            player.wait_for_subscribers(args.wait)
        for shot in chain([first], shots):
            camera.publish(shot, 1 / args.rate)
        player.flush()
        print(f"published {player.count} images on {player.topic}")
    finally:
        player.close()
        rclpy.try_shutdown()
