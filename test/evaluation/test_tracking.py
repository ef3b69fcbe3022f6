"""Scores of tracking, on sequences made by hand whose scores are known."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from dsflash_ros.errors import EvaluationError
from dsflash_ros.evaluation.tracking import TrackingEvaluator, matches, overlaps
from dsflash_ros.graph.scene_graph import NOTHING, Node, Relation, SceneGraph

pytest.importorskip("trackeval", reason="needs TrackEval: pip install --no-deps trackeval")


def node(number, x, track_id=None, class_id=0):
    box = (x, 0, x + 10, 10)
    return Node(number, class_id, "cup", True, 0.9, box, 100, (x + 5.0, 5.0), track_id)


def graph(*nodes, relations=()):
    edges = tuple(Relation(a, b, p, str(p), 0.9) for a, b, p in relations)
    return SceneGraph(nodes, edges, np.full((10, 200), NOTHING, np.int32))


def scores(frames):
    """`frames`: (truth, raw, tracked) each."""
    evaluator = TrackingEvaluator()
    for frame in frames:
        evaluator.add(*frame)
    return evaluator.results()


def test_what_is_perfect():
    frames = []
    for _ in range(6):
        truth = graph(node(0, 0, 5), node(1, 50, 6), relations=[(0, 1, 3)])
        found = graph(node(4, 1, 70), node(9, 51, 71), relations=[(4, 9, 3)])
        frames.append((truth, found, found))
    found = scores(frames)
    assert found["IDF1"] == 1 and found["switches"] == 0 and found["HOTA"] > 0.8
    assert found["tracked"]["objects"]["F1"] == found["tracked"]["relations"]["F1"] == 1


def test_an_identity_that_changes_half_way():
    """IDF1 of one object whose track changes in the middle of eight frames: 2*4/(8+8)."""
    frames = [
        (graph(node(0, 0, 5)), graph(node(0, 0)), graph(node(0, 0, 1 if t < 4 else 2)))
        for t in range(8)
    ]
    found = scores(frames)
    assert found["IDF1"] == pytest.approx(0.5)
    assert found["switches"] == pytest.approx(100 / 8)
    # DetA 1, AssA: each detection's association is 4 of 8 frames
    assert found["HOTA"] == pytest.approx(np.sqrt(0.5))


def test_two_that_swap_and_another_class():
    frames = []
    for t in range(8):
        first, second = (1, 2) if t < 6 else (2, 1)
        truth = graph(node(0, 0, 5), node(1, 50, 6), node(2, 100, 7))
        tracked = graph(node(0, 0, first), node(1, 50, second), node(2, 100, 3, class_id=4))
        frames.append((truth, tracked, tracked))
    found = scores(frames)
    assert found["IDF1"] == pytest.approx(2 * 12 / (24 + 24))
    assert found["switches"] == pytest.approx(100 * 2 / 8)
    assert found["raw"]["objects"] == pytest.approx(
        {"precision": 2 / 3, "recall": 2 / 3, "F1": 2 / 3}
    )


def test_relations_that_flicker_and_come_late():
    frames = []
    for t in range(20):
        holds, flickers = 5 <= t < 15, 5 <= t < 15 and t % 2
        ends = (node(0, 0, 1), node(1, 50, 2))
        truth = graph(*ends, relations=[(0, 1, 3)] if holds else [])
        raw = graph(*ends, relations=[(0, 1, 3)] if flickers else [])
        tracked = graph(*ends, relations=[(0, 1, 3)] if 7 <= t < 17 else [])
        frames.append((truth, raw, tracked))
    found = scores(frames)
    assert found["raw"]["changes"] == pytest.approx(10 / 2)
    assert found["tracked"]["changes"] == pytest.approx(1)
    assert found["delay"] == 2
    assert found["tracked"]["relations"] == pytest.approx(
        {"precision": 0.8, "recall": 0.8, "F1": 0.8}
    )
    assert found["raw"]["relations"]["recall"] == pytest.approx(0.5)


def test_a_relation_that_lasts_until_the_end_has_a_delay():
    """The last that lasts long enough begins five frames before the end."""
    ends = (node(0, 0, 1), node(1, 50, 2))
    related = graph(*ends, relations=[(0, 1, 3)])
    frames = [(related if t >= 5 else graph(*ends), graph(*ends), related) for t in range(10)]
    assert scores(frames)["delay"] == 0
    assert scores(frames[:-1])["delay"] is None


def test_where_there_is_nothing_no_score_is_0():
    found = scores([(graph(), graph(), graph())] * 3)
    assert found["HOTA"] is None and found["IDF1"] is None
    assert found["tracked"]["objects"]["F1"] is None
    told = scores([(graph(), graph(), graph(node(0, 0, 1)))] * 3)
    assert told["HOTA"] == told["IDF1"] == 0


def test_relations_of_unmatched_nodes_are_not_true():
    truth = graph(node(0, 0, 1), node(1, 50, 2), relations=[(0, 1, 3)])
    found = graph(node(0, 0, 1), node(1, 150, 2), relations=[(0, 1, 3)])
    results = scores([(truth, found, found)])
    assert results["raw"]["relations"] == {"precision": 0.0, "recall": 0.0, "F1": 0.0}


def test_matching_takes_the_best_pairs_once():
    found = graph(node(0, 3), node(1, 0))
    true = graph(node(7, 0), node(8, 100))
    assert matches(overlaps(true, found)) == [(0, 1)]


def with_masks(graph, columns):
    """The graph with a map on which each node has these columns."""
    panoptic = np.full((10, 200), NOTHING, np.int32)
    for one, (start, stop) in zip(graph.nodes, columns, strict=True):
        panoptic[:, start:stop] = one.class_id << 16 | one.id
    return replace(graph, panoptic=panoptic)


def test_overlaps_are_of_masks_where_there_are_masks():
    true = with_masks(
        graph(node(7, 0), node(8, 100), node(9, 150, class_id=3)), [(0, 8), (90, 110), (150, 160)]
    )
    found = with_masks(graph(node(1, 40), node(2, 100), node(3, 150)), [(4, 8), (0, 0), (150, 160)])
    expected = [[0.5, 0, 0], [0, 1, 0], [0, 0, 0]]  # node 2 has no pixel: its box
    assert overlaps(true, found) == pytest.approx(np.array(expected))
    boxes = overlaps(graph(*true.nodes), found)
    assert boxes == pytest.approx(np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]]))
    assert overlaps(graph(), found).shape == (0, 3)


def placed(graph, *positions, frame="map"):
    nodes = tuple(
        replace(one, position=p, extent=(1, 1, 1), distance=2.0)
        for one, p in zip(graph.nodes, positions, strict=True)
    )
    return replace(graph, nodes=nodes, position_frame=frame)


def test_positions_beside_the_true_ones():
    frames = []
    for t in range(12):
        truth = placed(graph(node(0, 0, 5), node(1, 50, 6)), (1, 2, 3), (4, 4, 4))
        found = placed(
            graph(node(0, 0, 1), node(1, 50, 2)), (1, 2 + 0.01 * (t % 2), 3), (4, 4, 4.5)
        )
        frames.append((truth, found, found))
    positions = scores(frames)["positions"]
    assert positions["median"] == pytest.approx((0.01 + 0.5) / 2)
    assert positions["spread"] == pytest.approx((0.005 + 0) / 2)
    other = [(truth, raw, replace(raw, position_frame="camera")) for truth, raw, _ in frames]
    assert scores(other)["positions"] is None


def test_what_cannot_be_scored(monkeypatch):
    with pytest.raises(EvaluationError, match="no frame has a true graph"):
        TrackingEvaluator().results()
    truth = graph(node(0, 0))
    with pytest.raises(EvaluationError, match="have no track ids"):
        TrackingEvaluator().add(truth, truth, truth)
    evaluator = TrackingEvaluator()
    tracked = graph(replace(node(0, 0), track_id=1))
    evaluator.add(tracked, tracked, tracked)
    monkeypatch.setitem(sys.modules, "trackeval.metrics", None)
    with pytest.raises(EvaluationError, match="pip install --no-deps trackeval"):
        evaluator.results()
