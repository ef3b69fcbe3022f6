"""`SceneGraph`, `Event` and `Vocabulary` as messages; graphs back: `dsflash_ros.graph.messages`."""

from collections.abc import Sequence

from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Vector3
from sensor_msgs.msg import RegionOfInterest
from std_msgs.msg import Header

from dsflash_ros import msg
from dsflash_ros.graph.scene_graph import Node, Relation, SceneGraph
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.pipeline.translation import Translation
from dsflash_ros.tracking.events import Event

Now = tuple[float, Time]
"""A graph's stamp in seconds, which keep microseconds alone, and as its header has it."""


def graph_to_message(graph: SceneGraph, header: Header) -> msg.SceneGraph:
    """The graph under the header of its source image, whose stamp is kept to the nanosecond.

    Scores, centroids and latencies become float32. The panoptic map is not in it, see
    `dsflash_ros.ros.messages.image_messages.panoptic_to_image`.
    """
    height, width = graph.panoptic.shape
    now = graph.stamp, header.stamp
    return msg.SceneGraph(
        header=header,
        width=width,
        height=height,
        weights=graph.weights,
        nodes=[node_to_message(node, now) for node in graph.nodes],
        relations=[relation_to_message(relation, now) for relation in graph.relations],
        latencies=[
            msg.StageLatency(stage=stage, latency_ms=float(ms))
            for stage, ms in graph.latency_ms.items()
        ],
        position_frame=graph.position_frame,
    )


def events_to_message(events: Sequence[Event], header: Header) -> msg.SceneGraphEvents:
    """Events under the header of the image that showed them."""
    return msg.SceneGraphEvents(
        header=header,
        events=[
            msg.SceneGraphEvent(
                change=int(event.change),
                subject_id=event.subject,
                subject_label=event.subject_label,
                object_id=-1 if event.object is None else event.object,
                object_label=event.object_label,
                predicate=event.predicate,
                score=float(event.score),
            )
            for event in events
        ],
    )


def vocabulary_to_message(translation: Translation, weights: str) -> msg.Vocabulary:
    """The asked names, and what they mean to the weights."""
    asked = translation.asked
    return msg.Vocabulary(
        weights=weights,
        classes=list(asked.classes),
        thing_count=len(asked.things),
        predicates=list(asked.predicates),
        meant_classes=list(translation.meant_classes),
        meant_predicates=list(translation.meant_predicates),
    )


def message_to_vocabulary(message: msg.Vocabulary) -> Vocabulary:
    return Vocabulary(
        things=tuple(message.classes[: message.thing_count]),
        stuff=tuple(message.classes[message.thing_count :]),
        predicates=tuple(message.predicates),
    )


def relation_to_message(relation: Relation, now: Now | None = None) -> msg.SceneRelation:
    """A relation of a graph; what is not known of it is as in the comments of the message."""
    return msg.SceneRelation(
        subject_id=relation.subject,
        object_id=relation.object,
        predicate_id=relation.predicate_id,
        predicate=relation.predicate,
        score=float(relation.score),
        source=relation.source,
        since=_time(relation.since, now),
    )


def node_to_message(node: Node, now: Now | None = None) -> msg.SceneNode:
    """A node of a graph; what is not known of it is as in the comments of the message."""
    x0, y0, x1, y1 = node.box
    return msg.SceneNode(
        id=node.id,
        class_id=node.class_id,
        label=node.label,
        is_thing=node.is_thing,
        score=float(node.score),
        box=RegionOfInterest(x_offset=x0, y_offset=y0, width=x1 - x0, height=y1 - y0),
        area=node.area,
        centroid_x=float(node.centroid[0]),
        centroid_y=float(node.centroid[1]),
        track_id=-1 if node.track_id is None else node.track_id,
        first_seen=_time(node.first_seen, now),
        last_seen=_time(node.last_seen, now),
        observations=node.observations,
        **_place(node),
    )


def _place(node: Node) -> dict:
    """The fields that say where a node is; none when that is not known."""
    if node.position is None:
        return {}
    (x, y, z), extent = map(_floats, (node.position, node.extent))
    return {
        "has_position": True,
        "position": Point(x=x, y=y, z=z),
        "extent": Vector3(x=extent[0], y=extent[1], z=extent[2]),
        "distance": float(node.distance),
    }


def _floats(vector: tuple[float, float, float]) -> list[float]:
    return [float(value) for value in vector]


def _time(seconds: float | None, now: Now | None) -> Time:
    """Seconds as a message: exactly for those of the graph, else to the microsecond; 0 for None."""
    if now is not None and seconds == now[0]:
        return now[1]
    microseconds = round((seconds or 0.0) * 1e6)
    return Time(sec=microseconds // 1_000_000, nanosec=microseconds % 1_000_000 * 1000)
