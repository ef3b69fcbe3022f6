"""What runs over images, and true graphs, say of each frame."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dsflash_ros.errors import EvaluationError
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.sources.bag_truth import true_graphs

Place = tuple[str, int]
"""Source and stamp, microseconds, of a frame."""


@dataclass(frozen=True)
class Seen:
    """What a graph says, by names: `objects` are (label, box), `relations` (from, predicate, to).

    The ends of relations are numbers of objects. `scores` are those of the relations, 0 to 1, where
    they are known.
    """

    objects: list[tuple[str, Sequence[int]]]
    relations: set[tuple[int, str, int]]
    latency_ms: float | None = None
    scores: dict[tuple[int, str, int], float] = field(default_factory=dict)

    @classmethod
    def of_line(cls, line: dict) -> "Seen":
        """A line of `scene_graph.jsonl`."""
        number = {node["id"]: index for index, node in enumerate(line["nodes"])}
        scores = {
            (number[r["subject"]], r["predicate"], number[r["object"]]): r.get("score")
            for r in line["relations"]
            if r["source"] != "geometric"
        }
        return cls(
            [(node["label"], node["box"]) for node in line["nodes"]],
            set(scores),
            line["latency_ms"].get("total"),
            {relation: score for relation, score in scores.items() if score is not None},
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
        return {(line["source"], microseconds(line["stamp"])): Seen.of_line(line) for line in found}
    except (OSError, UnicodeDecodeError) as error:
        raise EvaluationError(
            f"{path} is no run: give a folder of dsflash run or dsflash replay, or its "
            f"scene_graph.jsonl ({getattr(error, 'strerror', None) or error})"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EvaluationError(f"{file} is damaged, or no scene_graph.jsonl: {error}") from error


def run_of(graphs: Iterable[SceneGraph]) -> Run:
    """The frames of graphs that were just made."""
    lines = (graph.to_json() for graph in graphs)
    return {(line["source"], microseconds(line["stamp"])): Seen.of_line(line) for line in lines}


def truth_of_bag(bag: Path) -> dict[int, Seen]:
    """The true graphs of a bag, by their stamps; empty where it has none. Raises `SourceError`."""
    return {microseconds(graph.stamp): Seen.of_graph(graph) for graph in true_graphs(bag)}


def microseconds(stamp: float) -> int:
    """Seconds as a whole number of microseconds, which two readings of a stamp have in common."""
    return round(1e6 * stamp)
