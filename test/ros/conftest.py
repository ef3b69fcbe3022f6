import os

import pytest
from harness import Client, NodeProcess

# a domain of this process's own, or its messages would mix with those of others on the machine
if worker := os.environ.get("PYTEST_XDIST_WORKER"):  # gw0, gw1; the parent is the same
    number = os.getppid() + int(worker.removeprefix("gw"))
else:
    number = os.getpid()
os.environ["ROS_DOMAIN_ID"] = str(10 + number % 90)
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"


@pytest.fixture(scope="module")
def client():
    pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")
    client = Client()
    yield client
    client.close()


@pytest.fixture(scope="session")
def slow_weights(tmp_path_factory):
    """Untrained weights with 40 million parameters; a frame takes a CPU a second and more.

    `random-small` has them, too, but takes far longer to make, so that its graphs have nodes.
    """
    from dsflash_ros.graph.vocabulary import Vocabulary
    from dsflash_ros.model.assembly import DSFlash
    from dsflash_ros.model.checkpoints import Header, save_checkpoint
    from dsflash_ros.model.config import ModelConfig

    path = tmp_path_factory.mktemp("weights") / "slow.safetensors"
    config = ModelConfig("small")
    save_checkpoint(path, DSFlash(config), Header(config, Vocabulary.psg(), trained=()))
    return path


@pytest.fixture(scope="module")
def start_node(tmp_path_factory):
    """Starts `dsflash_node` with parameters given by name, and ends it with the module."""
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


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    """Five frames of a drive through a simulated room."""
    from harness import ended
    from room_camera import ROOM, start_camera

    path = tmp_path_factory.mktemp("recorded") / "drive"
    out, _ = ended(start_camera(*ROOM, "--duration", 0.6, "--record", path))
    assert "recorded 5 images" in out
    return path
