"""Drives through a small room of boxes."""

from itertools import islice

import numpy as np
import pytest

pytest.importorskip("mujoco", reason="needs the extra 'toyroom'")

from dsflash_ros.errors import ToyroomError
from dsflash_ros.toyroom.build.scene import Item, Material, Solid
from dsflash_ros.toyroom.camera.drive import drive
from dsflash_ros.toyroom.physics.simulation import Simulation

RATE = 10.0
TOP = np.array([[-0.3, -0.3, 0.3, 0.3, 0.75]])


def box(name, x, y, z, *size, **fields):
    """An item that is one box; the middle of its bottom is at (x, y, z)."""
    size = np.array(size, float)
    solid = Solid(
        "box", size / 2, Material((0.5, 0.5, 0.5)), np.array([0, 0, size[2] / 2]), np.eye(3)
    )
    return Item(name, (solid,), **fields).at(x, y, z)


def room(*furniture):
    """A room of 5 x 4 m with walls."""
    walls = [(2.5, -0.05, 5, 0.1), (2.5, 4.05, 5, 0.1), (-0.05, 2, 0.1, 4), (5.05, 2, 0.1, 4)]
    floor = box("floor-wood", 2.5, 2, -0.1, 5, 4, 0.1)
    return [floor, *(box("wall-brick", x, y, 0, w, d, 2.5) for x, y, w, d in walls), *furniture]


def furnished():
    return room(
        box("dining table", 2, 2.4, 0, 1.2, 0.8, 0.75, tops=TOP),
        box("couch", 3.8, 3.5, 0, 1.6, 0.8, 0.5, tops=TOP),
        box("bed", 0.8, 0.6, 0, 1.6, 1.0, 0.5, tops=TOP),
        box("person", 4.2, 1.0, 0, 0.4, 0.4, 1.7, posture="standing"),
        box("light", 2.0, 0.8, 2.0, 0.4, 0.4, 0.3),
        box("rug-merged", 3.0, 1.5, 0, 1.5, 1.0, 0.01, tops=TOP),
    )


def cameras(seed, items, seconds, **options):
    endless = drive(np.random.default_rng(seed), Simulation(items), RATE, **options)
    return list(islice(endless, round(seconds * RATE)))


def distance(places, extents):
    """Distance from each place to each box, (P, N) m."""
    outside = np.maximum(extents[:, 0] - places[:, None], places[:, None] - extents[:, 1])
    return np.linalg.norm(np.maximum(outside, 0), axis=-1)


@pytest.fixture(scope="module", params=range(4))
def driven(request):
    return cameras(request.param, furnished(), 90)  # tours take 20 to 40 s


def test_nothing_is_touched(driven):
    places = np.array([camera.position for camera in driven])
    extents = Simulation(furnished()).extents()
    assert distance(places, extents).min() >= 0.3
    assert (places[:, :2] > 0.3).all() and (places[:, :2] < (4.7, 3.7)).all()


def test_camera_is_as_high_as_a_robot_has_it_and_level(driven):
    heights = {camera.position[2] for camera in driven}
    assert len(heights) == 1 and 0.6 <= heights.pop() <= 1.3
    for camera in driven:
        np.testing.assert_allclose(camera.rotation.T @ camera.rotation, np.eye(3), atol=1e-9)
        assert abs(camera.rotation[2, 0]) < 1e-9  # its x axis is level
        assert camera.rotation[2, 1] < -0.85  # its y axis points down


def test_speeds_are_bounded_and_change_gently(driven):
    places = np.array([camera.position for camera in driven])
    forward = np.array([camera.rotation[:, 2] for camera in driven])
    assert np.linalg.norm(np.diff(places, axis=0), axis=1).max() * RATE <= 0.6
    turned = np.arccos(np.clip((forward[1:] * forward[:-1]).sum(1), -1, 1))
    assert turned.max() * RATE <= 0.8
    assert np.linalg.norm(np.diff(places, 2, axis=0), axis=1).max() * RATE**2 <= 1.0
    assert np.linalg.norm(np.diff(forward, 2, axis=0), axis=1).max() * RATE**2 <= 2.0


def test_it_goes_somewhere_and_comes_back(driven):
    places = np.array([camera.position for camera in driven])
    away = np.linalg.norm(places - places[0], axis=1)
    assert away.max() > 1.0
    first_away = np.argmax(away > 0.5)
    assert away[first_away:].min() < 0.1


def test_people_and_furniture_come_to_the_middle_of_the_image(driven):
    items = furnished()
    extents = Simulation(items).extents()
    places = np.array([camera.position for camera in driven])
    forward = np.array([camera.rotation[:, 2] for camera in driven])
    looked_at = set()
    for name in ("dining table", "couch", "bed", "person"):
        index = [item.name for item in items].index(name)
        middle = extents[index].mean(0)[:2] - places[:, :2]
        lengths = np.linalg.norm(middle, axis=1) * np.linalg.norm(forward[:, :2], axis=1)
        ahead = (middle * forward[:, :2]).sum(1) / lengths  # cosine of the angle between them
        if ahead.max() > np.cos(np.radians(8)):
            looked_at.add(name)
    assert "person" in looked_at and len(looked_at) >= 3


def test_same_seed_same_drive_at_the_size_asked_for():
    first, second = (cameras(5, furnished(), 3, width=320, height=200) for _ in range(2))
    other = cameras(6, furnished(), 3)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.position, b.position)
        np.testing.assert_array_equal(a.rotation, b.rotation)
        assert (a.width, a.height) == (320, 200)
    assert np.abs(first[0].position - other[0].position).max() > 0.01


def test_no_room_to_drive():
    with pytest.raises(ToyroomError, match="no room to drive"):
        cameras(0, room(box("bed", 2.5, 2, 0, 4.2, 3.2, 0.5, tops=TOP)), 1)


def test_nothing_to_look_at():
    with pytest.raises(ToyroomError, match="nothing to look at"):
        cameras(0, room(), 1)
