"""`dsflash play` as a process, its images received over DDS."""

import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from harness import ended, eventually
from media_files import picture, raw_images, write_bag, write_image, write_video

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

from places import ROOT
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import Writer
from sensor_msgs.msg import CameraInfo
from tf2_msgs.msg import TFMessage

from dsflash_ros.geometry.camera import Intrinsics
from dsflash_ros.geometry.transforms import Transform
from dsflash_ros.images.depth import depth_to_metres
from dsflash_ros.images.encodings import compressed_to_rgb, image_to_rgb
from dsflash_ros.sources import open_source


@pytest.fixture
def play(client):
    """Starts the command; what still runs in the end is ended."""
    started = []

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-m", "dsflash_ros.cli", "play", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture
def receive(client):
    """Subscribes to a topic. Gives the list that fills with its messages."""
    from sensor_msgs.msg import Image

    subscriptions = []

    def subscribe(topic, message_type=Image, qos=10):
        messages, subscription = client.subscribe(message_type, topic, qos)
        subscriptions.append(subscription)
        return messages

    yield subscribe
    for subscription in subscriptions:
        client.node.destroy_subscription(subscription)


def stamps_of(messages):
    return np.array([m.header.stamp.sec + m.header.stamp.nanosec / 1e9 for m in messages])


def test_depth_calibration_and_pose_of_a_bag_come_with_its_images(play, receive):
    info, transforms = receive("/eye/camera_info", CameraInfo), receive("/tf", TFMessage)
    depth, images = receive("/eye/depth"), receive("/eye/image")
    drive = ROOT / "examples" / "drive"
    process = play(drive, "--topic", "/eye/image", "--rate", "10", "--count", "3", "--wait", "1")
    ended(process)
    eventually(lambda: min(map(len, (images, depth, info, transforms))) == 3)
    with open_source(str(drive)) as source:
        frames = [frame for frame, _ in zip(source, range(3), strict=False)]
    for number, frame in enumerate(frames):
        header = images[number].header
        assert info[number].header == depth[number].header == header
        assert Intrinsics.of_message(info[number]) == frame.space.depth.camera
        found = depth_to_metres(depth[number])
        np.testing.assert_allclose(found, frame.space.depth.metres, rtol=1e-5)
        [one] = transforms[number].transforms
        assert (one.header.frame_id, one.child_frame_id) == ("map", header.frame_id)
        assert one.header.stamp == header.stamp
        pose = frame.space.transforms.lookup("map", frame.space.frame, frame.stamp)
        place = one.transform.translation
        np.testing.assert_allclose((place.x, place.y, place.z), pose.translation, atol=1e-9)
        q = one.transform.rotation
        again = Transform.of_quaternion((q.x, q.y, q.z, q.w), pose.translation)
        np.testing.assert_allclose(again.rotation, pose.rotation, atol=1e-6)


def test_a_bag_whose_poses_have_a_gap_is_played_whole(play, receive, tmp_path):
    images, transforms = receive("/gap/image"), receive("/tf", TFMessage)
    bag = tmp_path / "bag"
    copy_bag(ROOT / "examples" / "drive", bag, lambda topic, s: topic != "/tf" or not 0.6 < s < 2)
    process = play(bag, "--topic", "/gap/image", "--rate", "10", "--count", "16", "--wait", "1")
    _, error = ended(process)
    eventually(lambda: len(images) == 16)
    assert 0 < len(transforms) < 16
    assert "some images have no camera's place on /tf: /tf knows the frame" in error


def copy_bag(source, out, is_kept):
    """The messages of a bag's first seconds for which `is_kept(topic, seconds)` holds."""
    with AnyReader([source]) as reader, Writer(out, version=9) as writer:
        own = {
            one.topic: writer.add_connection(one.topic, one.msgtype, typestore=reader.typestore)
            for one in reader.connections
        }
        for connection, stamp, data in reader.messages():
            seconds = (stamp - reader.start_time) / 1e9
            if seconds < 5 and is_kept(connection.topic, seconds):
                writer.write(own[connection.topic], stamp, data)


def test_a_subscriber_gets_each_image_as_from_a_camera(play, receive, tmp_path):
    images = [picture(30 + i, 40, seed=i) for i in range(4)]
    for number, image in enumerate(images):
        write_image(tmp_path / f"{number}.png", image)
    messages, start = receive("/front/image"), time.time()
    process = play(
        tmp_path, "--topic", "/front/image", "--rate", "10", "--wait", "1", "--frame-id", "front"
    )
    out, _ = ended(process)
    eventually(lambda: len(messages) == 4)
    for message, image in zip(messages, images, strict=True):
        assert (message.encoding, message.header.frame_id) == ("rgb8", "front")
        np.testing.assert_array_equal(image_to_rgb(message), image)
    stamps = stamps_of(messages)
    assert start < stamps[0] and stamps[-1] < time.time()
    assert (np.diff(stamps) > 0.09).all() and np.median(np.diff(stamps)) < 0.2
    assert "published 4 images on /front/image" in out


def test_compressed(play, receive, tmp_path):
    from sensor_msgs.msg import CompressedImage

    image = cv2.resize(picture(4, 5), (64, 48))
    messages = receive("/c/image/compressed", CompressedImage)
    ended(
        play(
            write_image(tmp_path / "a.png", image),
            "--topic",
            "/c/image",
            "--compressed",
            "--wait",
            "1",
        )
    )
    [message] = eventually(lambda: list(messages))
    assert message.format == "jpeg" and message.header.frame_id == "camera_optical_frame"
    assert np.abs(compressed_to_rgb(message).astype(int) - image).mean() < 3


def test_loop_until_count(play, receive, tmp_path):
    video = write_video(tmp_path / "clip.mp4", frames=5, rate=50)
    messages = receive("/l/image")
    ended(play(video, "--topic", "/l/image", "--loop", "--count", "12", "--wait", "1"))
    eventually(lambda: len(messages) == 12)
    red = np.array([image_to_rgb(m)[..., 0].mean() for m in messages])
    np.testing.assert_allclose(red, 20 * (np.arange(12) % 5), atol=8)
    stamps = stamps_of(messages)
    assert stamps[-1] - stamps[0] > 0.2  # the video's own rate


def test_bag_topic(play, receive, tmp_path):
    bag = write_bag(tmp_path / "bag", {"/left": raw_images(1), "/right": raw_images(3)})
    messages = receive("/b/image")
    ended(play(bag, "--bag-topic", "/right", "--topic", "/b/image", "--rate", "50", "--wait", "1"))
    eventually(lambda: len(messages) == 3)


@pytest.mark.parametrize(
    ("options", "reliability", "number", "code"),
    [
        ([], "RELIABLE", signal.SIGINT, 130),
        (["--best-effort"], "BEST_EFFORT", signal.SIGTERM, 143),
    ],
)
def test_quality_of_service_and_signals(
    play, receive, client, tmp_path, options, reliability, number, code
):
    from rclpy.qos import qos_profile_sensor_data

    topic = f"/q{code}{reliability.lower()}/image"
    messages = receive(topic, qos=qos_profile_sensor_data)
    process = play(
        write_image(tmp_path / "a.png", picture()),
        "--topic",
        topic,
        "--loop",
        "--rate",
        "30",
        *options,
    )
    eventually(lambda: len(messages) >= 3, 60)
    [publisher] = client.node.get_publishers_info_by_topic(topic)
    assert publisher.qos_profile.reliability.name == reliability
    start = time.monotonic()
    process.send_signal(number)
    _, error = ended(process, code)
    assert time.monotonic() - start < 2 and "Traceback" not in error


def test_nobody_listens(play, tmp_path):
    _, error = ended(play(write_image(tmp_path / "a.png", picture()), "--topic", "/nobody/image"))
    assert "nobody subscribed to /nobody/image" in error


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere.mp4"], "'nowhere.mp4' is not there"),
        (["{image}", "--topic", "a b"], "'a b' is no name for a topic"),
    ],
)
def test_what_fails(play, tmp_path, arguments, sentence):
    image = write_image(tmp_path / "a.png", picture())
    _, error = ended(play(*(argument.format(image=image) for argument in arguments)), 1)
    assert error.startswith("dsflash play: ") and sentence in error and error.count("\n") == 1
