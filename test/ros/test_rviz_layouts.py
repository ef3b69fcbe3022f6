"""rviz's layouts show what the node publishes: topics, types, quality of service.

(rviz itself is not here; the layouts have only what its configuration files document.)
"""

from pathlib import Path

import pytest
import yaml
from harness import eventually
from places import ROOT

from dsflash_ros.ros.rviz_layout import rviz_layout, write_rviz_layout

TYPES = {
    "rviz_default_plugins/Image": "sensor_msgs/msg/Image",
    "rviz_default_plugins/MarkerArray": "visualization_msgs/msg/MarkerArray",
}
FILES = {"dsflash.rviz": [""], "dsflash_cameras.rviz": ["front", "left"]}


def displays(layout):
    manager = yaml.safe_load(layout)["Visualization Manager"]
    return [display for display in manager["Displays"] if "Topic" in display]


@pytest.mark.parametrize("name", FILES)
def test_the_files_are_the_generated_layouts(name):
    assert (ROOT / "config" / name).read_text() == rviz_layout(FILES[name])


def test_each_camera_has_pictures_and_objects():
    names = [display["Name"] for display in displays(rviz_layout(FILES["dsflash_cameras.rviz"]))]
    kinds = ("Overlay", "Panoptic", "Objects in space")
    assert names == [f"{kind} {camera}" for camera in ("front", "left") for kind in kinds]
    windows = yaml.safe_load(rviz_layout(["front"]))["Window Geometry"]
    assert {"Overlay front", "Panoptic front"} <= set(windows)


def test_the_frame_is_that_of_the_positions():
    options = yaml.safe_load(rviz_layout(fixed_frame="map"))["Visualization Manager"]
    assert options["Global Options"]["Fixed Frame"] == "map"


def test_the_launch_file_gets_a_layout_for_its_cameras():
    written = [
        Path(write_rviz_layout(*given)) for given in (("front, left", "robot", "map"), ("", "", ""))
    ]
    assert written[0].read_text() == rviz_layout(["front", "left"], "robot", "map")
    assert written[1].read_text() == rviz_layout()
    for path in written:
        path.unlink()


@pytest.fixture(scope="module")
def nodes(client, start_node):
    """One node with one camera, and one in a namespace with two."""
    start_node(weights="random-tiny").wait_for_output("active:")
    space = ("-r", "__ns:=/robot")
    two = start_node(weights="random-tiny", cameras="front,left", arguments=space)
    two.wait_for_output("active:")


@pytest.mark.parametrize(
    "layout",
    [rviz_layout(), rviz_layout(["front", "left"], "robot")],
    ids=["one camera", "two in a namespace"],
)
def test_the_node_publishes_what_is_shown(nodes, client, layout):
    from rclpy.qos import DurabilityPolicy, ReliabilityPolicy

    found = displays(layout)
    assert len(found) % 3 == 0
    for display in found:
        topic = display["Topic"]["Value"]
        [publisher] = eventually(
            lambda topic=topic: client.node.get_publishers_info_by_topic(topic)
        )
        assert publisher.topic_type == TYPES[display["Class"]]
        offered, asked = publisher.qos_profile, display["Topic"]
        # reliable asks for reliable, transient local for transient local
        assert asked["Reliability Policy"] == "Reliable"
        assert offered.reliability == ReliabilityPolicy.RELIABLE
        assert asked["Durability Policy"] == "Volatile"
        assert offered.durability in (DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL)
