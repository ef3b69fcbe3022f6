"""Recall of relations and of instances under the single-mask-per-object protocol. Needs only numpy.

The protocol (DSFlash's supplement, section 7): one mask for each object, one relation for each
directed pair. What breaks it is an `EvaluationError`, never repaired in silence.

Numbers are those of sgbench, with two differences. Predicates that never occur are left out of the
mean over predicates; sgbench's mean is then NaN. Where two predicted masks are each exactly half of
a true one, so that both reach an IoU of 0.5, only the first is matched; sgbench matches both, which
gives a relation two attempts.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from dsflash_ros.errors import EvaluationError

NEVER = np.iinfo(np.int64).max
"""Rank of a true relation that was not predicted."""


class ImageRecall(NamedTuple):
    """What is kept of an image with R true relations.

    Attributes:
        predicates: (R,) int64.
        ranks: (R,) int64, 0 for the best prediction, `NEVER` when missed.
        reachable: (R,) bool, whether both its segments were found.
        found, segments: how many true segments were found, and how many there are.
    """

    predicates: np.ndarray
    ranks: np.ndarray
    reachable: np.ndarray
    found: int
    segments: int


class RecallMetrics:
    """R@k, mR@k, mR@inf and instance recall over images. Can be pickled, and merged with others.

    R@k is the share of an image's true relations that are among its k best predictions, averaged
    over images. mR@k is the mean over the images that have a predicate, then over the predicates
    that occur. A relation that is annotated twice counts once. Images without relations are left
    out, also of the instance recall.

    mR@inf (DSFlash, section 4.3) is the mR@k that a perfect relation stage could reach with these
    segments: a relation counts when both its segments were found. It is a property of the segments
    alone: where a directed pair has several true predicates, each counts, although one relation for
    each directed pair can hit only one of them.
    """

    def __init__(self, predicates: Sequence[str], ks: Sequence[int] = (20, 50, 100)) -> None:
        self.predicates = tuple(predicates)
        self.ks = tuple(ks)
        self.images_without_relations = 0
        self._images: list[ImageRecall] = []

    def add(
        self, truth: np.ndarray, predicted: np.ndarray, matching: np.ndarray, num_truth: int
    ) -> ImageRecall | None:
        """Count an image, and return what was counted; None when it has no relations.

        Args:
            truth: (R, 3) int: subject, object (true segments) and predicate of the true relations.
            predicted: (r, 3) int, best first: subject, object (predicted segments) and predicate.
            matching: (P,) int, the true segment of each predicted one, or -1, as from
                `match_segments`.
            num_truth: number of true segments.

        Raises:
            EvaluationError: the predictions break the protocol, or an id is out of range.
        """
        truth = np.unique(np.asarray(truth, np.int64).reshape(-1, 3), axis=0)
        predicted = np.asarray(predicted, np.int64).reshape(-1, 3)
        matching = np.asarray(matching, np.int64)
        _check_range("true", truth, num_truth, len(self.predicates))
        _check_range("predicted", predicted, len(matching), len(self.predicates))
        _check_protocol(predicted, matching, num_truth)
        if not len(truth):
            self.count(None)
            return None
        remapped = np.column_stack((matching[predicted[:, :2]], predicted[:, 2]))
        rank_of = {tuple(relation): rank for rank, relation in enumerate(remapped.tolist())}
        ranks = np.array(
            [rank_of.get(relation, NEVER) for relation in map(tuple, truth.tolist())], np.int64
        )
        is_found = np.isin(np.arange(num_truth), matching)
        reachable = is_found[truth[:, :2]].all(1)
        image = ImageRecall(truth[:, 2], ranks, reachable, int(is_found.sum()), num_truth)
        self.count(image)
        return image

    def count(self, image: ImageRecall | None) -> None:
        """Count an image by what `add` returned of it, perhaps elsewhere."""
        if image is None:
            self.images_without_relations += 1
        else:
            self._images.append(image)

    def merge(self, others: Iterable["RecallMetrics"]) -> None:
        """Take in the images that others counted, such as other processes."""
        for other in others:
            if (other.predicates, other.ks) != (self.predicates, self.ks):
                raise ValueError("only metrics of the same predicates and ks can be merged")
            self._images.extend(other._images)
            self.images_without_relations += other.images_without_relations

    def results(self) -> dict:
        """The recalls, 0..1, None where nothing was counted, and what was counted.

        Keys: `R@k`, `mR@k`, `mR@inf`, `instance_recall`; `images` (all of them),
        `images_without_relations`; and `per_predicate`, by name: `relations`, `images`, `R@k` and
        `R@inf`.
        """
        counts = [len(image.predicates) for image in self._images]
        image = np.repeat(np.arange(len(counts)), counts)
        predicate, ranks, reachable = (
            np.concatenate([np.empty(0, dtype), *(getattr(i, name) for i in self._images)])
            for name, dtype in (("predicates", np.int64), ("ranks", np.int64), ("reachable", bool))
        )
        table = _Table(image, predicate, len(counts), len(self.predicates))
        hits = {**{f"{k}": ranks < k for k in self.ks}, "inf": reachable}
        by_predicate = {f"R@{k}": table.recall_by_predicate(hit) for k, hit in hits.items()}
        return {
            **{f"R@{k}": _mean(table.recall_by_image(hits[f"{k}"])) for k in self.ks},
            **{
                f"m{name}": _mean(recall[table.images > 0]) for name, recall in by_predicate.items()
            },
            "instance_recall": _mean(np.array([i.found / i.segments for i in self._images])),
            "images": len(counts) + self.images_without_relations,
            "images_without_relations": self.images_without_relations,
            "per_predicate": {
                name: {
                    "relations": int(table.relations[index]),
                    "images": int(table.images[index]),
                    **{
                        key: float(r[index]) if table.images[index] else None
                        for key, r in by_predicate.items()
                    },
                }
                for index, name in enumerate(self.predicates)
            },
        }


class _Table:
    """True relations by image and predicate; counts which of them were hit, (n,) bool."""

    def __init__(
        self, image: np.ndarray, predicate: np.ndarray, num_images: int, num_predicates: int
    ) -> None:
        self._image, self._shape = image, (num_images, num_predicates)
        self._cell = image * num_predicates + predicate
        self._counts = self._sum(np.ones(len(image)))
        self.relations = self._counts.sum(0)
        self.images = (self._counts > 0).sum(0)

    def recall_by_image(self, hit: np.ndarray) -> np.ndarray:
        return np.bincount(self._image, hit, self._shape[0]) / self._counts.sum(1)

    def recall_by_predicate(self, hit: np.ndarray) -> np.ndarray:
        """The mean over the images that have the predicate; 0 where none has it."""
        return (self._sum(hit) / np.maximum(self._counts, 1)).sum(0) / np.maximum(self.images, 1)

    def _sum(self, values: np.ndarray) -> np.ndarray:
        return np.bincount(self._cell, values, int(np.prod(self._shape))).reshape(self._shape)


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None


def _check_range(kind: str, relations: np.ndarray, num_segments: int, num_predicates: int) -> None:
    limits = np.array([num_segments, num_segments, num_predicates])
    wrong = ((relations < 0) | (relations >= limits)).any(1)
    if wrong.any():
        raise EvaluationError(
            f"the {kind} relation {relations[wrong][0].tolist()} (subject, object, predicate) is "
            f"out of range: there are {num_segments} segments and {num_predicates} predicates"
        )


def _check_protocol(predicted: np.ndarray, matching: np.ndarray, num_truth: int) -> None:
    if not ((matching >= -1) & (matching < num_truth)).all():
        raise EvaluationError(
            f"the matching {matching.tolist()} is out of range: there are {num_truth} true segments"
        )
    found, counts = np.unique(matching[matching >= 0], return_counts=True)
    if (counts > 1).any():
        raise EvaluationError(
            f"several predicted segments are matched to the true segment {found[counts > 1][0]}; "
            "the protocol allows one mask for each object"
        )
    if (predicted[:, 0] == predicted[:, 1]).any():
        segment = predicted[predicted[:, 0] == predicted[:, 1]][0, 0]
        raise EvaluationError(
            f"segment {segment} is predicted to be related to itself, which no relation may be"
        )
    pairs, counts = np.unique(predicted[:, :2], axis=0, return_counts=True)
    if (counts > 1).any():
        subject, object_ = pairs[counts > 1][0]
        raise EvaluationError(
            f"the directed pair ({subject}, {object_}) has several predicted relations; the "
            "protocol allows one: keep the best"
        )
