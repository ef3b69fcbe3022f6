"""Intervals of paired differences hold what they promise, with few blocks too."""

import numpy as np
import pytest

from dsflash_ros.evaluation.bootstrap import paired_difference

TRIALS, BLOCK = 400, 10


@pytest.mark.parametrize("blocks", [5, 6, 12, 40])
def test_runs_that_differ_by_chance_are_seldom_told_apart(blocks):
    """Each block has a lucky or unlucky run of frames, which frames alone would not tell."""
    random, sure = np.random.default_rng(blocks), 0
    for seed in range(TRIALS):
        luck = np.repeat(random.normal(0, 1, (2, blocks)), BLOCK, axis=1)
        sides = [np.column_stack((10 + side, np.full(len(side), 20.0))) for side in luck]
        found = paired_difference(*sides, _share, BLOCK, confidence=0.95, seed=seed)
        sure += found.is_sure
        assert found.low < found.second - found.first < found.high
    assert 0.01 < sure / TRIALS < 0.09


def _share(counts):
    return counts[..., 0] / counts[..., 1]
