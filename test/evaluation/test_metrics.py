import math
import pickle

import numpy as np
import pytest

from dsflash_ros.errors import EvaluationError
from dsflash_ros.evaluation.metrics import RecallMetrics

PREDICATES = ("on", "in", "holding", "beside", "never")


def loop_recall(images, k, wanted=None):
    """Mean over images of the share of true relations among the first k.

    `wanted`: only those of this predicate.
    """
    shares = []
    for truth, predicted, matching, _ in images:
        goal = {tuple(r) for r in truth if wanted is None or r[2] == wanted}
        if goal:
            told = {(matching[s], matching[o], p) for s, o, p in predicted[:k]}
            shares.append(len(goal & told) / len(goal))
    return sum(shares) / len(shares) if shares else None


def loop_reachable(images, wanted):
    shares = []
    for truth, _, matching, _ in images:
        goal = {tuple(r) for r in truth if r[2] == wanted}
        if goal:
            shares.append(sum(s in matching and o in matching for s, o, _ in goal) / len(goal))
    return sum(shares) / len(shares) if shares else None


def mean_of(values):
    values = [v for v in values if v is not None]
    return sum(values) / len(values) if values else None


def random_image(random):
    """What `RecallMetrics.add` takes.

    There may be no relations, duplicates, and pairs with several predicates.
    """
    num_truth, num_predicted = random.integers(2, 8), random.integers(0, 9)
    truth = random.integers((0, 0, 0), (num_truth, num_truth, 4), (random.integers(0, 12), 3))
    truth = truth[truth[:, 0] != truth[:, 1]].tolist()
    matching = np.full(num_predicted, -1)
    some = random.permutation(num_predicted)[
        : random.integers(0, min(num_truth, num_predicted) + 1)
    ]
    matching[some] = random.permutation(num_truth)[: len(some)]
    pairs = [(s, o) for s in range(num_predicted) for o in range(num_predicted) if s != o]
    pairs = [pairs[i] for i in random.permutation(len(pairs))[: random.integers(0, len(pairs) + 1)]]
    predicted = [(s, o, int(random.integers(5))) for s, o in pairs]
    return truth, predicted, matching.tolist(), int(num_truth)


def agree(found, expected):
    return found is expected is None or math.isclose(found, expected, abs_tol=1e-12)


def test_recall_agrees_with_a_loop():
    random = np.random.default_rng()
    for _ in range(60):
        images = [random_image(random) for _ in range(random.integers(0, 12))]
        metrics = RecallMetrics(PREDICATES, ks=(1, 3, 20))
        for image in images:
            metrics.add(*image)
        found = metrics.results()
        with_relations = [image for image in images if image[0]]
        for k in (1, 3, 20):
            by_predicate = [loop_recall(images, k, p) for p in range(5)]
            assert agree(found[f"R@{k}"], loop_recall(images, k))
            assert agree(found[f"mR@{k}"], mean_of(by_predicate))
            per_predicate = [scores[f"R@{k}"] for scores in found["per_predicate"].values()]
            assert all(map(agree, per_predicate, by_predicate))
        assert agree(found["mR@inf"], mean_of([loop_reachable(images, p) for p in range(5)]))
        shares = [len(set(matching) - {-1}) / count for _, _, matching, count in with_relations]
        assert agree(found["instance_recall"], mean_of(shares))
        assert (found["images"], found["images_without_relations"]) == (
            len(images),
            len(images) - len(with_relations),
        )
        assert sum(scores["relations"] for scores in found["per_predicate"].values()) == sum(
            len({tuple(r) for r in truth}) for truth, *_ in images
        )


def test_perfect_predictions_score_one():
    truth = [(0, 1, 2), (1, 0, 0), (2, 1, 3)]
    metrics = RecallMetrics(PREDICATES)
    metrics.add(truth, truth, [0, 1, 2], 3)
    found = metrics.results()
    assert all(v == 1.0 for k, v in found.items() if "R@" in k or k == "instance_recall")
    assert found["per_predicate"]["never"] == {
        "relations": 0,
        "images": 0,
        **dict.fromkeys(("R@20", "R@50", "R@100", "R@inf")),
    }


def test_a_pair_with_two_predicates_bounds_recall_but_not_the_limit_of_the_segments():
    metrics = RecallMetrics(PREDICATES)
    metrics.add([(0, 1, 0), (0, 1, 1)], [(0, 1, 0)], [0, 1], 2)
    found = metrics.results()
    assert (found["R@20"], found["mR@20"], found["mR@inf"]) == (0.5, 0.5, 1.0)


def test_a_predicate_counts_by_image_first():
    metrics = RecallMetrics(PREDICATES)
    metrics.add([(0, 1, 0)], [(0, 1, 0)], [0, 1], 2)
    metrics.add([(0, 1, 0), (0, 2, 0), (1, 2, 0)], [], [0, 1, 2], 3)
    assert metrics.results()["mR@20"] == 0.5  # not 1 of 4


def test_relations_beyond_k_and_of_unmatched_segments_take_their_places():
    metrics = RecallMetrics(PREDICATES, ks=(1, 2))
    metrics.add([(0, 1, 0)], [(2, 0, 0), (0, 1, 0)], [0, 1, -1], 2)
    found = metrics.results()
    assert (found["R@1"], found["R@2"]) == (0.0, 1.0)


def test_parts_of_a_data_set_merge_to_the_whole():
    random = np.random.default_rng()
    images = [random_image(random) for _ in range(20)]
    parts = [RecallMetrics(PREDICATES) for _ in range(3)]
    whole = RecallMetrics(PREDICATES)
    for number, image in enumerate(images):
        parts[number % 3].add(*image)
        whole.add(*image)
    first, *others = (pickle.loads(pickle.dumps(part)) for part in parts)
    first.merge(others)
    found, expected = first.results(), whole.results()
    assert all(agree(found[key], expected[key]) for key in found if key != "per_predicate")
    with pytest.raises(ValueError, match="same predicates"):
        first.merge([RecallMetrics(PREDICATES, ks=(5,))])


GOOD = ([(0, 1, 0)], [(0, 1, 0)], [0, 1], 2)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({1: [(0, 1, 0), (0, 1, 2)]}, r"directed pair \(0, 1\) has several predicted relations"),
        ({1: [(0, 1, 0), (0, 1, 0)]}, r"directed pair \(0, 1\) has several predicted relations"),
        ({1: [(0, 1, 0), (1, 1, 0)]}, "segment 1 is predicted to be related to itself"),
        (
            {1: [(0, 2, 0)]},
            r"predicted relation \[0, 2, 0\].* out of range: there are 2 segments and 5 predicates",
        ),
        ({1: [(0, -1, 0)]}, "predicted relation .* out of range"),
        ({1: [(0, 1, 5)]}, "predicted relation .* out of range"),
        ({0: [(0, 1, 5)]}, "true relation .* out of range"),
        ({0: [(2, 1, 0)]}, "true relation .* out of range"),
        ({2: [1, 1]}, "several predicted segments are matched to the true segment 1; .* one mask"),
        ({2: [0, 2]}, "matching .* out of range: there are 2 true segments"),
    ],
)
def test_what_breaks_the_protocol_is_an_error_and_counts_nothing(change, sentence):
    metrics = RecallMetrics(PREDICATES)
    metrics.add(*GOOD)
    with pytest.raises(EvaluationError, match=sentence):
        metrics.add(*(change.get(index, value) for index, value in enumerate(GOOD)))
    assert metrics.results()["images"] == 1


def test_both_directions_of_a_pair_are_allowed():
    metrics = RecallMetrics(PREDICATES)
    metrics.add([(0, 1, 0)], [(1, 0, 1), (0, 1, 0)], [0, 1], 2)
    assert metrics.results()["R@20"] == 1.0
