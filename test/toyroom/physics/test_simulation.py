"""The physics and the pictures that all truths rest on."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("mujoco")

from dsflash_ros.errors import ToyroomError
from dsflash_ros.toyroom.build.rooms import settled_room
from dsflash_ros.toyroom.build.scene import Camera, Item, turn_x, turn_y, turn_z
from dsflash_ros.toyroom.build.solids import ball, box, disc, egg, lathe, plain, plank, rod
from dsflash_ros.toyroom.camera.rendering import Renderer
from dsflash_ros.toyroom.physics.contacts import contacts
from dsflash_ros.toyroom.physics.simulation import Simulation

GREY, RED = plain((0.6, 0.6, 0.6)), plain((0.8, 0.2, 0.2))
FLOOR = Item("floor-wood", (plank(0, 5, 0, 4, -0.1, 0, GREY),))
CUP = Item("cup", (disc(0.05, 0, 0.12, RED),), moves=True)
BALL = Item("sports ball", (ball(0.1, (0, 0, 0.1), RED),), moves=True)


def cast_box(origin: np.ndarray, rays: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Where rays enter the box around the origin, in their lengths; infinite where they miss."""
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
def test_depth_and_items_agree_with_an_analytic_ray_cast(need_renderer, seed):
    random = np.random.default_rng(seed)
    half, radius = random.uniform(0.1, 0.5, 3), random.uniform(0.2, 0.4)
    turn = (
        turn_z(random.uniform(-3, 3))
        @ turn_y(random.uniform(-1, 1))
        @ turn_x(random.uniform(-1, 1))
    )
    crate = Item("suitcase", (box(half, (0, 0, 0), RED),), random.uniform(-0.3, 0.3, 3), turn)
    # a sphere is drawn with facets, an ellipsoid of three equal axes as well: compare away from its
    # rim
    globe = Item(
        "sports ball",
        (ball(radius, (0, 0, 0), GREY),),
        crate.position + random.uniform(0.2, 0.5, 3),
    )
    eye = np.array([3.0, random.uniform(-1, 1), random.uniform(0.5, 1.5)])
    camera = Camera.looking_at(
        eye, random.uniform(-0.1, 0.3, 3), width=160, height=120, fov=random.uniform(0.5, 1.1)
    )
    with Renderer(Simulation([crate, globe]), 160, 120) as renderer:
        frame = renderer.frame(camera)
    u, v = np.meshgrid(np.arange(160), np.arange(120))
    pixels = np.stack((u, v, np.ones_like(u)), -1)
    rays = (
        pixels @ np.linalg.inv(camera.intrinsics).T @ camera.rotation.T
    )  # one metre along the optical axis
    depths = np.stack(
        (
            cast_box((eye - crate.position) @ turn, rays @ turn, half),
            cast_sphere(eye - globe.position, rays, radius),
        )
    )
    depth, items = depths.min(0), np.where(np.isfinite(depths.min(0)), depths.argmin(0), -1)
    same = frame.items == items
    assert same.mean() > 0.99  # but for the rims
    assert (items >= 0).sum() > 500
    both = same & (items >= 0)
    assert np.abs(frame.depth - depth)[both & (items == 0)].max() < 0.005
    # facets: 20 around, so at most 1 - cos(9 degrees) of the radius deep where seen from the front
    assert np.median(np.abs(frame.depth - depth)[both & (items == 1)]) < 0.02 * radius
    assert (frame.depth[frame.items < 0] == 0).all()


def test_the_same_seed_gives_the_same_bytes(need_renderer):
    frames = []
    for seed in (5, 5, 6):
        simulation, _ = settled_room(seed, 0)
        camera = Camera.looking_at((0.6, 0.6, 1.5), (2, 2, 0.5), width=160, height=120)
        with Renderer(simulation, 160, 120) as renderer:
            frames.append(renderer.frame(camera))
    first, again, other = ([frame.rgb, frame.depth, frame.items] for frame in frames)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(first, again, strict=True))
    assert first[0].tobytes() != other[0].tobytes()


def test_what_moves_falls_and_comes_to_rest():
    simulation = Simulation(
        [FLOOR, CUP.at(1, 1, 0.1), BALL.at(2, 2, 0.05), replace(CUP, moves=False).at(3, 3, 0.5)]
    )
    assert simulation.settle()
    assert [round(item.position[2], 2) for item in simulation.items] == [0, 0, 0, 0.5]
    assert np.abs(simulation.items[1].position[:2] - 1).max() < 0.01


@pytest.mark.parametrize(
    ("thing", "why"),
    [
        (CUP.at(6, 2, 0.1), "falls past the floor"),
        (
            Item(
                "bottle",
                (disc(0.03, 0, 0.3, RED),),
                np.array([2, 2, 0.01]),
                turn_x(0.7),
                moves=True,
            ),
            "falls over",
        ),
        (CUP.at(2, 2, 0.5), "falls too far"),
    ],
)
def test_a_room_that_does_not_settle_is_found_out(thing, why):
    assert not Simulation([FLOOR, thing]).settle(), why


def test_what_is_held_moves_with_its_holder():
    bowl = Item("bowl", (disc(0.1, 0, 0.05, GREY),), moves=True).at(2, 2, 0.1, 0.5)
    inside = replace(BALL, moves=False, holder=1, position=np.array([2.02, 2, 0.16]))
    simulation = Simulation([FLOOR, bowl, inside])
    assert simulation.settle()
    assert simulation.items[2].position == pytest.approx([2.02, 2, 0.06], abs=0.01)


def test_who_holds_themselves_gets_one_sentence():
    with pytest.raises(ToyroomError, match="holds itself"):
        Simulation([FLOOR, replace(CUP, moves=False, holder=1)])


def test_boxes_hold_what_is_seen(need_renderer):
    """Every pixel's point lies in its item's box, and the box is no larger than the points in view
    need.
    """
    solids = [
        (box((0.1, 0.2, 0.3), (0, 0, 0), RED, turn_x(0.5)),),
        (ball(0.3, (0, 0, 0), RED),),
        (egg((0.1, 0.2, 0.35), (0, 0, 0), RED, turn_y(0.8)),),
        (rod(0.1, (-0.2, 0, -0.1), (0.2, 0.1, 0.2), RED),),
        (rod(0.15, (-0.2, 0, -0.1), (0.2, 0.1, 0.2), RED, round_ends=False),),
        (lathe([(0.01, 0), (0.2, 0.1), (0.1, 0.4)], RED, (0, 0, -0.2)),),
    ]
    items = [
        Item("cup", shape, np.array([0, i * 1.0, 0]), turn_z(0.4 * i))
        for i, shape in enumerate(solids)
    ]
    simulation = Simulation(items)
    boxes = simulation.extents()
    low, high = np.full((len(items), 3), np.inf), np.full((len(items), 3), -np.inf)
    v, u = np.mgrid[:240, :320]
    with Renderer(simulation, 320, 240) as renderer:
        for i in range(len(items)):
            for way in ((1, 0.2, 0.6), (-1, 0.2, -0.6), (0.2, 1, 0.6), (-0.2, -1, -0.6)):
                middle = items[i].position
                eye = middle + 0.8 * np.array(way) / np.linalg.norm(way)
                camera = Camera.looking_at(eye, middle, width=320, height=240)
                frame = renderer.frame(camera)
                rays = np.stack((u, v, np.ones_like(u)), -1) @ np.linalg.inv(camera.intrinsics).T
                points = (rays * frame.depth[..., None])[frame.items == i] @ camera.rotation.T + eye
                low[i], high[i] = (
                    np.minimum(low[i], points.min(0)),
                    np.maximum(high[i], points.max(0)),
                )
    assert (low > boxes[:, 0] - 0.01).all()
    assert (high < boxes[:, 1] + 0.01).all()
    assert np.abs(np.stack((low, high), 1) - boxes).max() < 0.03  # facets and rims


def test_contacts_of_fixed_things_that_meet_exactly():
    """The distance is 0 there, which has no direction of its own."""
    table = Item("dining table", (plank(-0.4, 0.4, -0.4, 0.4, 0, 0.7, RED),))
    wall = Item("wall-brick", (plank(-0.1, 0, 0, 4, 0, 2.5, RED),))
    found = {
        (contact.a, contact.b): contact.normal.round(6).tolist()
        for contact in contacts(Simulation([FLOOR, table.at(0.4, 2), wall]))
        if contact.a != 0 or contact.b != 2
    }
    assert found == {(0, 1): [0, 0, 1], (1, 2): [-1, 0, 0]}


@pytest.mark.parametrize(
    ("distance", "touches"), [(-0.004, True), (0.0, True), (0.018, True), (0.022, False)]
)
def test_contacts_reach_as_far_as_the_gap(distance, touches):
    """Two balls, one of them aslant above the other."""
    way = np.array([1, 2, 3]) / np.sqrt(14)
    globe = Item("sports ball", (ball(0.1, (0, 0, 0), RED),))
    found = list(contacts(Simulation([globe, replace(globe, position=way * (0.2 + distance))])))
    assert len(found) == touches
    if touches and distance:
        assert found[0].normal == pytest.approx(way, abs=1e-6)
