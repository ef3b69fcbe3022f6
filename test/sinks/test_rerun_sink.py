"""What is sent to rerun, read back by rerun, is the graph."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest

pytest.importorskip("rerun", reason="needs rerun-sdk")

from rerun_files import free_port, recorded

from dsflash_ros.drawing.colours import node_colour
from dsflash_ros.errors import OutputError
from dsflash_ros.geometry.camera import Intrinsics
from dsflash_ros.geometry.transforms import Transform
from dsflash_ros.geometry.viewpoint import Viewpoint
from dsflash_ros.graph.scene_graph import Node, Relation, SceneGraph, pack_panoptic
from dsflash_ros.sinks.rerun_server import RerunServer
from dsflash_ros.sinks.rerun_sink import RerunSink

SIZE = (48, 64)
VIEWPOINT = Viewpoint(
    Intrinsics(32, 24, 30.0, 31.0, 15.5, 11.5),
    Transform.of_quaternion((0, 0, np.sqrt(0.5), np.sqrt(0.5)), (1.0, 2.0, 3.0)),
)


def graph_of(stamp=1.5, placed=True, extra=()):
    """A cup on a table before a wall."""
    panoptic = np.full(SIZE, pack_panoptic(9, 0), np.int32)
    panoptic[20:40, 10:60] = pack_panoptic(3, 7)
    panoptic[10:22, 30:40] = pack_panoptic(5, 2)
    where = {"position": (1.0, 0.5, 0.25), "extent": (0.2, 0.4, 0.6), "distance": 2.0}
    nodes = (
        Node(0, 9, "wall", False, 0.9, (0, 0, 64, 48), 2000, (32.0, 24.0)),
        Node(7, 3, "table", True, 0.8, (10, 20, 60, 40), 900, (35.0, 30.0), track_id=70),
        Node(2, 5, "cup", True, 0.7, (30, 10, 40, 22), 120, (35.0, 16.0), track_id=71),
    )
    if placed:
        nodes = (nodes[0], *(replace(node, **where) for node in nodes[1:]))
    relations = (Relation(2, 7, 0, "on", 0.9), Relation(7, 0, 1, "in front of", 0.5))
    latency = {"segment": 10.0, "total": 12.5}
    frame = "map" if placed else ""
    return SceneGraph(
        nodes + tuple(extra), relations, panoptic, stamp, "camera", "mine", latency, frame
    )


def write(path, *shown, **options):
    """Show (graph, rgb, viewpoint) and read back what was recorded."""
    with RerunSink(path, **options) as sink:
        for graph, rgb, viewpoint in shown:
            sink.show(graph, rgb, viewpoint)
    return recorded(path)


@pytest.fixture(scope="module")
def picture():
    ramp = np.linspace(0, 255, SIZE[1]).astype(np.uint8)
    return np.stack([np.tile(ramp, (SIZE[0], 1))] * 3, axis=2)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, picture):
    """A graph with all that there is, then one without space, then one without image and nodes."""
    path = tmp_path_factory.mktemp("recorded") / "whole.rrd"
    bare = SceneGraph((), (), np.full(SIZE, -1, np.int32), 2.5, weights="mine")
    later = (graph_of(2.0, placed=False), picture, None)
    return write(path, (graph_of(), picture, VIEWPOINT), later, (bare, None, None))


def test_nodes_are_boxes_with_names_and_colours(whole):
    row, graph = whole["scene/camera/things"][0], graph_of()
    things = [node for node in graph.nodes if node.is_thing]
    assert row["Boxes2D:labels"] == [node.name for node in things] == ["table_70", "cup_71"]
    half, centres = np.array(row["Boxes2D:half_sizes"]), np.array(row["Boxes2D:centers"])
    assert np.hstack((centres - half, centres + half)).tolist() == [list(n.box) for n in things]
    colours = [
        (colour >> 24, colour >> 16 & 255, colour >> 8 & 255) for colour in row["Boxes2D:colors"]
    ]
    assert colours == [node_colour(node) for node in things]
    stuff = whole["scene/camera/stuff"][0]
    assert stuff["Points2D:labels"] == ["wall_0"] and stuff["Points2D:positions"] == [[32, 24]]


def test_masks_are_the_panoptic_map_with_names(whole):
    row, graph = whole["scene/camera/segments"][0], graph_of()
    [shape] = row["SegmentationImage:format"]
    assert (shape["height"], shape["width"]) == SIZE
    values = np.frombuffer(bytes(row["SegmentationImage:buffer"][0]), np.uint8).reshape(SIZE)
    for place, node in enumerate(graph.nodes, 1):
        np.testing.assert_array_equal(values == place, graph.mask(node.id))
    [context] = row["AnnotationContext:context"]
    infos = [one["class_description"]["info"] for one in context]
    assert [(one["id"], one["label"]) for one in infos] == [
        (0, ""),
        (1, "wall_0"),
        (2, "table_70"),
        (3, "cup_71"),
    ]
    assert infos[0]["color"] & 255 == 0  # nothing is transparent


def test_the_image_is_sent_with_a_quarter_of_its_colours(whole, picture):
    row = whole["scene/camera/image"][0]
    [shape] = row["Image:format"]
    assert (shape["height"], shape["width"]) == SIZE
    yuv = np.frombuffer(bytes(row["Image:buffer"][0]), np.uint8).reshape(72, 64)
    found = cv2.cvtColor(yuv, cv2.COLOR_YUV2RGB_I420)
    assert np.abs(found.astype(int) - picture).max() <= 3


def test_images_of_odd_sides_are_sent_as_they_are(tmp_path):
    rgb = np.random.default_rng(0).integers(0, 255, (5, 7, 3), np.uint8)
    graph = SceneGraph((), (), np.full((5, 7), -1, np.int32))
    row = write(tmp_path / "a.rrd", (graph, rgb, None))["scene/camera/image"][0]
    assert bytes(row["Image:buffer"][0]) == rgb.tobytes()


def test_the_graph_is_a_graph_with_predicates_in_between(whole):
    row = whole["graph"][0]
    ids, labels = row["GraphNodes:node_ids"], row["GraphNodes:labels"]
    assert labels == ["wall_0", "table_70", "cup_71", "on", "in front of"]
    names = dict(zip(ids, labels, strict=True))
    assert len(names) == 5
    edges = [(names[e["first"]], names[e["second"]]) for e in row["GraphEdges:edges"]]
    assert edges == [
        ("cup_71", "on"),
        ("on", "table_70"),
        ("table_70", "in front of"),
        ("in front of", "wall_0"),
    ]
    assert np.isfinite(row["GraphNodes:positions"]).all()
    assert whole["relations"][0]["TextDocument:text"] == [
        "0.90  cup_71 on table_70\n0.50  table_70 in front of wall_0"
    ]


def test_space_has_boxes_lines_and_the_camera(whole):
    row = whole["scene/objects"][0]
    assert row["Boxes3D:labels"] == ["table_70", "cup_71"]
    np.testing.assert_allclose(row["Boxes3D:centers"], [(1.0, 0.5, 0.25)] * 2)
    np.testing.assert_allclose(row["Boxes3D:half_sizes"], [(0.1, 0.2, 0.3)] * 2, rtol=1e-6)
    lines = whole["scene/relations"][0]
    assert lines["LineStrips3D:labels"] == ["on"] and len(lines["LineStrips3D:strips"]) == 1
    camera = whole["scene/camera"][0]
    assert camera["Transform3D:translation"] == [[1, 2, 3]]
    matrix = np.array(camera["Transform3D:mat3x3"]).reshape(3, 3).T  # columns come first
    np.testing.assert_allclose(matrix, [(0, -1, 0), (1, 0, 0), (0, 0, 1)], atol=1e-6)
    projection = np.array(camera["Pinhole:image_from_camera"]).reshape(3, 3).T
    np.testing.assert_allclose(projection, [(60, 0, 31.5), (0, 62, 23.5), (0, 0, 1)])
    assert camera["Pinhole:resolution"] == [[64, 48]]
    [up] = whole["scene"]
    assert up["ViewCoordinates:xyz"] and "number" not in up  # static


def test_latencies_are_plotted_over_the_images_stamps(whole):
    rows = whole["latency/total"]
    assert [row["Scalars:scalars"] for row in rows] == [[12.5], [12.5]]
    assert [row["stamp"] for row in rows] == [1_500_000_000, 2_000_000_000]
    assert [row["number"] for row in rows] == [1, 2]
    assert len(whole["latency/segment"]) == 2


def test_what_is_gone_is_taken_off_the_screen(whole):
    assert len(whole["scene/objects"]) == 3 and not whole["scene/objects"][1]["Boxes3D:centers"]
    assert "Clear:is_recursive" in whole["scene/camera"][1]
    assert "Clear:is_recursive" in whole["scene/camera/image"][2]
    assert not whole["graph"][2]["GraphNodes:node_ids"]
    masks = whole["scene/camera/segments"][2]["SegmentationImage:buffer"][0]
    assert not any(masks)


def test_stamps_of_the_calendar_are_times(tmp_path):
    rows = write(tmp_path / "a.rrd", (graph_of(1_700_000_000.25), None, None))
    assert abs(rows["graph"][0]["stamp"] - 1_700_000_000_250_000_000) < 1000


def test_hostile_graphs_are_shown(tmp_path):
    odd = [
        Node(9, 1, "a\n\x00|b](http://x)", True, float("nan"), (0, 0, 1, 1), 1, (float("nan"), 0)),
        Node(
            10,
            1,
            "",
            True,
            0.5,
            (0, 0, 0, 0),
            0,
            (0.0, 0.0),
            position=(np.inf, 0, 0),
            extent=(1, 1, 1),
        ),
    ]
    graph = graph_of(extra=odd)
    wild = (
        *graph.relations,
        Relation(2, 999, 0, "to nowhere", 0.5),
        Relation(2, 2, 0, "self", 0.4),
    )
    latency = {f"stage {i}/x y": 1.0 for i in range(100)}
    rows = write(
        tmp_path / "a.rrd", (replace(graph, relations=wild, latency_ms=latency), None, None)
    )
    assert len(rows["scene/objects"][0]["Boxes3D:centers"]) == 2
    assert "to nowhere" not in rows["graph"][0]["GraphNodes:labels"]
    assert np.isfinite(rows["graph"][0]["GraphNodes:positions"]).all()
    assert len([name for name in rows if name.startswith("latency/")]) == 30


def test_three_hundred_nodes(tmp_path):
    nodes = [Node(i, 0, "cup", True, 0.9, (i, 0, i + 1, 1), 1, (i, 0.5)) for i in range(300)]
    panoptic = np.arange(300, dtype=np.int32)[None].copy()
    graph = SceneGraph(tuple(nodes), (), panoptic, weights="mine")
    row = write(tmp_path / "a.rrd", (graph, None, None))["scene/camera/segments"][0]
    values = np.frombuffer(bytes(row["SegmentationImage:buffer"][0]), np.uint16)
    np.testing.assert_array_equal(values, np.arange(300) + 1)


def test_a_file_is_whole_or_not_there(tmp_path, picture):
    path = tmp_path / "a.rrd"
    with RerunSink(path) as sink:
        sink.show(graph_of(), picture)
        assert not path.exists()
    before = path.read_bytes()
    with RerunSink(path):
        pass  # nothing was shown
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
    with pytest.raises(KeyboardInterrupt), RerunSink(path) as sink:
        sink.show(graph_of(7.0), picture)
        raise KeyboardInterrupt
    assert recorded(path)["graph"][0]["stamp"] == 7_000_000_000
    with pytest.raises(OutputError, match=r"cannot write .*nowhere"):
        RerunSink(tmp_path / "nowhere" / "a.rrd")


def test_a_full_disk_ends_with_a_sentence(tmp_path):
    """Files of the child process may have 100 kB, as on a disk that is full then."""
    program = f"""
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
import numpy as np
from pathlib import Path
from dsflash_ros.errors import OutputError
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.sinks.rerun_sink import RerunSink
rgb = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
graph = SceneGraph((), (), np.full((240, 320), -1, np.int32))
try:
    with RerunSink(Path({str(tmp_path / "a.rrd")!r})) as sink:
        for _ in range(100):
            sink.show(graph, rgb)
except OutputError as error:
    print("told:", error, "kept:", sink.is_kept)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "told: cannot write to" in done.stdout and "kept: False" in done.stdout, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_has_died_is_told(picture):
    server = RerunServer(port=free_port())
    with RerunSink(server) as sink:
        sink.show(graph_of(), picture)
        os.kill(server._process.pid, signal.SIGKILL)
        server._process.wait()
        with pytest.raises(OutputError, match="rerun's server has ended"):
            sink.show(graph_of(), picture)
    server.close()
