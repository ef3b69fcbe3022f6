"""Two runs frame by frame, and by the names of objects and relations."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from dsflash_ros.evaluation.runs import Seen
from dsflash_ros.evaluation.score_bins import score_bins

Triple = tuple[int, str, int]
"""Places of subject and object among a graph's objects, and the predicate between them."""

Same = Mapping[int, int]
"""Objects of one graph, and which of the other's are the same."""


class FramePair(NamedTuple):
    """A frame in both runs. Pairs are of the first and the second.

    Attributes:
        source: topic or file.
        stamp: seconds.
        objects, relations: F1 against the truth, 0 to 1; None without a truth, or where there is
            nothing to find.
        same_objects, same_relations: shares that both tell alike, 0 to 1; None where neither tells
            anything.
        latency_ms: None where it was not stored.
        lost, gained: objects and relations that the first alone tells, or the second, as in `cup`
            and `cup on dining table`; with a truth followed by (right) or (wrong).
    """

    source: str
    stamp: float
    objects: tuple[float | None, float | None]
    relations: tuple[float | None, float | None]
    same_objects: float | None
    same_relations: float | None
    latency_ms: tuple[float | None, float | None]
    lost: list[str]
    gained: list[str]

    @property
    def loss(self) -> float | None:
        """By how much the second's F1 of relations is worse, -1 to 1; None without a truth."""
        first, second = self.relations
        return None if first is None or second is None else first - second


class NameCounts(NamedTuple):
    """How often both runs tell of a class or predicate, over all frames.

    Attributes:
        first, second: told by each.
        both: told by both alike.
        true: in the truth; 0 without a truth, as are the others below.
        first_right, second_right: told by each, and true.
    """

    first: int
    second: int
    both: int
    true: int
    first_right: int
    second_right: int


Alone = tuple[list[int], list[Triple]]
"""Objects that one of two graphs alone has, and relations of objects that both have."""


@dataclass(frozen=True, eq=False)
class Trio:
    """What both runs and the truth say of a frame, and which objects are the same.

    Attributes:
        first, second: what each run says.
        same: the objects of the first that the second has, too.
        true: the truth; None without.
        first_true, second_true: the objects of each that are true.
    """

    first: Seen
    second: Seen
    same: Same
    true: Seen | None = None
    first_true: Same = field(default_factory=dict)
    second_true: Same = field(default_factory=dict)

    @cached_property
    def shared(self) -> set[Triple]:
        """The relations of the first that the second has, too."""
        return _alike(self.first, self.second, self.same)

    @cached_property
    def first_right(self) -> set[Triple]:
        """The relations of the first that are true; none without a truth."""
        return _alike(self.first, self.true, self.first_true)

    @cached_property
    def second_right(self) -> set[Triple]:
        """The relations of the second that are true; none without a truth."""
        return _alike(self.second, self.true, self.second_true)

    @cached_property
    def lost(self) -> Alone:
        """What the first alone has."""
        return _alone(self.first, self.same, self.shared)

    @cached_property
    def gained(self) -> Alone:
        """What the second alone has."""
        back = {b: a for a, b in self.same.items()}
        return _alone(self.second, back, _alike(self.second, self.first, back))


def _alike(one: Seen, other: Seen | None, same: Same) -> set[Triple]:
    """The relations of one graph that the other has, too."""
    return {
        (a, predicate, b)
        for a, predicate, b in one.relations
        if other and (same.get(a), predicate, same.get(b)) in other.relations
    }


def _alone(one: Seen, same: Same, shared: set[Triple]) -> Alone:
    relations = sorted(one.relations - shared)
    return (
        [number for number in range(len(one.objects)) if number not in same],
        [(a, predicate, b) for a, predicate, b in relations if a in same and b in same],
    )


def changes(trio: Trio) -> tuple[list[str], list[str]]:
    """`FramePair.lost` and `FramePair.gained`; relations of lost and new objects go without."""
    has_truth = trio.true is not None
    return (
        _words(trio.first, trio.lost, (trio.first_true, trio.first_right), has_truth),
        _words(trio.second, trio.gained, (trio.second_true, trio.second_right), has_truth),
    )


def _words(seen: Seen, alone: Alone, right: tuple, has_truth: bool) -> list[str]:
    """Objects and relations in words; `right` are those that are true."""
    objects, relations = alone
    labels = [label for label, _ in seen.objects]
    words = [labels[number] for number in objects]
    words += [f"{labels[a]} {predicate} {labels[b]}" for a, predicate, b in relations]
    if not has_truth:
        return words
    true_objects, true_relations = right
    marks = [number in true_objects for number in objects]
    marks += [relation in true_relations for relation in relations]
    return [f"{w} ({'right' if m else 'wrong'})" for w, m in zip(words, marks, strict=True)]


def tallies(trios: list[Trio]) -> tuple[dict[str, NameCounts], dict[str, NameCounts]]:
    """By class and by predicate, the most frequent ones first."""
    classes = [
        (
            _labels(trio.first),
            _labels(trio.second),
            _labels(trio.first, trio.same),
            _labels(trio.true) if trio.true else [],
            _labels(trio.first, trio.first_true),
            _labels(trio.second, trio.second_true),
        )
        for trio in trios
    ]
    predicates = [
        tuple(
            [predicate for _, predicate, _ in told]
            for told in (
                trio.first.relations,
                trio.second.relations,
                trio.shared,
                trio.true.relations if trio.true else (),
                trio.first_right,
                trio.second_right,
            )
        )
        for trio in trios
    ]
    return _counted(classes), _counted(predicates)


def bins_of_runs(trios: list[Trio]) -> tuple[list[dict], list[dict]]:
    """How often the relations of each run are true, by their score: see `score_bins`."""
    found = []
    sides = (
        [(trio.first, trio.first_right) for trio in trios],
        [(trio.second, trio.second_right) for trio in trios],
    )
    for side in sides:
        scores, true = [], []
        for seen, right in side:
            scores += seen.scores.values()
            true += [relation in right for relation in seen.scores]
        found.append(score_bins(np.array(scores), np.array(true, bool)))
    return found[0], found[1]


def known(values: np.ndarray) -> list[float | None]:
    """Numbers, None in place of NaN."""
    return [None if np.isnan(value) else value for value in values.tolist()]


def pairs_of(sides: list[np.ndarray], frames: int) -> list[tuple[float | None, float | None]]:
    """A pair for each frame of what two runs have; of nothing where there are no sides."""
    if not sides:
        return [(None, None)] * frames
    return list(zip(*map(known, sides), strict=True))


def _labels(seen: Seen, which: Iterable[int] | None = None) -> list[str]:
    chosen = range(len(seen.objects)) if which is None else which
    return [seen.objects[number][0] for number in chosen]


def _counted(frames: list[tuple[list[str], ...]]) -> dict[str, NameCounts]:
    """Frames with a list of names for each field of `NameCounts`."""
    columns = [Counter() for _ in NameCounts._fields]
    for frame in frames:
        for column, names in zip(columns, frame, strict=True):
            column.update(names)
    names = sorted(set().union(*columns))
    found = {name: NameCounts(*(column[name] for column in columns)) for name in names}
    return dict(sorted(found.items(), key=lambda item: -max(item[1].true, *item[1][:2])))
