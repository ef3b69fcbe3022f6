"""Panoptic quality (Kirillov et al., CVPR 2019).

PQ is, for each class, the product of segmentation quality (SQ) and recognition quality (RQ). What
is predicted where the truth is void, or a crowd, does not count as wrong.

The numbers are those of panopticapi, COCO's reference, except for images with crowds: there, a
crowd excuses only predictions of its own class, and its pixels count in the union of those that
match another segment.
"""

import numpy as np
import torch

from dsflash_ros.evaluation.matching import shared_areas
from dsflash_ros.graph.vocabulary import Vocabulary


class PanopticQuality:
    """PQ, SQ and RQ over images. `device` is where several processes' counts meet."""

    def __init__(self, vocabulary: Vocabulary, device: torch.device | str = "cpu") -> None:
        self._vocabulary, self._device = vocabulary, device
        self._counts = np.zeros((4, len(vocabulary.classes)))

    def add(
        self,
        truth_labels: np.ndarray,
        truth_classes: np.ndarray,
        crowd: np.ndarray,
        labels: np.ndarray,
        classes: np.ndarray,
    ) -> np.ndarray:
        """Count an image, and return its counts, (4, classes), see `qualities`.

        Args:
            truth_labels, labels: (H, W) int, indexes of true and predicted segments, -1 for none.
            truth_classes, classes: (T,) and (P,) int.
            crowd: (T,) bool.

        Raises:
            EvaluationError: the maps differ in shape, or name segments that have no class.
        """
        truth_classes, classes = np.asarray(truth_classes, np.int64), np.asarray(classes, np.int64)
        shared = shared_areas(truth_labels, len(truth_classes), labels, len(classes))
        is_void = np.append(True, np.asarray(crowd, bool))  # column 0 is "no segment"
        void = shared[1:, is_void].sum(1)
        shared, truth_classes = shared[:, ~is_void], truth_classes[~is_void[1:]]
        intersection, truth_areas = shared[1:], shared.sum(0)
        areas = intersection.sum(1)  # without void
        iou = intersection / np.maximum(areas[:, None] + truth_areas - intersection, 1)
        # At most one hit for each segment, as segments do not overlap.
        is_hit = (iou > 0.5) & (classes[:, None] == truth_classes)
        hits, found = is_hit.nonzero()
        wrong = ~is_hit.any(1) & (areas > 0) & (areas >= void)
        missed = ~is_hit.any(0) & (truth_areas > 0)
        image = np.zeros_like(self._counts)
        np.add.at(image[0], classes[hits], iou[hits, found])
        found_ids = classes[hits], classes[wrong], truth_classes[missed]
        for counts, ids in zip(image[1:], found_ids, strict=True):
            np.add.at(counts, ids, 1)
        self.count(image)
        return image

    def count(self, image: np.ndarray) -> None:
        """Count an image by what `add` returned of it, perhaps elsewhere."""
        self._counts += image

    def results(self) -> dict:
        """`PQ`, `SQ`, `RQ`, 0..1; the same of things and stuff, as in `PQ_things`; `per_class`.

        Means are over the classes that occur, in the truth or in predictions; None without any.
        `per_class` has by name the three, and `segments`, how many the truth has. With
        torch.distributed the images of all processes count, and each process must call this.
        """
        names = self._vocabulary.classes
        counts = self._counts_of_all_processes()
        _, hits, wrong, missed = counts
        occurs = hits + wrong + missed > 0
        sq, rq = qualities(counts)
        is_thing = np.arange(len(names)) < len(self._vocabulary.things)
        groups = {"": occurs, "_things": occurs & is_thing, "_stuff": occurs & ~is_thing}
        named = {"PQ": sq * rq, "SQ": sq, "RQ": rq}
        return {
            **{
                f"{name}{group}": float(values[chosen].mean()) if chosen.any() else None
                for group, chosen in groups.items()
                for name, values in named.items()
            },
            "per_class": {
                names[i]: {
                    "segments": int(hits[i] + missed[i]),
                    **{name: float(values[i]) for name, values in named.items()},
                }
                for i in np.flatnonzero(occurs)
            },
        }

    def _counts_of_all_processes(self) -> np.ndarray:
        counts = torch.from_numpy(self._counts.copy())
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            counts = counts.to(self._device)
            torch.distributed.all_reduce(counts)
        return counts.cpu().numpy()


def qualities(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """SQ and RQ, (..., classes), 0 to 1, of (..., 4, classes): sum of the hits' IoUs, hits, wrong,
    missed.
    """
    iou_sum, hits, wrong, missed = np.moveaxis(counts, -2, 0)
    return iou_sum / np.maximum(hits, 1), hits / np.maximum(hits + wrong / 2 + missed / 2, 0.5)
