import numpy as np
import pytest

from dsflash_ros.geometry.spatial_relations import FIRST_ID, MOST_NODES, PREDICATES, relate
from dsflash_ros.graph.scene_graph import GEOMETRIC, NOTHING, Node, SceneGraph

UP = np.array([0.0, 0.0, 1.0])


def node(number, box, position=None, extent=(0.1, 0.1, 0.1), is_thing=True):
    x0, y0, x1, y1 = box
    distance = None if position is None else float(np.linalg.norm(position))
    area = (x1 - x0) * (y1 - y0)
    middle = ((x0 + x1) / 2, (y0 + y1) / 2)
    if position is None:
        extent = None
    return Node(
        number,
        0,
        "cup",
        is_thing,
        0.9,
        box,
        area,
        middle,
        None,
        None,
        None,
        0,
        position,
        extent,
        distance,
    )


def told(*nodes, up=None):
    graph = SceneGraph(tuple(nodes), (), np.full((10, 10), NOTHING, np.int32))
    found = relate(graph, up)
    assert all(r.source == GEOMETRIC and 0.5 <= r.score <= 1 for r in found)
    assert all(PREDICATES[r.predicate_id - FIRST_ID] == r.predicate for r in found)
    return {(r.subject, r.predicate, r.object) for r in found}


def test_beside_and_above_in_the_image():
    left, right, high = (0, 50, 20, 70), (30, 55, 60, 75), (5, 0, 15, 40)
    assert told(node(1, left), node(2, right)) == {(1, "left of", 2), (2, "right of", 1)}
    assert told(node(1, left), node(3, high)) == {(3, "above", 1), (1, "below", 3)}
    assert told(node(2, right), node(3, high)) == set()  # neither: they share no row or column


def test_inside_the_outline():
    assert told(node(1, (0, 0, 50, 50)), node(2, (10, 10, 50, 20))) == {
        (2, "inside the outline of", 1)
    }
    assert told(node(1, (0, 0, 50, 50)), node(2, (0, 0, 50, 50))) == set()


def test_near_and_nearer():
    box = (0, 0, 10, 10)
    one, other, far = (node(n, box, (0.0, 0.0, z)) for n, z in ((1, 2.0), (2, 2.5), (3, 6.0)))
    assert told(one, other) == {(1, "nearer than", 2), (1, "near", 2), (2, "near", 1)}
    assert told(one, far) == {(1, "nearer than", 3)}
    assert told(one, node(4, box)) == set()  # not known where the other is


def test_on_top_and_inside_need_gravity():
    box = (0, 0, 10, 10)
    table = node(1, box, (2.0, 0.0, 0.70), (1.2, 0.8, 0.06))
    cup = node(2, box, (2.1, 0.1, 0.78), (0.08, 0.08, 0.1))
    bowl = node(3, box, (2.0, 0.0, 0.8), (0.4, 0.4, 0.3))
    ball = node(4, box, (2.0, 0.0, 0.8), (0.1, 0.1, 0.1))
    lamp = node(5, box, (2.0, 0.0, 1.9), (0.2, 0.2, 0.3))
    assert (2, "on top of", 1) in told(table, cup, up=UP)
    assert (1, "on top of", 2) not in told(table, cup, up=UP)
    assert (4, "inside", 3) in told(bowl, ball, up=UP)
    assert not {p for _, p, _ in told(table, lamp, up=UP)} & {"on top of", "inside"}
    assert not {p for _, p, _ in told(table, cup, bowl, ball)} & {"on top of", "inside"}
    down = np.array([0.0, 0.0, -1.0])  # as in a frame whose z points to the floor
    assert (1, "on top of", 2) in told(
        node(1, box, (0.0, 0.0, 1.0), (0.1, 0.1, 0.2)),
        node(2, box, (0.0, 0.0, 1.4), (1.0, 1.0, 0.6)),
        up=down,
    )


def test_stuff_has_none_and_many_things_are_bounded():
    assert told(node(1, (0, 0, 5, 5)), node(2, (10, 0, 20, 5), is_thing=False)) == set()
    many = [node(n, (10 * n, 0, 10 * n + 9, 9)) for n in range(100)]
    found = told(*many)
    assert len({s for s, _, _ in found}) == MOST_NODES
    assert told() == set()


@pytest.mark.parametrize("seed", range(3))
def test_opposites_agree(seed):
    random = np.random.default_rng(seed)
    corners = np.sort(random.integers(0, 100, (8, 2, 2)), axis=1)
    nodes = [
        node(n, (*low.tolist(), *(high + 1).tolist()), tuple(random.normal(size=3).tolist()))
        for n, (low, high) in enumerate(corners)
    ]
    found = told(*nodes, up=UP)
    for one, other in (("left of", "right of"), ("above", "below"), ("near", "near")):
        assert {(b, a) for a, p, b in found if p == one} == {
            (a, b) for a, p, b in found if p == other
        }
    nearer = {(a, b) for a, p, b in found if p == "nearer than"}
    assert not nearer & {(b, a) for a, b in nearer}
