"""The frames of a bag with the truth as records of a data set."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dsflash_ros.data.psg import Record
from dsflash_ros.errors import DatasetError
from dsflash_ros.graph.label_maps import node_labels
from dsflash_ros.graph.scene_graph import NOTHING
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.sources.bag import BagSource
from dsflash_ros.sources.source import Frame
from dsflash_ros.text_tables import counted


@dataclass(frozen=True, eq=False)
class BagRecord(Record):
    """A frame of a bag. Its `image_id` is the stamp; it has no files."""

    rgb: np.ndarray
    label_map: np.ndarray

    def image(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB."""
        return self.rgb

    def labels(self) -> np.ndarray:
        """(H, W) int32, the index of each pixel's segment, or -1."""
        return self.label_map


class BagRecords:
    """The frames of a bag that have a true graph and its panoptic map, as a `PsgDataset` has them.

    Iterate as often as you like.

    Attributes:
        path: of the bag.
        vocabulary: that the truth should speak.
        split: None.
        problems: empty.
    """

    split = None

    def __init__(self, path: Path, vocabulary: Vocabulary) -> None:
        """Raises `SourceError`, and `DatasetError` when there is no truth in the bag."""
        self.path, self.vocabulary, self.problems = path, vocabulary, {}
        with BagSource(path) as source:
            self._length, self._topic = len(source), source.topic
            if not source.has_truth:
                raise DatasetError(
                    f"the bag {path} has no true graphs (/ground_truth/scene_graph): record one "
                    "with `dsflash toyroom camera --record`"
                )

    def __len__(self) -> int:
        return self._length

    def report(self) -> str:
        """What is in the bag, in one line."""
        return f"{self.path}: {counted(len(self), 'image')} on {self._topic}"

    def __iter__(self) -> Iterator[BagRecord]:
        found = False
        with BagSource(self.path) as source:
            for frame in source:
                if frame.truth is not None and (frame.truth.panoptic != NOTHING).any():
                    found = True
                    yield self._record(frame)
        if not found:
            raise DatasetError(
                f"the bag {self.path} has no true panoptic maps (/ground_truth/panoptic): record "
                "one with `dsflash toyroom camera --record`"
            )

    def _record(self, frame: Frame) -> BagRecord:
        truth = frame.truth
        for node in truth.nodes:
            known = self.vocabulary.classes
            if node.class_id >= len(known) or known[node.class_id] != node.label:
                raise DatasetError(
                    f"the truth of {self.path} calls class {node.class_id} {node.label!r}, which "
                    "the weights do not: use weights trained for its vocabulary"
                )
        ids = [node.id for node in truth.nodes]
        place = {number: index for index, number in enumerate(ids)}
        edges = [(place[r.subject], place[r.object], r.predicate_id) for r in truth.relations]
        height, width = truth.panoptic.shape
        return BagRecord(
            image_id=f"{frame.stamp:.6f}",
            image_path=self.path,
            mask_path=self.path,
            height=height,
            width=width,
            segment_ids=np.array(ids, np.int64),
            class_ids=np.array([node.class_id for node in truth.nodes], np.int64),
            crowd=np.zeros(len(ids), bool),
            relations=np.array(edges, np.int64).reshape(-1, 3),
            rgb=frame.rgb,
            label_map=node_labels(truth.panoptic, ids),
        )
