"""Two runs frame by frame, and by the names of objects and relations."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from dsflash_ros.evaluation.runs import Seen
from dsflash_ros.evaluation.score_bins import score_bins

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


class Trio(NamedTuple):
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
    first_true: Same = {}  # noqa: RUF012  (it is never changed)
    second_true: Same = {}  # noqa: RUF012


def alike(one: Seen, other: Seen, same: Same) -> set[tuple[int, str, int]]:
    """The relations of one graph that the other has, too."""
    return {
        (a, predicate, b)
        for a, predicate, b in one.relations
        if (same.get(a), predicate, same.get(b)) in other.relations
    }


def changes(trio: Trio) -> tuple[list[str], list[str]]:
    """`FramePair.lost` and `FramePair.gained`; relations of lost and new objects go without."""
    back = {b: a for a, b in trio.same.items()}
    return (
        _told_alone(trio.first, trio.second, trio.same, trio.true, trio.first_true),
        _told_alone(trio.second, trio.first, back, trio.true, trio.second_true),
    )


def _told_alone(one: Seen, other: Seen, same: Same, true: Seen | None, of_true: Same) -> list[str]:
    def marked(words: str, is_right: bool) -> str:
        return words if true is None else f"{words} ({'right' if is_right else 'wrong'})"

    labels = [label for label, _ in one.objects]
    right = alike(one, true, of_true) if true else set()
    found = [
        marked(label, number in of_true)
        for number, label in enumerate(labels)
        if number not in same
    ]
    for relation in sorted(one.relations - alike(one, other, same)):
        a, predicate, b = relation
        if a in same and b in same:
            found.append(marked(f"{labels[a]} {predicate} {labels[b]}", relation in right))
    return found


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
                alike(trio.first, trio.second, trio.same),
                trio.true.relations if trio.true else (),
                alike(trio.first, trio.true, trio.first_true) if trio.true else (),
                alike(trio.second, trio.true, trio.second_true) if trio.true else (),
            )
        )
        for trio in trios
    ]
    return _counted(classes), _counted(predicates)


def bins_of_runs(trios: list[Trio]) -> tuple[list[dict], list[dict]]:
    """How often the relations of each run are true, by their score: see `score_bins`."""
    found = []
    for run, same in (("first", "first_true"), ("second", "second_true")):
        scores, true = [], []
        for trio in trios:
            seen = getattr(trio, run)
            right = alike(seen, trio.true, getattr(trio, same))
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
