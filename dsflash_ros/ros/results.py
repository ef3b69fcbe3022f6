"""What the node publishes of a camera: for each frame, and once for each model."""

from collections.abc import Sequence

import numpy as np
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from dsflash_ros import msg
from dsflash_ros.drawing.overlay import draw_overlay, draw_panoptic
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.pipeline.translation import Translation
from dsflash_ros.ros import qos
from dsflash_ros.ros.messages.graph_messages import (
    events_to_message,
    graph_to_message,
    vocabulary_to_message,
)
from dsflash_ros.ros.messages.image_messages import panoptic_to_image, rgb_to_image
from dsflash_ros.ros.messages.markers import graph_to_markers
from dsflash_ros.ros.qos_overrides import qos_overriding_options
from dsflash_ros.tracking.events import Event


class ResultPublishers:
    """Lifecycle publishers of `node`: they publish only while it is active.

    Args:
        node: whose publishers they are.
        prefix: before the topics' names, as `front/`; empty for none.
    """

    def __init__(self, node: LifecycleNode, prefix: str = "") -> None:
        self._node = node
        self._graph = self._create(msg.SceneGraph, f"{prefix}scene_graph", qos.results())
        self._panoptic = self._create(Image, f"~/{prefix}panoptic", qos.results())
        self._panoptic_color = self._create(Image, f"~/{prefix}panoptic_color", qos.results())
        self._overlay = self._create(Image, f"~/{prefix}overlay", qos.results())
        self._markers = self._create(MarkerArray, f"~/{prefix}markers", qos.results())
        self._raw = self._create(msg.SceneGraph, f"~/{prefix}raw_scene_graph", qos.results())
        self._events = self._create(msg.SceneGraphEvents, f"~/{prefix}events", qos.events())
        self._vocabulary = self._create(msg.Vocabulary, f"~/{prefix}vocabulary", qos.latched())

    def publish(
        self, graph: SceneGraph, rgb: np.ndarray, header: Header, overlay_relations: int
    ) -> None:
        """Publish the graph at once, then the images that somebody subscribes.

        Args:
            graph: of the frame.
            rgb: (H, W, 3) uint8, the frame.
            header: of the frame's message.
            overlay_relations: how many relations the overlay shows.
        """
        self._graph.publish(graph_to_message(graph, header))
        if self._markers.get_subscription_count():
            self._markers.publish(graph_to_markers(graph, header))
        if self._panoptic.get_subscription_count():
            self._panoptic.publish(panoptic_to_image(graph.panoptic, header))
        if self._panoptic_color.get_subscription_count():
            self._panoptic_color.publish(rgb_to_image(draw_panoptic(graph), header))
        if self._overlay.get_subscription_count():
            overlay = draw_overlay(rgb, graph, max_relations=overlay_relations)
            self._overlay.publish(rgb_to_image(overlay, header))

    @property
    def wants_raw(self) -> bool:
        """Whether somebody subscribes the graphs as they are before tracking."""
        return self._raw.get_subscription_count() > 0

    def publish_raw(self, graph: SceneGraph, header: Header) -> None:
        """Publish the graph of the image alone."""
        self._raw.publish(graph_to_message(graph, header))

    def publish_events(self, events: Sequence[Event], header: Header) -> None:
        """Publish what changed, if something did."""
        if events:
            self._events.publish(events_to_message(events, header))

    def publish_vocabulary(self, translation: Translation, weights: str) -> None:
        self._vocabulary.publish(vocabulary_to_message(translation, weights))

    def graph_subscribers(self) -> int:
        """How many subscribe the graphs, as far as the node knows by now."""
        return self._graph.get_subscription_count()

    def destroy(self) -> None:
        for publisher in (
            self._graph,
            self._panoptic,
            self._panoptic_color,
            self._overlay,
            self._markers,
            self._raw,
            self._events,
            self._vocabulary,
        ):
            self._node.destroy_lifecycle_publisher(publisher)

    def _create(self, message_type, topic: str, profile: QoSProfile):
        with qos_overriding_options(topic) as overrides:
            return self._node.create_lifecycle_publisher(
                message_type, topic, profile, qos_overriding_options=overrides
            )
