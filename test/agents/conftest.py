import os

import pytest

os.environ["ROS_DOMAIN_ID"] = str(10 + os.getpid() % 90)  # or others on the machine would be heard
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"


@pytest.fixture(scope="module")
def publisher():
    """A process that publishes graphs as the node does."""
    pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")
    pytest.importorskip("mcp")
    from graph_publisher import GraphPublisher

    process = GraphPublisher()
    yield process
    process.kill()
