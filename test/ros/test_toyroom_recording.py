"""The bags that `dsflash toyroom camera --record` makes."""

import subprocess
import sys

import pytest
from harness import eventually
from places import ROOT

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")
pytest.importorskip("mujoco", reason="needs the extra 'toyroom'")

from room_camera import messages_of, renders
from rosbags.highlevel import AnyReader
from rosbags.typesys import get_types_from_msg

from dsflash_ros.ros.messages.definitions import definition
from dsflash_ros.ros.playback.recording import Recording
from dsflash_ros.sources import open_source

MESSAGES = ROOT / "msg"


@renders
def test_bag_carries_the_definitions_of_its_messages(bag):
    with AnyReader([bag]) as reader:
        definitions = {c.msgtype: c.msgdef.data for c in reader.connections}
    assert "uint16 subject_id" in definitions["dsflash_ros/msg/SceneGraph"]
    assert "geometry_msgs/Transform" in definitions["tf2_msgs/msg/TFMessage"]


@pytest.mark.parametrize("name", [path.stem for path in sorted(MESSAGES.glob("*.msg"))])
def test_definitions_are_those_of_the_message_files(name):
    from dsflash_ros import msg

    typename = f"dsflash_ros/msg/{name}"
    expected = get_types_from_msg((MESSAGES / f"{name}.msg").read_text(), typename)
    assert get_types_from_msg(definition(getattr(msg, name)), typename) == expected


@renders
def test_player_publishes_the_true_graphs_of_a_bag_with_its_images(bag, client):
    from sensor_msgs.msg import Image

    from dsflash_ros.msg import SceneGraph

    truths, subscription = client.subscribe(SceneGraph, "/ground_truth/scene_graph")
    images, other = client.subscribe(Image, "/played/image")
    play = [
        sys.executable,
        "-m",
        "dsflash_ros.cli",
        "play",
        str(bag),
        "--topic",
        "/played/image",
        "--wait",
        "1",
    ]
    subprocess.run(play, check=True, timeout=60)
    eventually(lambda: len(truths) == len(images) == 5)
    for truth, image, recorded in zip(
        truths, images, messages_of(bag, "/ground_truth/scene_graph"), strict=True
    ):
        assert truth.header == image.header
        assert [node.label for node in truth.nodes] == [node.label for node in recorded.nodes]
        assert len(truth.relations) == len(recorded.relations)
    for each in (subscription, other):
        client.node.destroy_subscription(each)


def test_interrupted_recording_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), Recording(tmp_path / "bag"):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@renders
def test_true_graphs_are_given_with_a_bags_frames(bag):
    with open_source(str(bag)) as source:
        frames = list(source)
        assert source.has_truth
    assert [frame.stamp for frame in frames] == [1.0, 1.125, 1.25, 1.375, 1.5]
    assert all(frame.truth for frame in frames)
