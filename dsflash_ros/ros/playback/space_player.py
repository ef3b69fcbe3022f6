"""Depth, calibration and poses of a bag, published beside its images."""

import logging

import numpy as np
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from dsflash_ros.geometry.space import Space
from dsflash_ros.geometry.transforms import TransformError
from dsflash_ros.ros.messages.camera_messages import intrinsics_to_message, transform_to_message
from dsflash_ros.ros.messages.image_messages import depth_to_image
from dsflash_ros.ros.playback.player import Player

_log = logging.getLogger(__name__)


class SpacePlayer:
    """The publishers of what goes with a `Player`'s images: depth and camera_info beside them, and
    /tf with where the camera is in the outermost frame of the bag.

    Where the bag's /tf does not tell that, nothing is published on /tf, which is logged once.
    """

    def __init__(self, player: Player) -> None:
        self._depth = player.advertise(Image, player.beside("depth"))
        self._info = player.advertise(CameraInfo, player.beside("camera_info"))
        self._tf = player.advertise(TFMessage, "/tf")
        self._has_warned = False

    def publish(self, space: Space, stamp: float, header: Header) -> None:
        """Publish what went with the image of the bag's time `stamp`, seconds, under its header."""
        self._info.publish(intrinsics_to_message(space.depth.camera, header))
        try:
            root = space.transforms.root(space.frame)
            if root != space.frame:
                pose = space.transforms.lookup(root, space.frame, stamp)
                self._tf.publish(TFMessage(transforms=[transform_to_message(pose, root, header)]))
        except TransformError as error:
            if not self._has_warned:
                self._has_warned = True
                _log.warning("some images have no camera's place on /tf: %s", error)
        metres = np.nan_to_num(space.depth.metres, nan=0.0, posinf=0.0).astype(np.float32)
        self._depth.publish(depth_to_image(metres, header))
