"""`dsflash toyroom camera` as a process: what it publishes over DDS, and the bags it records."""

import signal
import time

import numpy as np
import pytest
from harness import ended, eventually

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")
pytest.importorskip("mujoco", reason="needs the extra 'toyroom'")


from room_camera import HEIGHT, ROOM, SEED, WIDTH, messages_of, renders, stamp, start_camera

from dsflash_ros.cli import main
from dsflash_ros.graph.messages import message_to_graph
from dsflash_ros.graph.scene_graph import unpack_panoptic
from dsflash_ros.images.encodings import compressed_to_rgb, image_to_rgb
from dsflash_ros.toyroom.build.rooms import settled_room

FLOORS = ("floor-wood", "floor-other-merged", "rug-merged")


@pytest.fixture(scope="module")
def live(client):
    """By topic, what a subscriber gets of the first five frames of the same drive."""
    from sensor_msgs.msg import CameraInfo, Image
    from tf2_msgs.msg import TFMessage

    from dsflash_ros.msg import SceneGraph

    kinds = {
        "/tf": TFMessage,
        "/robot/camera_info": CameraInfo,
        "/robot/depth": Image,
        "/ground_truth/scene_graph": SceneGraph,
        "/ground_truth/panoptic": Image,
    }
    kinds["/robot/image"] = Image  # last: the camera waits for this one
    received = {topic: client.subscribe(kind, topic) for topic, kind in kinds.items()}
    process = start_camera(
        *ROOM, "--duration", 0.6, "--topic", "/robot/image", "--wait", 1, "--frame-id", "eye"
    )
    out, _ = ended(process)
    assert "published 5 images on /robot/image" in out
    for messages, subscription in received.values():
        eventually(lambda messages=messages: len(messages) == 5)
        client.node.destroy_subscription(subscription)
    return {topic: messages for topic, (messages, _) in received.items()}


def depths(message):
    assert message.encoding == "32FC1" and message.step == 4 * message.width
    return np.frombuffer(message.data, np.float32).reshape(message.height, message.width)


def to_world(depth, intrinsics, transform):
    """(H, W, 3) m: where the pixels of a depth image are.

    By CameraInfo.k and a geometry_msgs/Transform.
    """
    focal_x, _, middle_x, _, focal_y, middle_y, *_ = intrinsics
    v, u = np.indices(depth.shape)
    seen = np.stack(((u - middle_x) / focal_x * depth, (v - middle_y) / focal_y * depth, depth), -1)
    q, t = transform.rotation, transform.translation
    axis = np.array([q.x, q.y, q.z])
    assert np.isclose(axis @ axis + q.w**2, 1)
    turned = seen + 2 * np.cross(axis, np.cross(axis, seen) + q.w * seen)
    return turned + np.array([t.x, t.y, t.z])


@renders
def test_all_messages_of_a_frame_have_its_header(live):
    headers = [message.header for message in live["/robot/image"]]
    assert len({(h.stamp.sec, h.stamp.nanosec) for h in headers}) == 5
    assert {h.frame_id for h in headers} == {"eye"}
    for topic in (
        "/robot/camera_info",
        "/robot/depth",
        "/ground_truth/scene_graph",
        "/ground_truth/panoptic",
    ):
        assert [message.header for message in live[topic]] == headers, topic
    assert abs(headers[-1].stamp.sec - time.time()) < 60
    for image in (*live["/robot/image"], *live["/robot/depth"], *live["/robot/camera_info"]):
        assert (image.width, image.height) == (WIDTH, HEIGHT)
    assert {message.encoding for message in live["/robot/image"]} == {"rgb8"}


@renders
def test_depth_intrinsics_and_pose_put_the_floor_at_height_zero_and_all_else_into_the_room(
    live, bag
):
    extents = settled_room(SEED, 0)[0].extents()
    checked = 0
    # the same drive frame by frame, whether published or recorded
    for info, depth, panoptic, graph, transforms in zip(
        live["/robot/camera_info"],
        live["/robot/depth"],
        live["/ground_truth/panoptic"],
        live["/ground_truth/scene_graph"],
        live.get("/tf") or messages_of(bag, "/tf"),
        strict=True,
    ):
        [transform] = transforms.transforms
        assert transform.header.frame_id == "map"
        metres = depths(depth)
        is_seen = np.isfinite(metres)
        places = to_world(np.where(is_seen, metres, 1), info.k, transform.transform)
        low, high = extents[:, 0].min(0) - 0.03, extents[:, 1].max(0) + 0.03
        assert ((places > low) & (places < high)).all(-1)[is_seen].all()
        classes, _ = unpack_panoptic(np.frombuffer(panoptic.data, np.int32).reshape(HEIGHT, WIDTH))
        for node in graph.nodes:
            if node.label in FLOORS:
                heights = places[(classes == node.class_id) & is_seen][:, 2]
                assert np.percentile(np.abs(heights), 95) < 0.03
                checked += len(heights)
    assert checked > 1000


@renders
def test_tf_is_that_of_the_same_frame(live, bag):
    if "/tf" not in live:
        pytest.skip("needs tf2_msgs")
    for sent, recorded, image in zip(
        live["/tf"], messages_of(bag, "/tf"), live["/robot/image"], strict=True
    ):
        [sent], [recorded] = sent.transforms, recorded.transforms
        assert sent.header.stamp == image.header.stamp
        assert (sent.header.frame_id, sent.child_frame_id) == ("map", "eye")
        for name in "xyz":
            assert getattr(sent.transform.translation, name) == getattr(
                recorded.transform.translation, name
            )


@renders
def test_true_graph_fits_its_panoptic_image(live):
    predicates = set()
    for message, panoptic in zip(
        live["/ground_truth/scene_graph"], live["/ground_truth/panoptic"], strict=True
    ):
        graph = message_to_graph(
            message, np.frombuffer(panoptic.data, np.int32).reshape(HEIGHT, WIDTH)
        )
        assert graph.nodes and graph.is_trained
        for node in graph.nodes:
            y, x = np.nonzero(graph.mask(node.id))
            assert len(y) == node.area > 0 and node.score == 1
            assert node.box == (x.min(), y.min(), x.max() + 1, y.max() + 1)
            np.testing.assert_allclose(node.centroid, (x.mean() + 0.5, y.mean() + 0.5), rtol=1e-5)
        ids = {node.id for node in graph.nodes}
        assert all({r.subject, r.object} <= ids and r.score == 1 for r in graph.relations)
        predicates |= {r.predicate for r in graph.relations}
    assert predicates


@renders
def test_recorded_bag_is_the_same_each_time_and_what_is_published(bag, live, tmp_path):
    ended(start_camera(*ROOM, "--duration", 0.6, "--record", tmp_path / "drive"))
    assert {f.name: f.read_bytes() for f in bag.iterdir()} == {
        f.name: f.read_bytes() for f in (tmp_path / "drive").iterdir()
    }
    stamps = [(1, 0), (1, 125_000_000), (1, 250_000_000), (1, 375_000_000), (1, 500_000_000)]
    for topic in ("/image/compressed", "/camera_info", "/ground_truth/scene_graph"):
        assert [stamp(message) for message in messages_of(bag, topic)] == stamps, topic
    for jpeg, image in zip(
        messages_of(bag, "/image/compressed"), live["/robot/image"], strict=True
    ):
        assert np.abs(compressed_to_rgb(jpeg).astype(int) - image_to_rgb(image)).mean() < 4
    for recorded, sent in zip(
        messages_of(bag, "/ground_truth/scene_graph"),
        live["/ground_truth/scene_graph"],
        strict=True,
    ):
        assert message_to_graph(recorded).to_json() | {"stamp": 0, "source": ""} == (
            message_to_graph(sent).to_json() | {"stamp": 0, "source": ""}
        )


@renders
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_compressed_until_a_signal(client, number, code):
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import CompressedImage

    images, subscription = client.subscribe(
        CompressedImage, "/c/image/compressed", qos_profile_sensor_data
    )
    process = start_camera(
        *ROOM, "--topic", "/c/image", "--compressed", "--best-effort", "--wait", 1
    )
    try:
        eventually(lambda: len(images) >= 3, 60)
        assert compressed_to_rgb(images[0]).shape == (HEIGHT, WIDTH, 3)
        [publisher] = client.node.get_publishers_info_by_topic("/c/image/compressed")
        assert publisher.qos_profile.reliability.name == "BEST_EFFORT"
        assert client.node.get_publishers_info_by_topic("/c/camera_info")
    finally:
        start = time.monotonic()
        process.send_signal(number)
        _, error = ended(process, code)
    assert time.monotonic() - start < 10 and "Traceback" not in error
    client.node.destroy_subscription(subscription)


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("--record", "{tmp}", "--duration", 1), 1, "is there already"),
        (("--record", "/dev/null/bag", "--duration", 1), 1, "cannot write the bag"),
        (("--topic", "a b", "--duration", 1), 1, "is no name for a topic"),
    ],
)
@renders
def test_what_fails(tmp_path, arguments, code, sentence):
    arguments = [str(argument).format(tmp=tmp_path) for argument in arguments]
    _, error = ended(start_camera("--size", "32x32", *arguments), code)
    assert sentence in error.splitlines()[-1] and "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--record", "bag"), "--record needs --duration"),
        (("--size", "5x5"), "'5x5' is no size such as 640x480"),
    ],
)
def test_wrong_usage(arguments, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main(["toyroom", "camera", *arguments])
    assert caught.value.code == 2
    assert sentence in capsys.readouterr().err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_no_renderer(tmp_path):
    bag = tmp_path / "bag"
    process = start_camera("--duration", 1, "--record", bag, environment={"MUJOCO_GL": "disable"})
    _, error = ended(process, 1)
    assert (
        error.startswith("dsflash toyroom: cannot render")
        and "apt install" in error
        and error.count("\n") == 1
    )
    assert list(tmp_path.iterdir()) == []
