"""The node in a process of its own, over DDS: what it publishes, bad input, parameters."""

import numpy as np
import pytest
from harness import Camera, eventually, image_message

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool

from dsflash_ros.graph.scene_graph import unpack_panoptic
from dsflash_ros.graph.vocabulary import Vocabulary as Names
from dsflash_ros.images.encodings import image_to_rgb
from dsflash_ros.msg import Vocabulary

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@pytest.fixture(scope="module")
def camera(client, start_node):
    return Camera(client, start_node(weights="random").wait_for_output("active:"))


def subscribe(camera, topic):
    """Messages of an image topic which the node knows to be subscribed, and the subscription."""
    images, subscription = camera.client.subscribe(Image, topic)
    # discovery takes a moment: send until one comes
    eventually(lambda: camera.send() and eventually(lambda: camera.graphs) and images)
    camera.graph_of(camera.send())
    return images, subscription


def test_graph_has_the_header_of_its_image(camera):
    message = camera.send()
    graph = camera.graph_of(message)
    assert graph.header == message.header
    assert (graph.width, graph.height) == (64, 48)
    assert graph.weights == "random"
    assert "total" in {latency.stage for latency in graph.latencies}


def test_panoptic_agrees_with_the_nodes(camera):
    images, subscription = subscribe(camera, "/dsflash/panoptic")
    message = camera.send(width=320, height=240)
    graph = camera.graph_of(message)
    image = eventually(lambda: [image for image in images if image.header == message.header])[0]
    camera.client.node.destroy_subscription(subscription)
    assert (image.encoding, image.width, image.height, image.step) == ("32SC1", 320, 240, 1280)
    classes, ids = unpack_panoptic(np.frombuffer(image.data, np.int32).reshape(240, 320))
    assert graph.nodes, "without a node this test would see nothing"
    found, areas = np.unique(ids[ids >= 0], return_counts=True)
    assert {node.id: node.area for node in graph.nodes} == dict(
        zip(found.tolist(), areas.tolist(), strict=True)
    )
    for node in graph.nodes:
        assert np.unique(classes[ids == node.id]).tolist() == [node.class_id]
    related = {r.subject_id for r in graph.relations} | {r.object_id for r in graph.relations}
    assert related <= {node.id for node in graph.nodes}


def test_coloured_panoptic_has_a_colour_for_each_node(camera):
    coloured, one = subscribe(camera, "/dsflash/panoptic_color")
    packed, other = subscribe(camera, "/dsflash/panoptic")
    message = camera.send(width=320, height=240)
    picture, image = (
        eventually(
            lambda images=images: [image for image in images if image.header == message.header]
        )[0]
        for images in (coloured, packed)
    )
    for subscription in (one, other):
        camera.client.node.destroy_subscription(subscription)
    panoptic = np.frombuffer(image.data, np.int32)
    colours = image_to_rgb(picture).reshape(-1, 3)
    seen = {
        int(value): np.unique(colours[panoptic == value], axis=0).tolist()
        for value in np.unique(panoptic)
    }
    assert len(seen) > 2
    assert seen.pop(-1) == [[0, 0, 0]]
    assert all(len(of_node) == 1 for of_node in seen.values())
    assert len({tuple(of_node[0]) for of_node in seen.values()}) == len(seen)


def test_overlay_shows_the_image(camera):
    images, subscription = subscribe(camera, "/dsflash/overlay")
    message = camera.send(width=320, height=240)
    overlay = eventually(lambda: [image for image in images if image.header == message.header])[0]
    camera.client.node.destroy_subscription(subscription)
    assert image_to_rgb(overlay).shape == (240, 320, 3)
    assert not np.array_equal(image_to_rgb(overlay), image_to_rgb(message))


def test_vocabulary_is_latched(camera, client):
    messages, subscription = client.subscribe(Vocabulary, "/dsflash/vocabulary", LATCHED)
    vocabulary = eventually(lambda: messages)[0]
    client.node.destroy_subscription(subscription)
    assert tuple(vocabulary.predicates) == Names.psg().predicates
    assert vocabulary.classes[vocabulary.thing_count] == Names.psg().stuff[0]


def test_frames_may_change_size(camera):
    for width, height in ((64, 48), (640, 480), (48, 200), (16, 16)):
        graph = camera.graph_of(camera.send(width=width, height=height))
        assert (graph.width, graph.height) == (width, height)


@pytest.mark.parametrize(
    ("fields", "hint"),
    [
        ({"width": 0, "height": 0, "data": b""}, "0x0"),
        ({"data": b"\0" * 100}, "100"),
        ({"step": 3}, "step"),
        ({"encoding": "rgb9"}, "rgb9"),
    ],
    ids=["no pixels", "truncated", "step too small", "unknown encoding"],
)
def test_bad_frame_is_rejected_with_a_reason_and_the_next_one_works(camera, fields, hint):
    before = camera.count("rejected")
    # a good one, whose fields are then spoilt: image_message() makes data of the right size
    bad = camera.send()
    camera.graph_of(bad)
    for name, value in fields.items():
        setattr(bad, name, value)
    camera.images.publish(bad)
    status, values = camera.report("frames", lambda s, v: int(v["frames rejected"]) == before + 1)
    assert hint in values["last problem"]
    assert status.level == status.WARN and hint in status.message
    camera.graph_of(camera.send())


def test_stamp_that_is_no_time_is_rejected(camera):
    before = camera.count("rejected")
    message = image_message(7)
    message.header.stamp.nanosec = 4_000_000_000
    camera.images.publish(message)
    _, values = camera.report("frames", lambda s, v: int(v["frames rejected"]) == before + 1)
    assert "nanosec" in values["last problem"]


def test_stamp_that_goes_back_is_processed_and_counted(camera):
    camera.graph_of(camera.send())
    before = camera.count("stamps_back")
    old = image_message(3)
    camera.images.publish(old)
    status, _ = camera.report("frames", lambda s, v: int(v["frames stamps_back"]) == before + 1)
    assert status.level == status.WARN and "back" in status.message
    camera.graph_of(old)


def test_newest_frame_wins_and_every_frame_is_accounted_for(camera):
    messages = [camera.send() for _ in range(60)]
    camera.graph_of(messages[-1])
    _, values = camera.report("frames")
    received, processed, dropped = (
        int(values[f"frames {what}"]) for what in ("received", "processed", "dropped")
    )
    assert dropped > 0
    assert received == processed + dropped + int(values["frames rejected"]) + int(
        values["frames failed"]
    )


def test_model_status_warns_of_untrained_weights(camera):
    status, values = camera.report("model")
    assert status.level == status.WARN and "untrained" in status.message
    assert (
        values["weights"] == "random"
        and values["device"]
        and values["precision"]
        and values["state"] == "active"
    )
    assert "the weights are untrained" in camera.node.output


def test_pause_and_resume(camera, client):
    response = client.call(SetBool, "/dsflash/set_enabled", SetBool.Request(data=False))
    assert response.success and "paused" in response.message
    eventually(lambda: camera.images.get_subscription_count() == 0)
    assert camera.report("frames")[0].message == "paused"
    assert client.call(SetBool, "/dsflash/set_enabled", SetBool.Request(data=True)).success
    eventually(lambda: camera.images.get_subscription_count() == 1)
    camera.graph_of(camera.send())


def test_options_take_effect_with_the_next_frame(camera, client):
    assert camera.graph_of(camera.send()).nodes
    assert client.set_parameter("mask_threshold", 1.0).successful
    assert not camera.graph_of(camera.send()).nodes
    assert client.set_parameter("mask_threshold", 0.8).successful
    assert camera.graph_of(camera.send()).nodes


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("mask_threshold", 1.5, "out of range"),
        ("mask_threshold", float("nan"), "out of range"),
        ("tome_ratio", 0.70000001, "from 0.0 to 0.7"),  # rclpy lets this through
        ("tome_ratio", 1, "type"),
        ("max_relations", -1, "out of range"),
        ("max_relations", 65536, "out of range"),
        ("pruning", "yes", "type"),
        ("overlay_relations", 2.5, "type"),
        ("weights", "random-small", "deactivate"),
        ("device", "cuda", "deactivate"),
        ("image_transport", "compressed", "deactivate"),
        ("precision", "float8", "one of auto"),
        ("autostart", False, "read-only"),
    ],
)
def test_wrong_change_of_a_parameter_is_refused_with_a_reason(camera, client, name, value, hint):
    result = client.set_parameter(name, value)
    assert not result.successful
    assert hint in result.reason


@pytest.mark.parametrize("number", [Transition.TRANSITION_CONFIGURE, 255])
def test_impossible_transition_is_answered_and_does_no_harm(camera, client, number):
    request = ChangeState.Request()
    request.transition.id = number  # an active node cannot do it; rclpy by itself would not answer
    assert not client.call(ChangeState, "/dsflash/change_state", request, timeout_s=10.0).success
    eventually(lambda: f"no transition {number} from active" in camera.node.output)
    assert "Traceback" not in camera.node.output
    camera.graph_of(camera.send())
