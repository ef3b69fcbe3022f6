"""Pictures of `SceneGraphClient`, and those who wait for one when there is an end."""

import threading
import time

import pytest
from graph_publisher import GraphPublisher
from harness import eventually

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

import rclpy

from dsflash_ros import SceneGraphClient
from dsflash_ros.errors import NoGraphError


@pytest.fixture(scope="module")
def publisher():
    process = GraphPublisher()
    yield process
    process.kill()


@pytest.fixture
def ours():
    """A client inside a node, whose context is shut down at last."""
    context = rclpy.Context()
    rclpy.init(context=context)
    client = SceneGraphClient(rclpy.create_node("looker", context=context))
    yield client, context
    client.close()
    context.try_shutdown()


def ended_while_it_looks(client, end):
    """Calls `end` while the client waits for a picture. Returns what it raised, and how soon."""
    raised = []

    def look():
        try:
            client.picture(timeout_s=30.0)
        except Exception as error:
            raised.append((error, time.monotonic()))

    thread = threading.Thread(target=look)
    thread.start()
    time.sleep(0.5)  # until it waits
    start = time.monotonic()
    end()
    thread.join()
    ((error, at),) = raised
    return error, at - start


def test_the_next_picture(ours, publisher):
    client, _ = ours
    eventually(lambda: client.vocabulary)
    timer = threading.Timer(0.3, publisher.graph, ("cup",))
    timer.start()
    assert client.picture(timeout_s=float("inf")).shape == (48, 64, 3)
    with pytest.raises(NoGraphError, match=r"within 0\.1 s: does the camera send images"):
        client.picture(timeout_s=0.1)
    with pytest.raises(ValueError, match="0 seconds or more"):
        client.picture(timeout_s=float("nan"))


def test_no_picture_of_a_client_that_was_closed(ours, publisher):
    client, _ = ours
    eventually(lambda: client.vocabulary)
    error, after_s = ended_while_it_looks(client, client.close)
    assert isinstance(error, NoGraphError)
    assert str(error) == "there is no picture: the client was closed"
    assert after_s < 5
    with pytest.raises(NoGraphError, match="there is no picture: the client was closed"):
        client.picture()
    assert not client.has_publisher


def test_no_picture_when_ros_was_shut_down(ours, publisher):
    client, context = ours
    eventually(lambda: client.vocabulary)
    error, after_s = ended_while_it_looks(client, context.shutdown)
    assert isinstance(error, NoGraphError)
    assert str(error) == "there is no picture: ROS was shut down"
    assert after_s < 5
    with pytest.raises(NoGraphError, match="there is no picture: ROS was shut down"):
        client.picture()
    assert not client.has_publisher
