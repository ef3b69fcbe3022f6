"""Positions in the node: depth, camera_info and /tf beside the images."""

import numpy as np
import pytest
from harness import Camera, eventually
from places import ROOT

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")
pytest.importorskip("tf2_msgs.msg", reason="needs tf2_msgs")

from builtin_interfaces.msg import Time
from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import Marker, MarkerArray

from dsflash_ros.ros.messages.image_messages import depth_to_image, rgb_to_image
from dsflash_ros.sources import open_source

FOCAL = 440.0


@pytest.fixture(scope="module")
def rgb():
    with open_source(str(ROOT / "examples" / "drive")) as source:
        return next(iter(source)).rgb


class Robot(Camera):
    """Sends depth, calibration and poses, too."""

    def __init__(self, client, node):
        super().__init__(client, node)
        self.depth = client.publisher(Image, "/depth", 10)
        self.info = client.publisher(CameraInfo, "/camera_info", 10)
        self.tf = client.publisher(TFMessage, "/tf", 10)

    def look(self, rgb, metres=2.0, late_s=0.0, k=None, pose=(0.0, 0.0, 1.0), depth=None):
        """The graph of an image, with the wall at that distance, a second after the last one."""
        self.number += 1
        header = Header(stamp=Time(sec=self.number), frame_id="camera")
        if pose is not None:
            # the optical frame's z is the map's x: the camera looks along x
            turn = Quaternion(x=-0.5, y=0.5, z=-0.5, w=0.5)
            place = Transform(translation=Vector3(x=pose[0], y=pose[1], z=pose[2]), rotation=turn)
            frame = Header(stamp=header.stamp, frame_id="map")
            one = TransformStamped(header=frame, child_frame_id="camera", transform=place)
            self.tf.publish(TFMessage(transforms=[one]))
        k = [FOCAL, 0, 319.5, 0, FOCAL, 239.5, 0, 0, 1] if k is None else k
        self.info.publish(CameraInfo(header=header, width=640, height=480, k=np.array(k, float)))
        if depth is None:
            depth = depth_to_image(np.full((480, 640), metres, np.float32), Header())
        depth.header.stamp = Time(sec=self.number, nanosec=int(late_s * 1e9))
        self.depth.publish(depth)
        message = rgb_to_image(rgb, header)
        self.images.publish(message)
        return self.graph_of(message)

    def problem(self, words):
        return self.report("frames", lambda _, values: words in values["positions"])


@pytest.fixture(scope="module")
def robot(client, start_node):
    node = start_node(weights="toyroom", target_frame="map").wait_for_output("active:")
    robot = Robot(client, node)
    frame = np.zeros((480, 640, 3), np.uint8)
    eventually(lambda: robot.look(frame) and robot.report("frames")[1]["positions"] == "ok")
    return robot


def test_nodes_have_positions_in_the_target_frame(robot, rgb):
    eventually(lambda: robot.look(rgb).position_frame == "map")
    for metres, pose in ((2.0, (0.0, 0.0, 1.0)), (3.0, (5.0, -2.0, 0.5))):
        for _ in range(8):  # positions in a fixed frame are means
            graph = robot.look(rgb, metres, pose=pose)
        assert graph.position_frame == "map" and graph.nodes
        for node in graph.nodes:
            assert node.has_position
            u, v = node.box.x_offset + node.box.width / 2, node.box.y_offset + node.box.height / 2
            expected = (
                pose[0] + metres,
                pose[1] - (u - 320) * metres / FOCAL,
                pose[2] - (v - 240) * metres / FOCAL,
            )
            found = node.position.x, node.position.y, node.position.z
            assert found[0] == pytest.approx(expected[0], abs=0.02)
            if node.is_thing and node.box.width < 100:  # of others, masks fill their box unevenly
                assert found == pytest.approx(expected, abs=0.15)
            assert node.distance == pytest.approx(np.hypot(metres, 0), rel=0.4)
            assert node.extent.x < 0.05 < node.extent.y


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"late_s": 0.3}, "+300 ms from the colour image"),
        ({"k": [0.0] * 9}, "calibrate the camera"),
        ({"metres": np.nan}, "ok"),
        ({"metres": 0.0}, "ok"),
        ({"depth": "rgb"}, "is this the colour image's topic?"),
        ({"depth": "small"}, "must be registered to the colour image"),
        ({"depth": "cut"}, "cut off"),
    ],
)
def test_what_is_wrong_is_said_and_the_graphs_go_on(robot, rgb, changes, words):
    if isinstance(changes.get("depth"), str):
        shape = (100, 640) if changes["depth"] == "small" else (480, 640)
        image = depth_to_image(np.ones(shape, np.float32), Header(frame_id="camera"))
        if changes["depth"] == "rgb":
            image.encoding = "rgb8"
        if changes["depth"] == "cut":
            image.data = image.data[:1000]
        changes = {"depth": image}

    def told():
        graph = robot.look(rgb, **changes)
        assert graph.nodes
        return words in robot.report("frames")[1]["positions"]

    eventually(told)
    robot.look(rgb)
    robot.report("frames", lambda _, values: values["positions"] == "ok")
    assert robot.report("frames")[1]["frames failed"] == "0"


def test_a_pose_that_lags_is_said(robot, rgb):
    robot.look(rgb)
    graph = robot.look(rgb, pose=None)
    assert graph.nodes and not any(
        node.has_position for node in graph.nodes if node.last_seen.sec == node.first_seen.sec
    )
    robot.problem("not at")


def test_geometric_relations_are_marked(robot, client, rgb):
    assert client.set_parameter("geometric_relations", True).successful
    graph = robot.look(rgb)
    sources = {relation.source for relation in graph.relations}
    assert sources == {"learned", "geometric"}
    geometric = {r.predicate for r in graph.relations if r.source == "geometric"}
    assert "near" in geometric
    assert client.set_parameter("geometric_relations", False).successful
    assert {relation.source for relation in robot.look(rgb).relations} == {"learned"}


def test_markers_stand_where_the_nodes_are(robot, client, rgb):
    found, subscription = client.subscribe(MarkerArray, "/dsflash/markers")
    eventually(lambda: robot.look(rgb) and found)
    graph = robot.look(rgb)
    eventually(lambda: found[-1].markers[0].header.stamp == graph.header.stamp)
    first, *markers = found[-1].markers
    client.node.destroy_subscription(subscription)
    assert first.action == Marker.DELETEALL
    assert {marker.header.frame_id for marker in markers} == {"map"}
    boxes = {m.id: m for m in markers if m.ns == "boxes"}
    names = {m.id: m.text for m in markers if m.ns == "names"}
    things = [node for node in graph.nodes if node.is_thing and node.has_position]
    assert things and len(boxes) == len(names) == len(things)
    for node in things:
        number = next(n for n, text in names.items() if text == f"{node.label}_{node.track_id}")
        assert boxes[number].pose.position == node.position
        assert boxes[number].scale.y == pytest.approx(max(node.extent.y, 0.01))
    ids = {node.id for node in things}
    between = [r for r in graph.relations if r.subject_id in ids and r.object_id in ids]
    assert len([m for m in markers if m.ns == "relations"]) == len(between)
    told = [m.text for m in markers if m.ns == "predicates"]
    assert told == [relation.predicate for relation in between]
    keys = [(marker.ns, marker.id) for marker in markers]
    assert len(set(keys)) == len(keys)


def test_a_frame_that_does_not_exist(robot, client, start_node, rgb):
    node = start_node(weights="toyroom", target_frame="moon", arguments=("-r", "__node:=lunar"))
    node.wait_for_output("active:")

    def told():
        return robot.look(rgb) and "tells of the frame 'moon'" in node.output

    eventually(told)
    assert "failed" not in node.output
