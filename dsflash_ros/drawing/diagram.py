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

_ROUNDS, _PUSH, _CLOSE = 40, 0.35, 2.0
"""Boxes that overlap by more than some units push each other by a share of that, so many times at
most. Those of a hundred nodes part in fewer rounds, or stay a little overlapped.
"""


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
    x, y = places.T + 1e-3 * np.arange(len(places))  # those at one place have to part
    widths, heights = ((side[:, None] + side) / 2 for side in sizes.T)
    others = ~np.eye(len(places), dtype=bool)
    for _ in range(_ROUNDS):
        right, down = x[:, None] - x, y[:, None] - y
        across, along = widths - np.abs(right), heights - np.abs(down)
        meet = (across > _CLOSE) & (along > _CLOSE) & others
        if not meet.any():
            break
        # along the axis on which less is needed
        sideways = across < along
        x = x + _PUSH * (across * np.sign(right) * (meet & sideways)).sum(axis=1)
        y = y + _PUSH * (along * np.sign(down) * (meet & ~sideways)).sum(axis=1)
    return np.stack((x, y), axis=1)
