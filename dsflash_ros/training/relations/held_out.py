"""Predicates that training must not see, so that weights can be tested on words new to them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from dsflash_ros.data.psg import PsgDataset, Record
from dsflash_ros.errors import ConfigError
from dsflash_ros.graph.vocabulary import Vocabulary


def base_first(vocabulary: Vocabulary, novel: Sequence[str]) -> tuple[Vocabulary, np.ndarray]:
    """The vocabulary without the novel predicates, and new ids by the old ones.

    Base predicates keep their order; the novel ones follow them, (predicates,) int64. Raises
    `ConfigError` for names that the vocabulary lacks, or when none would be left.
    """
    unknown = [name for name in novel if name not in vocabulary.predicates]
    if unknown:
        raise ConfigError(
            f"predicates_novel: the data set has no {', '.join(map(repr, unknown))}, only "
            f"{', '.join(vocabulary.predicates)}"
        )
    base = tuple(name for name in vocabulary.predicates if name not in novel)
    if not base:
        raise ConfigError("predicates_novel names all predicates: nothing is left to learn from")
    order = (*base, *dict.fromkeys(novel))
    numbers = np.array([order.index(name) for name in vocabulary.predicates])
    return replace(vocabulary, predicates=base), numbers


def renumbered(record: Record, numbers: np.ndarray) -> Record:
    """The record with other predicate ids; `numbers` are those of `base_first`."""
    relations = record.relations.copy()
    relations[:, 2] = numbers[relations[:, 2]]
    return replace(record, relations=relations)


def refuse_nothing_known(records: Sequence[Record], known: int, dataset: PsgDataset) -> None:
    """Raise `ConfigError` when no relation of the records has a predicate below `known`."""
    if all((record.relations[:, 2] >= known).all() for record in records):
        raise ConfigError(
            f"predicates_novel: the split {dataset.split!r} of {dataset.path} relates segments by "
            "these predicates alone: nothing is left to learn from; name fewer"
        )


def without_novel(
    relations: torch.Tensor, pairs: torch.Tensor, known: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Relations, (R, 3), of known predicates alone, and pairs, (n, 2), without any other.

    A pair that has a novel relation in either direction is left out: as a negative it would teach
    that the relation does not hold.
    """
    novel = relations[relations[:, 2] >= known, :2]
    ends, hidden = pairs.sort(1).values, novel.sort(1).values
    is_hidden = (ends.unsqueeze(1) == hidden).all(-1).any(1)
    return relations[relations[:, 2] < known], pairs[~is_hidden]
