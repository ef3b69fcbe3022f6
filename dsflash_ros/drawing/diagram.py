"""Where the nodes and relations of a graph stand in a diagram of it."""

from collections.abc import Sequence

import numpy as np

from dsflash_ros.graph.scene_graph import Relation, SceneGraph

_SPREAD = 760.0
"""Units between the left and right ends of the image; a letter is 7 wide."""

_LETTER, _MARGIN, _HEIGHT = 7.0, 24.0, 34.0
"""Of a box with a name in it: it is so high, and as wide as its letters and margins."""

_BEND = 30.0
"""Units by which a relation stands beside the straight line, so that one back stands elsewhere."""

_ROUNDS = 60
"""Pushes at most. Boxes of a hundred nodes part in fewer, or stay a little overlapped."""


def diagram(graph: SceneGraph, relations: Sequence[Relation]) -> np.ndarray:
    """Places that are stable over time: as in the image, but no name covers another.

    Args:
        graph: its nodes.
        relations: of the graph, between its nodes.

    Returns:
        (nodes + relations, 2) float, x to the right and y down, of the middles of boxes in which
        names and predicates are written; a relation's is between its subject and its object.
    """
    if not graph.nodes:
        return np.zeros((0, 2))
    height, width = graph.panoptic.shape
    scale = _SPREAD / max(width, 1)
    nodes = np.array([node.centroid for node in graph.nodes], float) * scale
    nodes = np.nan_to_num(nodes - np.array([width, height]) * scale / 2)
    row = {node.id: number for number, node in enumerate(graph.nodes)}
    start = nodes[[row[relation.subject] for relation in relations]].reshape(-1, 2)
    end = nodes[[row[relation.object] for relation in relations]].reshape(-1, 2)
    way = end - start
    aside = (
        np.stack((-way[:, 1], way[:, 0]), 1) / np.maximum(np.linalg.norm(way, axis=1), 1)[:, None]
    )
    places = np.concatenate((nodes, (start + end) / 2 + _BEND * aside))
    texts = [node.name for node in graph.nodes] + [relation.predicate for relation in relations]
    widths = np.array([_LETTER * len(text) + _MARGIN for text in texts])
    return _parted(places, np.stack((widths, np.full(len(texts), _HEIGHT)), 1))


def _parted(places: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """The places after boxes of these sizes have pushed each other apart."""
    places = places + 1e-3 * np.arange(len(places))[:, None]  # those at one place have to part
    least = (sizes[:, None] + sizes) / 2
    for _ in range(_ROUNDS):
        way = places[:, None] - places
        overlap = least - np.abs(way)
        overlap[np.arange(len(places)), np.arange(len(places))] = 0
        overlap[(overlap <= 0).any(axis=2)] = 0
        if not overlap.any():
            break
        # along the axis on which less is needed
        sideways = overlap[..., 0] < overlap[..., 1]
        push = np.where(np.stack((sideways, ~sideways), 2), overlap, 0) * np.sign(way)
        places = places + 0.3 * push.sum(axis=1)
    return places
