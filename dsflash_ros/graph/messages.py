"""Reading of `dsflash_ros/SceneGraph` messages, decoded by rclpy or, without ROS, by rosbags."""

import struct
from types import SimpleNamespace
from typing import Any

import numpy as np

from dsflash_ros.errors import ImageError
from dsflash_ros.graph.scene_graph import LEARNED, NOTHING, Node, Relation, SceneGraph

_ZERO = SimpleNamespace(sec=0, nanosec=0)


def message_to_graph(message: Any, panoptic: np.ndarray | None = None) -> SceneGraph:
    """The graph of a message, with the header's frame_id as the source.

    Bags keep messages of older versions; what these lack is as without tracking and positions.

    Args:
        message: a `dsflash_ros/SceneGraph`, or an object with its fields.
        panoptic: (H, W) int32, the map from `~/panoptic` with the same stamp; without it the graph
            has a map in which nothing is anywhere, which cannot be written to.

    Raises `ImageError` for a stamp that is no time.
    """
    if panoptic is None:
        panoptic = np.broadcast_to(np.int32(NOTHING), (message.height, message.width))
    return SceneGraph(
        nodes=tuple(_node(node) for node in message.nodes),
        relations=tuple(_relation(relation) for relation in message.relations),
        panoptic=panoptic,
        stamp=stamp_seconds(message.header.stamp),
        source=message.header.frame_id,
        weights=message.weights,
        latency_ms={latency.stage: latency.latency_ms for latency in message.latencies},
        position_frame=getattr(message, "position_frame", ""),
    )


def stamp_seconds(stamp: Any) -> float:
    """A `builtin_interfaces/Time` in seconds, exact to 0.3 microseconds.

    Raises `ImageError` when it is not a time.
    """
    if not 0 <= stamp.nanosec < 1_000_000_000:
        raise ImageError(
            f"invalid stamp: nanosec is {stamp.nanosec}, but a second has 1000000000; "
            "look at what the camera sends"
        )
    return stamp.sec + stamp.nanosec * 1e-9


def serialized_stamp(data: bytes) -> tuple[int, int]:
    """Seconds and nanoseconds of a serialised ROS 2 message that begins with a header or a time.

    Both byte orders are read. Of what is too short the stamp is 0.
    """
    if len(data) < 12:
        return 0, 0
    is_little_endian = data[1] & 1
    return struct.unpack_from("<iI" if is_little_endian else ">iI", data, 4)


def _node(message: Any) -> Node:
    box = message.box
    track_id = getattr(message, "track_id", -1)
    tracked = {}
    if track_id >= 0:
        tracked = {
            "track_id": track_id,
            "first_seen": stamp_seconds(message.first_seen) or None,
            "last_seen": stamp_seconds(message.last_seen) or None,
            "observations": message.observations,
        }
    placed = {}
    if getattr(message, "has_position", False):
        placed = {
            "position": _xyz(message.position),
            "extent": _xyz(message.extent),
            "distance": message.distance,
        }
    return Node(
        id=message.id,
        class_id=message.class_id,
        label=message.label,
        is_thing=message.is_thing,
        score=message.score,
        box=(box.x_offset, box.y_offset, box.x_offset + box.width, box.y_offset + box.height),
        area=message.area,
        centroid=(message.centroid_x, message.centroid_y),
        **tracked,
        **placed,
    )


def _relation(message: Any) -> Relation:
    since = stamp_seconds(getattr(message, "since", _ZERO))
    return Relation(
        message.subject_id,
        message.object_id,
        message.predicate_id,
        message.predicate,
        message.score,
        getattr(message, "source", "") or LEARNED,
        since or None,
    )


def _xyz(point: Any) -> tuple[float, float, float]:
    return point.x, point.y, point.z
