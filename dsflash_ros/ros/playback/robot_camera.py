"""The simulated camera of a robot: what it sees and what is really there, published or recorded."""

from collections.abc import Iterable
from pathlib import Path

from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from dsflash_ros.graph.topics import TRUTH_MAP_TOPIC, TRUTH_TOPIC
from dsflash_ros.msg import SceneGraph as SceneGraphMessage
from dsflash_ros.ros.messages.camera_messages import camera_info, camera_transform
from dsflash_ros.ros.messages.graph_messages import graph_to_message
from dsflash_ros.ros.messages.image_messages import (
    compressed_depth,
    depth_to_image,
    panoptic_to_image,
)
from dsflash_ros.ros.playback.player import Player, rgb_to_jpeg
from dsflash_ros.ros.playback.recording import Recording
from dsflash_ros.toyroom.camera.shots import Shot
from dsflash_ros.toyroom.camera.true_positions import located_truth

_JPEG_QUALITY = 85
_FIRST_STAMP = 1_000_000_000
"""ns, of the first image of a recording: 0 would mean that there is no stamp."""


class RobotCamera:
    """The publishers of what goes with a `Player`'s images, on topics beside them."""

    def __init__(self, player: Player) -> None:
        self._player = player
        self._info = player.advertise(CameraInfo, player.beside("camera_info"))
        self._depth = player.advertise(Image, player.beside("depth"))
        self._graph = player.advertise(SceneGraphMessage, TRUTH_TOPIC)
        self._panoptic = player.advertise(Image, TRUTH_MAP_TOPIC)
        self._tf = player.advertise(TFMessage, "/tf")

    def publish(self, shot: Shot, seconds: float) -> None:
        """Publish a shot once the one before has lasted its time; this one lasts `seconds`."""
        header = self._player.publish(shot.picture.rgb, seconds)
        graph = located_truth(shot)
        self._info.publish(camera_info(shot.camera, header))
        self._tf.publish(TFMessage(transforms=[camera_transform(shot.camera, header)]))
        self._depth.publish(depth_to_image(shot.depth, header))
        self._graph.publish(graph_to_message(graph, header))
        self._panoptic.publish(panoptic_to_image(graph.panoptic, header))


def record(shots: Iterable[Shot], rate_hz: float, path: Path, topic: str, frame_id: str) -> int:
    """Write a bag of JPEG images, depth, intrinsics, poses, true graphs and panoptic maps.

    Returns how many images. Raises `OutputError`.
    """
    topic = "/" + topic.lstrip("/")
    beside = topic.rpartition("/")[0]
    info_topic, depth_topic = f"{beside}/camera_info", f"{beside}/depth/compressedDepth"
    count = 0
    with Recording(path) as recording:
        for count, shot in enumerate(shots, 1):
            stamp = _FIRST_STAMP + round((count - 1) * 1e9 / rate_hz)
            seconds, nanoseconds = divmod(stamp, 1_000_000_000)
            header = Header(stamp=Time(sec=seconds, nanosec=nanoseconds), frame_id=frame_id)
            jpeg = rgb_to_jpeg(shot.picture.rgb, header, _JPEG_QUALITY)
            recording.write(info_topic, camera_info(shot.camera, header), stamp)
            pose_message = TFMessage(transforms=[camera_transform(shot.camera, header)])
            recording.write("/tf", pose_message, stamp)
            recording.write(f"{topic}/compressed", jpeg, stamp)
            recording.write(depth_topic, compressed_depth(shot.depth, header), stamp)
            truth = located_truth(shot)
            recording.write(TRUTH_TOPIC, graph_to_message(truth, header), stamp)
            recording.write(TRUTH_MAP_TOPIC, panoptic_to_image(truth.panoptic, header), stamp)
    return count
