from pathlib import Path

import numpy as np
import pytest

from dsflash_ros.data.psg import Record
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.training.diffusion.captions import caption, clause, largest_first

VOCABULARY = Vocabulary(("cup", "potted plant"), ("wall-other-merged",), ("on", "in front of"))


@pytest.fixture
def record():
    """Three segments: a cup, a plant and a wall."""
    relations = np.array([[0, 1, 0], [1, 2, 1], [0, 2, 1], [1, 2, 0]])
    ids = np.arange(3)
    nowhere = Path("none")
    return Record("1", nowhere, nowhere, 8, 8, ids, ids, np.zeros(3, bool), relations)


def test_a_clause_is_that_of_the_paper():
    assert clause("cup", "on", "book") == "cup is on book"
    assert clause("cup", "in front of", "wall-other-merged") == "cup is in front of wall"


def test_clauses_are_joined_in_order_as_long_as_they_fit(record):
    found = caption(record, VOCABULARY, [2, 0], lambda text: True)
    assert found == "cup is in front of wall, cup is on potted plant"
    assert caption(record, VOCABULARY, [2, 0], lambda text: len(text) < 40) == (
        "cup is in front of wall"
    )
    assert caption(record, VOCABULARY, [0, 0], lambda text: True) == "cup is on potted plant"
    assert caption(record, VOCABULARY, [0], lambda text: False) == ""


def test_the_largest_segments_come_first(record):
    """Areas 1, 5 and 20; of equal pairs the predicate decides."""
    assert largest_first(record, np.array([1, 5, 20])).tolist() == [3, 1, 2, 0]
    assert largest_first(record, np.array([9, 1, 2])).tolist() == [2, 0, 3, 1]
