"""Captions made from scene graphs: "[s] is [p] [o]" (SPADE, section 3.1)."""

from collections.abc import Callable, Sequence

import numpy as np

from dsflash_ros.data.psg import Record
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.graph.words import plain_words


def clause(subject: str, predicate: str, obj: str) -> str:
    """One relation in words."""
    return "{} is {} {}".format(*map(plain_words, (subject, predicate, obj)))


def caption(
    record: Record,
    vocabulary: Vocabulary,
    order: Sequence[int],
    fits: Callable[[str], bool],
) -> str:
    """What the relations of an image say, in this order, each once, as many as fit.

    Args:
        record: the image.
        vocabulary: of its data set.
        order: indexes into `record.relations`.
        fits: whether a text is short enough.
    """
    text, said = "", set()
    for index in order:
        subject, obj, predicate = record.relations[index].tolist()
        names = (vocabulary.classes[record.class_ids[i]] for i in (subject, obj))
        words = clause(next(names), vocabulary.predicates[predicate], next(names))
        longer = f"{text}, {words}" if text else words
        if words in said:
            continue
        if not fits(longer):
            break
        said.add(words)
        text = longer
    return text


def largest_first(record: Record, areas: np.ndarray) -> np.ndarray:
    """The order of an image's relations by the area, (S,), of both segments together.

    An image alone decides it, so that tokens made from the image can stand where the words do.
    """
    both = areas[record.relations[:, :2]].sum(1)
    return np.lexsort((record.relations[:, 2], -both))
