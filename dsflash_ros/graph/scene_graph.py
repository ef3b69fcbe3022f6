"""The result type: who and what is in view, and how each relates to each.

Imports neither torch nor ROS.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import networkx

    from dsflash_ros.graph.vocabulary import Vocabulary
    from dsflash_ros.planning.pddl_mapping import PddlMapping
    from dsflash_ros.planning.query import Answers

NOTHING = -1
"""Value of `SceneGraph.panoptic` where no segment is."""

TRUTH = "truth"
"""`SceneGraph.weights` of a graph that no model made: annotations, or a simulator's state."""

LEARNED, GEOMETRIC = "learned", "geometric"
"""Values of `Relation.source`; a relation of a true graph has `TRUTH`."""

MAX_NODE_ID = 0xFFFF
"""Node ids fill the low 16 bits of a packed panoptic pixel."""


@dataclass(frozen=True, slots=True)
class Node:
    """A segment of the image: one thing, or all stuff of one class.

    Attributes:
        id: unique in its graph, 0 to 65535.
        class_id: index in `Vocabulary.classes`.
        label: the class's name.
        is_thing: countable object (True) or stuff (False).
        score: confidence in the class, 0 to 1.
        box: tightest box around the mask, pixels of the source image: (x0, y0, x1, y1), x1 and y1
            exclusive.
        area: pixels of the mask.
        centroid: mean (x, y) of the mask's pixel centres, pixels; the centre of the top left pixel
            is (0.5, 0.5).
        track_id: which object this is, the same in all graphs of a tracker; None without tracking.
        first_seen, last_seen: seconds, stamps of the track's first and last observation. In between
            a node may be in the graph although its image does not show it.
        observations: in how many images the track was seen.
        position: metres, (x, y, z) of the middle of what is seen of it, in the graph's
            `position_frame`; None where that is not known.
        extent: metres, size along the axes of that frame.
        distance: metres from the camera to the position.
    """

    id: int
    class_id: int
    label: str
    is_thing: bool
    score: float
    box: tuple[int, int, int, int]
    area: int
    centroid: tuple[float, float]
    track_id: int | None = None
    first_seen: float | None = None
    last_seen: float | None = None
    observations: int = 0
    position: tuple[float, float, float] | None = None
    extent: tuple[float, float, float] | None = None
    distance: float | None = None

    @property
    def name(self) -> str:
        """Unique readable name, as in `cup_3`; the number is the track's where there is one."""
        return f"{self.label}_{self.id if self.track_id is None else self.track_id}"


@dataclass(frozen=True, slots=True)
class Relation:
    """A directed relation between two nodes, `subject predicate object`.

    Attributes:
        subject, object: node ids.
        predicate_id: index in `Vocabulary.predicates`.
        predicate: the predicate's name.
        score: confidence that it holds, 0 to 1; a probability where the weights are calibrated.
        source: `LEARNED`, `GEOMETRIC` (computed from masks and positions) or `TRUTH`.
        since: seconds, the stamp at which it began; None without tracking.
    """

    subject: int
    object: int
    predicate_id: int
    predicate: str
    score: float
    source: str = LEARNED
    since: float | None = None


def is_trained(weights: str) -> bool:
    """Whether weights of this name are trained: not `random` or `random-KIND`."""
    return not re.fullmatch(r"random(-[\w-]+)?", weights)


def pack_panoptic(class_id, node_id):
    """Pack ids, ints or int arrays: class id in the high 16 bits, node id in the low 16."""
    return class_id << 16 | node_id


def unpack_panoptic(panoptic: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split a packed map, (H, W) int32, into class ids and node ids.

    Both are (H, W) int32 with -1 where nothing is.
    """
    nothing = panoptic < 0
    class_ids = np.where(nothing, NOTHING, panoptic >> 16)
    return class_ids, np.where(nothing, NOTHING, panoptic & MAX_NODE_ID)


@dataclass(frozen=True, eq=False)
class SceneGraph:
    """Nodes and relations of one image.

    Attributes:
        nodes: the segments.
        relations: best first, at most one for each directed pair of nodes.
        panoptic: (H, W) int32 at the source image's resolution; `class_id << 16 | node_id`, -1
            where nothing is.
        stamp: seconds; when the image was taken.
        source: what the image is called: a file, a topic.
        weights: name of the model's weights. `random` or `random-SIZE` means untrained: such a
            graph means nothing.
        latency_ms: milliseconds by stage, and `total`.
        position_frame: coordinate frame of the nodes' positions; empty without positions.
        camera_position: x, y, z in metres of the camera in that frame; for trackers, not in
            messages and files. None where that is not known.
        appearance: (nodes, D) float32 of unit length, what the segmenter sees in each node; for
            trackers, not in messages and files. None where that is not known.
    """

    nodes: tuple[Node, ...]
    relations: tuple[Relation, ...]
    panoptic: np.ndarray
    stamp: float = 0.0
    source: str = ""
    weights: str = ""
    latency_ms: dict[str, float] = field(default_factory=dict)
    position_frame: str = ""
    camera_position: tuple[float, float, float] | None = None
    appearance: np.ndarray | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.stamp):
            raise ValueError(
                f"the stamp of a scene graph must be a finite number of seconds, got {self.stamp}"
            )
        if self.panoptic.ndim != 2 or self.panoptic.dtype != np.int32:
            raise ValueError(
                f"panoptic must be (H, W) int32, got {self.panoptic.shape} {self.panoptic.dtype}"
            )

    @property
    def is_trained(self) -> bool:
        """False when the weights are random, so that the graph means nothing."""
        return is_trained(self.weights)

    def node(self, node_id: int) -> Node:
        """The node of that id. Raises `KeyError` when there is none."""
        for node in self.nodes:
            if node.id == node_id:
                return node
        raise KeyError(f"no node {node_id} in this graph; it has {[n.id for n in self.nodes]}")

    def mask(self, node_id: int) -> np.ndarray:
        """(H, W) bool: the pixels of that node."""
        node = self.node(node_id)
        return self.panoptic == pack_panoptic(node.class_id, node.id)

    def triplets(self) -> list[tuple[str, str, str]]:
        """Relations as readable (subject, predicate, object), best first.

        As in `("cup_3", "on", "dining table_1")`.
        """
        names = {node.id: node.name for node in self.nodes}
        return [(names[r.subject], r.predicate, names[r.object]) for r in self.relations]

    def to_json(self) -> dict:
        """A line of `scene_graph.jsonl`, in plain JSON types, without the panoptic map."""
        from dsflash_ros.graph.json_form import graph_to_json  # which knows this class

        return graph_to_json(self)

    def to_networkx(self) -> "networkx.MultiDiGraph":
        """A directed graph for networkx.

        Its nodes are node ids, with the fields of `Node` and `name`; its edges have those of
        `Relation`.
        """
        try:
            import networkx
        except ImportError as error:
            raise ImportError("to_networkx() needs networkx: pip install networkx") from error
        graph = networkx.MultiDiGraph(stamp=self.stamp, source=self.source, weights=self.weights)
        for node in self.nodes:
            attributes = {entry.name: getattr(node, entry.name) for entry in fields(node)}
            graph.add_node(attributes.pop("id"), name=node.name, **attributes)
        for r in self.relations:
            graph.add_edge(
                r.subject,
                r.object,
                predicate=r.predicate,
                predicate_id=r.predicate_id,
                score=r.score,
                source=r.source,
                since=r.since,
            )
        return graph

    def to_pddl(
        self,
        name: str = "scene",
        goal: str = "(and)",
        mapping: "PddlMapping | None" = None,
        init: Iterable[str] | None = None,
    ) -> str:
        """A PDDL problem: nodes are typed objects, relations initial facts.

        The arguments are those of `dsflash_ros.planning.pddl.to_pddl`.
        """
        from dsflash_ros.planning.pddl import to_pddl  # the graph is below planning

        return to_pddl(self, name, goal, mapping, init)

    def to_text(self, max_characters: int = 2000) -> str:
        """What the graph says in so many characters, the most useful first; for language models."""
        from dsflash_ros.planning.scene_text import to_text

        return to_text(self, max_characters)

    def query(
        self, text: str, limit: int | None = None, vocabulary: "Vocabulary | None" = None
    ) -> "Answers":
        """The answers to a question such as `?x on table#3`.

        The arguments are those of `dsflash_ros.planning.query.query`.
        """
        from dsflash_ros.planning.query import query

        return query(self, text, limit, vocabulary)
