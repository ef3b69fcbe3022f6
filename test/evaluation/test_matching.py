import numpy as np
import pytest

from dsflash_ros.errors import EvaluationError
from dsflash_ros.evaluation.matching import (
    check_segments,
    match_segments,
    true_relations,
)


def loop_matching(truth_labels, truth_classes, labels, classes):
    """The definition, mask by mask."""
    matching, taken = [], set()
    for p, predicted_class in enumerate(classes):
        best, best_iou = -1, 0.0
        for t, true_class in enumerate(truth_classes):
            a, b = labels == p, truth_labels == t
            union = int((a | b).sum())
            iou = int((a & b).sum()) / union if union else 0.0
            if predicted_class == true_class and iou > best_iou:
                best, best_iou = t, iou
        matched = best_iou >= 0.5 and best not in taken
        taken |= {best} if matched else set()
        matching.append(best if matched else -1)
    return matching


def test_matching_agrees_with_a_loop():
    random = np.random.default_rng()
    found_any = 0
    for _ in range(300):
        num_truth, num_predicted, side = (
            random.integers(0, 6),
            random.integers(0, 6),
            random.integers(2, 9),
        )
        truth_labels = random.integers(-1, num_truth, (side, side))
        labels = random.integers(-1, num_predicted, (side, side))
        if num_predicted == num_truth:  # mostly right
            labels = np.where(random.random((side, side)) < 0.8, truth_labels, labels)
        truth_classes, classes = (
            random.integers(0, 2, num_truth),
            random.integers(0, 2, num_predicted),
        )
        found = match_segments(truth_labels, truth_classes, labels, classes)
        assert found.tolist() == loop_matching(truth_labels, truth_classes, labels, classes)
        found_any += (found >= 0).sum()
    assert found_any > 50


def test_two_halves_of_one_object_are_one_match():
    truth, halves = np.zeros((4, 4), int), np.repeat([[0, 0, 1, 1]], 4, axis=0)
    assert match_segments(truth, [7], halves, [7, 7]).tolist() == [0, -1]
    assert match_segments(truth, [7], halves, [3, 7]).tolist() == [-1, 0]
    assert match_segments(halves, [7, 7], truth, [7]).tolist() == [0]


def test_an_iou_of_half_is_enough():
    truth = np.repeat([[0, 0, -1, -1]], 4, axis=0)
    assert match_segments(truth, [0], np.zeros((4, 4), int), [0]).tolist() == [0]
    barely_not = np.pad(truth, ((0, 1), (0, 0)), constant_values=-1)
    assert match_segments(barely_not, [0], np.zeros((5, 4), int), [0]).tolist() == [-1]


@pytest.mark.parametrize(("num_truth", "num_predicted"), [(0, 0), (0, 2), (2, 0)])
def test_matching_without_segments(num_truth, num_predicted):
    empty = np.full((3, 3), -1)
    found = match_segments(empty, np.zeros(num_truth, int), empty, np.zeros(num_predicted, int))
    assert found.tolist() == [-1] * num_predicted and found.dtype == np.int64


def test_stuff_of_one_class_must_be_one_segment():
    check_segments([0, 0, 3, 4], num_things=3)
    with pytest.raises(EvaluationError, match="stuff class 3 is predicted as several"):
        check_segments([0, 3, 4, 3], num_things=3)


@pytest.mark.parametrize(
    ("truth", "labels", "sentence"),
    [
        (np.zeros((2, 3), int), np.zeros((3, 2), int), r"\(3, 2\) pixels, the true ones \(2, 3\)"),
        (
            np.zeros((2, 2), int),
            np.full((2, 2), 1),
            "predicted label map names segments 1 to 1, but there are 1",
        ),
        (np.full((2, 2), -2), np.zeros((2, 2), int), "true label map names segments -2 to -2"),
    ],
)
def test_maps_that_do_not_fit(truth, labels, sentence):
    with pytest.raises(EvaluationError, match=sentence):
        match_segments(truth, [0], labels, [0])


def test_true_relations_need_both_segments_the_direction_and_the_predicate():
    truth = np.array([(0, 1, 5), (2, 0, 3)])
    matching = np.array([1, 0, -1, 2])  # predicted segments 0..3 show true ones
    predicted = np.array([(1, 0, 5), (0, 1, 5), (1, 0, 4), (3, 1, 3), (2, 0, 5), (1, 2, 5)])
    assert true_relations(truth, predicted, matching).tolist() == [
        True,
        False,
        False,
        True,
        False,
        False,
    ]
    nothing = np.zeros((0, 3), int)
    assert true_relations(truth, nothing, matching).tolist() == []
    assert true_relations(nothing, predicted, matching).tolist() == [False] * 6
