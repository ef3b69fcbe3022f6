import math

import pytest
import torch

from dsflash_ros.model.ranking import rank_relations


def test_agrees_with_a_loop():
    pairs = torch.combinations(torch.arange(7))
    logits = torch.randn(len(pairs), 2, 11)
    expected = []
    for (a, b), both in zip(pairs.tolist(), logits.tolist(), strict=True):
        for (subject, object_), row in zip(((a, b), (b, a)), both, strict=True):
            score = 1 - 1 / (1 + math.exp(-row[0]))
            expected.append((score, subject, object_, row[1:].index(max(row[1:]))))
    expected = sorted(expected, reverse=True)
    expected = [e for e in expected if e[0] >= 0.4][:20]
    found = rank_relations(logits, pairs, 0.4, 20)
    assert found.scores.tolist() == pytest.approx([e[0] for e in expected], abs=1e-6)
    assert found.pairs.tolist() == [[e[1], e[2]] for e in expected]
    assert found.predicates.tolist() == [e[3] for e in expected]


def test_each_directed_pair_once_and_ties_in_order():
    pairs = torch.combinations(torch.arange(4))
    found = rank_relations(torch.zeros(len(pairs), 2, 3), pairs)
    directed = [tuple(p) for p in found.pairs.tolist()]
    assert len(set(directed)) == len(directed) == 12
    assert directed[:4] == [(0, 1), (1, 0), (0, 2), (2, 0)]


def test_a_score_at_the_threshold_stays():
    assert len(rank_relations(torch.zeros(1, 2, 3), torch.tensor([[0, 1]]), 0.5).scores) == 2


def test_relations_without_a_score_are_left_out():
    logits = torch.tensor([[[float("nan"), 1, 2], [-3.0, 2, 1]], [[-1.0, 1, 2], [5.0, 0, 1]]])
    found = rank_relations(logits, torch.tensor([[0, 1], [0, 2]]), 0.5)
    assert found.pairs.tolist() == [[1, 0], [0, 2]]
    assert found.scores.tolist() == pytest.approx([1 / (1 + math.exp(-3)), 1 / (1 + math.exp(-1))])


@pytest.mark.parametrize("limit", [0, 3, None])
def test_limit(limit):
    pairs = torch.combinations(torch.arange(4))
    found = rank_relations(torch.randn(len(pairs), 2, 3), pairs, 0.0, limit)
    assert (
        len(found.pairs)
        == len(found.predicates)
        == len(found.scores)
        == (12 if limit is None else limit)
    )


def test_no_pairs():
    found = rank_relations(torch.zeros(0, 2, 5), torch.zeros(0, 2, dtype=torch.long))
    assert found.pairs.shape == (0, 2)
