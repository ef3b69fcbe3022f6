from dataclasses import replace

import numpy as np
import pytest
import torch

from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.data.shapes import VOCABULARY, write_shapes
from dsflash_ros.errors import ConfigError
from dsflash_ros.training.relations.held_out import (
    base_first,
    refuse_nothing_known,
    renumbered,
    without_novel,
)


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


def test_a_split_that_relates_by_novel_predicates_alone(tmp_path):
    write_shapes(tmp_path, 8)
    train = PsgDataset.open(tmp_path, "train")
    used = {VOCABULARY.predicates[number] for one in train for number in one.relations[:, 2]}
    base, numbers = base_first(VOCABULARY, sorted(used)[1:])
    known = len(base.predicates)
    refuse_nothing_known([renumbered(one, numbers) for one in train], known, train)
    of_one = [renumbered(one, numbers) for one in train]
    of_one = [replace(one, relations=one.relations[one.relations[:, 2] >= known]) for one in of_one]
    with pytest.raises(ConfigError, match=r"the split 'train' of .*psg.json .* nothing is left"):
        refuse_nothing_known(of_one, known, train)


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
