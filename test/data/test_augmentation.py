from collections import Counter

import cv2
import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as F

from dsflash_ros.data import augmentation
from dsflash_ros.data.augmentation import deit3_colours


def picture(seed=0):
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (6, 8, 3), np.uint8)
    noise = random.normal(0, 10, (48, 64, 3))
    return np.clip(cv2.resize(coarse, (64, 48)) + noise, 0, 255).astype(np.uint8)


def torchvision(change, rgb, *args):
    return change(torch.from_numpy(rgb).permute(2, 0, 1), *args).permute(1, 2, 0).numpy()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("ours", "reference", "low", "high", "tolerance"),
    [
        (augmentation.brightness, F.adjust_brightness, 0.7, 1.3, 1),
        (augmentation.contrast, F.adjust_contrast, 0.5, 1.5, 1),
        (augmentation.saturation, F.adjust_saturation, 0.5, 1.5, 1),
        (lambda rgb, _: augmentation.solarise(rgb), lambda x, _: F.solarize(x, 128), 0, 0, 0),
        (
            lambda rgb, _: augmentation.grayscale(rgb),
            lambda x, _: F.rgb_to_grayscale(x, 3),
            0,
            0,
            1,
        ),
        (
            augmentation.blur,
            lambda x, sigma: F.gaussian_blur(x, [15, 15], [sigma, sigma]),
            0.3,
            2,
            2,
        ),
    ],
    ids=["brightness", "contrast", "saturation", "solarise", "grayscale", "blur"],
)
def test_changes_are_torchvisions(ours, reference, low, high, tolerance, seed):
    rgb, strength = picture(seed), np.random.default_rng(seed).uniform(low, high)
    before = rgb.copy()
    found, expected = ours(rgb, strength), torchvision(reference, rgb, strength)
    assert found.dtype == np.uint8 and np.array_equal(rgb, before)
    difference = np.abs(found.astype(int) - expected)  # ours round, torchvision's truncate
    assert difference.max() <= tolerance and difference.mean() < 1


@pytest.fixture
def calls(monkeypatch):
    """Names of the changes in the order in which they are made, with their strengths."""
    made = []

    def spy(name, change):
        def spied(rgb, *strength):
            made.append((name, *strength))
            return change(rgb, *strength)

        return spied

    for name in ("brightness", "contrast", "saturation", "grayscale", "solarise", "blur"):
        monkeypatch.setattr(augmentation, name, spy(name, getattr(augmentation, name)))
    # saturation needs a grey image itself, which is no augmentation
    monkeypatch.setattr(augmentation, "saturation", spy("saturation", lambda rgb, factor: rgb))
    return made


def test_deit3_jitters_then_makes_exactly_one_of_three_changes(calls):
    random, orders, lasts = np.random.default_rng(0), Counter(), Counter()
    for _ in range(300):
        calls.clear()
        deit3_colours(picture(), random)
        *jitter, (last, *_) = calls
        assert sorted(name for name, _ in jitter) == ["brightness", "contrast", "saturation"]
        assert all(0.7 <= factor <= 1.3 for _, factor in jitter)
        orders[tuple(name for name, _ in jitter)] += 1
        lasts[last] += 1
    assert sorted(lasts) == ["blur", "grayscale", "solarise"]
    assert min(lasts.values()) > 70, "100 are expected; sigma is 8"
    assert len(orders) == 6


def test_the_same_random_numbers_give_the_same_image():
    changed = [deit3_colours(picture(), np.random.default_rng(seed)) for seed in (5, 5, 6)]
    assert np.array_equal(changed[0], changed[1]) and not np.array_equal(changed[0], changed[2])
    assert changed[0].shape == (48, 64, 3) and changed[0].dtype == np.uint8
