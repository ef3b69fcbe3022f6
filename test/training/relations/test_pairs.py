import numpy as np
import pytest
import torch

from dsflash_ros.training.relations.pairs import pair_targets, predicate_weights, sample_pairs

PREDICATES = 5


def random_relations(random, count, number):
    pairs = [(a, b) for a in range(count) for b in range(count) if a != b]
    chosen = random.choice(len(pairs), min(number, len(pairs)), replace=True)
    return torch.tensor(
        [(*pairs[i], random.integers(PREDICATES)) for i in chosen], dtype=torch.long
    ).reshape(-1, 3)


def test_all_related_pairs_once_and_negatives_only_from_the_others():
    random = np.random.default_rng(0)
    for _ in range(50):
        count = int(random.integers(2, 9))
        relations = random_relations(random, count, int(random.integers(1, 12)))
        pairs = [tuple(pair) for pair in sample_pairs(relations, count, 0.5, random).tolist()]
        related = {tuple(sorted(relation[:2])) for relation in relations.tolist()}
        assert len(set(pairs)) == len(pairs)
        assert all(a < b < count for a, b in pairs)
        assert related <= set(pairs)
        negatives = set(pairs) - related
        assert len(negatives) <= 0.5 * len(relations) + 1
        if count * (count - 1) // 2 - len(related) >= 0.5 * len(relations) + 1:
            assert len(negatives) >= int(0.5 * len(relations))


@pytest.mark.parametrize("number", [1, 2, 5, 7])
def test_one_negative_for_five_relations_on_average(number):
    random = np.random.default_rng(1)
    relations = torch.tensor([(0, index + 1, 0) for index in range(number)])
    drawn = [len(sample_pairs(relations, 12, 0.2, random)) - number for _ in range(2000)]
    assert np.mean(drawn) == pytest.approx(number / 5, abs=0.03)


def test_negatives_are_drawn_from_all_unrelated_pairs():
    random = np.random.default_rng(2)
    relations = torch.tensor([(0, 1, 0)])
    seen = {
        tuple(pair) for _ in range(300) for pair in sample_pairs(relations, 4, 1.0, random).tolist()
    }
    assert seen == {(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)}


def test_targets_against_a_loop():
    random = np.random.default_rng(3)
    for _ in range(30):
        relations = random_relations(random, 6, 10)
        pairs = sample_pairs(relations, 6, 1.0, random)
        targets = pair_targets(relations, pairs, PREDICATES)
        for (a, b), both in zip(pairs.tolist(), targets, strict=True):
            for (subject, object_), target in zip(((a, b), (b, a)), both, strict=True):
                holds = {p for s, o, p in relations.tolist() if (s, o) == (subject, object_)}
                expected = [float(not holds)] + [float(p in holds) for p in range(PREDICATES)]
                assert target.tolist() == expected


def test_predicate_weights_against_the_rule():
    images = [torch.tensor([(0, 1, p) for p in held]) for held in ((0, 0, 1), (0, 2), (0,), (0, 1))]
    weights = predicate_weights(images, 4, 0.2)
    #  in all four images: 0 / 4, kept above zero; in two: 2 / 2; in one: 3 / 1; never, as if in
    # one: 3 / 1
    assert weights.tolist() == pytest.approx([5, 0.25, 1, 3, 3])
