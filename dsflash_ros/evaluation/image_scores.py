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
    """

    image: str
    stamp: float | None
    ranks: dict[str, list[int | None]]
    classes: dict[str, list[float]]

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
        if recall is not None:
            for predicate, rank in zip(recall.predicates, recall.ranks.tolist(), strict=True):
                found = None if rank == NEVER else rank
                ranks.setdefault(vocabulary.predicates[predicate], []).append(found)
        classes = {}
        if quality is not None:
            for index in np.flatnonzero(quality[1:].any(0)).tolist():
                iou, *counts = quality[:, index].tolist()
                classes[vocabulary.classes[index]] = [round(iou, 6), *map(int, counts)]
        return cls(image, stamp, ranks, classes)

    def recall(self, k: int) -> float | None:
        """The share of the true relations that are among the k best; None without relations."""
        ranks = [rank for found in self.ranks.values() for rank in found]
        if not ranks:
            return None
        return sum(rank is not None and rank < k for rank in ranks) / len(ranks)
