"""The pictures that all truths rest on."""

import numpy as np
import pytest

pytest.importorskip("mujoco")

from hand_made import GREY, RED

from dsflash_ros.toyroom.build.rooms import settled_room
from dsflash_ros.toyroom.build.scene import Camera, Item, turn_x, turn_y, turn_z
from dsflash_ros.toyroom.build.solids import ball, box, egg, lathe, rod
from dsflash_ros.toyroom.camera.rendering import Renderer
from dsflash_ros.toyroom.physics.simulation import Simulation

pytestmark = pytest.mark.usefixtures("need_renderer")


def cast_box(origin: np.ndarray, rays: np.ndarray, half: np.ndarray) -> np.ndarray:
    """How far along each ray it enters a box around 0, in units of the ray; inf if it misses."""
    with np.errstate(divide="ignore"):
        ends = (np.stack((-half, half))[:, None, None] - origin) / rays
    enter, leave = ends.min(0).max(-1), ends.max(0).min(-1)
    return np.where((enter <= leave) & (leave > 0), enter, np.inf)


def cast_sphere(origin: np.ndarray, rays: np.ndarray, radius: float) -> np.ndarray:
    """The same for a sphere."""
    a, b, c = (rays**2).sum(-1), rays @ origin, origin @ origin - radius**2
    inside = b**2 - a * c
    return np.where(inside >= 0, (-b - np.sqrt(np.maximum(inside, 0))) / a, np.inf)


@pytest.mark.parametrize("seed", range(4))
def test_depth_and_items_agree_with_an_analytic_ray_cast(seed):
    random = np.random.default_rng(seed)
    half, radius = random.uniform(0.1, 0.5, 3), random.uniform(0.2, 0.4)
    yaw, pitch, roll = random.uniform(-3, 3), random.uniform(-1, 1), random.uniform(-1, 1)
    turn = turn_z(yaw) @ turn_y(pitch) @ turn_x(roll)
    place = random.uniform(-0.3, 0.3, 3)
    crate = Item("suitcase", (box(half, (0, 0, 0), RED),), place, turn)
    solid = ball(radius, (0, 0, 0), GREY)
    globe = Item("sports ball", (solid,), place + random.uniform(0.2, 0.5, 3))
    eye = np.array([3.0, random.uniform(-1, 1), random.uniform(0.5, 1.5)])
    target, fov = random.uniform(-0.1, 0.3, 3), random.uniform(0.5, 1.1)
    camera = Camera.looking_at(eye, target, width=160, height=120, fov=fov)
    with Renderer(Simulation([crate, globe]), 160, 120) as renderer:
        picture = renderer.picture(camera)
    u, v = np.meshgrid(np.arange(160), np.arange(120))
    pixels = np.stack((u, v, np.ones_like(u)), -1)
    # each ray is one metre long along the optical axis
    rays = pixels @ np.linalg.inv(camera.intrinsics).T @ camera.rotation.T
    to_crate = cast_box((eye - crate.position) @ turn, rays @ turn, half)
    depths = np.stack((to_crate, cast_sphere(eye - globe.position, rays, radius)))
    depth, items = depths.min(0), np.where(np.isfinite(depths.min(0)), depths.argmin(0), -1)
    same = picture.items == items
    assert same.mean() > 0.99  # all but the edges
    assert (items >= 0).sum() > 500
    error = np.abs(picture.depth - depth)
    assert error[same & (items == 0)].max() < 0.005
    # a sphere is drawn with 20 facets around: from the front it is at most 1 - cos(9 degrees) of
    # the radius too far away
    assert np.median(error[same & (items == 1)]) < 0.02 * radius
    assert (picture.depth[picture.items < 0] == 0).all()


def test_the_same_seed_gives_the_same_bytes():
    pictures = []
    for seed in (5, 5, 6):
        simulation, _ = settled_room(seed, 0)
        camera = Camera.looking_at((0.6, 0.6, 1.5), (2, 2, 0.5), width=160, height=120)
        with Renderer(simulation, 160, 120) as renderer:
            picture = renderer.picture(camera)
        pictures.append([part.tobytes() for part in (picture.rgb, picture.depth, picture.items)])
    first, again, other = pictures
    assert first == again
    assert first[0] != other[0]


def test_a_camera_of_another_size_is_refused():
    camera = Camera.looking_at((1, 1, 1), (0, 0, 0), width=64, height=48)
    with (
        Renderer(Simulation([]), 160, 120) as renderer,
        pytest.raises(ValueError, match="a camera of 64x48 for a renderer of 160x120"),
    ):
        renderer.picture(camera)


def test_bounding_boxes_hold_what_is_seen_and_no_more():
    """Every pixel shows a point inside its item's box, and the points reach to the box's sides."""
    solids = [
        box((0.1, 0.2, 0.3), (0, 0, 0), RED, turn_x(0.5)),
        ball(0.3, (0, 0, 0), RED),
        egg((0.1, 0.2, 0.35), (0, 0, 0), RED, turn_y(0.8)),
        rod(0.1, (-0.2, 0, -0.1), (0.2, 0.1, 0.2), RED),
        rod(0.15, (-0.2, 0, -0.1), (0.2, 0.1, 0.2), RED, round_ends=False),
        lathe([(0.01, 0), (0.2, 0.1), (0.1, 0.4)], RED, (0, 0, -0.2)),
    ]
    items = [
        Item("cup", (solid,), np.array([0, index * 1.0, 0]), turn_z(0.4 * index))
        for index, solid in enumerate(solids)
    ]
    simulation = Simulation(items)
    seen = np.stack([np.full((len(items), 3), np.inf), np.full((len(items), 3), -np.inf)], 1)
    v, u = np.mgrid[:240, :320]
    pixels = np.stack((u, v, np.ones_like(u)), -1)
    with Renderer(simulation, 320, 240) as renderer:
        for index, item in enumerate(items):
            for way in ((1, 0.2, 0.6), (-1, 0.2, -0.6), (0.2, 1, 0.6), (-0.2, -1, -0.6)):
                eye = item.position + 0.8 * np.array(way) / np.linalg.norm(way)
                camera = Camera.looking_at(eye, item.position, width=320, height=240)
                picture = renderer.picture(camera)
                points = pixels @ np.linalg.inv(camera.intrinsics).T * picture.depth[..., None]
                points = points[picture.items == index] @ camera.rotation.T + eye
                seen[index, 0] = np.minimum(seen[index, 0], points.min(0))
                seen[index, 1] = np.maximum(seen[index, 1], points.max(0))
    boxes = simulation.extents()
    assert (seen[:, 0] > boxes[:, 0] - 0.01).all()
    assert (seen[:, 1] < boxes[:, 1] + 0.01).all()
    assert np.abs(seen - boxes).max() < 0.03  # round solids are drawn with facets
