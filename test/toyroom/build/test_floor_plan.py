import numpy as np
import pytest
from hand_made import BALL, CHAIR, CUP, TV

from dsflash_ros.toyroom.build import furniture, shell
from dsflash_ros.toyroom.build.floor_plan import FloorPlan
from dsflash_ros.toyroom.build.solids import extent

WIDTH, DEPTH, HEIGHT = 4.0, 3.0, 2.5


@pytest.fixture
def plan():
    """An empty room."""
    random = np.random.default_rng(0)
    made = FloorPlan(random, WIDTH, DEPTH, HEIGHT)
    made.add(shell.floor(random, WIDTH, DEPTH), is_obstacle=False)
    return made


def gap(a, b):
    """Distance from one item's box to another's along the axis that separates them most."""
    (low_a, high_a), (low_b, high_b) = extent(a), extent(b)
    return np.maximum(low_b - high_a, low_a - high_b).max()


def test_items_stand_apart_and_inside_until_the_room_is_full(plan):
    found = [plan.stand(CHAIR) for _ in range(80)]
    chairs = [plan.items[index] for index in found if index is not None]
    assert None in found and len(chairs) > 10
    assert all(gap(one, other) >= 0.03 for n, one in enumerate(chairs) for other in chairs[:n])
    corners = np.stack([extent(chair) for chair in chairs])
    assert corners.min() >= -0.005 and (corners.max((0, 1)) <= (WIDTH, DEPTH, HEIGHT)).all()


def test_backs_are_against_a_wall(plan):
    index = plan.against_wall(CHAIR, gap=0.04)
    chair = plan.items[index]
    x, y, _ = chair.to_world(np.array([-0.2 - 0.04, 0, 0]))  # the gap behind its back
    assert np.abs([x, y, x - WIDTH, y - DEPTH]).min() < 1e-9


def test_what_hangs_on_a_wall_is_fastened_to_it(plan):
    walls = []
    for side, length in enumerate(shell.lengths(WIDTH, DEPTH)):
        wall = shell.wall(shell.wall_surface(plan.random, bricks=False), length, HEIGHT, False)
        placed = shell.on_wall(wall, side, 0.5, 0, WIDTH, DEPTH)
        walls.append(plan.add(placed, is_obstacle=False))
    index = plan.hang(TV, 1.0, 1.5, walls, "attached")
    tv = plan.items[index]
    assert tv.holder in walls and tv.fastening == "attached"
    assert 1.0 <= tv.position[2] <= 1.5
    assert abs(gap(tv, plan.items[tv.holder])) < 1e-9


def test_things_are_put_on_tops_or_nowhere(plan):
    table = plan.stand(furniture.dining_table(np.random.default_rng(1)))
    found = [plan.put_on(CUP, table) for _ in range(100)]
    cups = [plan.items[index] for index in found if index is not None]
    x0, y0, x1, y1, z = plan.items[table].tops[0]
    local = np.stack([cup.position - plan.items[table].position for cup in cups])
    local = local @ plan.items[table].rotation
    assert None in found and len(cups) > 5
    assert (local[:, :2] >= (x0, y0)).all() and (local[:, :2] <= (x1, y1)).all()
    assert local[:, 2] == pytest.approx(z + 0.003)  # it falls from there
    ball = plan.stand(BALL)
    assert plan.put_on(CUP, ball) is None


def test_a_bookcase_takes_only_what_fits_below_its_boards(plan):
    shelf = plan.against_wall(furniture.bookcase(np.random.default_rng(3)))
    levels = plan.items[shelf].tops[:, 4]
    for index in [plan.put_on(CHAIR, shelf), *(plan.put_on(CUP, shelf) for _ in range(20))]:
        if index is not None:
            low, high = extent(plan.items[index])[:, 2]
            assert not ((low + 0.05 < levels) & (levels - 0.03 < high)).any()


def test_the_floor_is_higher_on_a_rug(plan):
    plan.add(shell.rug(plan.random).at(2, 1.5), is_obstacle=False)
    assert plan.floor_at(2, 1.5) == pytest.approx(0.012)
    assert plan.floor_at(0.1, 0.1) == 0
