"""Whether relations' scores say how often they are true, and a map of the scores that makes them
(Platt, 1999).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from dsflash_ros.errors import EvaluationError
from dsflash_ros.evaluation.score_bins import bins_of, merged_bins, score_bins

SCORE_THRESHOLDS = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Of relations' scores, at which precision and recall are told."""

_CLOSEST = 1e-6
"""To 0 and 1: scores beyond are as good as these."""


@dataclass(frozen=True)
class Calibration:
    """A map of relations' scores, in logits: `slope * logit + intercept`.

    The slope is positive, so that the order of relations stays.
    """

    slope: float
    intercept: float

    def map(self, scores: np.ndarray) -> np.ndarray:
        """Scores (n,) 0..1 to scores (n,) float64."""
        logits = torch.from_numpy(np.asarray(scores, np.float64)).logit(eps=_CLOSEST)
        return (self.slope * logits + self.intercept).sigmoid().numpy()


class Reliability:
    """Scores of predicted relations beside whether they are true, over images.

    A relation is true when it is annotated: segments that match no true one, a pair that is not
    related and a wrong predicate all make it false. (Where annotations are sparse, as PSG's are,
    more is true than counts as such.)
    """

    def __init__(self) -> None:
        self._scores: list[np.ndarray] = []
        self._true: list[np.ndarray] = []
        self._annotated = self._images = 0

    def add(self, scores: np.ndarray, true: np.ndarray, annotated: int) -> None:
        """Count the r predicted relations of an image.

        Args:
            scores: (r,) 0..1.
            true: (r,) bool.
            annotated: how many relations the image has.
        """
        self._scores.append(np.asarray(scores, np.float64))
        self._true.append(np.asarray(true, bool))
        self._annotated += annotated
        self._images += 1

    def results(self) -> dict:
        """How far scores are from the truth, and which relations each threshold leaves.

        A value is None where nothing was counted.

        `calibration_error` is that of these scores, `score_bins` are as from `score_bins`.
        `thresholds`: by threshold `relations` (an image), `precision` and `recall`, each over all
        images together. `annotated`: how many relations all images have;
        `scored_images`: how many images that are.
        """
        scores, true = self._together()
        kept = {threshold: scores >= threshold for threshold in SCORE_THRESHOLDS}
        return {
            "calibration_error": self.calibration_error(),
            "score_bins": score_bins(scores, true),
            "annotated": self._annotated,
            "scored_images": self._images,
            "thresholds": {
                f"{threshold}": {
                    "relations": _share(keep.sum(), self._images),
                    "precision": _share(true[keep].sum(), keep.sum()),
                    "recall": _share(true[keep].sum(), self._annotated),
                }
                for threshold, keep in kept.items()
            },
        }

    def calibration_error(self, calibration: Calibration | None = None) -> float | None:
        """Mean distance, 0..1, between mean score and share of true ones in ten bins of the score.

        (ECE; Guo et al., 2017.) `calibration` maps the scores before. Counts relations that score
        0.1 or more, as the many that are hardly related would hide the rest; None where there are
        none.
        """
        scores, true = self._together()
        if calibration:
            scores = calibration.map(scores)
        scores, true = scores[scores >= SCORE_THRESHOLDS[0]], true[scores >= SCORE_THRESHOLDS[0]]
        return (
            float(np.abs(np.bincount(bins_of(scores), scores - true)).sum() / len(scores))
            if len(scores)
            else None
        )

    def fit(self) -> Calibration:
        """The map under which what is true is most likely.

        Raises `EvaluationError` when there are not both true and false relations, or scores do not
        tell them apart.
        """
        scores, true = self._together()
        if true.all() or not true.any():
            raise EvaluationError(
                f"of {len(true)} predicted relations {int(true.sum())} are true: "
                "calibration needs true and false ones; "
                "use more images, or train the weights first"
            )
        if scores.min() == scores.max():
            raise EvaluationError(
                f"all {len(scores)} predicted relations score {scores[0]:.3g}, true and false ones "
                "alike: train longer"
            )
        calibration = _most_likely(torch.from_numpy(scores), torch.from_numpy(true).double())
        if not calibration.slope > 0:
            raise EvaluationError(
                "relations that score higher are true less often "
                f"(slope {calibration.slope:.3g}): train longer"
            )
        return calibration

    def _together(self) -> tuple[np.ndarray, np.ndarray]:
        return np.concatenate([np.empty(0), *self._scores]), np.concatenate(
            [np.empty(0, bool), *self._true]
        )


def merged_reliability(results: Sequence[dict]) -> dict:
    """`Reliability.results` of all images, from those of parts of them; at least one."""
    bins = merged_bins([part["score_bins"] for part in results])
    annotated = sum(part["annotated"] for part in results)
    images = sum(part["scored_images"] for part in results)
    errors = [  # bins from SCORE_THRESHOLDS[0] on
        (one["relations"], abs(one["score"] - one["true"]))
        for one in bins
        if one["score"] >= SCORE_THRESHOLDS[0]
    ]
    counted = sum(count for count, _ in errors)
    thresholds = {}
    for threshold in results[0]["thresholds"]:
        parts = [(part["scored_images"], part["thresholds"][threshold]) for part in results]
        kept = sum(round(count * (part["relations"] or 0)) for count, part in parts)
        true = sum(
            round(count * (part["relations"] or 0) * (part["precision"] or 0))
            for count, part in parts
        )
        thresholds[threshold] = {
            "relations": _share(kept, images),
            "precision": _share(true, kept),
            "recall": _share(true, annotated),
        }
    error = sum(count * distance for count, distance in errors) / counted if counted else None
    return {
        "calibration_error": error,
        "score_bins": bins,
        "thresholds": thresholds,
        "annotated": annotated,
        "scored_images": images,
    }


def _most_likely(scores: torch.Tensor, true: torch.Tensor) -> Calibration:
    """Of float64 scores (n,) and outcomes (n,), 0 or 1."""
    logits = scores.logit(eps=_CLOSEST)
    weights = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = F.binary_cross_entropy_with_logits(weights[0] * logits + weights[1], true)
        value.backward()
        return value

    optimizer.step(loss)
    return Calibration(*weights.tolist())


def _share(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None
