"""Publish what a robot's camera sees on its drive through a simulated room, and what is there.

Publishes
    image (sensor_msgs/Image, rgb8), or with --compressed
        image/compressed (sensor_msgs/CompressedImage, jpeg).
    depth (sensor_msgs/Image, 32FC1): metres along the optical axis, as in REP-118.
    camera_info (sensor_msgs/CameraInfo): no distortion.
    /tf (tf2_msgs/TFMessage): the camera's optical frame in `map`.
    /ground_truth/scene_graph (dsflash_ros/SceneGraph): what is in view, all scores 1, with
        positions in `map`.
    /ground_truth/panoptic (sensor_msgs/Image, 32SC1): class id << 16 | node id for each pixel, -1
        where nothing is.
All have the image's stamp. depth and camera_info are beside the image: /front/depth for
--topic /front/image.

With --record nothing is published: image/compressed, depth/compressedDepth at a quarter of the
size, camera_info, /tf and both topics of the truth go into a new bag, as fast as they are rendered,
with stamps that begin at 1 s. The same arguments give the same bag on the same machine.

examples:
  dsflash toyroom camera                                 a drive that never ends ...
  dsflash node --ros-args -p weights:=toyroom            ... and the node that looks at it
  dsflash toyroom camera --seed 7 --rate 6 --duration 25 --record bag
"""

import argparse
from itertools import chain, islice
from pathlib import Path

import numpy as np

from dsflash_ros.argument_types import natural, positive_float, size
from dsflash_ros.cli.arguments import refuse
from dsflash_ros.cli.publishing import add_topic_arguments, open_player
from dsflash_ros.errors import missing_ros

HELP = "publish a robot camera that drives through a room, with depth, pose and the true graph"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The room, the picture, and how the images are published or recorded."""
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
    parser.add_argument(
        "--noisy-depth",
        action="store_true",
        help="depth as of a depth camera: noise, holes, mixed edges, 6 m at most",
    )
    add_topic_arguments(parser)
    parser.add_argument("--record", metavar="BAG", help="write a bag instead; needs --duration")


def run(args: argparse.Namespace) -> int:
    """Publish or record until the drive ends, or for ever."""
    if args.record is not None and args.duration is None:
        args.parser.error("--record needs --duration: how many seconds")
    if args.record is not None:
        refuse(
            args,
            ("compressed", "best_effort", "wait"),
            "is of a topic, and --record publishes none",
        )
    try:
        from dsflash_ros.ros.playback.robot_camera import record
    except ImportError as error:
        raise missing_ros(error) from error
    from dsflash_ros.toyroom.camera.drive import drive_shots

    frames = None if args.duration is None else max(1, round(args.duration * args.rate))
    shots = islice(drive_shots(args.seed, args.rate, *args.size), frames)
    if args.noisy_depth:
        random = np.random.default_rng(args.seed)
        shots = (shot.with_noise(random) for shot in shots)
    if args.record is None:
        _publish(shots, args)
    else:
        count = record(shots, args.rate, Path(args.record).expanduser(), args.topic, args.frame_id)
        print(f"recorded {count} images in {args.record}")
    return 0


def _publish(shots, args: argparse.Namespace) -> None:
    from dsflash_ros.ros.playback.robot_camera import RobotCamera

    first = next(shots)  # fails before anything is advertised where it cannot be rendered
    with open_player(args) as player:
        camera = RobotCamera(player)
        if args.wait:
            player.wait_for_subscribers(args.wait)
        for shot in chain([first], shots):
            camera.publish(shot, 1 / args.rate)
        player.flush()
        print(f"published {player.count} images on {player.topic}")
