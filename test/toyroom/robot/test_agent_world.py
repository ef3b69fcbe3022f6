"""What the agent of examples/agent believes of graphs whose nodes have no track ids."""

import sys

import numpy as np
import pytest
from places import ROOT

pytest.importorskip("mujoco")
pytest.importorskip("unified_planning")

sys.path.insert(0, str(ROOT / "examples" / "agent"))

from world import World

from dsflash_ros.graph.scene_graph import Node, SceneGraph


def graph_of(*things):
    """A graph of things, `(label, position)` or `(label, position, track)`, 0.5 m wide."""
    nodes = [node(number, *thing) for number, thing in enumerate(things)]
    return SceneGraph(tuple(nodes), (), np.full((1, 1), -1, np.int32))


def node(number, label, position, track=None):
    seen = {"is_thing": True, "score": 1.0, "box": (0, 0, 1, 1), "area": 1, "centroid": (0.5, 0.5)}
    placed = {"track_id": track, "position": position, "extent": (0.5, 0.5, 0.5)}
    return Node(number, 0, label, **seen, **placed)


@pytest.fixture
def three_cups():
    world = World()
    for x in (0.0, 3.0, 6.0):
        world.update(graph_of(("cup", (x, 0.0, 1.0))))
    assert list(world.things) == ["cup_1", "cup_2", "cup_3"]
    return world


@pytest.mark.parametrize("label", ["chair", "cup"])
def test_two_things_of_a_class_stay_two(label):
    world = World()
    places = [(0.0, 0.0, 0.5), (3.0, 0.0, 0.5)]
    for _ in range(30):
        world.update(graph_of(*((label, place) for place in places)))
    things = list(world.things.values())
    assert [thing.name for thing in things] == [f"{label}_1", f"{label}_2"]
    assert np.allclose([thing.position for thing in things], places)
    assert np.allclose([thing.extent for thing in things], 0.5)


@pytest.mark.parametrize("for_good", [True, False])
def test_another_thing_does_not_get_the_name_of_a_forgotten_one(three_cups, for_good):
    three_cups.forget("cup_3", for_good)
    three_cups.update(graph_of(("cup", (9.0, 9.0, 1.0))))
    assert list(three_cups.things) == ["cup_1", "cup_2", "cup_4"]
    assert three_cups.things["cup_4"].position == (9.0, 9.0, 1.0)


@pytest.mark.parametrize(("for_good", "is_believed"), [(True, False), (False, True)])
def test_what_was_forgotten_and_is_seen_there_again_is_that_thing(
    three_cups, for_good, is_believed
):
    three_cups.forget("cup_3", for_good)
    for _ in range(3):
        three_cups.update(graph_of(("cup", (6.1, 0.0, 1.0))))
    assert len(three_cups.things) == 2 + is_believed
    assert ("cup_3" in three_cups.things) == is_believed


def test_a_forgotten_thing_that_its_track_shows_elsewhere_keeps_its_name():
    world = World()
    world.update(graph_of(("cup", (0.0, 0.0, 1.0), 7)))
    world.forget("cup_7")
    world.update(graph_of(("cup", (4.0, 0.0, 1.0), 7), ("cup", (9.0, 0.0, 1.0))))
    assert world.things["cup_7"].position == (4.0, 0.0, 1.0)
    assert len(world.things) == 2
