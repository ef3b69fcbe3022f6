"""`dsflash play --clock` as a process: the bag's own time and headers, over DDS."""

import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest
from harness import ended, eventually
from media_files import image_message, picture, raw_images, write_bag, write_image

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

from places import ROOT
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image
from tf2_msgs.msg import TFMessage

from dsflash_ros.msg import SceneGraph
from dsflash_ros.sources import open_source

DRIVE = ROOT / "examples" / "drive"


@pytest.fixture
def play():
    """Starts the command; what still runs in the end is ended."""
    started = []

    def start(*arguments):
        command = [sys.executable, "-m", "dsflash_ros.cli", "play", *map(str, arguments)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(command, text=True, **pipes))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture
def hear(client):
    """Subscribes to a topic. Gives a list of when messages came, and these."""
    subscriptions = []

    def subscribe(topic, message_type, depth=100):
        heard = []

        def take(message):
            heard.append((time.monotonic(), message))

        subscriptions.append(client.node.create_subscription(message_type, topic, take, depth))
        return heard

    yield subscribe
    for subscription in subscriptions:
        client.node.destroy_subscription(subscription)


def seconds(stamp):
    return stamp.sec + stamp.nanosec / 1e9


def times(clock):
    return np.array([(wall, seconds(message.clock)) for wall, message in clock]).T


def test_headers_are_those_of_the_bag_and_come_at_its_pace(play, hear):
    clock, images = hear("/clock", Clock), hear("/eye/image", Image)
    beside = [hear("/eye/camera_info", CameraInfo), hear("/eye/depth", Image)]
    truths, moves = hear("/ground_truth/scene_graph", SceneGraph), hear("/tf", TFMessage)
    options = ("--topic", "/eye/image", "--count", 12, "--wait", 1, "--speed", 2)
    out, _ = ended(play(DRIVE, "--clock", 100, *options))
    assert "published 12 images on /eye/image" in out
    eventually(lambda: min(map(len, (images, truths, moves, *beside))) == 12)
    with open_source(str(DRIVE)) as source:
        frames = [frame for frame, _ in zip(source, range(12), strict=False)]
    for number, frame in enumerate(frames):
        header = images[number][1].header
        assert header.stamp.sec * 10**9 + header.stamp.nanosec == frame.origin.stamp_ns
        assert header.frame_id == frame.origin.frame_id != ""
        assert all(heard[number][1].header == header for heard in (*beside, truths))
        [move] = moves[number][1].transforms
        assert (move.header.stamp, move.child_frame_id) == (header.stamp, header.frame_id)
    walls, bag = times(clock)
    assert (np.diff(bag) >= 0).all() and bag[0] == frames[0].origin.recorded_ns / 1e9
    speed = np.polyfit(walls[bag > bag[0]], bag[bag > bag[0]], 1)[0]
    assert speed == pytest.approx(2, rel=0.1)
    assert len(np.unique(bag)) > 0.5 * 100 * (bag[-1] - bag[0]) / 2
    recorded = np.array([frame.origin.recorded_ns / 1e9 for frame in frames])
    came = np.interp([wall for wall, _ in images], walls, bag)
    assert np.median(np.abs(came - recorded)) < 0.1
    assert bag[-1] >= recorded[-1]  # the last one lasts, too


def test_a_loop_turns_the_clock_back(play, hear, tmp_path):
    bag = write_bag(tmp_path / "bag", {"/camera/image": raw_images(4)})
    with open_source(str(bag)) as source:
        recorded = [frame.origin.recorded_ns / 1e9 for frame in source]
    clock, images = hear("/clock", Clock), hear("/loop/image", Image)
    ended(play(bag, "--clock", "--topic", "/loop/image", "--loop", "--count", 10, "--wait", 1))
    eventually(lambda: len(images) == 10)
    stamps = [seconds(message.header.stamp) for _, message in images]
    assert stamps == (stamps[:4] * 3)[:10]
    _, told = times(clock)
    back = np.flatnonzero(np.diff(told) < 0)
    assert len(back) == 2
    np.testing.assert_allclose(told[back + 1], recorded[0], atol=1e-6)


def test_the_clock_stands_until_somebody_listens(play, hear, client):
    clock = hear("/clock", Clock)
    process = play(DRIVE, "--clock", "--topic", "/later/image", "--wait", 1, "--count", 2)
    eventually(lambda: len(clock) > 20)
    assert len({seconds(message.clock) for _, message in clock}) == 1
    images = hear("/later/image", Image)
    ended(process)
    eventually(lambda: len(images) == 2)
    assert seconds(clock[-1][1].clock) > seconds(clock[0][1].clock)


def test_a_reader_that_is_too_slow_is_told(play):
    options = ("--topic", "/fast/image", "--speed", 1000, "--count", 30)
    out, error = ended(play(DRIVE, "--clock", *options))
    assert "published 30 images" in out
    assert "cannot be read faster here: give a smaller --speed" in error


def test_a_time_that_ros_cannot_have(play, tmp_path):
    image = partial(image_message, rgb=picture(), stamp=(-5, 0))
    bag = write_bag(tmp_path / "bag", {"/camera/image": [image]})
    _, error = ended(play(bag, "--clock"), 1)
    assert "has the time -5 s; --clock needs times from 0" in error and error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--clock"], 1, "is no bag, and --clock needs a bag's time"),
        (["--speed", "2"], 2, "--speed needs --clock"),
        (["--clock", "--rate", "2"], 2, "--rate does not go with --clock"),
        (["--clock", "--frame-id", "eye"], 2, "--frame-id does not go with --clock"),
        (["--clock", "0"], 2, "'0' is no number from 0.001"),
        (["--clock", "--speed", "nan"], 2, "'nan' is no number from 0.001"),
    ],
)
def test_what_does_not_go_together(play, tmp_path, arguments, code, sentence):
    image = write_image(tmp_path / "a.png", picture())
    _, error = ended(play(image, *arguments), code)
    assert sentence in error and "Traceback" not in error
