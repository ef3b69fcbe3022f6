import numpy as np
import pytest

from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.data.shapes import write_shapes
from dsflash_ros.evaluation.asked_records import AskedRecords, in_asked_names
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


def test_records_stay_where_nothing_was_asked_or_another_vocabulary_is_spoken(whole):
    known = whole.vocabulary
    assert in_asked_names(whole, Translation.without_change(known)) is whole
    other = Vocabulary(("cup", "plate"), (), ("on", "under"))
    asked = Vocabulary(("cup",), (), ("on",))
    ids = np.array([0, -1])
    translation = Translation(other, other, asked, ids, ids, asked.classes, asked.predicates)
    assert in_asked_names(whole, translation) is whole
