"""A data set, or the truth of a bag, as if its makers had asked for some names only."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np

from dsflash_ros.data.psg import PsgDataset, Record
from dsflash_ros.evaluation.bag_records import BagRecord, BagRecords
from dsflash_ros.evaluation.joined_stuff import joined_graph, joined_numbers, things_as_stuff
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.pipeline.translation import Translation


@dataclass(frozen=True, eq=False)
class AskedRecord(Record):
    """A record with the asked names alone. Its `segment_ids` are of the first parts of segments.

    Attributes:
        whole: the record of all names.
        numbers: (segments of the whole + 1,) int64, the segment that each of them is here, or -1;
            the last is that of pixels without a segment, -1.
    """

    whole: Record
    numbers: np.ndarray

    def labels(self) -> np.ndarray:
        """See `Record`."""
        return self.numbers[self.whole.labels()].astype(np.int32)  # -1 takes the last


class AskedRecords:
    """Records with the asked names alone: other segments are nothing, other relations are left out.

    Things that are asked for as stuff are one segment for each class, as stuff is.

    They are used as a `PsgDataset`. Iterate as often as you like.

    Attributes:
        path, split, problems: of the whole.
        vocabulary: the asked names.
    """

    def __init__(self, records: PsgDataset | BagRecords, translation: Translation) -> None:
        """`records` speak the names that the weights learned."""
        self.path, self.split, self.problems = records.path, records.split, records.problems
        self._records, self._translation = records, translation.of_known
        self._joined = things_as_stuff(self._translation)
        self.vocabulary = translation.asked

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        return map(self._asked, self._records)

    def _asked(self, record: Record) -> Record:
        class_ids = self._translation.classes[record.class_ids]
        numbers = np.append(joined_numbers(class_ids.tolist(), self._joined), -1)
        found, first = np.unique(numbers[:-1], return_index=True)
        first = first[found >= 0]
        relations = record.relations.copy()
        relations[:, :2] = numbers[relations[:, :2]]
        relations[:, 2] = self._translation.predicates[relations[:, 2]]
        kept = (relations >= 0).all(1) & (relations[:, 0] != relations[:, 1])
        changes = {
            "segment_ids": record.segment_ids[first],
            "class_ids": class_ids[first],
            "crowd": record.crowd[first],
            "relations": np.unique(relations[kept], axis=0),
        }
        if isinstance(record, BagRecord):
            changes["label_map"] = numbers[record.label_map]
            truth = asked_truth(record.frame.truth, self._translation)
            return replace(record, **changes, frame=replace(record.frame, truth=truth))
        known = {one.name: getattr(record, one.name) for one in fields(record)}
        return AskedRecord(**{**known, **changes}, whole=record, numbers=numbers)


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
    of_known = translation.of_known
    found = of_known.graph(truth, len(truth.relations))
    joined = things_as_stuff(of_known)
    return joined_graph(found, joined) if joined else found
