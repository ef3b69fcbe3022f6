"""How good tracks and steadied graphs are, over the frames of a recording."""

import contextlib
import io
from collections.abc import Iterable
from itertools import pairwise
from statistics import median

import numpy as np

from dsflash_ros.errors import EvaluationError
from dsflash_ros.graph.scene_graph import Node, SceneGraph

LEAST_IOU = 0.5
"""Two nodes show the same object if their class is the same and their boxes overlap by so much."""

_LASTING = 5
"""Frames; the delay is told of relations that hold for so long."""

Told = tuple[int, int, int]
"""True track ids of subject and object, and the predicate."""


class Agreement:
    """Objects and relations of graphs beside the true ones."""

    def __init__(self) -> None:
        self._objects, self._relations = np.zeros(3, int), np.zeros(3, int)  # both, told, true
        self.told: list[set[Told]] = []

    def add(self, graph: SceneGraph, truth: SceneGraph) -> None:
        """Count a frame."""
        same = matches(graph.nodes, truth.nodes)
        true = relations_of(truth, {node.id: node.track_id for node in truth.nodes})
        told = relations_of(graph, {found.id: real.track_id for found, real in same})
        self._objects += len(same), len(graph.nodes), len(truth.nodes)
        self._relations += len(told & true), len(graph.relations), len(true)
        self.told.append(told)

    def results(self) -> dict:
        """`objects` and `relations`: precision, recall and F1, 0 to 1; None where nothing is."""
        return {"objects": _scores(self._objects), "relations": _scores(self._relations)}


class TrackingEvaluator:
    """Compares graphs with and without tracking, and tracks, with the truth.

    The truth's nodes have track ids. Identities are judged by TrackEval (HOTA, IDF1 and identity
    switches; Luiten et al., IJCV 2021), classes apart.
    """

    def __init__(self) -> None:
        self._raw, self._tracked = Agreement(), Agreement()
        self._truth: list[set[Told]] = []
        self._frames: list[tuple[list[int], list[int], np.ndarray]] = []

    def add(self, truth: SceneGraph, raw: SceneGraph, tracked: SceneGraph) -> None:
        """Count a frame. Raises `EvaluationError` when the truth has no track ids."""
        if any(node.track_id is None for node in truth.nodes):
            raise EvaluationError(
                "the true graphs have no track ids: record the drive anew with "
                "`dsflash toyroom camera --record`"
            )
        self._raw.add(raw, truth)
        self._tracked.add(tracked, truth)
        self._truth.append(relations_of(truth, {n.id: n.track_id for n in truth.nodes}))
        similarity = np.array(
            [[_similarity(real, found) for found in tracked.nodes] for real in truth.nodes]
        ).reshape(len(truth.nodes), len(tracked.nodes))
        ids = [[node.track_id for node in graph.nodes] for graph in (truth, tracked)]
        self._frames.append((*ids, similarity))

    def results(self) -> dict:
        """All scores.

        `HOTA`, `IDF1` 0 to 1; `switches`: in 100 frames; `raw` and `tracked`: see `Agreement`, and
        `changes`, relations that begin or end for each that truly does; `delay`: median frames from
        the beginning of a relation until it is told, None if none is.

        Raises `EvaluationError` when TrackEval is not installed, or there is no frame.
        """
        if not self._frames:
            raise EvaluationError("no frame has a true graph")
        true_changes = max(_changes(self._truth), 1)
        sides = {}
        for name, side in (("raw", self._raw), ("tracked", self._tracked)):
            sides[name] = {**side.results(), "changes": _changes(side.told) / true_changes}
        return {
            "frames": len(self._frames),
            **_identities(self._frames),
            **sides,
            "delay": _delay(self._truth, self._tracked.told),
        }


def matches(found: Iterable[Node], true: Iterable[Node]) -> list[tuple[Node, Node]]:
    """Nodes that show the same object, the best pairs first; each node once."""
    pairs = [(_similarity(a, b), a, b) for a in found for b in true]
    pairs.sort(key=lambda pair: -pair[0])
    same, used = [], set()
    for overlap, a, b in pairs:
        if overlap >= LEAST_IOU and ("found", a.id) not in used and ("true", b.id) not in used:
            used |= {("found", a.id), ("true", b.id)}
            same.append((a, b))
    return same


def relations_of(graph: SceneGraph, names: dict[int, int]) -> set[Told]:
    """The relations between nodes that have a name, with the names in place of ids."""
    return {
        (names[r.subject], names[r.object], r.predicate_id)
        for r in graph.relations
        if r.subject in names and r.object in names
    }


def _similarity(a: Node, b: Node) -> float:
    """Intersection over union of the boxes; 0 for other classes."""
    if a.class_id != b.class_id:
        return 0.0
    width = min(a.box[2], b.box[2]) - max(a.box[0], b.box[0])
    height = min(a.box[3], b.box[3]) - max(a.box[1], b.box[1])
    shared = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a.box, b.box)]
    return shared / (sum(areas) - shared)


def _scores(counts: np.ndarray) -> dict[str, float | None]:
    both, told, true = counts.tolist()
    return {
        "precision": both / told if told else None,
        "recall": both / true if true else None,
        "F1": 2 * both / (told + true) if told + true else None,
    }


def _changes(told: list[set[Told]]) -> int:
    """How many relations begin or end from frame to frame."""
    return sum(len(one ^ other) for one, other in pairwise(told))


def _delay(truth: list[set[Told]], told: list[set[Told]]) -> float | None:
    delays = []
    for frame in range(1, len(truth) - _LASTING):
        for relation in truth[frame] - truth[frame - 1]:
            if not all(relation in later for later in truth[frame : frame + _LASTING]):
                continue
            for later in range(frame, len(truth)):
                if relation not in truth[later]:
                    break
                if relation in told[later]:
                    delays.append(later - frame)
                    break
    return median(delays) if delays else None


def _identities(frames: list[tuple[list[int], list[int], np.ndarray]]) -> dict[str, float]:
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it tells of data sets that it cannot read
            from trackeval.metrics import CLEAR, HOTA, Identity
    except ImportError as error:
        raise EvaluationError(
            "scores of tracks need TrackEval: pip install --no-deps trackeval"
        ) from error
    data = _trackeval_data(frames)
    with contextlib.redirect_stdout(io.StringIO()):
        quiet = {"PRINT_CONFIG": False}
        identity = Identity(quiet).eval_sequence(data)
        clear = CLEAR(quiet).eval_sequence(data)
        hota = HOTA().eval_sequence(data)
    return {
        "HOTA": float(np.mean(hota["HOTA"])),
        "IDF1": float(identity["IDF1"]),
        "switches": 100 * float(clear["IDSW"]) / len(frames),
    }


def _trackeval_data(frames: list[tuple[list[int], list[int], np.ndarray]]) -> dict:
    """What TrackEval's metrics take: ids from 0 on, and similarities, frame by frame."""
    columns = {}
    for side, name in enumerate(("gt", "tracker")):
        used = sorted({track for frame in frames for track in frame[side]})
        number = {track: index for index, track in enumerate(used)}
        ids = [np.array([number[track] for track in frame[side]], int) for frame in frames]
        columns[f"{name}_ids"], columns[f"num_{name}_ids"] = ids, len(used)
        columns[f"num_{name}_dets"] = sum(map(len, ids))
    similarity = [frame[2] for frame in frames]
    return {**columns, "similarity_scores": similarity, "num_timesteps": len(frames)}
