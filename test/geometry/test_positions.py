from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from dsflash_ros.errors import ImageError
from dsflash_ros.geometry.camera import Intrinsics
from dsflash_ros.geometry.positions import Depth, locate
from dsflash_ros.geometry.transforms import Transform
from dsflash_ros.graph.scene_graph import NOTHING, Node, SceneGraph, pack_panoptic

CAMERA = Intrinsics(640, 480, 440.0, 440.0, 319.5, 239.5)


def info(**changes):
    fields = {"width": 640, "height": 480, "distortion_model": "plumb_bob", "d": [0.0] * 5}
    fields["k"] = [440.0, 0, 319.5, 0, 440.0, 239.5, 0, 0, 1]
    return SimpleNamespace(**fields | changes)


def roi(x, y, width, height):
    return SimpleNamespace(x_offset=x, y_offset=y, width=width, height=height)


def scene(*boxes, wall=4.0):
    """Cards that face the camera: (x, y, z, width, height) metres, in front of a wall.

    Returns the graph, whose node n is card n, and the depth, (480, 640) metres.
    """
    depth = np.full((480, 640), wall, np.float32)
    panoptic = np.full((480, 640), NOTHING, np.int32)
    nodes = []
    for number, (x, y, z, w, h) in enumerate(boxes):
        left, right = (round(440 * (x + side * w / 2) / z + 320) for side in (-1, 1))
        top, bottom = (round(440 * (y + side * h / 2) / z + 240) for side in (-1, 1))
        depth[top:bottom, left:right] = z
        panoptic[top:bottom, left:right] = pack_panoptic(2, number)
        box = (left, top, right, bottom)
        nodes.append(Node(number, 2, "card", True, 0.9, box, 1, (0.0, 0.0)))
    return SceneGraph(tuple(nodes), (), panoptic), depth


CARDS = ((0.0, 0.0, 2.0, 0.4, 0.3), (-0.6, 0.2, 1.5, 0.2, 0.5), (0.7, -0.3, 3.0, 0.6, 0.4))


def noisy(depth, seed=0):
    """As a depth camera measures: depths mixed at edges, noise that grows with distance, holes."""
    random = np.random.default_rng(seed)
    mixed = cv2.blur(depth, (5, 5))
    found = np.where(np.abs(mixed - depth) > 0.02 * depth, mixed, depth)
    found = found + random.normal(size=depth.shape) * 0.0025 * depth**2
    holes = cv2.resize((random.random((60, 80)) < 0.1).astype(np.uint8), (640, 480)) > 0
    found[holes] = random.choice([0.0, np.nan], holes.sum())
    return found.astype(np.float32)


@pytest.mark.parametrize(("change", "least"), [(lambda depth: depth, 0.02), (noisy, 0.03)])
def test_cards_are_where_they_are(change, least):
    """To a few centimetres. Of the sizes, cells of the grid may be missing at the ends."""
    graph, depth = scene(*CARDS)
    found = locate(graph, Depth(change(depth), CAMERA))
    assert found.position_frame == ""
    for node, (x, y, z, w, h) in zip(found.nodes, CARDS, strict=True):
        assert np.abs(np.subtract(node.position, (x, y, z))).max() < least
        assert np.abs(np.subtract(node.extent[:2], (w, h))).max() < 0.05 + 2 * least
        assert node.extent[2] < 5 * least
        assert node.distance == pytest.approx(np.linalg.norm((x, y, z)), abs=least)


def test_masks_that_spill_over_the_edge_do_no_harm():
    """Segments are some pixels too large, as a segmenter's are: the wall is behind."""
    graph, depth = scene(CARDS[0])
    x0, y0, x1, y1 = graph.nodes[0].box
    panoptic = graph.panoptic.copy()
    panoptic[y0 - 6 : y1 + 6, x0 - 6 : x1 + 6] = pack_panoptic(2, 0)
    found = locate(replace(graph, panoptic=panoptic), Depth(noisy(depth), CAMERA)).nodes[0]
    assert np.abs(np.subtract(found.position, CARDS[0][:3])).max() < 0.03


def test_positions_in_another_frame():
    turn = cv2.Rodrigues(np.array([0.3, -0.8, 0.4]))[0]
    pose = Transform(turn, np.array([5.0, 6.0, 1.0]))
    graph, depth = scene(*CARDS)
    found = locate(graph, Depth(depth, CAMERA), pose, "map")
    assert found.position_frame == "map" and found.camera_position == (5.0, 6.0, 1.0)
    assert locate(graph, Depth(depth, CAMERA)).camera_position == (0.0, 0.0, 0.0)
    for node, card in zip(found.nodes, CARDS, strict=True):
        assert np.linalg.norm(pose(np.array(card[:3])) - node.position) < 0.05
        assert node.distance == pytest.approx(np.linalg.norm(card[:3]), abs=0.05)


def test_a_slanted_floor_is_no_edge():
    """Its depth grows steadily with each row, as a floor's does; all of it is measured."""
    rows = np.arange(480, dtype=np.float32)[:, None]
    depth = np.where(rows > 260, 440 * 1.0 / np.maximum(rows - 239.5, 1), 30.0)
    depth = np.broadcast_to(depth, (480, 640)).astype(np.float32)
    panoptic = np.full((480, 640), NOTHING, np.int32)
    panoptic[300:] = pack_panoptic(5, 0)
    node = Node(0, 5, "floor", False, 0.9, (0, 300, 640, 480), 1, (0.0, 0.0))
    found = locate(SceneGraph((node,), (), panoptic), Depth(depth, CAMERA)).nodes[0]
    assert found.position[1] == pytest.approx(1.0, abs=0.02)  # a metre below the camera
    assert found.extent[2] > 2.5


@pytest.mark.parametrize("size", [(320, 240), (160, 120), (1280, 960)])
def test_depth_of_another_size(size):
    graph, depth = scene(*CARDS)
    scaled = cv2.resize(depth, size, interpolation=cv2.INTER_NEAREST)
    for camera in (CAMERA, CAMERA.scaled(*size)):
        found = locate(graph, Depth(scaled, camera))
        for node, card in zip(found.nodes, CARDS, strict=True):
            assert np.abs(np.subtract(node.position, card[:3])).max() < 0.03


@pytest.mark.parametrize("nothing", [0.0, np.nan, np.inf, -1.0])
def test_what_is_not_measured_has_no_position(nothing):
    graph, depth = scene(*CARDS)
    x0, y0, x1, y1 = graph.nodes[1].box
    depth[y0:y1, x0:x1] = nothing
    found = locate(graph, Depth(depth, CAMERA))
    assert [node.position is None for node in found.nodes] == [False, True, False]
    assert found.nodes[1].extent is None and found.nodes[1].distance is None
    depth[:] = nothing
    assert all(node.position is None for node in locate(graph, Depth(depth, CAMERA)).nodes)


@pytest.mark.parametrize("shape", [(480, 480), (100, 640), (1, 1)])
def test_depth_of_another_camera_is_refused(shape):
    graph, _ = scene(*CARDS)
    with pytest.raises(ImageError, match="must be registered to the colour image"):
        locate(graph, Depth(np.ones(shape, np.float32), CAMERA))
    with pytest.raises(ImageError, match="must be registered"):
        camera = Intrinsics(shape[1], shape[0], 440.0, 440.0, 0.0, 0.0)
        locate(graph, Depth(np.ones(shape, np.float32), camera))


def test_tiny_images_and_empty_graphs():
    for size in ((1, 1), (3, 5), (16, 16)):
        graph = SceneGraph((), (), np.full(size, NOTHING, np.int32))
        camera = Intrinsics(size[1], size[0], 10.0, 10.0, 0.0, 0.0)
        assert locate(graph, Depth(np.ones(size, np.float32), camera)).nodes == ()


def test_intrinsics_of_a_message():
    assert Intrinsics.of_message(info()) == CAMERA
    bent = Intrinsics.of_message(info(d=[-0.2, 0.05, 0.001, 0.0, 0.0]))
    assert bent.distortion == (-0.2, 0.05, 0.001, 0.0, 0.0)
    assert Intrinsics.of_message(info(d=[0.0] * 3)) == CAMERA
    assert Intrinsics.of_message(info(roi=roi(0, 0, 0, 0))) == CAMERA
    assert Intrinsics.of_message(info(roi=roi(0, 0, 640, 480))) == CAMERA


@pytest.mark.parametrize("d", [(), (-0.2, 0.05, 0.001, -0.002, 0.0)])
@pytest.mark.parametrize("binning", [1, 2])
def test_a_part_of_the_image_is_seen_where_it_is(d, binning):
    """The rays of a region of interest are those of its pixels in the whole image."""
    part = Intrinsics.of_message(info(d=d, roi=roi(160, 120, 320, 240)))
    whole = Intrinsics.of_message(info(d=d)).rays()[120:360, 160:480]
    seen = part.scaled(320 // binning, 240 // binning).rays()
    expected = whole.reshape(240 // binning, binning, 320 // binning, binning, 2).mean((1, 3))
    np.testing.assert_allclose(seen, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"k": [0.0] * 9}, "calibrate the camera"),
        ({"k": [np.nan] * 9}, "calibrate the camera"),
        ({"k": [1.0, 2.0]}, "calibrate the camera"),
        ({"d": [np.inf]}, "calibrate the camera"),
        ({"distortion_model": "equidistant"}, "fisheye"),
        ({"d": [0.1, 0.01, 0.001]}, "3 distortion coefficients d: OpenCV's models have 4, 5"),
        ({"d": [0.1] * 9}, "9 distortion coefficients"),
        ({"width": 0}, "size 0x480"),
        ({"roi": roi(400, 0, 320, 240)}, "region of interest up to 720x240, outside of the image"),
    ],
)
def test_intrinsics_that_cannot_be(changes, words):
    with pytest.raises(ImageError, match=words):
        Intrinsics.of_message(info(**changes))


def test_rays_undo_the_projection():
    """OpenCV projects points on the rays, with distortion, back to the pixels' centres."""
    for d in ((), (-0.2, 0.05, 0.001, -0.002, 0.0)):
        camera = Intrinsics(64, 48, 50.0, 52.0, 30.0, 25.0, d)
        rays = camera.rays()
        points = np.dstack((rays, np.ones(rays.shape[:2]))).reshape(-1, 3) * 2.5
        matrix = np.array([[50.0, 0, 30.0], [0, 52.0, 25.0], [0, 0, 1]])
        pixels = cv2.projectPoints(points, np.zeros(3), np.zeros(3), matrix, np.array(d))[0]
        rows, columns = np.mgrid[:48, :64]
        expected = np.stack((columns, rows), 2).reshape(-1, 2)
        np.testing.assert_allclose(pixels.reshape(-1, 2), expected, atol=0.05)


def test_half_the_size_sees_the_same():
    half = CAMERA.scaled(320, 240).rays()
    both = CAMERA.rays().reshape(240, 2, 320, 2, 2).mean((1, 3))
    np.testing.assert_allclose(half, both, atol=1e-6)
