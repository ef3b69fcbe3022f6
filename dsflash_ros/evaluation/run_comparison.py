"""Two runs over the same images beside each other: what changed, and whether it is better."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from dsflash_ros.errors import EvaluationError
from dsflash_ros.evaluation.bootstrap import Difference, block_of, paired_difference
from dsflash_ros.evaluation.compared_frames import (
    Alone,
    FramePair,
    NameCounts,
    Trio,
    bins_of_runs,
    changes,
    known,
    pairs_of,
    tallies,
)
from dsflash_ros.evaluation.runs import Run, Seen
from dsflash_ros.evaluation.tracking import box_iou, matches

_WORST = 10


@dataclass
class RunComparison:
    """What `compare_runs` finds.

    Attributes:
        frames: in both runs.
        only: frames in one run alone, first and second.
        scores: by name; F1 against the truth where there is one.
        same: shares of objects and of relations that both runs tell alike, 0 to 1; None where
            neither tells any.
        appeared, vanished: objects and relations by name, told by the second alone, by the first.
        latency_ms: medians.
        worst: stamps, seconds, where the second is most behind the first; with a truth.
        per_class, per_predicate: how often both tell of each, the most frequent first.
        score_bins: of the relations of both, see `score_bins`; empty without a truth.
        series: each frame.
    """

    frames: int
    only: tuple[int, int]
    scores: dict[str, Difference]
    same: dict[str, float | None]
    appeared: Counter = field(default_factory=Counter)
    vanished: Counter = field(default_factory=Counter)
    latency_ms: tuple[float | None, float | None] = (None, None)
    worst: list[float] = field(default_factory=list)
    per_class: dict[str, NameCounts] = field(default_factory=dict)
    per_predicate: dict[str, NameCounts] = field(default_factory=dict)
    score_bins: tuple[list[dict], list[dict]] = ((), ())
    series: list[FramePair] = field(default_factory=list)


def compare_runs(first: Run, second: Run, truth: dict[int, Seen] | None = None) -> RunComparison:
    """Compare the frames that both runs have, and the truth, if it is given, by its stamps.

    Raises `EvaluationError` when they have no frame in common.
    """
    places = [place for place in first if place in second]
    if truth is not None:
        places = [place for place in places if place[1] in truth]
    if not places:
        raise EvaluationError(
            "the runs have no frame in common: are they of the same bag or images, with the same "
            "stamps and topic?" + ("" if truth is None else " Is the truth?")
        )
    trios = [_trio(first[place], second[place], (truth or {}).get(place[1])) for place in places]
    counts = np.array(
        [_agreement(trio.first, trio.second, trio.same, trio.shared) for trio in trios]
    )
    of_truth = _beside_truth(trios) if truth is not None else ()
    block = block_of([stamp / 1e6 for _, stamp in places])
    found = RunComparison(
        frames=len(places),
        only=(len(first) - len(places), len(second) - len(places)),
        scores=_scores(of_truth, block) if of_truth else {},
        same=dict(
            zip(("objects", "relations"), known(_f1(counts.sum(0).reshape(2, 3))), strict=True)
        ),
        latency_ms=tuple(_latency(run[place] for place in places) for run in (first, second)),
        series=[
            FramePair(source, stamp / 1e6, *rest)
            for (source, stamp), *rest in zip(
                places,
                pairs_of([_f1(side[:, :3]) for side in of_truth], len(places)),
                pairs_of([_f1(side[:, 3:]) for side in of_truth], len(places)),
                known(_f1(counts[:, :3])),
                known(_f1(counts[:, 3:])),
                [(trio.first.latency_ms, trio.second.latency_ms) for trio in trios],
                *zip(*map(changes, trios), strict=True),
                strict=True,
            )
        ],
    )
    found.per_class, found.per_predicate = tallies(trios)
    for trio in trios:
        found.vanished.update(_names(trio.first, trio.lost))
        found.appeared.update(_names(trio.second, trio.gained))
    if of_truth:
        found.score_bins = bins_of_runs(trios)
        behind = sorted(found.series, key=lambda frame: -(frame.loss or 0.0))[:_WORST]
        found.worst = [frame.stamp for frame in behind if (frame.loss or 0.0) > 0]
    return found


def _trio(one: Seen, other: Seen, true: Seen | None) -> Trio:
    if true is None:
        return Trio(one, other, _same(one, other))
    return Trio(one, other, _same(one, other), true, _same(one, true), _same(other, true))


def _beside_truth(trios: list[Trio]) -> tuple[np.ndarray, np.ndarray]:
    """The `_agreement` of each run with the truth, (frames, 6) each."""
    return (
        np.array([_agreement(t.first, t.true, t.first_true, t.first_right) for t in trios]),
        np.array([_agreement(t.second, t.true, t.second_true, t.second_right) for t in trios]),
    )


def _scores(of_truth: tuple[np.ndarray, np.ndarray], block: int) -> dict[str, Difference]:
    confidence = 1 - 0.05 / 2  # two scores are looked at
    return {
        f"F1 of {name}": paired_difference(
            *(counts[:, part] for counts in of_truth), _f1, block, confidence
        )
        for name, part in (("objects", slice(0, 3)), ("relations", slice(3, 6)))
    }


def _same(one: Seen, other: Seen) -> dict[int, int]:
    """Objects of one graph, and which of the other's are the same."""
    return dict(matches(_overlaps(one, other)))


def _agreement(one: Seen, other: Seen, same: Mapping[int, int], alike: set) -> tuple[int, ...]:
    """Objects in both, in one, in the other; relations in both, in one, in the other."""
    return (
        len(same),
        len(one.objects),
        len(other.objects),
        len(alike),
        len(one.relations),
        len(other.relations),
    )


def _overlaps(one: Seen, other: Seen) -> np.ndarray:
    found = [
        [box_iou(a, b) if label == name else 0.0 for name, b in other.objects]
        for label, a in one.objects
    ]
    return np.array(found, float).reshape(len(one.objects), len(other.objects))


def _f1(counts: np.ndarray) -> np.ndarray:
    """(..., 3) both, one, other, to 2 both / (one + other); NaN where there is nothing."""
    total = counts[..., 1] + counts[..., 2]
    return np.where(total > 0, 2 * counts[..., 0] / np.maximum(total, 1), np.nan)


def _names(seen: Seen, alone: Alone) -> list[str]:
    """Classes of the objects, and predicates of the relations, that one graph alone has."""
    objects, relations = alone
    labels = [seen.objects[number][0] for number in objects]
    return [*labels, *(f"… {predicate} …" for _, predicate, _ in relations)]


def _latency(frames: Iterable[Seen]) -> float | None:
    known = [frame.latency_ms for frame in frames if frame.latency_ms is not None]
    return median(known) if known else None
