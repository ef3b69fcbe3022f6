"""The node under use_sim_time: a clock that is not there, stands still, jumps, and ends."""

import time

import pytest
from harness import Camera, eventually

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

from builtin_interfaces.msg import Time
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Header

PATIENCE_S = 0.5


@pytest.fixture(scope="module")
def camera(client, start_node):
    node = start_node(weights="random", use_sim_time="true", no_frame_warning_s=PATIENCE_S)
    return Camera(client, node.wait_for_output("active:"))


@pytest.fixture
def clock(camera):
    """Says on /clock what time it is, seconds, until the test ends."""
    publisher = camera.client.publisher(Clock, "/clock", 10)
    yield lambda second: publisher.publish(Clock(clock=Time(sec=second)))
    camera.client.node.destroy_publisher(publisher)


def settle(camera, clock, second):
    """Let it be that time in the node, which is told again and again, as a player does.

    The node listens to the clock with best effort: what is said before it knows the player is lost.
    """

    def is_settled():
        clock(second)
        return camera.reports and camera.reports[-1].header.stamp.sec == second

    eventually(is_settled)


def is_ok(status, _):
    return status.level == status.OK


def is_warning(status, _):
    return status.level == status.WARN


def test_without_a_clock_frames_are_processed_and_their_lack_is_told(camera):
    graph = camera.graph_of(message := camera.send())
    assert graph.header == message.header
    assert camera.reports[-1].header.stamp == Time()
    status, _ = camera.report("frames", is_warning)
    assert "publish /clock" in status.message and "--clock" in status.message


def test_a_clock_that_stands_still_is_no_silence_and_one_that_goes_is(camera, clock):
    settle(camera, clock, 1_000_000)
    camera.graph_of(camera.send())
    time.sleep(3 * PATIENCE_S)
    for _ in range(3):
        assert camera.report("frames")[0].level == camera.report("frames", is_ok)[0].OK
    settle(camera, clock, 1_000_000 + 60)
    status, _ = camera.report("frames", is_warning)
    assert "no frame" in status.message and "/clock" not in status.message
    camera.graph_of(camera.send())
    camera.report("frames", is_ok)


def test_the_end_of_the_player_is_noticed(camera):
    publisher = camera.client.publisher(Clock, "/clock", 10)
    settle(camera, lambda s: publisher.publish(Clock(clock=Time(sec=s))), 2_000_000)
    camera.graph_of(camera.send())
    camera.client.node.destroy_publisher(publisher)
    status, _ = camera.report("frames", is_warning)
    assert "/clock" in status.message


def test_a_bag_that_begins_again(camera, clock):
    settle(camera, clock, camera.number + 1)
    before = [camera.graph_of(camera.send()) for _ in range(3)]
    counted = camera.count("stamps_back")
    seen = len(camera.reports)
    settle(camera, clock, 51)
    camera.number = 50
    after = [camera.graph_of(camera.send()) for _ in range(3)]
    assert camera.count("stamps_back") == counted
    levels = {status.level for report in camera.reports[seen:] for status in report.status[:1]}
    assert levels == {camera.report("frames")[0].OK}
    assert "older than the one before" not in camera.node.output
    old = {node.track_id for graph in before for node in graph.nodes}
    new = {node.track_id for graph in after for node in graph.nodes}
    assert old and new and not old & new
    assert all(node.first_seen.sec < 60 for graph in after for node in graph.nodes)


def test_a_camera_that_mixes_stamps_is_still_told(camera, clock):
    settle(camera, clock, camera.number + 1)
    first = camera.send()
    camera.graph_of(first)
    counted = camera.count("stamps_back")
    for back_ns, trouble in ((900_000_000, 0), (100_000_000, 1)):
        camera.graph_of(last := camera.send())
        stamp = Time(sec=last.header.stamp.sec, nanosec=last.header.stamp.nanosec)
        stamp.sec, stamp.nanosec = divmod(stamp.sec * 10**9 + stamp.nanosec - back_ns, 10**9)
        camera.graph_of(camera.send(header=Header(stamp=stamp)))
        assert camera.count("stamps_back") == counted + trouble


def test_the_parameter_changes_while_the_node_runs(camera, clock):
    settle(camera, clock, 3_000_000)
    assert camera.client.set_parameter("use_sim_time", False).successful
    eventually(lambda: camera.reports[-1].header.stamp.sec > time.time() - 60)
    assert camera.client.set_parameter("use_sim_time", True).successful
    settle(camera, clock, 3_000_001)
    camera.graph_of(camera.send())
    camera.report("frames", is_ok)
