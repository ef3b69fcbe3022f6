import pytest

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

from harness import eventually
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import ReliabilityPolicy

from dsflash_ros.ros.image_input import ImageInput
from dsflash_ros.ros.results import ResultPublishers


@pytest.fixture
def offered(client):
    """Makes the node's publishers and subscription with these parameters.

    Gives the QoS of a topic, as others see it.
    """
    made = []

    def make(*parameters):
        arguments = [word for parameter in parameters for word in ("-p", parameter)]
        made.append(
            LifecycleNode("qos", context=client.context, cli_args=["--ros-args", *arguments])
        )
        ResultPublishers(made[-1])
        ImageInput(made[-1], lambda message: None).open("raw")
        graph = client.node

        def profile(topic):
            (end,) = eventually(
                lambda: (
                    graph.get_publishers_info_by_topic(topic)
                    or graph.get_subscriptions_info_by_topic(topic)
                )
            )
            return end.qos_profile

        return profile

    yield make
    for node in made:
        node.destroy_node()


def test_sensor_data_in_reliable_out_and_the_vocabulary_latched(offered):
    profile = offered()
    assert profile("/image").reliability == ReliabilityPolicy.BEST_EFFORT
    for topic in ("/scene_graph", "/qos/panoptic", "/qos/panoptic_color", "/qos/overlay"):
        assert profile(topic).reliability == ReliabilityPolicy.RELIABLE
        assert profile(topic).durability.name == "VOLATILE"
    assert profile("/qos/vocabulary").durability.name == "TRANSIENT_LOCAL"


def test_an_override_changes_one_topic_only(offered):
    profile = offered("qos_overrides./scene_graph.publisher.reliability:=best_effort")
    assert profile("/scene_graph").reliability == ReliabilityPolicy.BEST_EFFORT
    assert profile("/qos/panoptic").reliability == ReliabilityPolicy.RELIABLE
    assert profile("/qos/overlay").reliability == ReliabilityPolicy.RELIABLE
