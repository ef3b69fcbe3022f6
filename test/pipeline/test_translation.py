import numpy as np
import pytest

from dsflash_ros.graph.scene_graph import Node, Relation, SceneGraph, pack_panoptic, unpack_panoptic
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.header import Header
from dsflash_ros.model.ranking import RankedRelations
from dsflash_ros.pipeline.asking import Asked, Asking
from dsflash_ros.pipeline.translation import Translation

KNOWN = Vocabulary(
    ("person", "cup", "dog", "chair"), ("wall-other-merged", "floor-wood"), ("on", "holding", "in")
)
HEADER = Header(ModelConfig.for_vocabulary(KNOWN, image_size=64), KNOWN)


def translation(**asked):
    asked = Asked(**{kind: tuple(names) for kind, names in asked.items()})
    return Asking.of(asked, HEADER, "some", None).translation


def random_graph(seed):
    """Of the known names, with nodes side by side and relations between all of them."""
    random = np.random.default_rng(seed)
    count = int(random.integers(0, 8))
    class_ids = random.integers(0, 6, count)
    panoptic = np.full((4, 2 * count + 1), -1, np.int32)
    nodes = []
    for number, class_id in enumerate(class_ids.tolist()):
        panoptic[1:, 2 * number : 2 * number + 2] = pack_panoptic(class_id, number)
        box = (2 * number, 1, 2 * number + 2, 4)
        label, is_thing = KNOWN.classes[class_id], KNOWN.is_thing(class_id)
        nodes.append(Node(number, class_id, label, is_thing, 0.9, box, 6, (2 * number + 1, 2.5)))
    relations = [
        Relation(a, b, p := int(random.integers(3)), KNOWN.predicates[p], random.random())
        for a in range(count)
        for b in range(count)
        if a != b
    ]
    relations.sort(key=lambda relation: -relation.score)
    looks = random.normal(size=(count, 5)).astype(np.float32)
    return SceneGraph(tuple(nodes), tuple(relations), panoptic, appearance=looks)


@pytest.mark.parametrize("seed", range(20))
def test_a_graph_of_asked_names_is_a_part_of_the_whole(seed):
    graph = random_graph(seed)
    asked = translation(classes=["dog", "person"], stuff_classes=["wall"], predicates=["in", "on"])
    part = asked.graph(graph, 1000)
    assert [node.id for node in part.nodes] == list(range(len(part.nodes)))
    chosen = {"dog": "dog", "person": "person", "wall-other-merged": "wall"}
    kept = [node for node in graph.nodes if node.label in chosen]
    assert [chosen[node.label] for node in kept] == [node.label for node in part.nodes]
    for node, other in zip(part.nodes, kept, strict=True):
        assert asked.asked.classes[node.class_id] == node.label
        assert (node.box, node.score, node.is_thing) == (other.box, other.score, other.is_thing)
    whole = [
        (r.subject, r.predicate, r.object, r.score)
        for r in graph.relations
        if r.predicate in ("in", "on") and {r.subject, r.object} <= {node.id for node in kept}
    ]
    ids = [node.id for node in kept]
    told = [(ids[r.subject], r.predicate, ids[r.object], r.score) for r in part.relations]
    assert told == whole
    assert all(asked.asked.predicates[r.predicate_id] == r.predicate for r in part.relations)
    class_ids, numbers = unpack_panoptic(part.panoptic)
    before = unpack_panoptic(graph.panoptic)[1]
    for pixel, number in zip(before.ravel(), numbers.ravel(), strict=True):
        assert number == (ids.index(pixel) if pixel in ids else -1)
    for number, class_id in zip(numbers.ravel(), class_ids.ravel(), strict=True):
        assert class_id == (part.nodes[number].class_id if number >= 0 else -1)
    np.testing.assert_array_equal(part.appearance, graph.appearance[ids])


def test_the_best_relations_are_kept():
    graph = random_graph(3)
    best = translation(predicates=["holding"]).graph(graph, 2).relations
    expected = [r.score for r in graph.relations if r.predicate == "holding"][:2]
    assert [relation.score for relation in best] == expected


def test_ranked_relations():
    pairs = np.arange(12).reshape(6, 2)
    ranked = RankedRelations(pairs, np.array([2, 0, 1, 0, 2, 1]), np.linspace(1, 0, 6))
    told = translation(predicates=["in", "on"]).relations(ranked, 3)
    assert told.predicates.tolist() == [0, 1, 1]
    np.testing.assert_array_equal(told.pairs, pairs[[0, 1, 3]])


def test_classes_that_are_given():
    asked = translation(classes=["dog", "person"])
    assert asked.asked.classes == ("dog", "person", "wall-other-merged", "floor-wood")
    assert asked.inner_classes(np.array([0, 1, 2, 3, -1])).tolist() == [2, 0, 4, 5, -1]


def test_a_thing_may_be_asked_for_as_stuff():
    asked = translation(stuff_classes=["chair"])
    assert asked.asked.things == ("person", "cup", "dog") and asked.asked.stuff == ("chair",)
    assert asked.classes.tolist() == [0, 1, 2, 3, -1, -1]


def test_nothing_asked_changes_nothing():
    assert not Translation.without_change(KNOWN).changes
    assert translation(predicates=["on", "holding", "in"]).changes is False
    assert translation(predicates=["in", "holding", "on"]).changes is True
