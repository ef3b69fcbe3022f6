"""A data set, or the truth of a bag, as if its makers had asked for some names only."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from dsflash_ros.data.psg import PsgDataset, Record
from dsflash_ros.evaluation.bag_records import BagRecord, BagRecords
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.pipeline.translation import Translation


class AskedRecords:
    """Records with the asked names alone: other segments are nothing, other relations are left out.

    They are used as a `PsgDataset`. Iterate as often as you like.

    Attributes:
        path, split, problems: of the whole.
        vocabulary: the asked names.
    """

    def __init__(self, records: PsgDataset | BagRecords, translation: Translation) -> None:
        """`records` speak the names that the weights learned."""
        self.path, self.split, self.problems = records.path, records.split, records.problems
        self._records, self._translation = records, translation.of_known
        self.vocabulary = translation.asked

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        return map(self._asked, self._records)

    def _asked(self, record: Record) -> Record:
        class_ids = self._translation.classes[record.class_ids]
        kept = class_ids >= 0
        numbers = np.append(np.where(kept, kept.cumsum() - 1, -1), -1)  # -1 takes the last
        relations = record.relations.copy()
        relations[:, :2] = numbers[relations[:, :2]]
        relations[:, 2] = self._translation.predicates[relations[:, 2]]
        changes = {
            "segment_ids": record.segment_ids[kept],
            "class_ids": class_ids[kept],
            "crowd": record.crowd[kept],
            "relations": relations[(relations >= 0).all(1)],
        }
        if isinstance(record, BagRecord):
            changes["label_map"] = numbers[record.label_map]
            truth = asked_truth(record.frame.truth, self._translation)
            changes["frame"] = replace(record.frame, truth=truth)
        return replace(record, **changes)


def in_asked_names(
    records: PsgDataset | BagRecords, translation: Translation
) -> PsgDataset | BagRecords | AskedRecords:
    """The records in the names that a pipeline was asked for; as they are where these are all.

    Records of another vocabulary than the weights' stay as they are, too.
    """
    if not translation.changes or records.vocabulary != translation.known:
        return records
    return AskedRecords(records, translation)


def asked_truth(truth: SceneGraph | None, translation: Translation) -> SceneGraph | None:
    """A true graph in the asked names, with all its relations."""
    if truth is None or not translation.changes:
        return truth
    return translation.of_known.graph(truth, len(truth.relations))
