"""What sources have beside their images, published with them."""

from std_msgs.msg import Header

from dsflash_ros.graph.topics import TRUTH_TOPIC
from dsflash_ros.msg import SceneGraph
from dsflash_ros.ros.messages.graph_messages import graph_to_message
from dsflash_ros.ros.playback.player import Player
from dsflash_ros.ros.playback.space_player import SpacePlayer
from dsflash_ros.sources.source import Frame


class Companions:
    """The publishers of true graphs, depth, calibration and poses; made when they are needed.

    Args:
        player: of the images.
        has_truth: whether some frames have a true graph, whose topic is then there at once.
    """

    def __init__(self, player: Player, has_truth: bool) -> None:
        self._player = player
        self._truths = player.advertise(SceneGraph, TRUTH_TOPIC) if has_truth else None
        self._space: SpacePlayer | None = None

    def publish(self, frame: Frame, header: Header) -> None:
        """Publish what goes with a frame, whose image was sent under that header."""
        if frame.space is not None:
            self._space = self._space or SpacePlayer(self._player)
            self._space.publish(frame.space, frame.stamp, header)
        if frame.truth is not None:
            self._truths.publish(graph_to_message(frame.truth, header))
