"""The node is asked for some names, and says what they are."""

import time

import pytest
from harness import Camera, eventually
from places import ROOT

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

from std_msgs.msg import Header

from dsflash_ros.msg import Vocabulary
from dsflash_ros.ros import qos
from dsflash_ros.ros.messages.image_messages import rgb_to_image
from dsflash_ros.sources import open_source


@pytest.fixture(scope="module")
def node(start_node):
    return start_node(
        weights="toyroom",
        tracking=False,
        classes="[person, dining table, cup, tv]",
        predicates='["on", holding]',
        environment={"HF_HUB_OFFLINE": "1"},
    ).wait_for_output("active:")


@pytest.fixture(scope="module")
def camera(client, node):
    return Camera(client, node)


@pytest.fixture(scope="module")
def vocabularies(client, node):
    return client.subscribe(Vocabulary, "/dsflash/vocabulary", qos.latched())[0]


def graph_of(camera, number=0):
    with open_source(str(ROOT / "examples" / "drive")) as source:
        frame = next(frame for index, frame in enumerate(source) if index == number)
    camera.number += 1
    message = rgb_to_image(frame.rgb, Header(frame_id="camera"))
    message.header.stamp.sec = camera.number
    camera.images.publish(message)
    return camera.graph_of(message)


def test_graphs_speak_the_asked_names(camera, vocabularies):
    eventually(lambda: vocabularies)
    said = vocabularies[-1]
    assert list(said.classes[:4]) == ["person", "dining table", "cup", "tv"]
    assert said.thing_count == 4 and len(said.classes) == 16
    assert list(said.predicates) == ["on", "holding"]
    graph = graph_of(camera)
    assert graph.nodes
    for entry in graph.nodes:
        assert said.classes[entry.class_id] == entry.label
        assert entry.is_thing == (entry.class_id < 4)
    assert all(said.predicates[r.predicate_id] == r.predicate for r in graph.relations)


@pytest.mark.parametrize("active", [True, False])
def test_names_that_cannot_be_had_leave_the_former_ones(camera, client, vocabularies, active):
    if not active:
        client.change_state("deactivate")
    refused = client.set_parameter("predicates", ["on", "juggling"])
    assert not refused.successful
    assert "no embedding of 'juggling' is stored with the weights" in refused.reason
    for wrong, problem in ((["on", ""], "a name is empty"), (["on", "on"], "more than once")):
        refused = client.set_parameter("predicates", wrong)
        assert not refused.successful and problem in refused.reason
    if not active:
        client.change_state("activate")
    eventually(lambda: list(vocabularies[-1].predicates) == ["on", "holding"])


def test_other_names_while_it_is_active(camera, client, vocabularies):
    """They are said within a second, also while no image comes; then graphs speak them."""
    before, start = len(vocabularies), time.monotonic()
    assert client.set_parameter("classes", ["couch", "human"]).successful
    eventually(lambda: len(vocabularies) > before)
    assert time.monotonic() - start < 1
    said = vocabularies[-1]
    assert list(said.classes[:2]) == ["couch", "human"] and said.meant_classes[1] == "person"
    graph = graph_of(camera)
    assert {node.label for node in graph.nodes if node.is_thing} <= {"couch", "human"}
    assert any(node.label == "human" for node in graph.nodes)
    assert all(said.classes[node.class_id] == node.label for node in graph.nodes)
    closed = client.set_parameter("text_encoder", "somewhere")
    assert not closed.successful and "deactivate the node" in closed.reason
    assert client.set_parameter("classes", ["person", "dining table", "cup", "tv"]).successful
    eventually(lambda: list(vocabularies[-1].classes[:2]) == ["person", "dining table"])


def test_other_names_after_a_new_start(camera, client, vocabularies):
    client.change_state("deactivate")
    assert client.set_parameter("stuff_classes", ["floor"]).successful
    assert client.set_parameter("predicates", [""]).successful
    client.change_state("activate")
    eventually(lambda: len(vocabularies[-1].predicates) == 16)
    assert list(vocabularies[-1].classes[4:]) == ["floor"]
    assert vocabularies[-1].meant_classes[4] == "floor-other-merged"
    assert {n.label for n in graph_of(camera).nodes if not n.is_thing} <= {"floor"}
