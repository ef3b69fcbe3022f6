"""How good tracks and steadied graphs are, over the frames of a recording."""

import contextlib
import io
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

import numpy as np

from dsflash_ros.errors import EvaluationError
from dsflash_ros.evaluation.position_errors import PositionErrors
from dsflash_ros.graph.label_maps import node_labels
from dsflash_ros.graph.scene_graph import SceneGraph

LEAST_IOU = 0.5
"""Two nodes show the same object if their class is the same and they overlap by so much."""

_LASTING = 5
"""Frames; the delay is told of relations that hold for so long."""

Told = tuple[int, int, int]
"""True track ids of subject and object, and the predicate."""


class Agreement:
    """Objects and relations of graphs beside the true ones."""

    def __init__(self) -> None:
        self._objects, self._relations = np.zeros(3, int), np.zeros(3, int)  # both, told, true
        self.told: list[set[Told]] = []

    def add(self, graph: SceneGraph, truth: SceneGraph, same: Sequence[tuple[int, int]]) -> None:
        """Count a frame; `same` are the places of true nodes and of those that show them."""
        names = {graph.nodes[column].id: truth.nodes[row].track_id for row, column in same}
        true = relations_of(truth, {node.id: node.track_id for node in truth.nodes})
        told = relations_of(graph, names)
        self._objects += len(names), len(graph.nodes), len(truth.nodes)
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
        self._positions = PositionErrors()

    def add(self, truth: SceneGraph, raw: SceneGraph, tracked: SceneGraph) -> None:
        """Count a frame; all graphs are of its size.

        Raises `EvaluationError` when the truth has no track ids.
        """
        if any(node.track_id is None for node in truth.nodes):
            raise EvaluationError(
                "the true graphs have no track ids: record the drive anew with "
                "`dsflash toyroom camera --record`"
            )
        overlap = overlaps(truth, tracked)
        same = matches(overlap)
        self._raw.add(raw, truth, matches(overlaps(truth, raw)))
        self._tracked.add(tracked, truth, same)
        self._truth.append(relations_of(truth, {n.id: n.track_id for n in truth.nodes}))
        ids = [[node.track_id for node in graph.nodes] for graph in (truth, tracked)]
        self._frames.append((*ids, overlap))
        pairs = ((truth.nodes[row], tracked.nodes[column]) for row, column in same)
        self._positions.add(truth, tracked, pairs)

    def results(self) -> dict:
        """All scores.

        `HOTA`, `IDF1` 0 to 1, None where no frame has a node; `switches`: in 100 frames; `raw` and
        `tracked`: see `Agreement`, and `changes`, relations that begin or end for each that truly
        does; `delay`: median frames from the beginning of a relation until it is told, None if none
        is; `positions`: see `PositionErrors`.

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
            "positions": self._positions.results(),
        }


def overlaps(truth: SceneGraph, graph: SceneGraph) -> np.ndarray:
    """(T, S) float, 0 to 1: how far true nodes and a graph's nodes are the same; 0 across classes.

    That is intersection over union of their masks; of their boxes where the truth has no panoptic
    map, and for nodes without a pixel (the tracker holds them).
    """
    maps = [
        node_labels(graph.panoptic, [node.id for node in graph.nodes]) + 1
        for graph in (truth, graph)
    ]
    size = len(truth.nodes), len(graph.nodes)
    wide = size[1] + 1
    counts = np.bincount((maps[0] * wide + maps[1]).ravel(), minlength=(size[0] + 1) * wide)
    counts = counts.reshape(size[0] + 1, wide)  # the first row and column: nothing is there
    shared, areas, found = counts[1:, 1:], counts.sum(1)[1:, None], counts.sum(0)[1:]
    masks = shared / np.maximum(areas + found - shared, 1)
    has_masks = (areas > 0) & (found > 0)
    boxes = np.array([[box_iou(a.box, b.box) for b in graph.nodes] for a in truth.nodes])
    same = np.array([[a.class_id == b.class_id for b in graph.nodes] for a in truth.nodes])
    return np.where(has_masks, masks, boxes.reshape(size)) * same.reshape(size)


def matches(overlap: np.ndarray) -> list[tuple[int, int]]:
    """Rows and columns that show the same object, the best pairs first; each once."""
    rows, columns = np.nonzero(overlap >= LEAST_IOU)
    best = np.argsort(-overlap[rows, columns], kind="stable")
    same: dict[int, int] = {}
    for row, column in zip(rows[best].tolist(), columns[best].tolist(), strict=True):
        if row not in same and column not in same.values():
            same[row] = column
    return list(same.items())


def relations_of(graph: SceneGraph, names: dict[int, int]) -> set[Told]:
    """The relations between nodes that have a name, with the names in place of ids."""
    return {
        (names[r.subject], names[r.object], r.predicate_id)
        for r in graph.relations
        if r.subject in names and r.object in names
    }


def box_iou(a: Sequence[int], b: Sequence[int]) -> float:
    """Intersection over union of boxes x0, y0, x1, y1, the last two exclusive; 0 of empty ones."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return shared / max(sum(areas) - shared, 1)


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
    for frame in range(1, len(truth) - _LASTING + 1):
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


def _identities(
    frames: list[tuple[list[int], list[int], np.ndarray]],
) -> dict[str, float | None]:
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
    is_known = data["num_gt_dets"] + data["num_tracker_dets"] > 0
    return {
        "HOTA": float(np.mean(hota["HOTA"])) if is_known else None,
        "IDF1": float(identity["IDF1"]) if is_known else None,
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
