import re

import pytest
from places import ROOT

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

from rclpy.lifecycle import LifecycleNode

from dsflash_ros.ros.process.rclpy_gaps import given_parameters, state_label

GAPS = "process/rclpy_gaps.py"


@pytest.fixture
def node(client):
    made = LifecycleNode(
        "gaps", context=client.context, cli_args=["--ros-args", "-p", "one:=1", "-p", "two:=2"]
    )
    yield made
    made.destroy_node()


def test_private_members_of_rclpy_are_used_in_one_place(node):
    private = {name for name in dir(node) if re.match(r"_[a-z]", name)}
    assert {"_state_machine", "_parameter_overrides"} <= private
    uses = {}
    for path in sorted((ROOT / "dsflash_ros/ros").rglob("*.py")):
        names = set(re.findall(r"\.(_[a-z]\w*)", path.read_text())) & private
        if names:
            uses[str(path.relative_to(ROOT / "dsflash_ros/ros"))] = names
    assert uses[GAPS], "this test would see nothing"
    assert set(uses) == {GAPS}, uses


def test_state_and_given_parameters(node):
    assert state_label(node) == "unconfigured"
    node.trigger_configure()
    assert state_label(node) == "inactive"
    node.declare_parameter("one", 0)
    assert {"one", "two"} <= set(given_parameters(node))
