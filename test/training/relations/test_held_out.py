import numpy as np
import pytest
import torch

from dsflash_ros.data.shapes import VOCABULARY
from dsflash_ros.errors import ConfigError
from dsflash_ros.training.relations.held_out import base_first, without_novel


def test_base_predicates_come_first():
    names = VOCABULARY.predicates
    base, numbers = base_first(VOCABULARY, [names[0]])
    assert base.predicates == names[1:] and base.classes == VOCABULARY.classes
    order = (*names[1:], names[0])
    assert [order[number] for number in numbers] == list(names)
    same, numbers = base_first(VOCABULARY, [])
    assert same == VOCABULARY and numbers.tolist() == list(range(len(names)))


def test_wrong_novel_predicates():
    with pytest.raises(ConfigError, match="the data set has no 'juggling', only"):
        base_first(VOCABULARY, ["juggling"])
    with pytest.raises(ConfigError, match="nothing is left"):
        base_first(VOCABULARY, VOCABULARY.predicates)


@pytest.mark.parametrize("seed", range(10))
def test_pairs_with_novel_relations_are_not_seen(seed):
    random = np.random.default_rng(seed)
    relations = {tuple(random.choice(7, 2, replace=False)) for _ in range(12)}
    relations = np.array([(*pair, random.integers(5)) for pair in sorted(relations)])
    pairs = np.stack(np.triu_indices(7, 1), axis=1)
    known, seen = without_novel(torch.from_numpy(relations), torch.from_numpy(pairs), 3)
    assert known.tolist() == [list(one) for one in relations if one[2] < 3]
    hidden = {frozenset(one[:2].tolist()) for one in relations if one[2] >= 3}
    assert seen.tolist() == [list(pair) for pair in pairs.tolist() if set(pair) not in hidden]
