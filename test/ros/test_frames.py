"""One node inside the test's process, with a stand-in for the pipeline that makes rare errors."""

import threading
import weakref

import pytest
from harness import image_message

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

from rclpy.lifecycle import TransitionCallbackReturn
from stand_in import StandIn

from dsflash_ros.ros import node as node_module
from dsflash_ros.ros.image_input import ImageInput
from dsflash_ros.ros.node import DSFlashNode
from dsflash_ros.ros.process.rclpy_gaps import state_label


@pytest.fixture
def node(client, monkeypatch):
    monkeypatch.setattr(node_module, "check_choice", lambda choice: None)
    monkeypatch.setattr(node_module, "load_pipeline", lambda choice: StandIn())
    node = DSFlashNode(threading.Event(), context=client.context, namespace="/inside")
    assert node.trigger_configure() == node.trigger_activate() == TransitionCallbackReturn.SUCCESS
    yield node
    node.close()


def process(node, message):
    node._streams[0]._process(node._worker.model, message)


def frames_status(node):
    return node._streams[0].statistics.frames_status("name", "cpu", "active")


def test_error_of_the_model_is_counted_and_the_next_frame_works(node):
    process(node, image_message(1, width=13))
    status = frames_status(node)
    assert status.level == status.ERROR
    assert status.message == "frames failed: RuntimeError: CUDA out of memory"
    process(node, image_message(2))
    assert node._worker.model.stamps == [pytest.approx(2.123456789)]
    status = frames_status(node)
    assert status.level == status.OK
    values = {pair.key: pair.value for pair in status.values}
    assert (values["frames failed"], values["frames processed"]) == ("1", "1")


def test_no_publishing_once_the_node_stops(node, monkeypatch):
    published = []
    monkeypatch.setattr(node._streams[0]._results, "publish", lambda *_: published.append(1))
    process(node, image_message(1))
    node._worker.stopping = True
    process(node, image_message(2))
    assert len(published) == 1


def test_inactive_node_keeps_no_model(node):
    model = weakref.ref(node._worker.model)
    assert node.trigger_deactivate() == TransitionCallbackReturn.SUCCESS
    assert model() is None


def test_failed_activation_leaves_nothing(node, monkeypatch):
    models = []

    def load(choice):
        models.append(weakref.ref(model := StandIn()))
        return model

    def fail(self, transport):
        raise RuntimeError("no subscription for you")

    assert node.trigger_deactivate() == TransitionCallbackReturn.SUCCESS
    monkeypatch.setattr(node_module, "load_pipeline", load)
    monkeypatch.setattr(ImageInput, "open", fail)
    assert node.trigger_activate() == TransitionCallbackReturn.ERROR
    assert models[0]() is None
    monkeypatch.undo()
    assert state_label(node) == "unconfigured"


def test_signal_cuts_loading_short(client, monkeypatch):
    interrupted, go_on = threading.Event(), threading.Event()
    monkeypatch.setattr(node_module, "check_choice", lambda choice: None)
    monkeypatch.setattr(node_module, "load_pipeline", lambda choice: go_on.wait(30.0))
    node = DSFlashNode(interrupted, context=client.context, namespace="/inside")
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    threading.Timer(0.3, interrupted.set).start()
    assert node.trigger_activate() == TransitionCallbackReturn.FAILURE
    go_on.set()
    node.close()


@pytest.mark.parametrize(
    ("transport", "remap", "topic"),
    [
        ("raw", None, "/front/image"),
        ("raw", "image:=/camera/image_raw", "/camera/image_raw"),
        ("compressed", None, "/front/image/compressed"),
        ("compressed", "image:=/camera/image_raw", "/camera/image_raw/compressed"),
        ("compressed", "image/compressed:=/jpeg", "/jpeg"),
    ],
)
def test_topic_after_remapping(client, transport, remap, topic):
    import rclpy

    arguments = ["--ros-args", "-r", remap] if remap else []
    node = rclpy.create_node(
        "input", namespace="/front", context=client.context, cli_args=arguments
    )
    source = ImageInput(node, lambda message: None)
    source.open(transport)
    assert source.topic == topic
    source.close()
    assert not source.is_open
    node.destroy_node()
