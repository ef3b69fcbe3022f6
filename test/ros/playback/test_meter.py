"""`dsflash watch`, the node in simulated time, and a player, as three processes."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from harness import Client, ended, eventually
from media_files import raw_images, write_bag

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

from places import ROOT

from dsflash_ros.msg import SceneGraph

DRIVE = ROOT / "examples" / "drive"
READY = "the node is there; play the bag\n"


@pytest.fixture(scope="module")
def node(start_node):
    return start_node(weights="random-tiny", use_sim_time="true").wait_for_output("active:")


@pytest.fixture
def start():
    """Starts a `dsflash` command; what still runs in the end is ended."""
    started = []

    def start(*arguments):
        command = [sys.executable, "-m", "dsflash_ros.cli", *map(str, arguments)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        started.append(subprocess.Popen(command, text=True, env=environment, **pipes))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


def play(start, watch, *arguments):
    """What the meter prints of a bag that is played once it has found the node."""
    assert watch.stdout.readline() == READY
    ended(start("play", *arguments, "--clock", "--wait", 2))
    return ended(watch)[0]


def test_age_drops_and_rate(node, client, start, tmp_path):
    graphs, subscription = client.subscribe(SceneGraph, "/scene_graph", 100)
    eventually(subscription.get_publisher_count)
    watch = start("watch", "--json", tmp_path / "live.json")
    out = play(start, watch, DRIVE, "--speed", 2, "--count", 16)
    # this process may be slower to take them than the meter's
    eventually(lambda: len(graphs) >= json.loads((tmp_path / "live.json").read_text())["graphs"])
    scores = json.loads((tmp_path / "live.json").read_text())
    client.node.destroy_subscription(subscription)
    assert scores["images"] == 16 and 0 < scores["graphs"] == len(graphs) <= 16
    assert scores["dropped"] == 16 - len({str(graph.header.stamp) for graph in graphs})
    assert scores["dropped_share"] == scores["dropped"] / 16
    assert scores["out_of_order"] == scores["repeated"] == scores["unknown"] == 0
    assert scores["bag_seconds"] == pytest.approx(16 / 6, rel=0.2)
    assert scores["wall_seconds"] == pytest.approx(scores["bag_seconds"] / 2, rel=0.15)
    assert scores["graphs_per_second"] == pytest.approx(len(graphs) / scores["wall_seconds"])
    bag, wall = scores["bag_age"], scores["wall_age"]
    fastest = min(latency.latency_ms for g in graphs for latency in g.latencies[-1:])
    assert wall["max_ms"] >= wall["p95_ms"] >= wall["median_ms"] >= fastest > 0
    assert 1.5 * wall["median_ms"] - 100 < bag["median_ms"] < 2.5 * wall["median_ms"] + 100
    assert f"{scores['graphs']} | {scores['dropped']} (" in out
    assert "the bag's" in out and "the wall's" in out


def test_a_bag_that_loops_harms_neither_node_nor_meter(node, start, tmp_path):
    bag = write_bag(tmp_path / "bag", {"/camera/image": raw_images(8)})
    watch = start("watch", "--json", tmp_path / "live.json")
    play(start, watch, bag, "--loop", "--count", 24, "--speed", 0.2)
    scores = json.loads((tmp_path / "live.json").read_text())
    assert scores["images"] == 24 and scores["graphs"] > 8
    assert scores["out_of_order"] == scores["repeated"] == scores["unknown"] == 0
    assert scores["bag_seconds"] == pytest.approx(scores["wall_seconds"] / 5, rel=0.15)
    assert scores["wall_age"]["median_ms"] < 2000
    assert "older than the one before" not in node.output


def test_ctrl_c_tells_what_was_heard_so_far(node, start):
    watch = start("watch")
    assert watch.stdout.readline() == READY
    player = start("play", DRIVE, "--clock", "--wait", 2, "--loop")
    time.sleep(8)
    watch.send_signal(signal.SIGINT)
    out, _ = ended(watch)
    assert "of the bag in" in out
    player.send_signal(signal.SIGINT)
    ended(player, 130)


@pytest.mark.slow
def test_a_bag_played_without_a_clock(node, start):
    watch = start("watch", "--timeout", 5)
    assert watch.stdout.readline() == READY
    player = start("play", DRIVE, "--loop")
    _, error = ended(watch, 1)
    assert "nothing publishes /clock for 5 s: play the bag with --clock" in error
    player.send_signal(signal.SIGINT)
    ended(player, 130)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--topic", "/nobody/image", "--timeout", 0.5], "no node subscribes to /nobody/image or "),
        (["--timeout", 4], "nothing publishes images on /image or /image/compressed for 4 s"),
        (["--topic", "a b"], "no name for a topic"),
        (["--json", "/proc/no/live.json"], "cannot write /proc/no/live.json"),
    ],
)
def test_what_fails(node, start, arguments, sentence):
    _, error = ended(start("watch", *arguments), 1)
    assert error.startswith("dsflash watch: ") and sentence in error and error.count("\n") == 1


@pytest.mark.slow
def test_a_node_that_gives_no_graphs(client, start):
    """A camera's viewer in place of the node: it subscribes, and its graphs never come."""
    from sensor_msgs.msg import Image

    viewer = Client()
    try:
        viewer.subscribe(Image, "/mute/image")
        viewer.node.create_publisher(SceneGraph, "/mute/scene_graph", 5)
        watch = start("watch", "--topic", "/mute/image", "--graphs", "/mute/scene_graph")
        assert watch.stdout.readline() == READY
        options = ("--clock", "--topic", "/mute/image", "--count", 3, "--wait", 2, "--speed", 4)
        ended(start("play", DRIVE, *options))
        _, error = ended(watch, 1)
        assert "no graph came on /mute/scene_graph for 3 images" in error
    finally:
        viewer.close()
