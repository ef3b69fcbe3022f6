"""Truths whose things are asked for as stuff: one segment for each class."""

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from dsflash_ros.graph.scene_graph import (
    MAX_NODE_ID,
    NOTHING,
    Node,
    Relation,
    SceneGraph,
    pack_panoptic,
    unpack_panoptic,
)
from dsflash_ros.pipeline.translation import Translation


def things_as_stuff(translation: Translation) -> frozenset[int]:
    """The asked stuff classes that are things to the weights. `translation` is of known names."""
    known, asked = translation.known, translation.asked
    return frozenset(
        class_id
        for inner, class_id in enumerate(translation.classes.tolist())
        if class_id >= len(asked.things) and known.is_thing(inner)
    )


def joined_numbers(class_ids: Sequence[int], joined: Collection[int]) -> np.ndarray:
    """The new number of each segment, (S,) int64, from 0 on; -1 for those of class -1.

    Segments of one class in `joined` have the same number.
    """
    numbers, first, count = [], {}, 0
    for class_id in class_ids:
        number = first.get(class_id, count) if class_id >= 0 else -1
        if class_id in joined:
            first[class_id] = number
        numbers.append(number)
        count = max(count, number + 1)
    return np.array(numbers, np.int64)


def joined_graph(graph: SceneGraph, joined: Collection[int]) -> SceneGraph:
    """A true graph whose nodes of one class in `joined` are one node, without a position.

    Of several relations of a directed pair the first is left. Track ids of such nodes are below 0,
    one for each class, as a tracker has one track for each class of stuff.
    """
    groups: dict[int, list[Node]] = {}
    for node in graph.nodes:
        if node.class_id in joined:
            groups.setdefault(node.class_id, []).append(node)
    leader = {node.id: group[0].id for group in groups.values() for node in group}
    nodes = [
        _joined(groups[node.class_id]) if node.id in leader else node
        for node in graph.nodes
        if leader.get(node.id, node.id) == node.id
    ]
    related: dict[tuple[int, int], Relation] = {}
    for one in graph.relations:
        a, b = leader.get(one.subject, one.subject), leader.get(one.object, one.object)
        if a != b:
            related.setdefault((a, b), replace(one, subject=a, object=b))
    numbers = np.arange(MAX_NODE_ID + 1, dtype=np.int32)
    numbers[list(leader)] = list(leader.values())
    class_ids, ids = unpack_panoptic(graph.panoptic)
    panoptic = np.where(ids < 0, NOTHING, pack_panoptic(class_ids, numbers[ids]))
    relations = tuple(related.values())
    return replace(graph, nodes=tuple(nodes), relations=relations, panoptic=panoptic)


def _joined(nodes: Sequence[Node]) -> Node:
    boxes = np.array([node.box for node in nodes])
    box = (*boxes[:, :2].min(0).tolist(), *boxes[:, 2:].max(0).tolist())
    areas = np.array([node.area for node in nodes])
    weights = areas if areas.any() else None
    centroid = np.average([node.centroid for node in nodes], 0, weights)
    has_track = nodes[0].track_id is not None
    return replace(
        nodes[0],
        score=max(node.score for node in nodes),
        box=box,
        area=int(areas.sum()),
        centroid=tuple(centroid.tolist()),
        track_id=-1 - nodes[0].class_id if has_track else None,
        position=None,
        extent=None,
        distance=None,
    )
