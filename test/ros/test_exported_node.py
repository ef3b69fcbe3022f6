"""The ROS node runs an exported model in a process that has no PyTorch."""

import os
import re

import pytest
from places import ROOT

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

from harness import Camera


@pytest.fixture(scope="module")
def node(start_node, exported_shapes):
    folders = [ROOT / "test/torchless", ROOT / "test", os.environ.get("PYTHONPATH", "")]
    environment = {"PYTHONPATH": os.pathsep.join(map(str, folders))}
    node = start_node(
        weights=exported_shapes.folder,
        mask_threshold=0.3,
        relation_threshold=0.0,
        environment=environment,
    )
    return node.wait_for_output("active: ")


def test_graphs_without_pytorch(client, node):
    camera = Camera(client, node)
    graph = camera.graph_of(camera.send())
    assert graph.header.frame_id
    assert "torch is not here" in node.output
    assert re.search(r", (openvino on cpu, |onnx on cpu, float32)", node.output)
