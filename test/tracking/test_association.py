import itertools

import numpy as np
import pytest
from scenes import texture

from dsflash_ros.tracking import association
from dsflash_ros.tracking.appearance import Standardizer
from dsflash_ros.tracking.association import (
    best_pairs,
    from_appearance,
    from_positions,
)
from dsflash_ros.tracking.beliefs import Evidence, Shares
from dsflash_ros.tracking.motion import ImageMotion, shrink, small_size


@pytest.mark.parametrize("seed", range(5))
def test_pairs_have_the_largest_sum(seed):
    affinity = np.random.default_rng(seed).normal(size=(4, 5))
    best = max(
        sum(max(affinity[row, column], 0) for row, column in enumerate(columns))
        for columns in itertools.permutations(range(5), 4)
    )
    pairs = best_pairs(affinity)
    assert sum(affinity[pair] for pair in pairs) == pytest.approx(best)
    assert all(affinity[pair] > 0 for pair in pairs)
    assert best_pairs(np.zeros((0, 3))) == best_pairs(np.zeros((3, 0))) == []


def test_appearance_in_parts_is_that_of_one_product():
    """As many as take several parts, so that OpenBLAS needs one thread."""
    random = np.random.default_rng(3)
    tracks, segments = random.normal(size=(40, 768)), random.normal(size=(30, 768))
    assert tracks.size * len(segments) > 3 * association._ONE_THREAD
    expected = association.APPEARANCE * (tracks @ segments.T - association.APPEARANCE_NEUTRAL)
    np.testing.assert_allclose(from_appearance(tracks, segments), expected, rtol=1e-9)
    assert from_appearance(tracks[:0], segments).shape == (0, 30)
    assert from_appearance(tracks, segments[:0]).shape == (40, 0)


def test_what_is_not_known_says_nothing():
    looks = np.array([[1.0, 0.0], [np.nan, np.nan]])
    assert from_appearance(looks, np.array([[1.0, 0.0]])).tolist() == [[2.0], [0.0]]
    places = np.array([[0.0, 0, 0], [np.nan] * 3])
    assert from_positions(places, np.array([[0.5, 0, 0], [0, 0, 0]])).tolist() == [[0, 6], [0, 0]]


def test_standardized_features_are_those_of_all_that_was_seen():
    random = np.random.default_rng(2)
    standardize, seen = Standardizer(), []
    for count in (3, 0, 5, 1, 7):
        features = random.normal(3.0, 2.0, (count, 6))
        seen.append(features)
        found = standardize(features)
        every = np.concatenate(seen)
        expected = (features - every.mean(0)) / np.maximum(every.std(0), 1e-6)
        expected /= np.maximum(np.linalg.norm(expected, axis=1, keepdims=True), 1e-6)
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert standardize(np.ones((2, 4))).shape == (2, 4)  # other features: from the beginning


def test_motion_is_that_of_the_image():
    """A camera that moves by (14, -6) pixels: what is here was there before."""
    big = texture(5, 600, 800)
    motion = ImageMotion()
    before, now = big[60:540, 80:720], big[66:546, 66:706]
    assert motion(before) is None
    origin = motion(now)
    assert origin.shape == (120, 160, 2) and origin.dtype == np.float32
    rows, columns = np.mgrid[:120, :160]
    inner = slice(20, -20)
    moved = origin - np.stack((columns, rows), 2)
    assert np.abs(np.median(moved[inner, inner], axis=(0, 1)) - (-14 / 4, 6 / 4)).max() < 0.3
    assert motion(now[:100]) is None  # another size
    motion.reset()
    assert motion(now) is None


def test_small_maps():
    assert small_size(480, 640) == (120, 160)
    assert small_size(640, 480) == (160, 120)
    assert small_size(50, 60) == (50, 60)
    assert small_size(4, 4000) == (1, 160)
    labels = np.arange(48).reshape(6, 8)
    assert shrink(labels, (3, 4)).tolist() == labels[1::2, 1::2].tolist()
    assert np.array_equal(shrink(labels, (6, 8)), labels)


def test_evidence_has_hysteresis_and_bounds():
    evidence = Evidence()
    held = []
    for step in (0.6, 0.6, -0.6, -0.3, 0.6, 10, -9):
        evidence.add(step, most=4.0)
        held.append(evidence.decide(begin=1.0, end=0.5))
    assert held == [False, True, True, False, False, True, False]
    assert evidence.log_odds == 0.0


def test_shares_are_running_means():
    shares = Shares()
    for alternative, score in ((7, 0.9), (3, 0.6), (None, 0.0)):
        shares.add(alternative, score, 0.5)
    assert shares[7] == pytest.approx(0.5 * 0.9 / 4) and shares[3] == pytest.approx(0.5 * 0.6 / 2)
    assert shares[99] == 0
    assert shares.best == 7  # 3 is ahead, but by less than the margin
