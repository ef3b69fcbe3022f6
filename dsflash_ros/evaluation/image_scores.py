"""What an evaluation counts of each image: small, and enough to score any choice of images."""

from typing import NamedTuple

import numpy as np

from dsflash_ros.evaluation.metrics import NEVER, ImageRecall
from dsflash_ros.graph.vocabulary import Vocabulary


class ImageScores(NamedTuple):
    """An image's row in the JSON of `dsflash eval`.

    Attributes:
        image: its id.
        stamp: seconds, of a frame of a recording; else None.
        ranks: by predicate, the rank of each true relation among those predicted, 0 for the best,
            or None when it was missed.
        classes: by class, the sum of the hits' IoUs, hits, wrong and missed segments; of SGDet.
        reachable: by predicate, how many of the true relations have both segments found; None in
            files of earlier versions.
        segments: how many true segments were found, and how many there are, where there are
            relations; None in files of earlier versions.
    """

    image: str
    stamp: float | None
    ranks: dict[str, list[int | None]]
    classes: dict[str, list[float]]
    reachable: dict[str, int] | None = None
    segments: tuple[int, int] | None = None

    @classmethod
    def of(
        cls,
        image: str,
        stamp: float | None,
        recall: ImageRecall | None,
        quality: np.ndarray | None,
        vocabulary: Vocabulary,
    ) -> "ImageScores":
        """What `RecallMetrics.add` and `PanopticQuality.add` returned; None: nothing to count."""
        ranks: dict[str, list[int | None]] = {}
        reachable: dict[str, int] = {}
        segments = (0, 0)
        if recall is not None:
            for index in np.unique(recall.predicates).tolist():
                name, chosen = vocabulary.predicates[index], recall.predicates == index
                found = recall.ranks[chosen].tolist()
                ranks[name] = [None if rank == NEVER else rank for rank in found]
                reachable[name] = int(recall.reachable[chosen].sum())
            segments = recall.found, recall.segments
        classes = {}
        if quality is not None:
            for index in np.flatnonzero(quality[1:].any(0)).tolist():
                iou, *counts = quality[:, index].tolist()
                classes[vocabulary.classes[index]] = [round(iou, 6), *map(int, counts)]
        return cls(image, stamp, ranks, classes, reachable, segments)

    def recall_counts(self, vocabulary: Vocabulary) -> ImageRecall | None:
        """For `RecallMetrics.count`; not of files of earlier versions."""
        if not self.ranks:
            return None
        rows = []
        for name, ranks in self.ranks.items():
            index, within_reach = vocabulary.predicates.index(name), self.reachable[name]
            told = sorted(NEVER if rank is None else rank for rank in ranks)  # those within reach
            rows += [(index, rank, place < within_reach) for place, rank in enumerate(told)]
        predicates, ranks, reachable = map(np.array, zip(*rows, strict=True))
        return ImageRecall(predicates, ranks, reachable, *self.segments)

    def quality_counts(self, vocabulary: Vocabulary) -> np.ndarray:
        """(4, classes), for `PanopticQuality.count`."""
        counts = np.zeros((4, len(vocabulary.classes)))
        for name, found in self.classes.items():
            counts[:, vocabulary.classes.index(name)] = found
        return counts

    def recall(self, k: int) -> float | None:
        """The share of the true relations that are among the k best; None without relations."""
        ranks = [rank for found in self.ranks.values() for rank in found]
        if not ranks:
            return None
        return sum(rank is not None and rank < k for rank in ranks) / len(ranks)
