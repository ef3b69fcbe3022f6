"""Panoptic maps as trackers need them."""

from collections.abc import Sequence

import numpy as np

from dsflash_ros.graph.label_maps import node_labels
from dsflash_ros.graph.scene_graph import (
    MAX_NODE_ID,
    NOTHING,
    Node,
    SceneGraph,
    pack_panoptic,
)
from dsflash_ros.tracking.motion import shrink, small_size


def small_labels(graph: SceneGraph) -> np.ndarray:
    """(h, w) int32: index of the node that each pixel of the small image shows, or -1."""
    small = shrink(graph.panoptic, small_size(*graph.panoptic.shape))
    return node_labels(small, [node.id for node in graph.nodes])


def repainted(graph: SceneGraph, nodes: Sequence[Node]) -> np.ndarray:
    """The graph's map for other nodes: with their classes; the others' pixels show nothing.

    It is the very same array when nothing changes.
    """
    wanted = {node.id: node.class_id for node in nodes}
    if all(wanted.get(node.id) == node.class_id for node in graph.nodes):
        return graph.panoptic
    values = np.full(MAX_NODE_ID + 1, NOTHING, np.int32)
    for number, class_id in wanted.items():
        values[number] = pack_panoptic(class_id, number)
    nothing = graph.panoptic == NOTHING
    return np.where(nothing, NOTHING, values[graph.panoptic & MAX_NODE_ID])
