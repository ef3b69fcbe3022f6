"""What gets a segment, and which relations segments have."""

import time
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("mujoco")

from hand_made import FLOOR, GREY, RED

from dsflash_ros.toyroom import VOCABULARY
from dsflash_ros.toyroom.build.rooms import settled_room
from dsflash_ros.toyroom.build.scene import Item
from dsflash_ros.toyroom.build.solids import disc, plank
from dsflash_ros.toyroom.camera.rendering import Renderer
from dsflash_ros.toyroom.camera.viewpoints import sample_camera
from dsflash_ros.toyroom.physics.facts import facts_of
from dsflash_ros.toyroom.truth.image_truth import MIN_SHARE, truth_of

TABLE = Item("dining table", (plank(-0.4, 0.4, -0.5, 0.5, 0, 0.75, RED),))
CUP = Item("cup", (disc(0.06, 0, 0.13, GREY),))
WALLS = [
    Item("wall-brick", (plank(-0.1, 0, 0, 4, 0, 2.5, RED),)),
    Item("wall-brick", (plank(0, 5, 4, 4.1, 0, 2.5, RED),)),
]


def test_what_is_small_or_hidden_has_no_label(show):
    room = [FLOOR, TABLE.at(2, 2), CUP.at(2, 2, 0.75)]
    near, far = show(room, (3, 2, 1.4), (2, 2, 0.7)), show(room, (4.8, 2, 1.4), (2, 2, 0.7))
    assert ("cup", "on", "dining table") in near.said
    assert "cup" not in far.names
    shown = far.picture.items == 2
    assert 0 < shown.sum() < MIN_SHARE * shown.size
    assert (far.truth.labels[shown] == -1).all()
    hidden = show([FLOOR, TABLE.at(2, 2), CUP.at(1.4, 2)], (3, 2, 1.0), (2, 2, 0.7))
    assert "cup" not in hidden.names


def test_the_threshold_is_a_share_of_the_pixels(show):
    """A picture with four times the resolution has the same segments."""
    room = [FLOOR, TABLE.at(2, 2), CUP.at(2, 2, 0.75), CUP.at(2, 2.2, 0.75), CUP.at(1.7, 1.7, 0.75)]
    for distance in (3, 3.5, 4):
        eye, target = (distance, 2, 1.4), (2, 2, 0.7)
        assert show(room, eye, target, 160, 120).names == show(room, eye, target, 640, 480).names


def test_items_of_one_stuff_class_are_one_segment(show):
    tv = Item("tv", (plank(0, 0.05, -0.5, 0.5, -0.3, 0.3, GREY),)).at(0, 2, 1.4)
    tv = replace(tv, holder=2, fastening="attached")
    painting = Item("paper-merged", (plank(-0.3, 0.3, -0.03, 0, -0.2, 0.2, GREY),)).at(2, 4, 1.4)
    painting = replace(painting, holder=3, fastening="attached")
    chair = Item("chair", (plank(-0.2, 0.2, -0.2, 0.2, 0, 0.9, RED),)).at(2, 1)
    shown = show([FLOOR, chair, *WALLS, tv, painting], (4, 0.5, 1.5), (1, 3, 1))
    things, stuff = ["chair", "tv"], ["floor-wood", "wall-brick", "paper-merged"]
    assert shown.names == [*things, *stuff]
    assert shown.truth.items == ((1,), (4,), (0,), (2, 3), (5,))
    assert {
        ("tv", "attached to", "wall-brick"),
        ("paper-merged", "attached to", "wall-brick"),
    } <= shown.said
    for segment, items in enumerate(shown.truth.items):
        assert np.array_equal(shown.truth.labels == segment, np.isin(shown.picture.items, items))
    assert shown.truth.labels.dtype == np.int32
    assert shown.truth.class_ids.dtype == shown.truth.relations.dtype == np.int64


def test_stuff_does_not_relate_to_itself(show):
    """A rug on a rug, and a shelf over a shelf, are one segment each."""
    rug = Item("rug-merged", (plank(-0.6, 0.6, -0.6, 0.6, 0, 0.01, RED),))
    shelf = Item(
        "shelf", (plank(0, 0.4, -0.5, 0.5, 0, 0.04, GREY),), holder=1, fastening="attached"
    )
    shelves = [replace(shelf, position=np.array([0, 2, z])) for z in (1.0, 1.5)]
    shown = show(
        [FLOOR, WALLS[0], *shelves, rug.at(1, 2), rug.at(1.3, 2, 0.01)], (4, 2, 1.5), (1, 2, 0.7)
    )
    assert {"rug-merged", "shelf"} <= set(shown.names)
    assert shown.said == {
        ("shelf", "attached to", "wall-brick"),
        ("rug-merged", "on", "floor-wood"),
    }


def test_if_items_of_a_segment_relate_differently_the_most_specific_counts(show):
    """One lamp hangs over the table, another stands on it."""
    ceiling = Item("ceiling-merged", (plank(0, 5, 0, 4, 2.5, 2.6, GREY),))
    hanging = Item(
        "light", (disc(0.2, 0, 0.2, RED),), np.array([2, 2.2, 1.9]), holder=1, fastening="hanging"
    )
    standing = Item("light", (disc(0.08, 0, 0.3, RED),)).at(2, 1.7, 0.75)
    eye, target = (4.5, 2, 1.4), (2, 2, 1.2)
    table = TABLE.at(2, 2)
    shown = show([FLOOR, ceiling, table, hanging], eye, target)
    assert ("light", "over", "dining table") in shown.said
    shown = show([FLOOR, ceiling, table, hanging, standing], eye, target)
    assert {said for said in shown.said if said[0] == "light"} == {
        ("light", "on", "dining table"),
        ("light", "hanging from", "ceiling-merged"),
    }


def test_nothing_in_view_is_no_error(show):
    shown = show([FLOOR], (2, 2, 1.0), (4, 2, 4.0))
    assert (shown.truth.labels == -1).all()
    assert shown.truth.relations.shape == (0, 3)
    assert shown.truth.class_ids.shape == (0,)


@pytest.fixture(scope="module")
def seen(need_renderer):
    """(simulation, facts, picture, truth) of some random rooms, each from two places."""
    found = []
    for room in range(6):
        simulation, _ = settled_room(99, room)
        facts, random = facts_of(simulation), np.random.default_rng(room)
        with Renderer(simulation, 320, 240) as renderer:
            for _ in range(2):
                camera = sample_camera(random, simulation, 320, 240)
                picture = renderer.picture(camera)
                found.append((simulation, facts, picture, truth_of(facts, picture, camera)))
    return found


def test_random_rooms_at_most_one_predicate_for_a_directed_pair(seen):
    for *_, truth in seen:
        pairs = truth.relations[:, :2]
        assert len(np.unique(pairs, axis=0)) == len(pairs)
        assert (pairs[:, 0] != pairs[:, 1]).all()
    assert sum(len(truth.relations) for *_, truth in seen) > 50


def test_random_rooms_inverses_and_symmetry(seen):
    inside, encloses, beside = (
        VOCABULARY.predicates.index(name) for name in ("in", "enclosing", "beside")
    )
    for *_, truth in seen:
        pairs = {
            predicate: {(a, b) for a, b, p in truth.relations.tolist() if p == predicate}
            for predicate in (inside, encloses, beside)
        }
        assert pairs[inside] == {(b, a) for a, b in pairs[encloses]}
        assert pairs[beside] == {(b, a) for a, b in pairs[beside]}


def test_random_rooms_only_segments_are_related(seen):
    for *_, picture, truth in seen:
        labels, counts = np.unique(truth.labels, return_counts=True)
        assert labels[labels >= 0].tolist() == list(range(len(truth.class_ids)))
        assert (counts[labels >= 0] >= MIN_SHARE * truth.labels.size).all()
        assert set(truth.relations[:, :2].ravel().tolist()) <= set(range(len(truth.class_ids)))
        assert truth.labels.shape == picture.items.shape


def test_random_rooms_what_is_fastened_is_related_to_its_holder(seen):
    """If both are in view."""
    predicates = {
        "held": "holding",
        "carried": "carrying",
        "worn": "on back of",
        "hanging": "hanging from",
        "attached": "attached to",
    }
    for simulation, *_, truth in seen:
        segment_of = {item: segment for segment, items in enumerate(truth.items) for item in items}
        said = set(map(tuple, truth.relations.tolist()))
        for index, item in enumerate(simulation.items):
            if item.fastening and {index, item.holder} <= segment_of.keys():
                pair = segment_of[index], segment_of[item.holder]
                pair = pair[::-1] if item.fastening in ("held", "carried") else pair
                assert (*pair, VOCABULARY.predicates.index(predicates[item.fastening])) in said


def test_random_rooms_small_things_rest_somewhere(seen):
    """What fell and came to rest has something below it, or is in something."""
    for simulation, facts, *_ in seen:
        for index, item in enumerate(simulation.items):
            if item.moves:
                assert facts.rests_on[index].any() or facts.encloses[:, index].any(), item.name


def test_facts_and_truth_are_quick(seen):
    """30 ms of processor time for 30 items at 640x480."""
    simulation = max((room for room, *_ in seen), key=lambda room: len(room.items))
    camera = sample_camera(np.random.default_rng(0), simulation)
    with Renderer(simulation) as renderer:
        picture = renderer.picture(camera)
    times = []
    for _ in range(5):
        start = time.process_time()
        truth_of(facts_of(simulation), picture, camera)
        times.append(time.process_time() - start)
    assert min(times) < 0.03 * max(1, len(simulation.items) / 30)
