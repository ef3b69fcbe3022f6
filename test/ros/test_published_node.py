"""The hub id of somebody else's EoMT as the node's weights, with real processes."""

import pytest
from harness import Camera
from hub_server import hub, hub_environment
from published_eomt import ID, published_files

pytestmark = pytest.mark.slow

pytest.importorskip("huggingface_hub")
NOWHERE = "http://127.0.0.1:9"
"""A hub that does not answer."""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def start(start_node, home):
    """Start a node with those weights; its hub is given by address."""

    def start(url):
        anything = {"mask_threshold": 0.0, "overlap_threshold": 0.0}
        where = {"device": "cpu", "precision": "float32"}
        environment = hub_environment(url, home)
        return start_node(environment=environment, weights=ID, **where, **anything)

    return start


@pytest.fixture(scope="module")
def first(start, tmp_path_factory):
    """What a node says that has to fetch and convert."""
    with hub({ID: published_files(tmp_path_factory.mktemp("published"))}) as served:
        node = start(served.url).wait_for_output("active: ", timeout_s=120.0)
        node.end()
    return node.output


def test_it_fetches_and_converts_and_says_so(first, home):
    (conversion,) = (home / "dsflash_ros").glob("*.safetensors")
    (line,) = [line for line in first.splitlines() if "converted" in line]
    assert line.endswith(
        f"converted {ID} (transformers' eomt; small, 64 pixels, 133 classes) to {conversion}, "
        "which is used from now on; it has no trained relation stage"
    )


def test_afterwards_it_works_without_the_network(first, start, client):
    node = start(NOWHERE).wait_for_output("active: ")
    camera = Camera(client, node)
    assert client.set_parameter("tracking", False).successful  # whatever it finds at first sight
    graph = camera.graph_of(camera.send())
    assert graph.weights == ID and len(graph.nodes) > 0 and len(graph.relations) == 0
    assert "converted" not in node.output and "no trained relation stage" in node.output
    assert node.end()[0] == 0
