from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from dsflash_ros.geometry import transforms
from dsflash_ros.geometry.transforms import Transform, TransformBuffer, TransformError

IDENTITY = (0.0, 0.0, 0.0, 1.0)


def random_pose(random):
    return Rotation.random(random_state=random.integers(1 << 31)), random.normal(size=3)


def matrix(rotation, translation):
    """(4, 4), of scipy's rotation."""
    made = np.eye(4)
    made[:3, :3], made[:3, 3] = rotation.as_matrix(), translation
    return made


def test_transforms_are_those_of_matrices():
    random = np.random.default_rng(0)
    for _ in range(20):
        (ra, ta), (rb, tb) = random_pose(random), random_pose(random)
        a = Transform.of_quaternion(ra.as_quat(), ta)
        b = Transform.of_quaternion(rb.as_quat(), tb)
        points = random.normal(size=(4, 5, 3))
        together = matrix(ra, ta) @ matrix(rb, tb)
        expected = points @ together[:3, :3].T + together[:3, 3]
        np.testing.assert_allclose(a.after(b)(points), expected, atol=1e-12)
        np.testing.assert_allclose(a.inverse()(a(points)), points, atol=1e-12)


def test_lookup_goes_through_the_tree():
    """odom in map, base in odom, camera and arm on base: from the arm to the camera, and so on."""
    random = np.random.default_rng(1)
    names = {"odom": "map", "base": "odom", "camera": "base", "arm": "base"}
    poses = {child: random_pose(random) for child in names}
    buffer = TransformBuffer()
    for child, parent in names.items():
        rotation, translation = poses[child]
        buffer.add(parent, child, 5.0, rotation.as_quat(), translation)
    m = {child: matrix(*pose) for child, pose in poses.items()}
    in_map = {"map": np.eye(4), "odom": m["odom"], "base": m["odom"] @ m["base"]}
    in_map |= {name: in_map["base"] @ m[name] for name in ("camera", "arm")}
    for target in in_map:
        for source in in_map:
            found = buffer.lookup(target, "/" + source, 5.0)
            expected = np.linalg.inv(in_map[target]) @ in_map[source]
            np.testing.assert_allclose(found.rotation, expected[:3, :3], atol=1e-12)
            np.testing.assert_allclose(found.translation, expected[:3, 3], atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_between_two_transforms_it_interpolates(seed):
    random = np.random.default_rng(seed)
    rotations = Rotation.random(2, random_state=seed)
    if seed == 3:  # hardly turned at all
        rotations = Rotation.from_rotvec([[0, 0, 0.3], [0, 0, 0.3001]])
    places = random.normal(size=(2, 3))
    buffer = TransformBuffer()
    # q and -q are the same, and so is what is nearly of unit length
    quaternions = rotations.as_quat() * random.choice([-1, 1], (2, 1)) * [[0.92], [1.08]]
    for stamp, q, t in zip((1.0, 2.0), quaternions, places, strict=True):
        buffer.add("map", "camera", stamp, q, t)
    for stamp in (1.0, 1.1, 1.5, 1.93, 2.0, 2.1):
        found = buffer.lookup("map", "camera", stamp)
        share = min(stamp - 1, 1)
        expected = Slerp([0, 1], rotations)(share).as_matrix()
        np.testing.assert_allclose(found.rotation, expected, atol=1e-6)
        np.testing.assert_allclose(found.translation, (1 - share) * places[0] + share * places[1])


def test_what_cannot_be_answered_says_why():
    buffer = TransformBuffer()
    with pytest.raises(
        TransformError, match="nothing on /tf or /tf_static tells of the frame 'map'"
    ):
        buffer.lookup("map", "camera", 1.0)
    buffer.add("odom", "camera", 1.0, IDENTITY, (0, 0, 0))
    buffer.add("map", "table", 1.0, IDENTITY, (0, 0, 0))
    with pytest.raises(TransformError, match="does not connect the frames 'camera' and 'map'"):
        buffer.lookup("map", "camera", 1.0)
    for stamp in (0.5, 1.3):
        with pytest.raises(TransformError, match=f"from 1.000 to 1.000 s, not at {stamp:.3f} s"):
            buffer.lookup("odom", "camera", stamp)
    buffer.add("camera", "odom", 1.0, IDENTITY, (0, 0, 0))
    with pytest.raises(TransformError, match="goes round in a circle"):
        buffer.lookup("odom", "camera", 1.0)


@pytest.mark.parametrize(
    ("parent", "child", "xyzw", "translation"),
    [
        ("map", "map", IDENTITY, (0, 0, 0)),
        ("", "camera", IDENTITY, (0, 0, 0)),
        ("map", "camera", (0, 0, 0, 0), (0, 0, 0)),
        ("map", "camera", (np.nan, 0, 0, 1), (0, 0, 0)),
        ("map", "camera", IDENTITY, (0, np.inf, 0)),
    ],
)
def test_transforms_that_cannot_be(parent, child, xyzw, translation):
    buffer = TransformBuffer()
    with pytest.raises(TransformError, match="a transform"):
        buffer.add(parent, child, 1.0, xyzw, translation)


def test_static_transforms_hold_at_any_time_and_later_ones_replace_them():
    buffer = TransformBuffer()
    buffer.add("base", "camera", 100.0, IDENTITY, (1, 0, 0), is_static=True)
    assert buffer.lookup("base", "camera", 5.0).translation[0] == 1
    buffer.add("base", "camera", 50.0, IDENTITY, (2, 0, 0), is_static=True)
    assert buffer.lookup("base", "camera", 1e6).translation[0] == 2


def test_the_past_is_bounded_and_a_clock_that_jumps_back_clears_it():
    buffer = TransformBuffer()
    for tick in range(5000):
        buffer.add("map", "camera", tick / 100, IDENTITY, (tick, 0, 0))
    assert len(buffer._frames["camera"].stamps) <= 100 * transforms.KEPT_S + 1
    assert buffer.lookup("map", "camera", 49.99).translation[0] == 4999
    buffer.add("map", "camera", 1.0, IDENTITY, (-1, 0, 0))  # the bag begins again
    assert buffer.lookup("map", "camera", 1.0).translation[0] == -1
    with pytest.raises(TransformError):
        buffer.lookup("map", "camera", 49.99)


def test_a_short_bag_that_begins_again_leaves_nothing_of_before():
    buffer = TransformBuffer()
    for stamp in (1.0, 2.0, 3.0):
        buffer.add("map", "camera", stamp, IDENTITY, (9, 0, 0))
    for stamp in (1.0, 1.6):
        buffer.add("map", "camera", stamp, IDENTITY, (0, 0, 0))
    assert buffer.lookup("map", "camera", 1.3).translation[0] == 0
    with pytest.raises(TransformError, match=r"from 1\.000 to 1\.600 s"):
        buffer.lookup("map", "camera", 2.5)


def test_stamps_out_of_order_and_equal_ones():
    buffer = TransformBuffer()
    for stamp in (1.0, 3.0, 2.0, 3.0, 2.5):
        buffer.add("map", "camera", stamp, IDENTITY, (stamp, 0, 0))
    for stamp in (1.0, 1.7, 2.2, 2.9, 3.0):
        assert buffer.lookup("map", "camera", stamp).translation[0] == pytest.approx(stamp)


def test_stamps_that_stand_still_take_no_memory():
    buffer = TransformBuffer()
    for tick in range(1000):
        buffer.add("map", "camera", 5.0, IDENTITY, (tick, 0, 0))
    assert len(buffer._frames["camera"].stamps) == 1
    assert buffer.lookup("map", "camera", 5.0).translation[0] == 999
    for tick in range(transforms.MAX_POSES + 50):
        buffer.add("map", "camera", 5.0 + tick * 1e-5, IDENTITY, (0, 0, 0))
    assert len(buffer._frames["camera"].stamps) == transforms.MAX_POSES


def test_a_flood_of_frames_is_refused(monkeypatch):
    monkeypatch.setattr(transforms, "MAX_FRAMES", 3)
    buffer = TransformBuffer()
    for number in range(3):
        buffer.add("map", f"frame_{number}", 0.0, IDENTITY, (0, 0, 0))
    with pytest.raises(TransformError, match="more than 3 frames"):
        buffer.add("map", "frame_3", 0.0, IDENTITY, (0, 0, 0))
    buffer.add("map", "frame_1", 1.0, IDENTITY, (0, 0, 0))


def test_a_message_with_a_wrong_transform_still_tells_the_others():
    def one(child, w):
        return SimpleNamespace(
            header=SimpleNamespace(frame_id="map", stamp=SimpleNamespace(sec=3, nanosec=0)),
            child_frame_id=child,
            transform=SimpleNamespace(
                rotation=SimpleNamespace(x=0.0, y=0.0, z=0.0, w=w),
                translation=SimpleNamespace(x=1.0, y=2.0, z=3.0),
            ),
        )

    buffer = TransformBuffer()
    message = SimpleNamespace(transforms=[one("a", 1.0), one("b", 0.0), one("c", 1.0)])
    with pytest.raises(TransformError, match="/tf: a transform has the quaternion"):
        buffer.add_message(message, is_static=False)
    for child in "ac":
        assert buffer.lookup("map", child, 3.0).translation.tolist() == [1, 2, 3]
    with pytest.raises(TransformError):
        buffer.lookup("map", "b", 3.0)
