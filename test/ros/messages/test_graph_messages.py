import random
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

from builtin_interfaces.msg import Time
from rclpy.serialization import deserialize_message, serialize_message
from std_msgs.msg import Header

from dsflash_ros.errors import ImageError
from dsflash_ros.graph.messages import message_to_graph, stamp_seconds
from dsflash_ros.graph.scene_graph import NOTHING, Node, Relation, SceneGraph
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.msg import SceneGraph as SceneGraphMessage
from dsflash_ros.msg import SceneGraphEvent, SceneGraphEvents
from dsflash_ros.msg import Vocabulary as VocabularyMessage
from dsflash_ros.pipeline.translation import Translation
from dsflash_ros.ros.messages.graph_messages import (
    events_to_message,
    graph_to_message,
    message_to_vocabulary,
    vocabulary_to_message,
)
from dsflash_ros.tracking.events import Change, Event


def float32(value):
    return float(np.float32(value))


def random_track(dice):
    """What tracking and depth tell of a node, or not."""
    fields = {}
    if dice.random() < 0.7:
        seen = sorted(dice.randint(1, 10**9) / 8 for _ in range(2))
        fields |= {"track_id": dice.randrange(2**31), "observations": dice.randrange(2**32)}
        fields |= {"first_seen": seen[0], "last_seen": seen[1]}
    if dice.random() < 0.7:
        fields["position"] = tuple(dice.uniform(-9, 9) for _ in range(3))
        fields["extent"] = tuple(dice.uniform(0, 9) for _ in range(3))
        fields["distance"] = float32(dice.uniform(0, 9))
    return fields


def random_graph(seed):
    """A graph with ids up to the limit, whose floats fit float32, so that it compares exactly."""
    dice = random.Random(seed)
    names = Vocabulary.psg()
    height, width = dice.randint(1, 40), dice.randint(1, 40)
    ids = dice.sample(range(0xFFFF + 1), dice.choice([0, 1, 2, 30]))
    nodes = []
    for node_id in ids:
        class_id = dice.randrange(len(names.classes))
        x0, y0 = dice.randrange(width), dice.randrange(height)
        nodes.append(
            Node(
                node_id,
                class_id,
                names.classes[class_id],
                names.is_thing(class_id),
                float32(dice.random()),
                (x0, y0, dice.randint(x0 + 1, width), dice.randint(y0 + 1, height)),
                dice.randint(1, 2**32 - 1),
                (float32(dice.uniform(0, width)), float32(dice.uniform(0, height))),
                **random_track(dice),
            )
        )
    relations = []
    for _ in range(len(ids) and 50):
        predicate_id = dice.randrange(len(names.predicates))
        name = names.predicates[predicate_id]
        relations.append(
            Relation(
                dice.choice(ids),
                dice.choice(ids),
                predicate_id,
                name,
                float32(dice.random()),
                dice.choice(["learned", "geometric", "truth"]),
                dice.choice([None, dice.randint(1, 10**9) / 8]),
            )
        )
    panoptic = np.random.default_rng(seed).integers(-1, 1 << 22, (height, width), np.int32)
    latency_ms = {"segment": float32(dice.random() * 100), "total": float32(dice.random() * 1000)}
    return SceneGraph(
        tuple(nodes), tuple(relations), panoptic, 0.0, "camera", "random-tiny", latency_ms, "map"
    )


@pytest.mark.parametrize("seed", range(20))
def test_graph_comes_back_as_it_was(seed):
    graph = random_graph(seed)
    header = Header(stamp=Time(sec=1_763_000_000, nanosec=999_999_999), frame_id="camera")
    wire = serialize_message(graph_to_message(graph, header))
    message = deserialize_message(wire, SceneGraphMessage)
    assert message.header == header
    again = message_to_graph(message, graph.panoptic)
    for name in ("nodes", "relations", "source", "weights", "latency_ms", "position_frame"):
        assert getattr(again, name) == getattr(graph, name)
    assert again.panoptic is graph.panoptic
    assert again.stamp == pytest.approx(1_763_000_001, abs=1e-6)


def test_messages_of_an_older_version_lack_fields():
    """As rosbags reads them: objects with the fields that the bag's definition has."""
    graph = random_graph(3)
    message = graph_to_message(graph, Header(frame_id="camera"))
    new = {"track_id", "first_seen", "last_seen", "observations", "has_position", "position"}
    new |= {"extent", "distance", "source", "since", "position_frame"}

    def old(part):
        names = [name for name in part.get_fields_and_field_types() if name not in new]
        return SimpleNamespace(**{name: getattr(part, name) for name in names})

    older = old(message)
    older.nodes = [old(node) for node in message.nodes]
    older.relations = [old(relation) for relation in message.relations]
    found = message_to_graph(older)
    assert found.position_frame == ""
    assert all(node.track_id is None and node.position is None for node in found.nodes)
    assert [node.box for node in found.nodes] == [node.box for node in graph.nodes]
    assert {(r.source, r.since) for r in found.relations} == {("learned", None)}


def test_events_in_a_message():
    header = Header(stamp=Time(sec=5), frame_id="camera")
    events = [
        Event(Change.NODE_APPEARED, 5.0, 3, "cup", score=np.float32(0.5)),
        Event(Change.RELATION_BEGAN, 5.0, 3, "cup", 7, "table", "on", 0.25),
    ]
    message = events_to_message(events, header)
    wire = deserialize_message(serialize_message(message), SceneGraphEvents)
    assert wire == message and wire.header == header
    appeared, began = wire.events
    assert (appeared.change, appeared.subject_id, appeared.subject_label) == (1, 3, "cup")
    assert (appeared.object_id, appeared.predicate, appeared.score) == (-1, "", 0.5)
    assert began.change == SceneGraphEvent.RELATION_BEGAN
    assert (began.object_id, began.object_label, began.predicate) == (7, "table", "on")
    assert {change.value for change in Change} == {
        getattr(SceneGraphEvent, change.name) for change in Change
    }


def test_what_is_seen_now_has_the_stamp_of_the_graph():
    """Seconds as 64 bits do not keep nanoseconds."""
    for nanosec in (1, 1_234_567, 999_999_999):
        header = Header(stamp=Time(sec=1_763_000_000, nanosec=nanosec))
        now = stamp_seconds(header.stamp)
        node = Node(1, 2, "car", True, 0.5, (0, 0, 1, 1), 1, (0.5, 0.5), track_id=3)
        node = replace(node, first_seen=now - 1.0, last_seen=now)
        relation = Relation(1, 1, 0, "over", 0.5, since=now)
        graph = SceneGraph((node,), (relation,), np.zeros((1, 1), np.int32), stamp=now)
        message = graph_to_message(graph, header)
        assert message.nodes[0].last_seen == message.relations[0].since == header.stamp
        assert message.nodes[0].first_seen.sec in (1_762_999_999, 1_763_000_000)
        assert abs(stamp_seconds(message.nodes[0].first_seen) - (now - 1.0)) < 1e-6


def test_numpy_scalars_do_not_get_into_messages():
    # the type support ends the process when it meets one
    node = Node(
        1, 2, "car", True, np.float32(0.5), (0, 0, 1, 1), 1, (np.float32(0.5), np.float64(0.5))
    )
    relation = Relation(1, 1, 0, "over", np.float32(0.5))
    graph = SceneGraph(
        (node,), (relation,), np.zeros((1, 1), np.int32), latency_ms={"total": np.float64(1)}
    )
    message = graph_to_message(graph, Header())
    assert deserialize_message(serialize_message(message), SceneGraphMessage) == message


def test_graph_without_its_panoptic_map_has_nothing_anywhere():
    graph = random_graph(1)
    again = message_to_graph(graph_to_message(graph, Header()))
    assert again.panoptic.shape == graph.panoptic.shape
    assert (again.panoptic == NOTHING).all()


def test_vocabulary_comes_back_as_it_was():
    message = vocabulary_to_message(Translation.without_change(Vocabulary.psg()), "random")
    message = deserialize_message(serialize_message(message), VocabularyMessage)
    assert message.weights == "random"
    assert message_to_vocabulary(message) == Vocabulary.psg()


def test_stamp():
    assert stamp_seconds(Time(sec=2, nanosec=500_000_000)) == 2.5
    with pytest.raises(ImageError, match="nanosec is 1000000000"):
        stamp_seconds(Time(sec=2, nanosec=1_000_000_000))
