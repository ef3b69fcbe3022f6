"""The frames of a bag with the truth as records of a data set."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from decimal import Decimal, InvalidOperation
from pathlib import Path

import numpy as np

from dsflash_ros.data.psg import PsgDataset, Record
from dsflash_ros.errors import DatasetError
from dsflash_ros.graph.label_maps import node_labels
from dsflash_ros.graph.scene_graph import NOTHING
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.sources.bag import BagSource
from dsflash_ros.sources.source import Frame
from dsflash_ros.text_tables import counted

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class BagRecord(Record):
    """A frame of a bag. Its `image_id` is the stamp; it has no files."""

    frame: Frame
    label_map: np.ndarray

    def image(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB."""
        return self.frame.rgb

    def labels(self) -> np.ndarray:
        """(H, W) int32, the index of each pixel's segment, or -1."""
        return self.label_map


class BagRecords:
    """The frames of a bag with a true graph and panoptic map, or of which annotations tell both.

    They are used as a `PsgDataset`. Iterate as often as you like.

    Attributes:
        path: of the bag.
        vocabulary: that of the annotations, or that the truth in the bag should speak.
        split: None.
        problems: of the annotations.
    """

    split = None

    def __init__(
        self,
        path: Path,
        vocabulary: Vocabulary,
        topic: str | None = None,
        annotations: PsgDataset | None = None,
    ) -> None:
        """Choose the frames.

        Args:
            path: of the bag.
            vocabulary: that the truth in the bag should speak.
            topic: of the images; needed when the bag has several.
            annotations: the truth of some frames, in place of that in the bag. Each image's file is
                named after the stamp of its frame, seconds, as in 1712.250000000.png.

        Raises:
            SourceError: the bag cannot be read.
            DatasetError: there is no truth in the bag, or annotations are of other frames.
        """
        self.path, self.vocabulary, self.problems = path, vocabulary, {}
        self._asked, self._annotated = topic, None
        with BagSource(path, topic) as source:
            self._length, self._topic = len(source), source.topic
            has_truth = source.has_truth
        if annotations is not None:
            self.vocabulary, self.problems = annotations.vocabulary, annotations.problems
            self._annotated = _by_stamp(annotations)
            self._length = len(self._annotated)
        elif not has_truth:
            raise DatasetError(
                f"the bag {path} has no true graphs (/ground_truth/scene_graph): record one with "
                "`dsflash toyroom camera --record`, or give --annotations"
            )

    def __len__(self) -> int:
        return self._length

    def report(self) -> str:
        """What is in the bag, in one line."""
        return f"{self.path}: {counted(len(self), 'image')} on {self._topic}"

    def __iter__(self) -> Iterator[BagRecord]:
        records = self._true if self._annotated is None else self._of_annotations
        with BagSource(self.path, self._asked) as source:
            yield from records(source)

    def _true(self, frames: Iterable[Frame]) -> Iterator[BagRecord]:
        found = False
        for frame in frames:
            if frame.truth is not None and (frame.truth.panoptic != NOTHING).any():
                found = True
                yield self._record(frame)
        if not found:
            raise DatasetError(
                f"the bag {self.path} has no true panoptic maps (/ground_truth/panoptic): record "
                "one with `dsflash toyroom camera --record`"
            )

    def _of_annotations(self, frames: Iterable[Frame]) -> Iterator[BagRecord]:
        waiting = dict(self._annotated)
        for frame in frames:
            record = waiting.pop(round(frame.origin.stamp_ns / 1e6), None)
            if record is not None:
                yield _beside(frame, record)
        if waiting:
            missing = next(iter(waiting.values()))
            text = (
                f"{counted(len(waiting), 'annotated image')} of {len(self)} have no frame in the "
                f"bag {self.path}, the first is {missing.image_path.name}: name each after the "
                "stamp of its frame's header, in seconds, as in 1712.250000000.png"
            )
            if len(waiting) == len(self):
                raise DatasetError(text)
            _log.warning("%s", text)

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
            stamp=frame.stamp,
            frame=frame,
            label_map=node_labels(truth.panoptic, ids),
        )


def _by_stamp(annotations: PsgDataset) -> dict[int, Record]:
    """By the stamps that the images are named after, milliseconds."""
    found = {}
    for record in annotations:
        try:
            stamp = round(1000 * Decimal(record.image_path.stem))
        except (InvalidOperation, ValueError, OverflowError) as error:
            raise DatasetError(
                f"{annotations.path}: the image {record.image_path.name} is not named after a "
                "frame's stamp, in seconds, as in 1712.250000000.png"
            ) from error
        if stamp in found:
            raise DatasetError(
                f"{annotations.path}: {record.image_path.name} and {found[stamp].image_path.name} "
                "are of the same frame: leave one out"
            )
        found[stamp] = record
    return found


def _beside(frame: Frame, record: Record) -> BagRecord:
    """An annotated frame. Raises `DatasetError` where its mask is damaged or of another size."""
    if frame.rgb.shape[:2] != (record.height, record.width):
        raise DatasetError(
            f"the frame of {record.image_path.name} has {frame.rgb.shape[1]}x{frame.rgb.shape[0]} "
            f"pixels, its annotation {record.width}x{record.height}"
        )
    known = {one.name: getattr(record, one.name) for one in fields(record)}
    known["stamp"] = frame.stamp
    return BagRecord(**known, frame=frame, label_map=record.labels())
