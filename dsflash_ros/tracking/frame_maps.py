"""Panoptic maps as trackers need them."""

from collections.abc import Sequence

import numpy as np

from dsflash_ros.graph.label_maps import node_labels
from dsflash_ros.graph.scene_graph import NOTHING, Node, SceneGraph, pack_panoptic
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
    changed = [node for node in graph.nodes if wanted.get(node.id) != node.class_id]
    if not changed:
        return graph.panoptic
    panoptic = graph.panoptic.copy()
    for node in changed:
        x0, y0, x1, y1 = node.box
        place = panoptic[y0:y1, x0:x1]
        kept = node.id in wanted
        value = pack_panoptic(wanted[node.id], node.id) if kept else NOTHING
        place[place == pack_panoptic(node.class_id, node.id)] = value
    return panoptic
