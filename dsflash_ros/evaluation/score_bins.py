"""How often relations are true, by their score: the points of a calibration plot."""

from collections.abc import Sequence
from itertools import chain

import numpy as np

BINS = 10
"""Of equal width, from 0 to 1."""


def bins_of(scores: np.ndarray) -> np.ndarray:
    """The bin of each score, (n,) float 0..1 to (n,) int, 0 to `BINS` - 1."""
    return (np.asarray(scores) * BINS).astype(int).clip(max=BINS - 1)


def score_bins(scores: np.ndarray, true: np.ndarray) -> list[dict]:
    """The bins that have a relation, lowest first.

    Args:
        scores: (n,) float, 0..1.
        true: (n,) bool, whether the relation holds.

    Returns:
        for each bin `relations` (how many there are), `score` (their mean) and `true` (the share
        that holds), the last two 0..1.
    """
    scores, true = np.asarray(scores, float), np.asarray(true, float)
    bins = bins_of(scores)
    found = []
    for one in np.unique(bins):
        mine = bins == one
        found.append(
            {
                "relations": int(mine.sum()),
                "score": _mean(scores[mine]),
                "true": float(true[mine].mean()),
            }
        )
    return found


def merged_bins(parts: Sequence[list[dict]]) -> list[dict]:
    """The bins of all relations, from those of parts of them."""
    found: dict[int, list[dict]] = {}
    for one in chain.from_iterable(parts):
        found.setdefault(int(bins_of(np.array(one["score"]))), []).append(one)
    merged = []
    for _, same in sorted(found.items()):
        counts = [one["relations"] for one in same]
        means = {key: _mean([one[key] for one in same], counts) for key in ("score", "true")}
        merged.append({"relations": sum(counts), **means})
    return merged


def _mean(values: Sequence[float], weights: Sequence[int] | None = None) -> float:
    """The mean, within the values: rounded, that of three scores of 0.7 is in the bin below."""
    return float(np.clip(np.average(values, weights=weights), np.min(values), np.max(values)))
