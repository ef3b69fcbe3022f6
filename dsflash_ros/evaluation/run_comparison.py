"""Two runs over the same images beside each other: what changed, and whether it is better."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np

from dsflash_ros.errors import EvaluationError
from dsflash_ros.evaluation.bootstrap import Difference, block_of, paired_difference
from dsflash_ros.evaluation.tracking import box_iou, matches
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.sources.bag_truth import true_graphs

_WORST = 10

Place = tuple[str, int]
"""Source and stamp, microseconds, of a frame."""


@dataclass(frozen=True)
class Seen:
    """What a graph says, by names: `objects` are (label, box), `relations` (from, predicate, to).

    The ends of relations are numbers of objects.
    """

    objects: list[tuple[str, Sequence[int]]]
    relations: set[tuple[int, str, int]]
    latency_ms: float | None = None

    @classmethod
    def of_line(cls, line: dict) -> "Seen":
        """A line of `scene_graph.jsonl`."""
        number = {node["id"]: index for index, node in enumerate(line["nodes"])}
        return cls(
            [(node["label"], node["box"]) for node in line["nodes"]],
            {
                (number[r["subject"]], r["predicate"], number[r["object"]])
                for r in line["relations"]
                if r["source"] != "geometric"
            },
            line["latency_ms"].get("total"),
        )

    @classmethod
    def of_graph(cls, graph: SceneGraph) -> "Seen":
        """A graph, such as the truth."""
        number = {node.id: index for index, node in enumerate(graph.nodes)}
        return cls(
            [(node.label, node.box) for node in graph.nodes],
            {(number[r.subject], r.predicate, number[r.object]) for r in graph.relations},
        )


Run = dict[Place, Seen]
"""The frames of a run, in their order."""


def read_run(path: Path) -> Run:
    """The frames of a folder with `scene_graph.jsonl`, or of such a file.

    Raises `EvaluationError` when there is none, or it is damaged.
    """
    file = path / "scene_graph.jsonl" if path.is_dir() else path
    try:
        with file.open() as lines:
            found = [json.loads(line) for line in lines]
        return {
            (line["source"], _microseconds(line["stamp"])): Seen.of_line(line) for line in found
        }
    except (OSError, UnicodeDecodeError) as error:
        raise EvaluationError(
            f"{path} is no run: give a folder of dsflash run or dsflash replay, or its "
            f"scene_graph.jsonl ({getattr(error, 'strerror', None) or error})"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EvaluationError(f"{file} is damaged, or no scene_graph.jsonl: {error}") from error


def run_of(graphs: Iterable[SceneGraph]) -> Run:
    """The frames of graphs that were just made."""
    lines = ((graph.source, graph.to_json()) for graph in graphs)
    return {(source, _microseconds(line["stamp"])): Seen.of_line(line) for source, line in lines}


def truth_of_bag(bag: Path) -> dict[int, Seen]:
    """The true graphs of a bag, by their stamps; empty where it has none. Raises `SourceError`."""
    return {_microseconds(graph.stamp): Seen.of_graph(graph) for graph in true_graphs(bag)}


def _microseconds(stamp: float) -> int:
    return round(1e6 * stamp)


@dataclass
class RunComparison:
    """What `compare_runs` finds.

    Attributes:
        frames: in both runs.
        only: frames in one run alone, first and second.
        scores: by name; F1 against the truth where there is one.
        same: shares of objects and of relations that both runs tell alike, 0 to 1.
        appeared, vanished: objects and relations by name, told by the second alone, by the first.
        latency_ms: medians.
        worst: stamps, seconds, where the second is most behind the first; with a truth.
    """

    frames: int
    only: tuple[int, int]
    scores: dict[str, Difference]
    same: dict[str, float]
    appeared: Counter = field(default_factory=Counter)
    vanished: Counter = field(default_factory=Counter)
    latency_ms: tuple[float | None, float | None] = (None, None)
    worst: list[float] = field(default_factory=list)


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
    pairs = [(first[place], second[place]) for place in places]
    pairs = [(one, other, _same(one, other)) for one, other in pairs]
    counts = np.array([_agreement(*pair) for pair in pairs])
    block = block_of([stamp / 1e6 for _, stamp in places])
    found = RunComparison(
        frames=len(places),
        only=(len(first) - len(places), len(second) - len(places)),
        scores={},
        same={
            "objects": float(_f1(counts[:, :3].sum(0))),
            "relations": float(_f1(counts[:, 3:].sum(0))),
        },
        latency_ms=tuple(_latency(run[place] for place in places) for run in (first, second)),
    )
    for pair in pairs:
        _count_changes(*pair, found)
    if truth is not None:
        of_truth = [
            np.array([_beside(run[place], truth[place[1]]) for place in places])
            for run in (first, second)
        ]
        confidence = 1 - 0.05 / 2  # two scores are looked at
        for name, part in (("objects", slice(0, 3)), ("relations", slice(3, 6))):
            sides = (counts[:, part] for counts in of_truth)
            found.scores[f"F1 of {name}"] = paired_difference(*sides, _f1, block, confidence)
        behind = _f1(of_truth[0][:, 3:]) - _f1(of_truth[1][:, 3:])
        order = np.argsort(-np.nan_to_num(behind, nan=0.0), kind="stable")[:_WORST]
        found.worst = [places[k][1] / 1e6 for k in order.tolist() if behind[k] > 0]
    return found


def _same(one: Seen, other: Seen) -> dict[int, int]:
    """Objects of one graph, and which of the other's are the same."""
    return dict(matches(_overlaps(one, other)))


def _agreement(one: Seen, other: Seen, same: dict[int, int]) -> tuple[int, ...]:
    """Objects in both, in one, in the other; relations in both, in one, in the other."""
    told = {(same.get(a), predicate, same.get(b)) for a, predicate, b in one.relations}
    return (
        len(same),
        len(one.objects),
        len(other.objects),
        len(told & other.relations),
        len(one.relations),
        len(other.relations),
    )


def _beside(one: Seen, true: Seen) -> tuple[int, ...]:
    return _agreement(one, true, _same(one, true))


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


def _count_changes(one: Seen, other: Seen, same: dict[int, int], found: RunComparison) -> None:
    back = {b: a for a, b in same.items()}
    found.vanished.update(label for i, (label, _) in enumerate(one.objects) if i not in same)
    found.appeared.update(label for i, (label, _) in enumerate(other.objects) if i not in back)
    for a, predicate, b in one.relations:
        if a in same and b in same and (same[a], predicate, same[b]) not in other.relations:
            found.vanished[f"… {predicate} …"] += 1
    for a, predicate, b in other.relations:
        if a in back and b in back and (back[a], predicate, back[b]) not in one.relations:
            found.appeared[f"… {predicate} …"] += 1


def _latency(frames: Iterable[Seen]) -> float | None:
    known = [frame.latency_ms for frame in frames if frame.latency_ms is not None]
    return median(known) if known else None
