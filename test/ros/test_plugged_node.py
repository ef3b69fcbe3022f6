"""The ROS node with a segmenter and a relation stage that are not part of the package."""

import os

import pytest
from places import ROOT

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

import toy_registration  # noqa: F401
from harness import Camera

from dsflash_ros.data.shapes import VOCABULARY
from dsflash_ros.model.checkpoints import Header, save_checkpoint
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.random_weights import random_model


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    config = ModelConfig.for_vocabulary(
        VOCABULARY,
        image_size=72,
        segmenter="stripes",
        relater="boxes",
        segmenter_settings={"stripes": 5},
    )
    path = tmp_path_factory.mktemp("weights") / "toy.safetensors"
    header = Header(config, VOCABULARY)
    save_checkpoint(path, random_model(header), header)
    return path


@pytest.fixture(scope="module")
def node(start_node, weights):
    folders = [ROOT / "test/plugged", ROOT / "test", os.environ.get("PYTHONPATH", "")]
    environment = {"PYTHONPATH": os.pathsep.join(map(str, folders))}
    node = start_node(
        weights=weights, device="cpu", relation_threshold=0.0, environment=environment
    )
    return node.wait_for_output("active: ")


def test_graphs_come_from_the_plugs(client, node):
    camera = Camera(client, node)
    graph = camera.graph_of(camera.send())
    assert [found.class_id for found in graph.nodes] == [0, 1, 2, 3, 4]
    assert {found.box.height for found in graph.nodes} == {48}
    assert len(graph.relations) == 20


def test_what_the_segmenter_does_not_have_cannot_be_set(client, node):
    answer = client.set_parameter("tome_ratio", 0.3)
    assert not answer.successful
    assert "tome_ratio cannot be 0.3: the segmenter of the weights" in answer.reason
    assert client.set_parameter("pruning", True).successful
    assert client.set_parameter("pruning", False).successful
    assert client.set_parameter("pruning", True).successful
    node.wait_for_output("pruning has no effect: the relation stage of the weights")
    assert node.output.count("pruning has no effect") == 1
    camera = Camera(client, node)
    assert len(camera.graph_of(camera.send()).relations) == 20


def test_a_start_with_an_option_that_the_weights_refuse_says_so(start_node, weights, node):
    folders = [ROOT / "test/plugged", ROOT / "test", os.environ.get("PYTHONPATH", "")]
    environment = {"PYTHONPATH": os.pathsep.join(map(str, folders))}
    refused = start_node(weights=weights, device="cpu", tome_ratio=0.3, environment=environment)
    assert refused.process.wait(60) == 1
    assert "cannot activate: tome_ratio cannot be 0.3" in refused.output
    assert "Traceback" not in refused.output


def test_without_the_plugs_the_weights_are_refused(start_node, weights):
    refused = start_node(weights=weights, device="cpu")
    assert refused.process.wait(60) == 1
    assert "there is no segmenter 'stripes', only eomt" in refused.output
    assert "Traceback" not in refused.output
