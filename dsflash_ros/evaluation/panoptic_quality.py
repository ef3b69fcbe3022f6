"""Panoptic quality (PQ), and its factors: segmentation (SQ) and recognition quality (RQ). Counted by torchmetrics.

What is void in the truth, and crowds, excuse what is predicted there. The numbers are those of panopticapi, COCO's
reference, but for images with crowds: there, a crowd excuses only predictions of its own class, and its pixels count
in the union of those that match another segment.
"""

import numpy as np
import torch

from dsflash_ros.errors import missing_extra
from dsflash_ros.vocabulary import Vocabulary


class PanopticQuality:
    """PQ, SQ and RQ over images. Raises `MissingExtraError` where torchmetrics is not installed."""

    def __init__(self, vocabulary: Vocabulary, device: torch.device | str = "cpu") -> None:
        try:
            from torchmetrics.detection import PanopticQuality as Metric
        except ImportError as error:
            raise missing_extra("eval", error) from error
        self._vocabulary = vocabulary
        num_things, num_classes = len(vocabulary.things), len(vocabulary.classes)
        # torchmetrics takes what is void in the prediction out of the union, and does not count a true segment as
        # missed where nothing is predicted. So that finding nothing costs what it should, "nothing" (num_classes)
        # is a stuff class here, whose own quality is left out of the results.
        self._metric = Metric(set(range(num_things)), set(range(num_things, num_classes + 1))).to(device)

    def add(
        self,
        truth_labels: np.ndarray,
        truth_classes: np.ndarray,
        crowd: np.ndarray,
        labels: np.ndarray,
        classes: np.ndarray,
    ) -> None:
        """Count an image: label maps (H, W) int with -1 for nothing, classes (T,), (P,) int, crowd (T,) bool."""
        void, nothing = -1, len(self._vocabulary.classes)
        target = _coloured(truth_labels, np.where(crowd, void, truth_classes), void)
        self._metric.update(*(x.to(self._metric.device) for x in (_coloured(labels, classes, nothing), target)))

    def results(self) -> dict:
        """`PQ`, `SQ`, `RQ`, the same of `things` and `stuff` (as in `PQ_things`), and `per_class` by name: 0..1.

        Means are over the classes that occur, in the truth or in predictions; None where there is none. Where
        torch.distributed runs, of all processes' images together; each process must ask.
        """
        metric, names = self._metric, self._vocabulary.classes
        with metric.sync_context():
            iou_sum, hits, wrong, missed = (
                counts.double().cpu().numpy()[: len(names)]
                for counts in (metric.iou_sum, metric.true_positives, metric.false_positives, metric.false_negatives)
            )
        occurs = hits + wrong + missed > 0
        sq = iou_sum / np.maximum(hits, 1)
        rq = hits / np.maximum(hits + wrong / 2 + missed / 2, 0.5)
        is_thing = np.arange(len(names)) < len(self._vocabulary.things)
        groups = {"": occurs, "_things": occurs & is_thing, "_stuff": occurs & ~is_thing}
        qualities = {"PQ": sq * rq, "SQ": sq, "RQ": rq}
        return {
            **{
                f"{name}{group}": float(values[chosen].mean()) if chosen.any() else None
                for group, chosen in groups.items()
                for name, values in qualities.items()
            },
            "per_class": {
                names[i]: {name: float(values[i]) for name, values in qualities.items()} for i in np.flatnonzero(occurs)
            },
        }


def _coloured(labels: np.ndarray, classes: np.ndarray, nothing: int) -> torch.Tensor:
    """(1, H, W, 2) int: class and segment of each pixel; the class is `nothing` where no segment is."""
    class_of = np.append(np.asarray(classes, np.int64), nothing)  # label -1 takes the last entry
    labels = labels.astype(np.int64)
    return torch.from_numpy(np.stack((class_of[labels], labels), -1))[None]
