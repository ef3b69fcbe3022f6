"""Two evaluations of the same images beside each other, by the scores of each image."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dsflash_ros.errors import EvaluationError
from dsflash_ros.evaluation.bootstrap import Difference, block_of, paired_difference
from dsflash_ros.evaluation.image_scores import ImageScores
from dsflash_ros.evaluation.panoptic_quality import qualities
from dsflash_ros.evaluation.report import Report

K = 50
"""Recall is compared among so many predictions."""

Images = Sequence[ImageScores]


@dataclass
class EvaluationComparison:
    """What `compare_evaluations` finds.

    Attributes:
        images: in both evaluations.
        only: images in one alone, first and second.
        scores: `R@50`, `mR@50`, and `PQ` of SGDet.
        predicates, classes: by name, R@50 and PQ in both, 0 to 1, those that occur.
    """

    images: int
    only: tuple[int, int]
    scores: dict[str, Difference]
    predicates: dict[str, tuple[float, float]]
    classes: dict[str, tuple[float, float]]


def compare_evaluations(first: Report, second: Report) -> EvaluationComparison:
    """Compare the images that both have. Frames of a recording count in blocks of neighbours.

    Raises `EvaluationError` when there is none, or the evaluations do not belong together.
    """
    if first.protocol != second.protocol:
        raise EvaluationError(
            f"the evaluations are of other protocols, {first.protocol} and {second.protocol}: "
            "compare two of the same"
        )
    one, other = _shared(first, second)
    names = sorted({name for image in (*one, *other) for name in image.ranks})
    classes = sorted({name for image in (*one, *other) for name in image.classes})
    stamps = [image.stamp for image in one]
    block = 1 if None in stamps else block_of(stamps)
    scores, parts = {}, {}
    wanted: list[tuple[str, Callable, Callable]] = [
        (f"R@{K}", _recalls, _ratio),
        (f"mR@{K}", lambda images: _by_predicate(images, names), _mean_recall),
    ]
    if first.protocol == "sgdet":
        wanted.append(("PQ", lambda images: _by_class(images, classes), _mean_quality))
    for name, count, score in wanted:
        counts = parts[name] = count(one), count(other)
        scores[name] = paired_difference(*counts, score, block, 1 - 0.05 / len(wanted))
    found = EvaluationComparison(
        len(one), (len(first.images) - len(one), len(second.images) - len(one)), scores, {}, {}
    )
    recalls = [_each_recall(counts.sum(0)) for counts in parts[f"mR@{K}"]]
    found.predicates = _pairs(names, *recalls)
    if "PQ" in parts:
        found.classes = _pairs(classes, *(_each_quality(counts.sum(0)) for counts in parts["PQ"]))
    return found


def _shared(first: Report, second: Report) -> tuple[Images, Images]:
    sides = []
    for report in (first, second):
        if report.images is None:
            raise EvaluationError(
                f"the evaluation of {report.weights['name']} has no scores of images: it is of an "
                "earlier version; make it anew with `dsflash eval --json`"
            )
        sides.append({image["image"]: ImageScores(**image) for image in report.images})
    names = [name for name in sides[0] if name in sides[1]]
    if not names:
        raise EvaluationError(
            "the evaluations have no image in common: are they of the same data set or bag, and of "
            "the same split?"
        )
    one, other = ([side[name] for name in names] for side in sides)
    for a, b in zip(one, other, strict=True):
        if {name: len(ranks) for name, ranks in a.ranks.items()} != {
            name: len(ranks) for name, ranks in b.ranks.items()
        }:
            raise EvaluationError(
                f"the evaluations differ in the truth of image {a.image}: they are of other data"
            )
    return one, other


def _recalls(images: Images) -> np.ndarray:
    """(images, 2): recall, and whether there is something to recall."""
    found = [image.recall(K) for image in images]
    return np.array([(0, 0) if recall is None else (recall, 1) for recall in found], float)


def _by_predicate(images: Images, names: list[str]) -> np.ndarray:
    """(images, 2 * predicates): recall of each, and whether the image has it."""
    counts = np.zeros((len(images), 2, len(names)))
    for row, image in zip(counts, images, strict=True):
        for name, ranks in image.ranks.items():
            hits = [rank is not None and rank < K for rank in ranks]
            row[:, names.index(name)] = np.mean(hits), 1
    return counts.reshape(len(images), -1)


def _by_class(images: Images, names: list[str]) -> np.ndarray:
    """(images, 4 * classes), as of `qualities`."""
    counts = np.zeros((len(images), 4, len(names)))
    for row, image in zip(counts, images, strict=True):
        for name, found in image.classes.items():
            row[:, names.index(name)] = found
    return counts.reshape(len(images), -1)


def _ratio(sums: np.ndarray) -> np.ndarray:
    """(..., 2) to (...); NaN where there is nothing."""
    return np.where(sums[..., 1] > 0, sums[..., 0] / np.maximum(sums[..., 1], 1), np.nan)


def _each_recall(sums: np.ndarray) -> np.ndarray:
    """(..., 2 * predicates) to (..., predicates); NaN of those that do not occur."""
    return _ratio(np.moveaxis(sums.reshape(*sums.shape[:-1], 2, -1), -2, -1))


def _each_quality(sums: np.ndarray) -> np.ndarray:
    """(..., 4 * classes) to PQ, (..., classes); NaN of those that do not occur."""
    counts = sums.reshape(*sums.shape[:-1], 4, -1)
    segmentation, recognition = qualities(counts)
    occurs = counts[..., 1:, :].sum(-2) > 0
    return np.where(occurs, segmentation * recognition, np.nan)


def _mean_recall(sums: np.ndarray) -> np.ndarray:
    return _mean_known(_each_recall(sums))


def _mean_quality(sums: np.ndarray) -> np.ndarray:
    return _mean_known(_each_quality(sums))


def _mean_known(values: np.ndarray) -> np.ndarray:
    """The mean over the last axis without NaN; NaN where nothing else is."""
    known = ~np.isnan(values)
    return _ratio(np.stack((np.where(known, values, 0).sum(-1), known.sum(-1)), axis=-1))


def _pairs(
    names: list[str], first: np.ndarray, second: np.ndarray
) -> dict[str, tuple[float, float]]:
    both = zip(names, first.tolist(), second.tolist(), strict=True)
    return {name: (a, b) for name, a, b in both if a == a and b == b}  # NaN is unlike itself
