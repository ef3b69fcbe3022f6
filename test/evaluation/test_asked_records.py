import numpy as np
import pytest

from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.data.shapes import write_shapes
from dsflash_ros.evaluation.asked_records import AskedRecords, in_asked_names
from dsflash_ros.evaluation.joined_stuff import joined_graph
from dsflash_ros.graph.scene_graph import (
    NOTHING,
    TRUTH,
    Node,
    Relation,
    SceneGraph,
    pack_panoptic,
)
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.pipeline.translation import Translation


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes")
    write_shapes(folder, 12)
    return PsgDataset.open(folder, "train")


def test_only_asked_names_are_left(whole):
    known = whole.vocabulary
    asked = Vocabulary((known.things[2], "disc"), known.stuff[:1], (known.predicates[3], "onto"))
    classes = np.full(len(known.classes), -1)
    classes[[2, 0, len(known.things)]] = 0, 1, 2
    predicates = np.full(len(known.predicates), -1)
    predicates[[3, 1]] = 0, 1
    meant = asked.classes, asked.predicates
    translation = Translation(known, known, asked, classes, predicates, *meant)
    part = in_asked_names(whole, translation)
    assert isinstance(part, AskedRecords) and part.vocabulary == asked and len(part) == len(whole)
    told = 0
    for record, other in zip(part, whole, strict=True):
        kept = [index for index, one in enumerate(other.class_ids) if classes[one] >= 0]
        assert record.segment_ids.tolist() == other.segment_ids[kept].tolist()
        assert record.class_ids.tolist() == classes[other.class_ids[kept]].tolist()
        expected = {
            (kept.index(a), kept.index(b), int(predicates[p]))
            for a, b, p in other.relations.tolist()
            if a in kept and b in kept and predicates[p] >= 0
        }
        assert {tuple(one) for one in record.relations.tolist()} == expected
        told += len(expected)
        before, labels = other.labels(), record.labels()
        for number, index in enumerate(kept):
            np.testing.assert_array_equal(labels == number, before == index)
        assert labels.max() < len(kept)
    assert told > 0


def test_things_that_are_asked_for_as_stuff_are_one_segment(whole):
    """Relations within it are gone, and those that became the same are one."""
    known = whole.vocabulary
    things, kind = len(known.things) - 1, known.things[0]
    asked = Vocabulary(known.things[1:], (*known.stuff, kind), known.predicates)
    classes = np.append(len(asked.classes) - 1, np.arange(len(asked.classes) - 1))
    ids = np.arange(len(known.predicates))
    translation = Translation(known, known, asked, classes, ids, asked.classes, asked.predicates)
    most = 0
    for record, other in zip(in_asked_names(whole, translation), whole, strict=True):
        mine = np.flatnonzero(other.class_ids == 0)
        most = max(most, len(mine))
        classes_of_stuff = record.class_ids[record.class_ids >= things].tolist()
        assert len(set(classes_of_stuff)) == len(classes_of_stuff)
        assert len(record.class_ids) == len(other.class_ids) - max(len(mine) - 1, 0)
        labels, before = record.labels(), other.labels()
        number = {int(i): int(labels[before == i][0]) for i in range(len(other.class_ids))}
        for index, new in number.items():
            assert record.class_ids[new] == classes[other.class_ids[index]]
            assert (labels[before == index] == new).all()
        expected = {
            (number[a], number[b], p)
            for a, b, p in other.relations.tolist()
            if number[a] != number[b]
        }
        assert len(record.relations) == len(expected)
        assert {tuple(one) for one in record.relations.tolist()} == expected
    assert most > 1


def test_a_true_graph_in_which_things_become_stuff():
    def node(number, class_id, x, track):
        box = (x, 0, x + 2, 3)
        place = {"position": (x, 0.0, 1.0), "extent": (1.0, 1.0, 1.0), "distance": 1.0}
        return Node(number, class_id, "", True, 1.0, box, 6, (x + 1.0, 1.5), track, **place)

    panoptic = np.full((4, 9), NOTHING, np.int32)
    for number, class_id, x in ((7, 0, 0), (3, 1, 2), (5, 0, 4)):
        panoptic[:3, x : x + 2] = pack_panoptic(class_id, number)
    ends = ((7, 3), (5, 3), (7, 5), (3, 5))
    graph = SceneGraph(
        (node(7, 0, 0, 4), node(3, 1, 2, 8), node(5, 0, 4, 9)),
        tuple(Relation(a, b, 0, "on", 1.0, TRUTH) for a, b in ends),
        panoptic,
    )
    found = joined_graph(graph, {0})
    one, other = found.nodes
    assert (one.id, one.box, one.area, one.centroid) == (7, (0, 0, 6, 3), 12, (3.0, 1.5))
    assert one.position is None and one.track_id == -1 and other == graph.nodes[1]
    assert [(r.subject, r.object) for r in found.relations] == [(7, 3), (3, 7)]
    np.testing.assert_array_equal(found.mask(7), graph.mask(7) | graph.mask(5))
    np.testing.assert_array_equal(found.mask(3), graph.mask(3))
    assert joined_graph(found, {0}).nodes == found.nodes


def test_records_stay_where_nothing_was_asked_or_another_vocabulary_is_spoken(whole):
    known = whole.vocabulary
    assert in_asked_names(whole, Translation.without_change(known)) is whole
    other = Vocabulary(("cup", "plate"), (), ("on", "under"))
    asked = Vocabulary(("cup",), (), ("on",))
    ids = np.array([0, -1])
    translation = Translation(other, other, asked, ids, ids, asked.classes, asked.predicates)
    assert in_asked_names(whole, translation) is whole
