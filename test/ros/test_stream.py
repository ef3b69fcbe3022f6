"""Several cameras in one node: each has its topics and counts, and all share a worker."""

import pytest
from harness import eventually, image_message

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import Image
from stand_in import StandIn

from dsflash_ros.msg import SceneGraph
from dsflash_ros.ros import parameters
from dsflash_ros.ros.stream import Stream
from dsflash_ros.ros.transform_listener import TransformListener
from dsflash_ros.ros.worker import Worker

NAMES = ("left", "right")


@pytest.fixture
def streams(client):
    """Two streams of an active node, by name."""
    node = LifecycleNode("dsflash", context=client.context, namespace="/two")
    parameters.declare(node)
    transforms = TransformListener(node)
    made = {name: Stream(node, transforms, name) for name in NAMES}
    for stream in made.values():
        stream.configure()
    node.trigger_configure()
    node.trigger_activate()
    worker = Worker(StandIn)
    worker.loaded.result(5.0)
    for stream in made.values():
        stream.start(worker)
    client.executor.add_node(node)
    yield made
    for stream in made.values():
        stream.stop()
    worker.stop().result(5.0)
    client.executor.remove_node(node)
    node.destroy_node()


def test_each_camera_has_its_own_graphs_and_counts(client, streams):
    cameras = {name: client.publisher(Image, f"/two/{name}/image", 10) for name in NAMES}
    graphs = {name: client.subscribe(SceneGraph, f"/two/{name}/scene_graph")[0] for name in NAMES}
    numbers = {"left": 1, "right": 2}
    for name in NAMES:
        message = image_message(numbers[name])
        eventually(lambda name=name, m=message: cameras[name].publish(m) or graphs[name])
    for name in NAMES:
        assert {graph.header.frame_id for graph in graphs[name]} == {f"camera_{numbers[name]}"}
        status = streams[name].status("two/dsflash", "cpu", "active")
        assert status.name == f"two/dsflash: {name}/frames"
    cameras["left"].publish(image_message(3, width=13))
    eventually(lambda: streams["left"].statistics.counts.failed == 1)
    assert streams["right"].statistics.counts.failed == 0


def test_one_camera_can_pause_alone(client, streams):
    right = client.publisher(Image, "/two/right/image", 10)
    graphs, _ = client.subscribe(SceneGraph, "/two/right/scene_graph")
    streams["left"].pause()
    assert streams["left"].status("two/dsflash", "cpu", "active").message == "paused"
    eventually(lambda: right.publish(image_message(4)) or graphs)
