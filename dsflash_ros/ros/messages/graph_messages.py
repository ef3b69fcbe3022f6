"""`SceneGraph` and `Vocabulary` to their messages and back."""

import numpy as np
from sensor_msgs.msg import RegionOfInterest
from std_msgs.msg import Header

from dsflash_ros import msg
from dsflash_ros.errors import ImageError
from dsflash_ros.graph.scene_graph import NOTHING, Node, Relation, SceneGraph
from dsflash_ros.graph.vocabulary import Vocabulary


def graph_to_message(graph: SceneGraph, header: Header) -> msg.SceneGraph:
    """The graph under the header of its source image, whose stamp is kept to the nanosecond.

    Scores, centroids and latencies become float32. The panoptic map is not in it, see
    `dsflash_ros.ros.messages.image_messages.panoptic_to_image`.
    """
    height, width = graph.panoptic.shape
    return msg.SceneGraph(
        header=header,
        width=width,
        height=height,
        weights=graph.weights,
        nodes=[_node_to_message(node) for node in graph.nodes],
        relations=[
            msg.SceneRelation(
                subject_id=r.subject,
                object_id=r.object,
                predicate_id=r.predicate_id,
                predicate=r.predicate,
                score=float(r.score),
            )
            for r in graph.relations
        ],
        latencies=[
            msg.StageLatency(stage=stage, latency_ms=float(ms))
            for stage, ms in graph.latency_ms.items()
        ],
    )


def message_to_graph(message: msg.SceneGraph, panoptic: np.ndarray | None = None) -> SceneGraph:
    """What `graph_to_message` was given, with the header's frame_id as the source.

    Args:
        message: the graph.
        panoptic: (H, W) int32, the map from `~/panoptic` with the same stamp; without it the graph
            has a map in which nothing is anywhere.
    """
    if panoptic is None:
        panoptic = np.full((message.height, message.width), NOTHING, np.int32)
    return SceneGraph(
        nodes=tuple(_message_to_node(node) for node in message.nodes),
        relations=tuple(
            Relation(r.subject_id, r.object_id, r.predicate_id, r.predicate, r.score)
            for r in message.relations
        ),
        panoptic=panoptic,
        stamp=stamp_seconds(message.header.stamp),
        source=message.header.frame_id,
        weights=message.weights,
        latency_ms={latency.stage: latency.latency_ms for latency in message.latencies},
    )


def vocabulary_to_message(vocabulary: Vocabulary, weights: str) -> msg.Vocabulary:
    return msg.Vocabulary(
        weights=weights,
        classes=list(vocabulary.classes),
        thing_count=len(vocabulary.things),
        predicates=list(vocabulary.predicates),
    )


def message_to_vocabulary(message: msg.Vocabulary) -> Vocabulary:
    return Vocabulary(
        things=tuple(message.classes[: message.thing_count]),
        stuff=tuple(message.classes[message.thing_count :]),
        predicates=tuple(message.predicates),
    )


def stamp_seconds(stamp) -> float:
    """A `builtin_interfaces/Time` in seconds, exact to 0.3 microseconds.

    Raises `ImageError` when it is not a time.
    """
    if not 0 <= stamp.nanosec < 1_000_000_000:
        raise ImageError(
            f"invalid stamp: nanosec is {stamp.nanosec}, but a second has 1000000000; "
            "look at what the camera sends"
        )
    return stamp.sec + stamp.nanosec * 1e-9


def _node_to_message(node: Node) -> msg.SceneNode:
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
    )


def _message_to_node(message: msg.SceneNode) -> Node:
    box = message.box
    return Node(
        id=message.id,
        class_id=message.class_id,
        label=message.label,
        is_thing=message.is_thing,
        score=message.score,
        box=(box.x_offset, box.y_offset, box.x_offset + box.width, box.y_offset + box.height),
        area=message.area,
        centroid=(message.centroid_x, message.centroid_y),
    )
