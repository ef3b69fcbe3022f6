"""Small parts of masks that lie far from the rest of an object."""

import numpy as np
import pytest
import torch

from dsflash_ros.model.panoptic import Segments
from dsflash_ros.pipeline.specks import without_specks


def segments(labels, class_ids):
    labels = torch.as_tensor(labels)
    count = len(class_ids)
    return Segments(
        labels, torch.tensor(class_ids), torch.rand(count), torch.rand(count, 4).softmax(1)
    )


def parts_by_loop(mask):
    """Sets of pixels that are connected by their sides."""
    left, parts = set(map(tuple, np.argwhere(mask).tolist())), []
    while left:
        part, front = set(), [left.pop()]
        while front:
            y, x = front.pop()
            part.add((y, x))
            for near in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if near in left:
                    left.remove(near)
                    front.append(near)
        parts.append(part)
    return parts


def test_a_stray_pixel_goes_and_the_rest_stays():
    labels = torch.full((20, 30), 1)
    labels[5:15, 2:12] = 0
    labels[0, 29] = 0  # one of 101 pixels
    given = segments(labels, [0, 3])
    found = without_specks(given, num_things=2, least_part=0.05)
    expected = labels.clone()
    expected[0, 29] = -1
    assert torch.equal(found.labels, expected) and labels[0, 29] == 0
    assert found.scores is given.scores and found.class_ids is given.class_ids


@pytest.mark.parametrize("least_part", [0.01, 0.05, 0.3, 1.0])
def test_equal_to_a_loop_on_random_maps(least_part):
    rng = np.random.default_rng(7)
    for _ in range(5):
        coarse = rng.integers(-1, 4, (9, 12))
        labels = np.kron(coarse, np.ones((3, 3), int))
        labels[rng.random(labels.shape) < 0.03] = 2
        found = without_specks(segments(labels, [0, 1, 5, 0]), 2, least_part).labels.numpy()
        for index, is_thing in enumerate((True, True, False, True)):
            parts = parts_by_loop(labels == index)
            total, largest = sum(map(len, parts)), max(map(len, parts))
            kept = [p for p in parts if len(p) >= min(least_part * total, largest)]
            expected = kept if is_thing else parts
            assert set(map(tuple, np.argwhere(found == index).tolist())) == set().union(*expected)


def test_nothing_to_do():
    labels = torch.randint(-1, 2, (8, 8))
    given = segments(labels, [0, 1])
    assert without_specks(given, 2, 0.0) is given
    nothing = segments(torch.full((4, 4), -1), [])
    assert torch.equal(without_specks(nothing, 2, 0.05).labels, nothing.labels)
    absent = segments(torch.zeros(4, 4, dtype=torch.long), [0, 1])  # the second has no pixel
    assert torch.equal(without_specks(absent, 2, 0.05).labels, absent.labels)
