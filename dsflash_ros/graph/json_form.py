"""Scene graphs in plain JSON types."""

from dsflash_ros.graph.scene_graph import Node, Relation, SceneGraph


def graph_to_json(graph: SceneGraph) -> dict:
    """A line of `scene_graph.jsonl`, without the panoptic map. What is not known is null."""
    return {
        "stamp": graph.stamp,
        "source": graph.source,
        "weights": graph.weights,
        "position_frame": graph.position_frame,
        "nodes": [_node(node) for node in graph.nodes],
        "relations": [_relation(relation) for relation in graph.relations],
        "latency_ms": {stage: round(ms, 3) for stage, ms in graph.latency_ms.items()},
    }


def _node(node: Node) -> dict:
    return {
        "id": node.id,
        "label": node.label,
        "class_id": node.class_id,
        "is_thing": node.is_thing,
        "score": round(node.score, 4),
        "box": list(node.box),
        "area": node.area,
        "centroid": [round(c, 2) for c in node.centroid],
        "track_id": node.track_id,
        "first_seen": node.first_seen,
        "last_seen": node.last_seen,
        "observations": node.observations,
        "position": _metres(node.position),
        "extent": _metres(node.extent),
        "distance": None if node.distance is None else round(node.distance, 3),
    }


def _relation(relation: Relation) -> dict:
    return {
        "subject": relation.subject,
        "object": relation.object,
        "predicate": relation.predicate,
        "score": round(relation.score, 4),
        "source": relation.source,
        "since": relation.since,
    }


def _metres(vector: tuple[float, float, float] | None) -> list[float] | None:
    return None if vector is None else [round(value, 3) for value in vector]
