"""One node, one model, several cameras."""

import time

import pytest
from harness import Reports, eventually, image_message

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

from sensor_msgs.msg import Image

from dsflash_ros.msg import SceneGraph
from dsflash_ros.ros.parameters import ParameterError, camera_names

NAMES = ("front", "left", "rear", "right")


@pytest.fixture(scope="module")
def node(start_node):
    return start_node(weights="toyroom", cameras="front, left,rear,right").wait_for_output(
        "active:"
    )


@pytest.fixture(scope="module")
def cameras(client, node):
    """Publishers of images and lists of graphs, by camera."""
    graphs = {name: client.subscribe(SceneGraph, f"/{name}/scene_graph")[0] for name in NAMES}
    publishers = {name: client.publisher(Image, f"/{name}/image", 10) for name in NAMES}
    number = 100

    def all_answer():
        nonlocal number
        number += 1
        for publisher in publishers.values():
            publisher.publish(image_message(number))
        return eventually(lambda: True) and all(graphs.values())

    eventually(all_answer)
    return publishers, graphs


def counts(client, camera):
    """Of a camera's frames."""
    reports = Reports(client)
    _, values = reports.report(f"{camera}/frames")
    return {name.removeprefix("frames "): int(v) for name, v in values.items() if "frames " in name}


def settle(graphs):
    """Wait until no graph has come for so long that none can be on its way."""
    seen = None
    while seen != (now := sum(map(len, graphs.values()))):
        seen = now
        latest = [came[-1].latencies[-1].latency_ms / 1000 for came in graphs.values() if came]
        time.sleep(1.0 + 2 * max(latest, default=0.0))


def play(cameras, seconds, periods, least=0):
    """Publish images of the cameras, each with its own period.

    It goes on, for a minute at most, until there are `least` graphs of each camera that plays.
    Returns how many graphs came of each, and how many more of one than of another at any moment.
    """
    publishers, graphs = cameras
    settle(graphs)
    before = {name: len(graphs[name]) for name in NAMES}
    due = dict.fromkeys(periods, time.monotonic())
    start, number, most, came = time.monotonic(), 1000, 0, dict.fromkeys(NAMES, 0)
    while (now := time.monotonic()) < start + seconds or (
        now < start + 60 and min(came[name] for name in periods) < least
    ):
        for name, period in periods.items():
            if time.monotonic() >= due[name]:
                number += 1
                publishers[name].publish(image_message(number, width=320, height=240))
                due[name] += period
        came = {name: len(graphs[name]) - before[name] for name in NAMES}
        most = max(most, max(came.values()) - min(came.values()))
        time.sleep(0.002)
    settle(graphs)
    return {name: len(graphs[name]) - before[name] for name in NAMES}, most


def test_each_camera_gets_its_share(cameras):
    """Four cameras of 10 Hz are more than a CPU can take: each gets as much as the others, and no
    camera's graph is more than two rounds behind.
    """
    found, most_behind = play(cameras, 6.0, dict.fromkeys(NAMES, 0.1), least=4)
    mean = sum(found.values()) / len(found)
    assert mean >= 4
    assert all(abs(count - mean) <= max(0.2 * mean, 1) for count in found.values()), found
    assert most_behind <= 2


def test_one_that_floods_takes_nothing_from_the_others(cameras):
    periods = {"front": 0.004, "left": 0.3, "rear": 0.3, "right": 0.3}
    found, _ = play(cameras, 6.0, periods)
    fair = min(found["front"], 6.0 / 0.3)
    # On a slow machine a camera's turn may come just after the end.
    assert all(found[name] >= 0.7 * fair - 1 for name in ("left", "rear", "right")), found


def test_one_that_falls_silent_is_named_and_the_others_go_on(cameras, client):
    assert client.set_parameter("no_frame_warning_s", 1.0).successful
    found, _ = play(cameras, 3.0, {"front": 0.3, "left": 0.3, "right": 0.3}, least=2)
    assert found["rear"] == 0 and min(found[name] for name in ("front", "left", "right")) >= 2
    status, _ = Reports(client).report("rear/frames", lambda s, _: "no frame for" in s.message)
    assert "/rear/image" in status.message


def test_the_log_says_of_each_camera_what_is_wrong_with_it(cameras, node):
    publishers, _ = cameras
    for name in ("front", "rear"):
        publishers[name].publish(image_message(4000, encoding=f"{name}8"))
    for name in ("front", "rear"):
        node.wait_for_output(f"dsflash.{name}]: frame rejected: unknown image encoding '{name}8'")


def test_counts_are_each_camera_s_own(cameras, client):
    publishers, graphs = cameras
    settle(graphs)
    before = {name: counts(client, name) for name in NAMES}
    seen = len(graphs["left"])
    publishers["left"].publish(image_message(5000, width=0, height=0, data=b""))
    eventually(lambda: counts(client, "left")["rejected"] > before["left"]["rejected"])
    publishers["left"].publish(image_message(5001))
    eventually(lambda: len(graphs["left"]) > seen)
    after = {name: counts(client, name) for name in NAMES}
    assert after["left"]["received"] == before["left"]["received"] + 2
    assert all(after[name] == before[name] for name in ("front", "rear", "right"))


def test_names():
    assert camera_names("") == [""]
    assert camera_names("front") == ["front"]
    assert camera_names(" front, /left/ ") == ["front", "left"]


@pytest.mark.parametrize("text", ["a,,b", "a,a", "a,b c", "1st", "a/b", ",", "front;left", "küche"])
def test_names_that_cannot_be(text):
    with pytest.raises(ParameterError, match="different names separated by commas"):
        camera_names(text)


def test_wrong_names_end_the_node_with_a_sentence(start_node):
    node = start_node(weights="random", cameras="front,front")
    assert node.process.wait(30) == 2
    assert "different names separated by commas" in node.output
