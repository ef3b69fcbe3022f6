"""Panoptic maps as trackers need them."""

from collections.abc import Sequence

import numpy as np

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
    index = np.full(MAX_NODE_ID + 1, -1, np.int32)
    index[[node.id for node in graph.nodes]] = np.arange(len(graph.nodes))
    return np.where(small == NOTHING, -1, index[small & MAX_NODE_ID])


def repainted(panoptic: np.ndarray, nodes: Sequence[Node]) -> np.ndarray:
    """The map with the nodes' present classes; pixels of what is no node show nothing.

    Returns the map itself when nothing changes.
    """
    values = np.full(MAX_NODE_ID + 1, NOTHING, np.int32)
    for node in nodes:
        values[node.id] = pack_panoptic(node.class_id, node.id)
    changed = np.where(panoptic == NOTHING, NOTHING, values[panoptic & MAX_NODE_ID])
    return panoptic if np.array_equal(changed, panoptic) else changed
