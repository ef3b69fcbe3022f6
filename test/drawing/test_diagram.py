"""The diagram of a graph: stable, as in the image, and no name covers another."""

from dataclasses import replace

import numpy as np
import pytest
from crowds import crowd

from dsflash_ros.drawing.diagram import diagram


def boxes(graph, places):
    """(N, 4) of the texts' boxes, a little smaller than what the diagram keeps free."""
    texts = [node.name for node in graph.nodes] + [r.predicate for r in graph.relations]
    half = np.array([(3.5 * len(text) + 4, 10) for text in texts])
    return np.hstack((places - half, places + half))


def overlaps(found):
    x0, y0, x1, y1 = found.T
    meet = (x0[:, None] < x1) & (x0 < x1[:, None]) & (y0[:, None] < y1) & (y0 < y1[:, None])
    return (meet.sum() - len(found)) / 2


@pytest.mark.parametrize("seed", range(4))
def test_names_do_not_cover_each_other(seed):
    _, graph = crowd(count=20, seed=seed, relations=20)
    places = diagram(graph, graph.relations)
    assert places.shape == (len(graph.nodes) + len(graph.relations), 2)
    assert overlaps(boxes(graph, places)) == 0


def test_it_looks_like_the_image():
    _, graph = crowd(count=12, seed=2, relations=0)
    places = diagram(graph, ())
    centroids = np.array([node.centroid for node in graph.nodes])
    for axis in (0, 1):
        assert np.corrcoef(places[:, axis], centroids[:, axis])[0, 1] > 0.8


def test_it_moves_little_when_nodes_do():
    _, graph = crowd(count=15, seed=1)
    moved = tuple(replace(n, centroid=(n.centroid[0] + 0.5, n.centroid[1])) for n in graph.nodes)
    one = diagram(graph, graph.relations)
    other = diagram(replace(graph, nodes=moved), graph.relations)
    assert np.median(np.abs(one - other)) < 10


def test_nodes_at_one_place_part_and_no_nodes_are_no_places():
    _, graph = crowd(count=10, relations=0)
    nodes = tuple(replace(node, centroid=(100.0, 100.0)) for node in graph.nodes)
    assert overlaps(boxes(graph, diagram(replace(graph, nodes=nodes), ()))) <= 1
    assert diagram(replace(graph, nodes=()), ()).shape == (0, 2)
