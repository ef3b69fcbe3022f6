"""How sure a difference between two runs is."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import sqrt
from statistics import median
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri, stdtrit

RESAMPLES = 2000

BLOCK_S = 2.0
"""Seconds of neighbouring frames that count as one observation."""

LEAST_BLOCKS = 5
"""Observations below which nothing can be said: their own spread says too little."""


class Difference(NamedTuple):
    """Of a score of two runs over the same frames.

    Attributes:
        first, second: the scores.
        low, high: between which second - first lies with the confidence asked for; NaN where there
            are fewer than `LEAST_BLOCKS` blocks.
    """

    first: float
    second: float
    low: float
    high: float

    @property
    def is_sure(self) -> bool:
        """Whether both differ, with that confidence."""
        return self.low > 0 or self.high < 0

    @property
    def verdict(self) -> str:
        """What can be said of the second, in words."""
        if self.low != self.low:  # NaN
            return "too little to say whether that is chance"
        if not self.is_sure:
            return "no sure difference"
        return "better" if self.low > 0 else "worse"

    def to_json(self) -> dict:
        """As plain JSON types; NaN is None."""
        known = {name: None if value != value else value for name, value in self._asdict().items()}
        return {**known, "is_sure": self.is_sure}


def paired_difference(
    first: np.ndarray,
    second: np.ndarray,
    score: Callable[[np.ndarray], np.ndarray],
    block: int,
    confidence: float = 0.95,
    seed: int = 0,
) -> Difference:
    """Compare a score of two runs by a paired block bootstrap (Kuensch, 1989).

    Neighbouring frames are alike, so that blocks of them are drawn, the same ones of both runs.

    Args:
        first, second: (frames, C) counts of each frame, in their order.
        score: sums of counts, (..., C), to scores, (...). NaN where there is nothing to score.
        block: frames in a block.
        confidence: of the interval.
        seed: of the drawing.
    """
    frames = len(first)
    both = np.stack((first, second)).astype(float)
    starts = np.arange(0, frames, min(block, frames))
    sums = np.add.reduceat(both, starts, axis=1)  # (2, blocks, C)
    random = np.random.default_rng(seed)
    drawn = random.integers(len(starts), size=(RESAMPLES, len(starts)))
    scores = score(sums[:, drawn].sum(2))  # (2, RESAMPLES)
    with np.errstate(invalid="ignore"):
        differences = scores[1] - scores[0]
    tail = (1 - confidence) / 2
    known = differences[np.isfinite(differences)]
    of_all = score(both.sum(1))
    found, low, high = of_all[1] - of_all[0], np.nan, np.nan
    if len(starts) >= LEAST_BLOCKS and len(known):
        ends = np.percentile(known, [100 * tail, 100 - 100 * tail])
        low, high = found + _widening(len(starts), tail) * (ends - found)
    return Difference(float(of_all[0]), float(of_all[1]), float(low), float(high))


def _widening(blocks: int, tail: float) -> float:
    """By how much an interval of few blocks is too narrow: Student's t and the sample's variance.

    (Hesterberg, What Teachers Should Know about the Bootstrap, 2015, section 5.3.)
    """
    return sqrt(blocks / (blocks - 1)) * stdtrit(blocks - 1, 1 - tail) / ndtri(1 - tail)


def block_of(stamps: Sequence[float]) -> int:
    """Frames in `BLOCK_S`, given their stamps, seconds."""
    gaps = [abs(b - a) for a, b in pairwise(stamps)]
    usual = median(gaps) if gaps else BLOCK_S
    return max(1, round(BLOCK_S / usual)) if usual else 1
