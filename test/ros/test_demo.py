"""examples/demo.py, with player, node and planner as three processes; and its parts."""

import copy
import json
import os
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest
from places import ROOT

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

sys.path.insert(0, str(ROOT / "examples"))

from agreement import Agreement, iou, matches
from planner import Memory, answers, name

from dsflash_ros import msg
from dsflash_ros.ros.playback.player import rgb_to_jpeg
from dsflash_ros.ros.playback.recording import Recording
from dsflash_ros.sources import open_source

pytestmark = pytest.mark.slow

EXAMPLES = ROOT / "examples"


def graph_message(nodes, relations, stamp=0):
    """A message of nodes and relations.

    A node is (label, box as x, y, width, height), a relation (subject index, predicate, object
    index).
    """
    graph = msg.SceneGraph(width=64, height=48, weights="made up")
    graph.header.stamp.sec = stamp
    for number, (label, box) in enumerate(nodes):
        node = msg.SceneNode(id=number, label=label, is_thing=True, score=1.0)
        node.box.x_offset, node.box.y_offset, node.box.width, node.box.height = box
        graph.nodes.append(node)
    for subject, predicate, object in relations:
        graph.relations.append(
            msg.SceneRelation(subject_id=subject, predicate=predicate, object_id=object, score=1.0)
        )
    return graph


NODES = [
    ("dining table", (0, 20, 40, 20)),
    ("cup", (5, 10, 10, 10)),
    ("laptop", (20, 10, 10, 10)),
    ("person", (44, 0, 20, 40)),
    ("backpack", (50, 20, 10, 10)),
    ("chair", (10, 30, 20, 18)),
]
RELATIONS = [
    (1, "on", 0),
    (2, "on", 0),
    (3, "carrying", 4),
    (3, "looking at", 2),
    (0, "in front of", 5),
    (1, "in front of", 2),
    (3, "beside", 5),
]


def truth(**fields):
    return graph_message(NODES, RELATIONS, **fields)


def test_planner_answers_from_the_graph():
    assert answers(truth()) == {
        "what is on the table?": {"cup", "laptop"},
        "who holds what?": {"person holds backpack"},
        "what is in front of the chair?": {"dining table"},
    }


def test_planner_answers_nothing_where_nothing_is():
    assert not any(answers(graph_message(NODES, [(3, "looking at", 0)])).values())
    assert not any(answers(graph_message([], [])).values())


def test_truth_agrees_with_itself():
    agreement = Agreement()
    for _ in range(3):
        agreement.add(truth(), truth())
    assert agreement.frames == 3
    assert agreement.true == agreement.told == agreement.both
    assert agreement.true["objects"] == 3 * len(NODES) and agreement.true["relations"] == 3 * len(
        RELATIONS
    )
    assert agreement.report().count("100%") == 10


def test_what_is_missing_and_what_is_made_up_count_apart():
    agreement = Agreement()
    silent = graph_message(NODES, [])
    agreement.add(silent, truth())
    agreement.add(truth(), silent)
    for what in ("relations", *answers(silent)):
        assert agreement.true[what] == agreement.told[what] > 0 and agreement.both[what] == 0
    assert "0% of 7 true ones told, 0% of 7 told are true" in agreement.report()
    agreement = Agreement()
    agreement.add(silent, silent)
    assert "none of 0 true ones told, none of 0 told are true" in agreement.report()


def test_agreement_does_not_depend_on_node_ids_or_order():
    other = truth()
    for node in other.nodes:
        node.id += 100
    for relation in other.relations:
        relation.subject_id += 100
        relation.object_id += 100
    other.nodes, other.relations = other.nodes[::-1], other.relations[::-1]
    agreement = Agreement()
    agreement.add(other, truth())
    assert agreement.true == agreement.told == agreement.both


@pytest.mark.parametrize(
    ("change", "objects", "relations", "answered"),
    [
        (lambda graph: setattr(graph.nodes[1], "label", "bowl"), 5, 5, [1, 1, 1]),
        (
            lambda graph: setattr(graph.nodes[1].box, "width", 4),
            5,
            5,
            [2, 1, 1],
        ),  # found, but not where it is
        (lambda graph: setattr(graph.nodes[1].box, "width", 6), 6, 7, [2, 1, 1]),
        (
            lambda graph: setattr(graph.relations[2], "predicate", "holding"),
            6,
            6,
            [2, 1, 1],
        ),  # the planner takes both
        (lambda graph: setattr(graph.relations[2], "predicate", "beside"), 6, 6, [2, 0, 1]),
        (lambda graph: setattr(graph.relations[4], "subject_id", 3), 6, 6, [2, 1, 0]),
        (lambda graph: setattr(graph.nodes[5].box, "x_offset", 40), 5, 5, [2, 1, 1]),
    ],
)
def test_what_differs_is_counted(change, objects, relations, answered):
    graph = truth()
    change(graph)
    agreement = Agreement()
    agreement.add(graph, truth())
    assert (agreement.both["objects"], agreement.both["relations"]) == (objects, relations)
    assert [count for what, count in agreement.both.items() if what.endswith("?")] == answered


def test_each_node_is_matched_once_and_the_best_overlap_counts():
    true = graph_message([("cup", (0, 0, 10, 10)), ("cup", (3, 0, 10, 10))], [])
    one = graph_message([("cup", (2, 0, 10, 10))], [])
    assert matches(one, true) == {1: 0}
    both = graph_message([("cup", (2, 0, 10, 10)), ("cup", (1, 0, 10, 10))], [])
    assert matches(both, true) == {0: 1, 1: 0}


def test_boxes_overlap_as_pixels_do():
    random = np.random.default_rng(3)
    for _ in range(50):
        masks, nodes = [], []
        for _ in range(2):
            (x, y), (width, height) = random.integers(0, 20, 2), random.integers(1, 20, 2)
            mask = np.zeros((40, 40), bool)
            mask[y : y + height, x : x + width] = True
            masks.append(mask)
            nodes.append(
                graph_message([("cup", tuple(map(int, (x, y, width, height))))], []).nodes[0]
            )
        assert iou(*nodes) == pytest.approx(
            (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum()
        )


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    """Eight images at 4 Hz with their true graphs."""
    path = tmp_path_factory.mktemp("recorded") / "drive"
    random = np.random.default_rng(0)
    with Recording(path) as recording:
        for number in range(8):
            graph = truth(stamp=number + 1)
            rgb = cv2.resize(random.integers(0, 255, (6, 8, 3), np.uint8), (320, 240))
            recording.write(
                "/image/compressed", rgb_to_jpeg(rgb, copy.copy(graph.header)), number * 250_000_000
            )
            recording.write("/ground_truth/scene_graph", graph, number * 250_000_000)
    return path


def demo(out, *arguments):
    return subprocess.run(
        [sys.executable, str(EXAMPLES / "demo.py"), "--out", str(out), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def test_graphs_arrive_for_the_frames_of_a_drive_and_are_compared_with_the_true_ones(bag, tmp_path):
    result = demo(tmp_path, bag, "--weights", "random")
    assert result.returncode == 0, result.stderr
    graphs = [
        json.loads(line) for line in (tmp_path / "scene_graph.jsonl").read_text().splitlines()
    ]
    assert graphs and all(graph["nodes"] and graph["latency_ms"]["total"] > 0 for graph in graphs)
    assert len({graph["stamp"] for graph in graphs}) == len(graphs)
    assert f"{len(graphs)} graphs for 8 frames" in result.stdout
    assert "mean nothing" in result.stdout
    assert "what is on the table?" in result.stdout, "the planner said nothing"
    frames = int(re.search(r"the truth, in (\d+) frames", result.stdout)[1])
    # the first truth may come before anybody listens
    assert len(graphs) - 1 <= frames <= len(graphs)
    assert re.search(rf"objects +\d+% of {frames * len(NODES)} true ones told", result.stdout)
    untrained = rf"who holds what\? +0% of {frames} true ones told"
    assert re.search(untrained, result.stdout)
    video = cv2.VideoCapture(str(tmp_path / "overlay.mp4"))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == len(graphs)
    assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(8 / 1.75, abs=0.01)
    assert cv2.imread(str(tmp_path / "overlay.png")).shape == (240, 320, 3)


def test_images_have_no_truth_and_no_video(tmp_path):
    result = demo(tmp_path, EXAMPLES / "photos", "--weights", "random")
    assert result.returncode == 0, result.stderr
    assert "graphs for 3 frames" in result.stdout and "no true graphs" in result.stdout
    shapes = {cv2.imread(str(path)).shape for path in (EXAMPLES / "photos").glob("*.jpg")}
    assert cv2.imread(str(tmp_path / "overlay.png")).shape in shapes
    assert not (tmp_path / "overlay.mp4").exists()


@pytest.mark.parametrize(
    ("arguments", "culprit"),
    [
        (("/no/such.mp4",), "is not there"),
        (("--weights", "/no/such"), "the node ended with exit code 1"),
    ],
)
def test_failure_is_told(bag, tmp_path, arguments, culprit):
    result = demo(tmp_path, *([] if arguments[0].endswith(".mp4") else [bag]), *arguments)
    assert result.returncode == 1
    assert culprit in result.stderr and "/no/such" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_recorded_drive_is_small_and_has_truth():
    drive = EXAMPLES / "drive"
    assert sum(file.stat().st_size for file in drive.iterdir()) <= 9e6
    with open_source(str(drive)) as source:
        frame = next(iter(source))
        assert source.has_truth and frame.truth and frame.rgb.shape == (480, 640, 3)
        assert 5 <= source.rate <= 10.1 and 20 <= len(source) / source.rate <= 30


def told(objects, relations=()):
    """A graph of objects (id, track id, label) and relations (subject id, predicate, object id)."""
    nodes = [msg.SceneNode(id=n, track_id=track, label=label) for n, track, label in objects]
    edges = [msg.SceneRelation(subject_id=a, predicate=p, object_id=b) for a, p, b in relations]
    return msg.SceneGraph(nodes=nodes, relations=edges)


def test_the_planner_remembers_what_is_out_of_view():
    memory = Memory()

    def on_table(*graph):
        return answers(memory.update(told(*graph)), name)["what is on the table?"]

    cup, table = (0, 7, "cup"), (1, 3, "dining table")
    assert on_table([cup, table], [(0, "on", 1)]) == {"cup_7"}
    assert on_table([(0, 9, "dog")]) == {"cup_7"}
    assert on_table([table]) == {"cup_7"}
    assert on_table([(5, 7, "cup"), (2, 3, "dining table")]) == set()
    assert Memory().update(told([(4, -1, "cup")])).nodes[0].id == 4  # untracked: as it is
