"""A data set as it would be if its makers had asked for some names only."""

from dataclasses import replace

import numpy as np

from dsflash_ros.data.psg import PsgDataset, Record
from dsflash_ros.graph.vocabulary import Vocabulary


class AskedDataset(PsgDataset):
    """Records with the asked names alone: other segments are nothing, other relations are left out.

    Args:
        dataset: the whole.
        vocabulary: the asked names.
        classes: (classes of the data set,) int, the asked class of each, or -1.
        predicates: (predicates of the data set,) int, the asked predicate of each, or -1.
    """

    def __init__(
        self,
        dataset: PsgDataset,
        vocabulary: Vocabulary,
        classes: np.ndarray,
        predicates: np.ndarray,
    ) -> None:
        self.__dict__.update(dataset.__dict__)
        self._asked, self._classes, self._predicates = vocabulary, classes, predicates

    @property
    def vocabulary(self) -> Vocabulary:
        """The asked names."""
        return self._asked

    def __getitem__(self, index: int) -> Record:
        record = super().__getitem__(index)
        class_ids = self._classes[record.class_ids]
        kept = class_ids >= 0
        numbers = np.where(kept, kept.cumsum() - 1, -1)
        relations = record.relations.copy()
        relations[:, :2] = numbers[relations[:, :2]]
        relations[:, 2] = self._predicates[relations[:, 2]]
        return replace(
            record,
            segment_ids=record.segment_ids[kept],
            class_ids=class_ids[kept],
            crowd=record.crowd[kept],
            relations=np.unique(relations[(relations >= 0).all(1)], axis=0),
        )
