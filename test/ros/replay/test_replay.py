"""`dsflash replay`: what it writes, read by others' packages, and what it goes on from."""

import json

import numpy as np
import pytest
from media_files import jpeg_message, picture, raw_images, write_bag

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

from replays import DRIVE, QUICK, lines, messages, of, replay, stamp, without_latency
from rosbags.highlevel import AnyReader
from rosbags.rosbag1 import Writer as Writer1
from rosbags.typesys import Stores, get_typestore

from dsflash_ros.cli import main
from dsflash_ros.graph.messages import message_to_graph
from dsflash_ros.images.encodings import compressed_to_rgb, image_to_rgb
from dsflash_ros.images.panoptic_maps import image_to_panoptic
from dsflash_ros.ros.replay.part import Topics
from dsflash_ros.sources.bag import BagSource

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """A second and a half of the drive with all that can be written, and its folder."""
    out = tmp_path_factory.mktemp("short")
    given = ("--end", 1.5, "--target-frame", "map", "--device", "cpu")
    assert replay(DRIVE, "--out", out, *given) == 0
    return out / "drive"


def test_it_is_what_run_says(short, tmp_path):
    given = ("--track", "--target-frame", "map", "--limit", "9", "--no-overlay", "--device", "cpu")
    assert main(["run", str(DRIVE), "--out", str(tmp_path), *given]) == 0
    assert [*map(without_latency, lines(short))] == [*map(without_latency, lines(tmp_path))]
    assert not (short / "parts").exists()
    assert json.loads((short / "replay.json").read_text())["graphs"] == 9


def test_messages_are_those_of_the_lines_and_the_bag(short):
    graphs = of(short / "bag", "/scene_graph")
    images = of(short / "bag", "/image/compressed")
    maps = of(short / "bag", "/dsflash/panoptic")
    overlays = of(short / "bag", "/dsflash/overlay/compressed")
    assert len(graphs) == len(lines(short)) == len(images) == len(maps) == len(overlays) == 9
    for graph, line, image, panoptic, overlay in zip(
        graphs, lines(short), images, maps, overlays, strict=True
    ):
        assert len({*map(stamp, (graph, image, panoptic, overlay))}) == 1
        found = message_to_graph(graph)
        assert [node.label for node in found.nodes] == [node["label"] for node in line["nodes"]]
        assert [node.track_id for node in found.nodes] == [n["track_id"] for n in line["nodes"]]
        assert found.triplets() and found.position_frame == "map" == line["position_frame"]
        told = [relation["score"] for relation in line["relations"]]
        assert [r.score for r in found.relations] == pytest.approx(told, abs=1e-4)
        areas = [
            np.count_nonzero(image_to_panoptic(panoptic) == (n.class_id << 16 | n.id))
            for n in found.nodes
        ]
        assert all(
            area > 0
            for area, node in zip(areas, found.nodes, strict=True)
            if node.last_seen == found.stamp
        )
        assert compressed_to_rgb(overlay).shape == compressed_to_rgb(image).shape
    assert of(short / "bag", "/dsflash/events")


def test_the_bag_s_own_messages_are_there_to_the_byte(short):
    before = [m for m in messages(DRIVE) if m[2] <= messages(short / "bag")[-1][2]]
    own = {topic for topic, *_ in before}
    assert [m for m in messages(short / "bag") if m[0] in own] == before


def test_a_replay_can_be_replayed(short, tmp_path):
    """Its graphs give way to the new ones; all else is there, after the last image, too."""
    bag = short / "bag"
    with AnyReader([bag]) as reader:
        last = reader.end_time
    given = ("--topic", "/image/compressed", "--no-track", "--no-latency", *QUICK)
    assert replay(bag, "--out", tmp_path, *given) == 0
    again = tmp_path / "bag" / "bag"
    assert len(of(again, "/scene_graph")) == 9
    assert all(node.track_id < 0 for graph in of(again, "/scene_graph") for node in graph.nodes)
    results = Topics.of("")
    own = [m for m in messages(bag) if m[0] not in results]
    assert [m for m in messages(again) if m[0] not in results] == own
    assert max(when for *_, when, _ in own) < last


def test_messages_after_the_last_image_are_there(tmp_path):
    topics = {"/image": raw_images(2), "/more": [b"\0\1\0\0\0"] * 5}
    bag = write_bag(tmp_path / "bag", topics)
    assert replay(bag, "--out", tmp_path / "out", *QUICK) == 0
    found = [m for m in messages(tmp_path / "out" / "bag" / "bag") if m[0] == "/more"]
    assert found == [m for m in messages(bag) if m[0] == "/more"] and len(found) == 5


def test_other_packages_read_it(short):
    mcap = pytest.importorskip("mcap.reader", reason="needs the package mcap")
    support = pytest.importorskip("mcap_ros2.decoder", reason="needs mcap-ros2-support")
    with (short / "bag" / "bag_0.mcap").open("rb") as file:
        reader = mcap.make_reader(file, decoder_factories=[support.DecoderFactory()])
        found = [m for *_, m in reader.iter_decoded_messages(topics=["/scene_graph"])]
    assert [[n.label for n in m.nodes] for m in found] == [
        [node["label"] for node in line["nodes"]] for line in lines(short)
    ]


@pytest.fixture(scope="module")
def two_cameras(tmp_path_factory):
    left = [
        lambda store, i=i: jpeg_message(store, picture(240, 320, i), (10 + i, 5)) for i in range(4)
    ]
    right = [
        lambda store, i=i: jpeg_message(store, picture(200, 300, 9 - i), (10 + i, 7))
        for i in range(5)
    ]
    topics = {"/left/image/compressed": left, "/right/image/compressed": right}
    return write_bag(tmp_path_factory.mktemp("bags") / "both", topics)


def test_several_cameras(two_cameras, tmp_path):
    topics = ("--topic", "/left/image/compressed", "--topic", "/right/image/compressed")
    given = ("--out", tmp_path, "--no-originals", *QUICK)
    assert replay(two_cameras, *topics, *given, "--stride", 2) == 0
    bag = tmp_path / "both" / "bag"
    found = {topic for topic, *_ in messages(bag)}
    assert {"/left/scene_graph", "/right/scene_graph", "/dsflash/left/panoptic"} <= found
    stamps = [(m.header.stamp.sec, m.header.stamp.nanosec) for m in of(bag, "/left/scene_graph")]
    assert stamps == [(10, 5), (12, 5)]
    assert [(m.width, m.header.stamp.sec) for m in of(bag, "/right/scene_graph")] == [
        (300, 10),
        (300, 12),
        (300, 14),
    ]


@pytest.mark.parametrize("other", ["/left/image/compressed", "left/image/compressed"])
def test_a_camera_twice_is_refused(two_cameras, tmp_path, capsys, other):
    topics = ("--topic", "/left/image/compressed", "--topic", other)
    assert replay(two_cameras, "--out", tmp_path / "out", *topics) == 1
    assert "name each camera once" in capsys.readouterr().err


def test_messages_of_ros_1_are_converted(tmp_path):
    store = get_typestore(Stores.ROS1_NOETIC)
    kind = "sensor_msgs/msg/Image"
    with Writer1(tmp_path / "old.bag") as writer:
        connection = writer.add_connection("/camera", kind, typestore=store)
        for number in range(3):
            message = ros1_image(store, picture(240, 320, number), number)
            writer.write(connection, 10**9 * (1 + number), store.serialize_ros1(message, kind))
    assert replay(tmp_path / "old.bag", "--out", tmp_path / "out", *QUICK) == 0
    bag = tmp_path / "out" / "old" / "bag"
    images, graphs = of(bag, "/camera"), of(bag, "/scene_graph")
    assert [*map(stamp, images)] == [*map(stamp, graphs)] and len(graphs) == 3
    assert not hasattr(images[0].header, "seq")
    assert np.array_equal(image_to_rgb(images[2]), picture(240, 320, 2))


def ros1_image(store, rgb, number):
    types = store.types
    time = types["builtin_interfaces/msg/Time"](5 + number, 40)
    header = types["std_msgs/msg/Header"](seq=number, stamp=time, frame_id="lens")
    height, width = rgb.shape[:2]
    return types["sensor_msgs/msg/Image"](
        header, height, width, "rgb8", 0, 3 * width, rgb.reshape(-1)
    )


def test_an_image_has_what_goes_with_it_wherever_the_replay_begins():
    with BagSource(DRIVE) as source:
        every = list(source)
    begin, end = every[40].origin.recorded_ns, every[44].origin.recorded_ns
    with BagSource(DRIVE, start_ns=begin, stop_ns=end) as source:
        some = list(source)
    assert [frame.stamp for frame in some] == [frame.stamp for frame in every[40:44]]
    for frame, expected in zip(some, every[40:44], strict=True):
        assert np.array_equal(frame.space.depth.metres, expected.space.depth.metres)
        poses = [
            one.space.transforms.lookup("map", one.space.frame, one.stamp)
            for one in (frame, expected)
        ]
        assert np.array_equal(poses[0].rotation, poses[1].rotation)
        assert np.array_equal(poses[0].translation, poses[1].translation)
        assert np.array_equal(frame.truth.panoptic, expected.truth.panoptic)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("{tmp}/no_bag",), "cannot be read"),
        (("{both}",), "has several image topics, say which one"),
        (("{both}", "--topic", "/rear/image"), "has no image topic /rear/image; it has /left"),
        ((DRIVE, "--start", "1000"), "no image of"),
        ((DRIVE, "--out", "{tmp}/full"), "is there already and is no replay"),
        ((DRIVE, "--out", "{tmp}/full", "--overwrite"), "is there already and is no replay"),
    ],
)
def test_what_fails(arguments, sentence, two_cameras, tmp_path, capsys):
    (tmp_path / "full" / "drive").mkdir(parents=True)
    (tmp_path / "full" / "drive" / "mine.txt").write_text("mine")
    given = [str(a).format(tmp=tmp_path, both=two_cameras) for a in arguments]
    out = () if "--out" in given else ("--out", tmp_path / "out")
    assert replay(*given, *out, *QUICK) == 1
    assert sentence in capsys.readouterr().err
    assert (tmp_path / "full" / "drive" / "mine.txt").read_text() == "mine"


def test_quoted_patterns_need_ray(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        replay(DRIVE.parent / "dri*", "--out", tmp_path / "out")
    assert ended.value.code == 2 and not (tmp_path / "out").exists()
    assert "dri*: a quoted pattern needs --ray" in capsys.readouterr().err


def test_a_bag_that_cannot_be_read_does_not_keep_the_others(tmp_path, capsys, caplog):
    bag = write_bag(tmp_path / "good", {"/image": raw_images()})
    (tmp_path / "bad.mcap").write_bytes(b"nonsense")
    given = ("--out", tmp_path / "out", "--no-track", *QUICK)
    assert replay(tmp_path / "bad.mcap", bag, *given) == 1
    assert "1 of 2 bags could not be replayed" in caplog.text
    assert len(lines(tmp_path / "out" / "good")) == 3
    assert all(
        node["track_id"] is None
        for line in lines(tmp_path / "out" / "good")
        for node in line["nodes"]
    )
