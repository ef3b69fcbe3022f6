"""`dsflash view --topic` beside a running node and a player: processes that talk over DDS."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from harness import eventually

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")
pytest.importorskip("rerun", reason="needs rerun-sdk")

import rclpy
from places import ROOT
from rerun_files import free_port, recorded

from dsflash_ros.cli import main
from dsflash_ros.graph.messages import stamp_seconds
from dsflash_ros.msg import SceneGraph
from dsflash_ros.ros.view.live_view import LiveView
from dsflash_ros.sources import open_source

pytestmark = pytest.mark.slow

DRIVE = ROOT / "examples" / "drive"


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """Starts `dsflash` with its output in a file; what still runs in the end is ended."""
    started = []

    def start(*arguments):
        log = tmp_path_factory.mktemp("command") / "output.txt"
        words = [sys.executable, "-u", "-m", "dsflash_ros.cli", *map(str, arguments)]
        with log.open("w") as output:
            process = subprocess.Popen(
                words,
                stdout=output,
                stderr=output,
                env=os.environ | {"OMP_NUM_THREADS": "1", "DISPLAY": "", "WAYLAND_DISPLAY": ""},
            )
        started.append(process)
        return process, log

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def running(start_node, command):
    """A node with two cameras, of which the front one plays the drive."""
    start_node(weights="toyroom", target_frame="map", cameras="front,rear").wait_for_output(
        "active:"
    )
    command("play", DRIVE, "--clock", "--loop", "--topic", "/front/image", "--speed", 0.5)


LIVE = ("view", "--topic", "/front/image", "--graphs", "/front/scene_graph")


@pytest.fixture(scope="module")
def live(running, command, client, tmp_path_factory):
    """What was recorded until Ctrl-C, and the graphs as a subscriber gets them, by stamp."""
    graphs, _ = client.subscribe(SceneGraph, "/front/scene_graph")
    path = tmp_path_factory.mktemp("live") / "live.rrd"
    process, log = command(*LIVE, "--save", path)
    eventually(lambda: sum(one.stat().st_size for one in path.parent.iterdir()) > 12_000_000, 90)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0, log.read_text()
    assert "graphs, each sent" in log.read_text() and "Traceback" not in log.read_text()
    assert list(path.parent.iterdir()) == [path]
    told = {g.header.stamp.sec * 10**9 + g.header.stamp.nanosec: g for g in graphs}
    return recorded(path), told


def last_graph(rows, told):
    """The message of the last graph that was recorded, and its place."""
    stamp = rows["graph"][-1]["stamp"]
    [found] = [g for at, g in told.items() if abs(at - stamp) < 1000]
    return found


def test_the_graphs_are_those_of_the_node(live):
    rows, told = live
    graph = last_graph(rows, told)
    names = [f"{node.label}_{node.track_id}" for node in graph.nodes if node.is_thing]
    assert names and rows["scene/camera/things"][-1]["Boxes2D:labels"] == names
    assert len(rows["graph"][-1]["GraphEdges:edges"]) == 2 * len(graph.relations)


def test_each_has_its_own_image_masks_and_viewpoint(live):
    rows, told = live
    graph = last_graph(rows, told)
    stamp = rows["graph"][-1]["stamp"] / 1e9
    with open_source(str(DRIVE)) as source:
        frame = min(source, key=lambda frame: abs(frame.stamp - stamp))
    luma = np.frombuffer(bytes(rows["scene/camera/image"][-1]["Image:buffer"][0]), np.uint8)
    height, width = frame.rgb.shape[:2]
    shown = luma[: height * width].reshape(height, width).astype(float)
    grey = 16 + frame.rgb @ (0.257, 0.504, 0.098)
    assert np.abs(shown - grey).mean() < 2
    masks = bytes(rows["scene/camera/segments"][-1]["SegmentationImage:buffer"][0])
    counts = np.bincount(np.frombuffer(masks, np.uint8), minlength=len(graph.nodes) + 1)
    now = stamp_seconds(graph.header.stamp)
    seen = [n.area for n in graph.nodes if abs(stamp_seconds(n.last_seen) - now) < 1e-3]
    assert abs(int(counts[1:].sum()) - sum(seen)) <= 0.02 * sum(seen)
    placed = [n for n in graph.nodes if n.has_position and n.is_thing]
    assert placed and len(rows["scene/objects"][-1]["Boxes3D:centers"]) == len(placed)
    pose = frame.space.transforms.lookup("map", frame.space.frame, frame.stamp)
    camera = rows["scene/camera"][-1]
    np.testing.assert_allclose(camera["Transform3D:translation"][0], pose.translation, atol=0.02)
    assert camera["Pinhole:resolution"] == [[width, height]]


def test_no_more_graphs_are_shown_than_asked_for_and_the_last_comes(client):
    publisher = client.node.create_publisher(SceneGraph, "/paced/scene_graph", 10)
    rclpy.init(args=[])
    live = LiveView("/paced/image", "/paced/scene_graph")
    eventually(lambda: publisher.get_subscription_count(), 30)

    def publish():
        for number in range(1, 101):
            message = SceneGraph()
            message.header.stamp.sec = number
            publisher.publish(message)
            time.sleep(0.02)
        time.sleep(0.5)
        live.ended.set()

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        shown = [frame.graph.stamp for frame in live.frames(most_hz=5)]
    finally:
        thread.join()
        live.close()
        rclpy.try_shutdown()
    assert 5 <= len(shown) <= 15 and shown[-1] == 100 and shown == sorted(shown)


def test_what_is_missing_is_told_and_ctrl_c_ends_a_page(command, capsys):
    topics = ("--topic", "/nobody/image", "--graphs", "/nobody/scene_graph")
    process, log = command("view", *topics, "--port", free_port())
    eventually(lambda: "look at http://127.0.0.1" in log.read_text(), 60)
    eventually(lambda: "nothing publishes graphs on /nobody/scene_graph" in log.read_text(), 60)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0 and "Traceback" not in log.read_text()
    assert main(["view", "--topic", "not a name"]) == 1
    assert "no name for a topic" in capsys.readouterr().err
