"""Transitions, memory, a node without frames, parameters that wait for the next activation."""

import cv2
import numpy as np
import psutil
import pytest
from harness import Camera, Client, Reports, image_message

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

from lifecycle_msgs.srv import GetState
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image
from std_srvs.srv import SetBool

BEST_EFFORT = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def node(start_node, slow_weights):
    overrides = {"qos_overrides./image.subscription.reliability": "reliable"}
    return start_node(autostart=False, weights=slow_weights, no_frame_warning_s=0.5, **overrides)


@pytest.fixture(scope="class")
def active(client, node):
    """The node, active for the time of the tests that follow one another."""
    if state(client) == "unconfigured":
        assert client.change_state("configure"), node.output
    assert client.change_state("activate"), node.output
    yield node
    assert client.change_state("deactivate"), node.output


def state(client):
    return client.call(GetState, "/dsflash/get_state", GetState.Request()).current_state.label


def resident_mib(node):
    return psutil.Process(node.pid).memory_info().rss / MEBIBYTE


def test_transitions_and_memory(client, node):
    assert state(client) == "unconfigured"
    assert client.change_state("configure")
    assert state(client) == "inactive"
    before = resident_mib(node)
    assert client.change_state("activate"), node.output
    assert state(client) == "active"
    active = resident_mib(node)
    assert client.change_state("deactivate")
    assert state(client) == "inactive"
    weights = 40e6 * 4 / MEBIBYTE
    inactive = resident_mib(node)
    assert active - inactive > 0.9 * weights, f"the model stays: {before}, {active}, {inactive} MiB"
    assert client.change_state("cleanup")
    assert state(client) == "unconfigured"


def test_inactive_node_refuses_to_resume_and_takes_parameters(client, node):
    response = client.call(SetBool, "/dsflash/set_enabled", SetBool.Request(data=True))
    assert not response.success and "activate" in response.message
    assert client.set_parameter("weights", "/no/such.safetensors").successful
    assert not client.change_state("configure")
    assert (
        "cannot configure: no weights at" in node.output and "/no/such.safetensors" in node.output
    )
    assert state(client) == "unconfigured"
    assert client.set_parameter("weights", "random").successful
    assert client.set_parameter("device", "cuda:77").successful
    assert not client.change_state("configure")
    assert "cannot configure: device 'cuda:77' was asked for" in node.output
    assert client.set_parameter("device", "cpu").successful
    assert client.change_state("configure")
    assert state(client) == "inactive"
    assert "Traceback" not in node.output


class TestWithoutFrames:
    """What the active node says; the QoS comes last, because it stays noted while subscribed."""

    def test_topic_without_publisher_is_told(self, client, active):
        elsewhere = client.node.create_publisher(Image, "/left/image_raw", 1)
        status, _ = Reports(client).report("frames", lambda s, v: "/left/image_raw" in s.message)
        client.node.destroy_publisher(elsewhere)
        assert status.level == status.WARN
        assert (
            "no frame for more than 0.5 s on /image: no publisher" in status.message
            and "remap" in status.message
        )
        assert "/dsflash/overlay" not in status.message, "its own pictures are no camera"
        assert "no frame for more than 0.5 s on /image" in active.output

    def test_silent_publisher_is_told(self, client, active):
        publisher = client.node.create_publisher(Image, "/image", 1)
        status, _ = Reports(client).report("frames", lambda s, v: "1 publisher(s)" in s.message)
        client.node.destroy_publisher(publisher)
        assert status.level == status.WARN and "FASTRTPS_DEFAULT_PROFILES_FILE" in status.message

    def test_topic_of_another_type_is_told(self, client, active):
        other = Client()  # within one process, DDS allows a topic only one type
        other.node.create_publisher(CompressedImage, "/image", 1)
        status, _ = Reports(client).report(
            "frames", lambda s, v: "CompressedImage is published there" in s.message
        )
        other.close()
        assert status.level == status.WARN and "image_transport" in status.message

    def test_incompatible_qos_is_told_by_the_name_of_the_policy(self, client, active):
        publisher = client.node.create_publisher(Image, "/image", BEST_EFFORT)
        status, _ = Reports(client).report("frames", lambda s, v: "QoS" in s.message)
        client.node.destroy_publisher(publisher)
        assert status.level == status.WARN
        assert (
            "RELIABILITY" in status.message
            and "qos_overrides./image.subscription" in status.message
        )


def test_compressed_images(client, node):
    assert client.set_parameter("image_transport", "compressed").successful
    assert client.change_state("activate"), node.output
    camera = Camera(client, node, CompressedImage, "/image/compressed")
    sharp = cv2.imencode(".png", np.zeros((48, 64, 3), np.uint8))[1].tobytes()
    for number, data in ((1, b"no picture"), (2, b""), (3, sharp[:100])):
        header = image_message(number).header
        camera.images.publish(CompressedImage(header=header, format="png", data=data))
        _, values = camera.report("frames", lambda s, v, n=number: int(v["frames rejected"]) == n)
        assert values["last problem"]
    message = CompressedImage(header=image_message(4).header, format="png", data=sharp)
    camera.images.publish(message)
    graph = camera.graph_of(message)
    assert (graph.width, graph.height) == (64, 48)
    assert client.change_state("deactivate")
    assert client.set_parameter("image_transport", "raw").successful
