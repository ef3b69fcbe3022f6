import json
import math
from dataclasses import replace

import numpy as np
import pytest

from dsflash_ros.graph.scene_graph import (
    GEOMETRIC,
    Node,
    Relation,
    SceneGraph,
    pack_panoptic,
    unpack_panoptic,
)


def small_graph(**fields):
    panoptic = np.full((6, 8), -1, np.int32)
    panoptic[0:2, 0:3] = pack_panoptic(41, 0)
    panoptic[2:6, 0:8] = pack_panoptic(121, 7)
    nodes = (
        Node(0, 41, "cup", True, 0.91239, (0, 0, 3, 2), 6, (1.5, 1.0)),
        Node(7, 121, "table-merged", False, 0.8, (0, 2, 8, 6), 32, (4.0, 4.0)),
    )
    relations = (Relation(0, 7, 3, "on", 0.9), Relation(7, 0, 54, "enclosing", 0.25))
    return SceneGraph(nodes, relations, panoptic, **fields)


def test_json_line_is_the_documented_one():
    graph = small_graph(stamp=12.5, source="a.jpg", weights="w", latency_ms={"total": 3.14159})
    cup, table = graph.nodes
    cup = replace(cup, track_id=5, first_seen=11.0, last_seen=12.5, observations=3)
    cup = replace(cup, position=(1.0, -2.0, 0.12345), extent=(0.1, 0.1, 0.2), distance=2.5)
    on, enclosing = graph.relations
    on = replace(on, source=GEOMETRIC, since=11.5)
    graph = replace(graph, nodes=(cup, table), relations=(on, enclosing), position_frame="map")
    assert json.loads(json.dumps(graph.to_json())) == {
        "stamp": 12.5,
        "source": "a.jpg",
        "weights": "w",
        "position_frame": "map",
        "nodes": [
            {
                "id": 0,
                "label": "cup",
                "class_id": 41,
                "is_thing": True,
                "score": 0.9124,
                "box": [0, 0, 3, 2],
                "area": 6,
                "centroid": [1.5, 1.0],
                "track_id": 5,
                "first_seen": 11.0,
                "last_seen": 12.5,
                "observations": 3,
                "position": [1.0, -2.0, 0.123],
                "extent": [0.1, 0.1, 0.2],
                "distance": 2.5,
            },
            {
                "id": 7,
                "label": "table-merged",
                "class_id": 121,
                "is_thing": False,
                "score": 0.8,
                "box": [0, 2, 8, 6],
                "area": 32,
                "centroid": [4.0, 4.0],
                "track_id": None,
                "first_seen": None,
                "last_seen": None,
                "observations": 0,
                "position": None,
                "extent": None,
                "distance": None,
            },
        ],
        "relations": [
            {
                "subject": 0,
                "object": 7,
                "predicate": "on",
                "score": 0.9,
                "source": "geometric",
                "since": 11.5,
            },
            {
                "subject": 7,
                "object": 0,
                "predicate": "enclosing",
                "score": 0.25,
                "source": "learned",
                "since": None,
            },
        ],
        "latency_ms": {"total": 3.142},
    }


def test_packing_round_trip():
    rng = np.random.default_rng(0)
    class_ids = rng.integers(0, 133, (9, 7), np.int32)
    node_ids = rng.integers(0, 65536, (9, 7), np.int32)
    packed = pack_panoptic(class_ids, node_ids)
    packed[3] = -1
    classes, nodes = unpack_panoptic(packed)
    assert (classes[3] == -1).all() and (nodes[3] == -1).all()
    keep = np.arange(9) != 3
    assert (classes[keep] == class_ids[keep]).all() and (nodes[keep] == node_ids[keep]).all()


def test_masks_and_nodes_by_id():
    graph = small_graph()
    assert graph.mask(0).sum() == 6
    assert graph.mask(7)[5, 7]
    assert graph.node(7).label == "table-merged"
    with pytest.raises(KeyError, match=r"no node 3 .* \[0, 7\]"):
        graph.node(3)


def test_networkx_keeps_everything():
    pytest.importorskip("networkx")
    graph = small_graph(stamp=2.0).to_networkx()
    assert graph.nodes[7]["label"] == "table-merged"
    assert graph.nodes[0]["centroid"] == (1.5, 1.0)
    assert graph.nodes[0]["name"] == "cup_0"
    assert graph.edges[0, 7, 0] == {
        "predicate": "on",
        "predicate_id": 3,
        "score": 0.9,
        "source": "learned",
        "since": None,
    }
    assert graph.number_of_edges() == 2
    assert graph.graph["stamp"] == 2.0


def test_triplets_and_trust():
    assert small_graph().triplets()[0] == ("cup_0", "on", "table-merged_7")
    assert small_graph(weights="random_kitchen.safetensors").is_trained
    assert not small_graph(weights="random-base").is_trained


@pytest.mark.parametrize("stamp", [math.nan, math.inf])
def test_a_stamp_must_be_a_number(stamp):
    with pytest.raises(ValueError, match="finite number of seconds"):
        small_graph(stamp=stamp)


def test_a_panoptic_map_must_be_int32():
    with pytest.raises(ValueError, match="int64"):
        SceneGraph((), (), np.zeros((4, 4), np.int64))
