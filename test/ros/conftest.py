import os

import pytest
from harness import Client, NodeProcess

# a domain of this session's own, or its messages would mix with those of others on the machine
os.environ["ROS_DOMAIN_ID"] = str(10 + os.getpid() % 90)
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"


@pytest.fixture(scope="module")
def client():
    pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")
    client = Client()
    yield client
    client.close()


@pytest.fixture(scope="module")
def start_node(tmp_path_factory):
    """Starts `dsflash_node` with parameters given by name; what still runs at the module's end is
    ended.
    """
    pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")
    started = []

    def start(*, arguments=(), environment=(), **parameters):
        log = tmp_path_factory.mktemp("node") / "output.txt"
        started.append(NodeProcess(log, parameters, arguments, environment))
        return started[-1]

    yield start
    for node in started:
        if node.process.poll() is None:
            node.end()
