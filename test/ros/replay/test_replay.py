"""`dsflash replay`: what it writes, read by others' packages, and what it goes on from."""

import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from media_files import jpeg_message, picture, raw_images, write_bag
from places import ROOT

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

from rosbags.highlevel import AnyReader

from dsflash_ros.cli import main
from dsflash_ros.graph.messages import message_to_graph
from dsflash_ros.images.encodings import compressed_to_rgb
from dsflash_ros.images.panoptic_maps import image_to_panoptic
from dsflash_ros.sources.bag import BagSource

DRIVE = ROOT / "examples" / "drive"
QUICK = ("--weights", "toyroom", "--device", "cpu", "--no-overlay")


def replay(*arguments):
    return main(["replay", *map(str, arguments)])


def messages(bag):
    """(topic, type, when, bytes) of all messages of a bag, in order."""
    with AnyReader([Path(bag)]) as reader:
        return [(c.topic, c.msgtype, when, bytes(data)) for c, when, data in reader.messages()]


def of(bag, topic):
    with AnyReader([Path(bag)]) as reader:
        chosen = [c for c in reader.connections if c.topic == topic]
        return [reader.deserialize(data, c.msgtype) for c, _, data in reader.messages(chosen)]


def stamp(message):
    header = message.header
    return header.stamp.sec, header.stamp.nanosec, header.frame_id


def lines(folder):
    return [json.loads(line) for line in (folder / "scene_graph.jsonl").read_text().splitlines()]


def without_latency(line):
    return {key: value for key, value in line.items() if key != "latency_ms"}


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


def test_other_packages_read_it(short):
    mcap = pytest.importorskip("mcap.reader", reason="needs the package mcap")
    support = pytest.importorskip("mcap_ros2.decoder", reason="needs mcap-ros2-support")
    with (short / "bag" / "bag_0.mcap").open("rb") as file:
        reader = mcap.make_reader(file, decoder_factories=[support.DecoderFactory()])
        found = [m for *_, m in reader.iter_decoded_messages(topics=["/scene_graph"])]
    assert [[n.label for n in m.nodes] for m in found] == [
        [node["label"] for node in line["nodes"]] for line in lines(short)
    ]


_PARTS_OF_THREE = """
import sys
import dsflash_ros.ros.replay.bag_replay as replay
from dsflash_ros.cli import main
replay.PART = 3
sys.exit(main(["replay", *sys.argv[1:]]))
"""


def in_parts(out, *arguments):
    """The command as a process of its own, with parts of three images."""
    given = (DRIVE, "--out", out, "--end", 2, "--target-frame", "map", "--no-latency", *QUICK)
    command = [sys.executable, "-c", _PARTS_OF_THREE, *map(str, (*given, *arguments))]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process):
    told, _ = process.communicate(timeout=120)
    assert process.returncode == 0, told
    return told


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    start = time.monotonic()
    finish(in_parts(out))
    return out / "drive", time.monotonic() - start


def test_killed_at_any_moment_it_ends_up_the_same(whole, tmp_path):
    folder, seconds = whole
    moments = random.Random(5)
    for _ in range(2):
        process = in_parts(tmp_path)
        time.sleep(seconds * moments.uniform(0.5, 0.9))
        process.kill()
        process.wait()
    told = finish(in_parts(tmp_path))
    assert "12 graphs" in told or "complete already" in told
    assert messages(tmp_path / "drive" / "bag") == messages(folder / "bag")
    assert lines(tmp_path / "drive") == lines(folder)


def test_two_replays_give_the_same_bytes(whole, tmp_path):
    folder, _ = whole
    out = tmp_path / "again"
    assert (
        replay(DRIVE, "--out", out, "--end", 2, "--target-frame", "map", "--no-latency", *QUICK)
        == 0
    )
    assert messages(out / "drive" / "bag") == messages(folder / "bag")
    assert len(list((folder / "bag").glob("*.mcap"))) == 4
    assert len(list((out / "drive" / "bag").glob("*.mcap"))) == 1


def test_a_finished_one_stays_and_other_settings_are_refused(whole, tmp_path, capsys):
    out = tmp_path / "copy"
    shutil.copytree(whole[0].parent, out)
    given = (DRIVE, "--out", out, "--target-frame", "map", "--no-latency", *QUICK)
    assert replay(*given, "--end", 2) == 0
    assert "is complete already" in capsys.readouterr().out
    assert replay(*given, "--end", 3) == 1
    assert "holds a replay with other settings (end)" in capsys.readouterr().err
    assert replay(*given, "--end", 1, "--overwrite") == 0
    assert len(lines(out / "drive")) == 6


def test_a_planted_change_is_found_and_fails(whole, tmp_path, capsys):
    """No relation is told: surely worse than the truth in the bag that the replay knows."""
    given = ("--end", 2, "--no-originals", "--relation-threshold", 1.0, *QUICK)
    assert replay(DRIVE, "--out", tmp_path, *given) == 0
    before, after = str(whole[0]), str(tmp_path / "drive")
    assert main(["compare", before, after]) == 1
    told, said = capsys.readouterr()
    assert "F1 of relations" in told and "to 0.0 %: worse" in told
    assert "the second run is worse: F1 of relations" in said
    assert main(["compare", before, after, "--margin", "100"]) == 0
    assert main(["compare", before, before]) == 0


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
        ((DRIVE, "--out", "{tmp}/full"), "has other files"),
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
