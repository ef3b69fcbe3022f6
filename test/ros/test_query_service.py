"""`~/query` of a real node with two cameras: what it answers, refuses and counts."""

import time
from itertools import islice

import pytest
from harness import Reports, eventually
from places import ROOT

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

from sensor_msgs.msg import Image
from std_msgs.msg import Header

from dsflash_ros.graph.messages import message_to_graph
from dsflash_ros.msg import SceneGraph
from dsflash_ros.ros.messages.image_messages import rgb_to_image
from dsflash_ros.srv import Query


def drive_image(number, stamp):
    """An image of the recorded drive, with that stamp."""
    from dsflash_ros.sources import open_source

    with open_source(str(ROOT / "examples/drive")) as source:
        frame = next(islice(iter(source), number, None))
    header = Header(frame_id="camera")
    header.stamp.sec = stamp
    return rgb_to_image(frame.rgb, header)


@pytest.fixture(scope="module")
def node(start_node):
    return start_node(weights="toyroom", cameras="front,left").wait_for_output("active:")


@pytest.fixture(scope="module")
def ask(client, node):
    services = {
        name: client.node.create_client(Query, f"/dsflash/{name}/query")
        for name in ("front", "left")
    }
    for service in services.values():
        assert service.wait_for_service(20.0)

    def call(text, limit=0, camera="front"):
        future = services[camera].call_async(Query.Request(query=text, limit=limit))
        return eventually(future.done) and future.result()

    return call


@pytest.fixture(scope="module")
def graph(client, node, ask):
    """What the camera front shows, after it was asked once without."""
    before = ask("?x:cup")
    assert not before.success and "there is no graph yet" in before.message
    graphs, _ = client.subscribe(SceneGraph, "/front/scene_graph")
    images = client.publisher(Image, "/front/image", 10)
    message = drive_image(40, 7)

    def shown():
        images.publish(message)
        time.sleep(0.2)
        return graphs

    (graph, *_) = eventually(shown)
    eventually(lambda: ask("?x").header == graph.header)
    time.sleep(1.0)  # until the images that were sent meanwhile are through, too
    assert len(graph.nodes) > 5
    return graphs[-1]


def test_answers_are_those_of_the_newest_graph(ask, graph):
    for text in (
        "?x on ?y",
        "best ?x:cup|bowl|book where ?x on dining_table",
        "?x and not ?x on ?",
    ):
        response = ask(text)
        expected = message_to_graph(graph).query(text)
        assert response.success and response.message == "" and response.header == graph.header
        assert tuple(response.variables) == expected.variables
        found = [[node.id for node in answer.nodes] for answer in response.answers]
        assert found == [[node.id for node in answer.nodes.values()] for answer in expected]
        for answer, known in zip(response.answers, expected, strict=True):
            assert answer.score == pytest.approx(known.score)
            told = [(r.subject_id, r.predicate, r.object_id) for r in answer.relations]
            assert told == [(r.subject, r.predicate, r.object) for r in known.relations]
            assert all(node in graph.nodes for node in answer.nodes)


def test_limits(ask, graph):
    assert len(ask("?x").answers) == len(graph.nodes)
    response = ask("?x", limit=2)
    assert len(response.answers) == 2 and response.is_cut
    response = ask("?x", limit=1001)
    assert not response.success and "from 1 to 1000" in response.message


def test_nothing_is_an_answer_too(ask, graph):
    response = ask("?x:umbrella")
    assert response.success and not response.answers and not response.is_cut


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "expected a variable"),
        ("?x:tabel", "did you mean dining_table?"),
        ("?x flying_over ?y", "no predicate is called 'flying over'"),
        ("?x on", "see >>> in: ?x on>>>"),
        ("?x; import os", "';' means nothing here"),
        ("x" * 100_000, "has 100000 characters; at most 1000 are read"),
        ("?x\n\x1b[2J", "'\\x1b' means nothing here"),
        ("?a and ?b and ?c and ?d and ?e and ?f", "more combinations than the 10000"),
        ("not " * 200, "nested at most 4 deep"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_a_sentence(ask, graph, text, part):
    response = ask(text)
    assert not response.success and part in response.message
    assert not response.answers and len(response.message) < 500


def test_each_camera_answers_for_itself(ask, graph):
    response = ask("?x", camera="left")
    assert not response.success and "there is no graph yet" in response.message


def test_questions_are_counted(client, ask, graph):
    def counts(camera):
        _, values = Reports(client).report(f"{camera}/frames")
        return int(values["queries answered"]), int(values["queries refused"])

    before = counts("front"), counts("left")
    ask("?x:cup")
    ask("?x:tabel")
    eventually(lambda: counts("front") == (before[0][0] + 1, before[0][1] + 1))
    assert counts("left") == before[1]


def test_images_go_on_under_a_flood_of_hostile_questions(client, node, ask, graph):
    graphs, _ = client.subscribe(SceneGraph, "/left/scene_graph")
    images = client.publisher(Image, "/left/image", 10)
    service = client.node.create_client(Query, "/dsflash/front/query")
    request = Query.Request(query="?a and ?b and ?c and ?d")
    message = drive_image(41, 8)
    futures = []

    def shown():
        futures.extend(service.call_async(request) for _ in range(20))
        images.publish(message)
        time.sleep(0.1)
        return graphs

    eventually(shown, 30.0)
    # of a service's requests, ROS keeps ten, and loses the others
    answered = eventually(lambda: [one.result() for one in futures if one.done()])
    assert not any(response.success for response in answered)
    eventually(lambda: ask("?x", camera="left").success)


def test_an_inactive_node_refuses(client, node, ask, graph):
    assert client.change_state("deactivate")
    response = ask("?x")
    assert not response.success and "not active" in response.message
