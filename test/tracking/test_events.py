"""Events say what changes from graph to graph."""

import random

import pytest
from scenes import CHAIR, CLASSES, CUP, TWO_CUPS

from dsflash_ros.tracking.events import Change
from dsflash_ros.tracking.tracker import Tracker
from dsflash_ros.tracking.tracking_options import TrackingOptions


def labels(graph):
    return {node.track_id: node.label for node in graph.nodes}


def told(events):
    return [(event.change, event.subject) for event in events]


class Listener:
    """Knows of graphs what events tell."""

    def __init__(self):
        self.nodes, self.relations, self.appeared = {}, {}, set()

    def hear(self, events):
        for event in events:
            pair = event.subject, event.object
            if event.change == Change.NODE_APPEARED:
                assert event.subject not in self.nodes
                self.nodes[event.subject] = event.subject_label
                self.appeared.add(event.subject)
            elif event.change == Change.NODE_VANISHED:
                assert self.nodes.pop(event.subject) == event.subject_label
            elif event.change == Change.RELATION_BEGAN:
                assert pair not in self.relations and self.appeared.issuperset(pair)
                self.relations[pair] = event.predicate
            else:
                assert self.relations.pop(pair) == event.predicate


def test_of_nodes():
    tracker = Tracker(TrackingOptions(track_hold_s=0.0))
    found = tracker(*TWO_CUPS.see(0.0)[::-1])
    assert {(e.change, e.subject, e.subject_label) for e in tracker.events} == {
        (Change.NODE_APPEARED, node.track_id, node.label) for node in found.nodes
    }
    tracker(*TWO_CUPS.see(0.1)[::-1])
    assert tracker.events == ()
    tracker(*TWO_CUPS.see(0.2, without=(0,))[::-1])
    assert told(tracker.events) == [(Change.NODE_VANISHED, found.nodes[0].track_id)]


@pytest.mark.parametrize("seed", range(10))
def test_who_hears_them_all_knows_the_graphs(seed):
    dice, tracker, listener = random.Random(seed), Tracker(max_relations=1000), Listener()
    stamp = 10.0
    for _ in range(80):
        stamp += dice.choice([0.1, 0.1, 0.1, 0.1, 5.0, -3.0, 40.0])
        pairs = [(a, b) for a in (0, 1, 2, 50) for b in (0, 1, 2, 50) if a != b]
        relations = [
            (*pair, dice.choice(["on", "holding", "beside"]), dice.random())
            for pair in dice.sample(pairs, 4)
        ]
        missed = [number for number in range(3) if dice.random() < 0.3]
        taken = {number: dice.randrange(3) for number in range(3) if dice.random() < 0.3}
        unsure = {number: dice.uniform(0.1, 1) for number in range(3)}
        seen = {"without": missed, "classes": taken, "scores": unsure, "relations": relations}
        graph = tracker(*TWO_CUPS.see(stamp, **seen)[::-1])
        if dice.random() < 0.05:
            tracker.reset()
        listener.hear(tracker.events)
        assert listener.nodes == labels(graph)
        track_of = {node.id: node.track_id for node in graph.nodes}
        between = {(track_of[r.subject], track_of[r.object]): r.predicate for r in graph.relations}
        here = set(listener.nodes)
        heard = {pair: one for pair, one in listener.relations.items() if here.issuperset(pair)}
        assert heard == between


def test_a_node_of_another_class_vanishes_and_appears():
    tracker = Tracker()
    for frame in range(3):
        found = tracker(*TWO_CUPS.see(frame / 10)[::-1])
    changed = found.nodes[0].track_id
    events = []
    for frame in range(3, 30):
        tracker(*TWO_CUPS.see(frame / 10, classes={0: CHAIR})[::-1])
        events += [event for event in tracker.events if event.subject == changed]
    assert [(e.change, e.subject_label) for e in events] == [
        (Change.NODE_VANISHED, CLASSES[CUP]),
        (Change.NODE_APPEARED, CLASSES[CHAIR]),
    ]


def test_the_end_of_tracking_ends_all():
    tracker = Tracker()
    for frame in range(5):
        found = tracker(*TWO_CUPS.see(frame / 10, relations=[(2, 0, "holding", 0.9)])[::-1])
    events = tracker.end(0.5)
    assert {(e.change, e.subject, e.stamp) for e in events if not e.predicate} == {
        (Change.NODE_VANISHED, track, 0.5) for track in labels(found)
    }
    assert [e.change for e in events if e.predicate] == [Change.RELATION_ENDED]
    assert tracker.end(0.6) == ()
    again = tracker(*TWO_CUPS.see(0.7)[::-1])
    assert set(labels(again)).isdisjoint(labels(found))
