"""Who is who from image to image, and what a tracker remembers."""

from dataclasses import replace

import numpy as np
import pytest
from scenes import CLASSES, CUP, FLOOR, HEIGHT, PERSON, TWO_CUPS, WIDTH, Scene, ids

from dsflash_ros.graph.scene_graph import NOTHING, SceneGraph
from dsflash_ros.tracking import tracker as tracker_module
from dsflash_ros.tracking.events import Change
from dsflash_ros.tracking.tracker import Tracker
from dsflash_ros.tracking.tracking_options import TrackingOptions


def test_two_of_a_class_keep_their_ids_while_the_camera_moves():
    """At 30 pixels a frame the left cup soon is where the right one was."""
    tracker = Tracker()
    first = ids(tracker(*TWO_CUPS.see(0.0)[::-1]))
    assert len(set(first.values())) == 4
    for frame in range(1, 5):
        rgb, graph = TWO_CUPS.see(frame / 10, shift=(30 * frame, 4 * frame))
        found = tracker(graph, rgb)
        assert ids(found) == {number: first[number] for number in ids(found)}
    assert [node.observations for node in found.nodes[:2]] == [5, 5]
    assert {(node.first_seen, node.last_seen) for node in found.nodes} == {(0.0, 0.4)}


def test_without_the_image_fast_motion_confuses_what_looks_alike():
    """The image is what the motion is measured in: the test above would fail without it."""
    tracker = Tracker()
    first = ids(tracker(TWO_CUPS.see(0.0)[1]))
    for frame in range(1, 4):
        found = tracker(TWO_CUPS.see(frame / 10, shift=(60 * frame, 0))[1])
    assert ids(found) != {number: first[number] for number in ids(found)}


def test_it_is_pure():
    """The same graphs give the same results, and are not changed."""
    frames = [TWO_CUPS.see(n / 10, (9 * n, 0), without=(n % 3,)) for n in range(6)]
    before = [(rgb.copy(), graph.panoptic.copy(), graph.nodes) for rgb, graph in frames]
    trackers = Tracker(), Tracker()
    for rgb, graph in frames:
        one, other = (tracker(graph, rgb) for tracker in trackers)
        assert one.nodes == other.nodes and one.relations == other.relations
        assert np.array_equal(one.panoptic, other.panoptic)
    for (rgb, graph), (old_rgb, old_panoptic, old_nodes) in zip(frames, before, strict=True):
        assert np.array_equal(rgb, old_rgb) and np.array_equal(graph.panoptic, old_panoptic)
        assert graph.nodes is old_nodes


def test_an_object_that_was_hidden_gets_its_id_back():
    tracker = Tracker()
    for frame in range(3):
        first = ids(tracker(*TWO_CUPS.see(frame / 10)[::-1]))
    for frame in range(3, 12):
        rgb, graph = TWO_CUPS.see(frame / 10, without=(0,))
        assert 0 not in {n.id for n in graph.nodes}
        hidden = tracker(graph, rgb)
    assert first[0] not in {node.track_id for node in hidden.nodes}
    assert ids(tracker(*TWO_CUPS.see(1.2)[::-1]))[0] == first[0]


def test_appearance_tells_who_comes_back():
    """Two persons leave; the one who comes back at another place is known by its features."""
    scene = Scene((PERSON, 20, 40, 50, 120, 1), (PERSON, 240, 40, 50, 120, 2))
    random = np.random.default_rng(0)
    looks = random.normal(size=(3, 32)).astype(np.float32)

    def see(stamp, without=(), swap=False):
        rgb, graph = scene.see(stamp, without=without)
        order = [1, 0, 2] if swap else [0, 1, 2]
        rows = [order[min(node.id, 2)] for node in graph.nodes]
        noise = random.normal(size=(len(rows), 32)) * 0.1
        return tracker(replace(graph, appearance=looks[rows] + noise), rgb)

    tracker = Tracker()
    for frame in range(8):
        first = ids(see(frame / 10))
    for frame in range(8, 30):
        see(frame / 10, without=(0, 1))
    back = ids(see(3.0, swap=True))
    assert (back[0], back[1]) == (first[1], first[0])


def test_positions_in_a_fixed_frame_tell_what_is_seen_again():
    """A cup that left the view minutes ago is the same at its place, another one elsewhere."""
    scene = Scene((CUP, 140, 90, 40, 40, 1))

    def see(stamp, position, without=(), frame="map"):
        rgb, graph = scene.see(stamp, without=without)
        nodes = (replace(n, position=position if n.id == 0 else None) for n in graph.nodes)
        return tracker(replace(graph, nodes=tuple(nodes), position_frame=frame), rgb)

    tracker = Tracker(TrackingOptions(track_memory_s=1.0), fixed_frame="map")
    for frame in range(4):
        first = ids(see(frame / 10, (1.0, 2.0, 0.7)))[0]
    for stamp in (5.0, 100.0, 200.0):
        see(stamp, None, without=(0,))
    assert ids(see(300.0, (4.0, 2.0, 0.7)))[0] != first
    see(305.0, None, without=(0,))
    assert ids(see(310.0, (1.1, 2.0, 0.72)))[0] == first
    moving = Tracker(TrackingOptions(track_memory_s=1.0), fixed_frame="map")
    tracker = moving
    first = ids(see(0.0, (1.0, 2.0, 0.7), frame="camera"))[0]
    see(50.0, None, without=(0,))
    assert ids(see(100.0, (1.0, 2.0, 0.7), frame="camera"))[0] != first


@pytest.mark.parametrize("how", ["clock", "size", "call"])
def test_reset(how):
    tracker = Tracker()
    before = set(ids(tracker(*TWO_CUPS.see(5.0)[::-1])).values())
    rgb, graph = TWO_CUPS.see(4.0 if how == "clock" else 5.1)
    if how == "size":
        rgb = rgb[:120]
        graph = replace(graph, panoptic=graph.panoptic[:120])
    if how == "call":
        tracker.reset()
    assert before.isdisjoint(ids(tracker(graph, rgb)).values())
    appeared = [e for e in tracker.events if e.change == Change.NODE_APPEARED]
    vanished = [e for e in tracker.events if e.change == Change.NODE_VANISHED]
    assert {e.subject for e in vanished} == before and len(appeared) == len(graph.nodes)


def test_a_message_that_came_late_is_no_jump_of_the_clock():
    tracker = Tracker()
    first = ids(tracker(*TWO_CUPS.see(5.0)[::-1]))
    for stamp in (5.1, 5.05, 5.2, 4.8):
        found = tracker(*TWO_CUPS.see(stamp)[::-1])
        assert ids(found) == first
        assert all(node.first_seen <= node.last_seen for node in found.nodes)
    assert not tracker.events


def test_a_message_that_came_late_may_show_something_new():
    tracker = Tracker()
    for stamp in (5.0, 5.1):
        tracker(*TWO_CUPS.see(stamp, without=(2,))[::-1])
    relations = [(2, 0, "holding", 0.9)]
    for stamp, score in ((5.05, 0.3), (5.15, 0.9), (5.2, 0.9)):
        found = tracker(*TWO_CUPS.see(stamp, scores={2: score}, relations=relations)[::-1])
    person = next(node for node in found.nodes if node.label == "person")
    assert (person.observations, person.first_seen) == (3, 5.05)
    assert [relation.subject for relation in found.relations] == [person.id]


def test_memory_is_bounded(monkeypatch):
    """New objects all the time: tracks, and relations between them, stay few."""
    monkeypatch.setattr(tracker_module, "MAX_TRACKS", 40)
    tracker, random = Tracker(TrackingOptions(track_memory_s=1e4)), np.random.default_rng(0)
    for frame in range(60):
        places = random.integers(0, 180, (6, 2)).tolist()
        scene = Scene(*((CUP, x, y, 30, 30, 1) for x, y in places), stuff=False)
        relations = [(0, 1, "on", 0.9), (1, 2, "beside", 0.9)]
        tracker(scene.see(frame * 10.0, relations=relations)[1])
        assert len(tracker.tracks) <= 40
    assert len(tracker._relations) <= 40 * 2


def test_an_image_that_shows_more_than_is_remembered(monkeypatch):
    """All that it shows is tracked, with its relations and events."""
    monkeypatch.setattr(tracker_module, "MAX_TRACKS", 4)
    scene = Scene(*((CUP, 40 * n, 40, 30, 30, n) for n in range(7)), stuff=False)
    tracker = Tracker()
    relations = [(0, 1, "on", 0.9), (5, 6, "on", 0.9)]
    seen = [ids(tracker(*scene.see(t / 10, relations=relations)[::-1])) for t in range(4)]
    assert seen == [seen[0]] * 4 and len(seen[0]) == 7
    assert len(tracker.tracks) == 7 and not tracker.events
    tracker(*Scene((CUP, 280, 200, 30, 30, 9), stuff=False).see(0.4)[::-1])
    assert len(tracker.tracks) == 4


def test_ids_that_run_over(monkeypatch):
    monkeypatch.setattr(tracker_module, "MAX_ID", 6)
    tracker = Tracker(TrackingOptions(track_memory_s=0.05))
    for frame in range(30):
        found = tracker(*TWO_CUPS.see(frame, without=(frame % 3,))[::-1])
        used = [node.track_id for node in found.nodes]
        assert len(set(used)) == len(used) and set(used) <= set(range(1, 7))


def test_empty_graphs_and_odd_sizes():
    tracker = Tracker()
    for size in ((1, 1), (16, 4000), (480, 640)):
        for stamp in (0.0, 1.0):
            graph = SceneGraph((), (), np.full(size, NOTHING, np.int32), stamp=stamp)
            found = tracker(graph, np.zeros((*size, 3), np.uint8))
            assert found.nodes == () and found.relations == ()


def test_crowds_of_segments():
    """A hundred segments, then none, then all of them again."""
    things = [(n % 3, 30 * (n % 10), 22 * (n // 10), 28, 20, n) for n in range(100)]
    scene = Scene(*things, stuff=False)
    tracker = Tracker()
    for frame in range(3):
        first = ids(tracker(*scene.see(frame / 10)[::-1]))
    assert len(set(first.values())) == 100
    tracker(SceneGraph((), (), np.full((HEIGHT, WIDTH), NOTHING, np.int32), stamp=0.3))
    again = ids(tracker(*scene.see(0.4)[::-1]))
    assert sum(again[number] == first[number] for number in first) > 90


def test_every_class_has_one_track_of_stuff():
    tracker = Tracker(TrackingOptions(track_memory_s=0.0))
    scene = Scene((CUP, 40, 60, 50, 60, 1))
    first = ids(tracker(*scene.see(0.0)[::-1]))[50]
    bare = Scene((CUP, 40, 60, 50, 60, 1), stuff=False)
    for stamp in (1.0, 100.0):
        tracker(*bare.see(stamp)[::-1])
    assert ids(tracker(*scene.see(5000.0)[::-1]))[50] == first
    assert CLASSES[FLOOR] == "floor"
