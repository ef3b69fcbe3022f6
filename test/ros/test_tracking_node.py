"""Tracking in the node: ids, steady graphs, events, the raw graph, reset."""

import pytest
from harness import Camera, eventually
from places import ROOT

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

from std_msgs.msg import Header
from std_srvs.srv import Trigger

from dsflash_ros.msg import SceneGraph, SceneGraphEvent, SceneGraphEvents
from dsflash_ros.ros.messages.image_messages import rgb_to_image
from dsflash_ros.sources import open_source


@pytest.fixture(scope="module")
def camera(client, start_node):
    node = start_node(weights="toyroom", track_hold_s=0.0).wait_for_output("active:")
    return Camera(client, node)


@pytest.fixture(scope="module")
def events(camera, client):
    return client.subscribe(SceneGraphEvents, "/dsflash/events", 100)[0]


@pytest.fixture(scope="module")
def frames():
    with open_source(str(ROOT / "examples" / "drive")) as source:
        return [frame.rgb for frame, _ in zip(source, range(8), strict=False)]


def see(camera, rgb):
    """The graph of an image that comes a second after the last one."""
    camera.number += 1
    message = rgb_to_image(rgb, Header(frame_id="camera"))
    message.header.stamp.sec = camera.number
    camera.images.publish(message)
    return camera.graph_of(message)


def ids(graph):
    return {node.track_id for node in graph.nodes}


def test_nodes_keep_their_ids(camera, frames):
    graphs = [see(camera, rgb) for rgb in frames[:6]]
    assert all(-1 not in ids(graph) for graph in graphs)
    assert len(ids(graphs[-1]) & ids(graphs[-2])) >= 0.6 * len(graphs[-1].nodes)
    last = graphs[-1]
    longest = max(last.nodes, key=lambda node: node.observations)
    assert longest.observations >= 5
    assert longest.last_seen == last.header.stamp
    assert longest.first_seen.sec < last.header.stamp.sec
    assert not longest.has_position and last.position_frame == ""
    assert {relation.source for relation in last.relations} == {"learned"}
    assert "track" in {latency.stage for latency in last.latencies}


def test_events_lead_from_one_graph_to_the_next(camera, events, frames):
    # discovery takes a moment: look elsewhere and back until one comes
    eventually(lambda: see(camera, frames[0] // 2) and see(camera, frames[0]) and events)
    there = ids(see(camera, frames[1]))
    for rgb in (*frames[2:6], frames[5] // 3, *frames[3:6]):
        graph = see(camera, rgb)
        eventually(lambda g=graph, t=there: of(events, g.header) or ids(g) == t)
        appeared = {e.subject_id for e in changes(events, graph.header, "NODE_APPEARED")}
        vanished = {e.subject_id for e in changes(events, graph.header, "NODE_VANISHED")}
        assert there - vanished | appeared == ids(graph)
        there = ids(graph)


def of(events, header):
    return [message for message in events if message.header == header]


def changes(events, header, name):
    kind = getattr(SceneGraphEvent, name)
    return [e for message in of(events, header) for e in message.events if e.change == kind]


def test_the_raw_graph_is_there_for_whoever_wants_it(camera, client, frames):
    raw, subscription = client.subscribe(SceneGraph, "/dsflash/raw_scene_graph")
    eventually(lambda: see(camera, frames[0]) and raw)
    graph = see(camera, frames[1])
    found = eventually(lambda: [message for message in raw if message.header == graph.header])[0]
    client.node.destroy_subscription(subscription)
    assert ids(found) == {-1}
    assert {node.id for node in graph.nodes} <= {node.id for node in found.nodes}
    assert all(relation.score >= 0.3 for relation in found.relations)
    assert "track" not in {latency.stage for latency in found.latencies}


def test_reset_forgets_all_tracks(camera, client, frames):
    before = ids(see(camera, frames[0]))
    answer = client.call(Trigger, "/dsflash/reset", Trigger.Request())
    assert answer.success and "forgotten" in answer.message
    assert before.isdisjoint(ids(see(camera, frames[0])))


def test_a_clock_that_jumps_back_forgets_them_too(camera, frames):
    before = ids(see(camera, frames[0]))
    camera.number -= 50
    assert before.isdisjoint(ids(see(camera, frames[0])))


def test_tracking_can_be_switched_off(camera, events, client, frames):
    before = ids(see(camera, frames[0]))
    assert client.set_parameter("tracking", False).successful
    graph = see(camera, frames[0])
    assert ids(graph) == {-1}
    eventually(lambda: of(events, graph.header))
    assert {e.subject_id for e in changes(events, graph.header, "NODE_VANISHED")} == before
    assert client.set_parameter("tracking", True).successful
    assert -1 not in ids(see(camera, frames[0]))
    refused = client.set_parameter("track_smoothing", 0.5)
    assert not refused.successful and "Max: 100.0" in refused.reason


def test_ids_are_never_given_twice(camera, client, frames):
    before = ids(see(camera, frames[0]))
    client.change_state("deactivate")
    client.change_state("activate")
    assert min(ids(see(camera, frames[0]))) > max(before)
