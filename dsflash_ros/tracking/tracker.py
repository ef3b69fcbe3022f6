"""Scene graphs with identities and steady relations, of graphs of single images."""

from dataclasses import replace

import numpy as np

from dsflash_ros.graph.scene_graph import Node, Relation, SceneGraph
from dsflash_ros.tracking.appearance import Standardizer
from dsflash_ros.tracking.association import affinities, best_pairs, rows
from dsflash_ros.tracking.events import Event, EventLog
from dsflash_ros.tracking.frame_maps import repainted, small_labels
from dsflash_ros.tracking.held import held_nodes
from dsflash_ros.tracking.motion import ImageMotion
from dsflash_ros.tracking.relation_filter import RelationFilter
from dsflash_ros.tracking.track_masks import TrackMasks
from dsflash_ros.tracking.tracking_options import TrackingOptions
from dsflash_ros.tracking.tracks import Track

RELATION_FLOOR = 0.05
"""Graphs for a tracker should have relations down to this score: what scores little for long says
something, too.
"""

MAX_TRACKS = 1000
"""As many are remembered at most; those that were not seen for longest go first. All that an image
shows is remembered until the next one.
"""

_KNOWN = 3
"""What was seen fewer times and is not believed in was a mistake of the segmenter."""

MAX_ID = 2**31 - 1
"""The next track after this one is number 1 again."""

JUMP_S = 0.5
"""A stamp that goes back so far is a jump of the clock; less is a message that came late."""

_MASKS_S = 1.0
"""Seconds, or longer where it is held, for which the place of an unseen object is believed."""

_PLACES_S = 600.0
"""Seconds for which tracks with a position in a fixed frame are remembered at least."""


class Tracker:
    """Gives nodes a `track_id`, and steadies their classes and the relations between them.

    Segments of a frame are assigned to tracks by where the tracks' masks should be after the motion
    of the image, by class, by the segmenter's features (`SceneGraph.appearance`) and by positions.
    Unlike ByteTrack and OC-SORT, which carry boxes along with a Kalman filter, this uses masks, and
    the motion is measured in the image, as it is the camera that moves most. Stuff is one track for
    each class.

    A node is in the graph when its track is believed to be there: at once when the segmenter is
    sure, else from the second observation on.

    Attributes:
        options: may be replaced at any time.
        relation_threshold, max_relations: as in `Options`.
        fixed_frame: positions in this frame stay when the camera moves, and tell objects apart;
            others are not used. Empty: none.
        events: what the last graph changed.
    """

    def __init__(
        self,
        options: TrackingOptions | None = None,
        relation_threshold: float = 0.3,
        max_relations: int = 100,
        fixed_frame: str = "",
    ) -> None:
        """See the attributes."""
        self.options = options or TrackingOptions()
        self.relation_threshold, self.max_relations = relation_threshold, max_relations
        self.fixed_frame = fixed_frame
        self._next_id = 1
        self._labels: dict[int, str] = {}
        self._predicates: dict[int, str] = {}
        self.events: tuple[Event, ...] = ()
        self._log = EventLog()
        self.reset()

    def reset(self) -> None:
        """Forget all tracks. Their ids are not used again."""
        self._tracks: list[Track] = []
        self._masks = TrackMasks()
        self._motion, self._standardize = ImageMotion(), Standardizer()
        self._relations = RelationFilter()
        self._stamp, self._size = float("-inf"), None

    def end(self, stamp: float) -> tuple[Event, ...]:
        """Forget all tracks, and tell what that ends. `stamp`: seconds, of the image."""
        if self._tracks:
            self.reset()
        self.events = self._log.compare(stamp, {}, {}, {})
        return self.events

    @property
    def tracks(self) -> tuple[Track, ...]:
        """All that are remembered."""
        return tuple(self._tracks)

    def __call__(self, graph: SceneGraph, rgb: np.ndarray | None = None) -> SceneGraph:
        """The graph of the next image, with tracks.

        All is forgotten when the stamp jumps back, as when a bag begins again, and when the image
        has another size.

        Args:
            graph: of the image alone; relations down to `RELATION_FLOOR` make it better.
            rgb: (H, W, 3) uint8, the image; None: it is taken not to have moved.
        """
        if graph.stamp <= self._stamp - JUMP_S or graph.panoptic.shape != self._size:
            self.reset()
        self._stamp, self._size = max(self._stamp, graph.stamp), graph.panoptic.shape
        labels = small_labels(graph)
        self._move(self._motion(rgb) if rgb is not None else None)
        owners = self._assign(graph, labels)
        seen = {track.id for track in owners}
        missing = [track for track in self._tracks if track.id not in seen]
        for track in missing:
            track.miss(self._masks.areas.get(track.id))
        hold_s = self.options.track_hold_s
        held = held_nodes(missing, self._masks, graph, labels, hold_s)
        for track, _ in held:
            track.existence.holds = True  # so that it does not vanish when it is seen again
        self._forget(seen)
        nodes = self._nodes(graph, owners, held)
        relations = self._relate(graph, owners, nodes)
        self.events = self._compare(nodes)
        panoptic = repainted(graph, nodes)
        return replace(graph, nodes=nodes, relations=relations, panoptic=panoptic, appearance=None)

    def _move(self, origin: np.ndarray | None) -> None:
        """Move the tracks' masks as the image moved, and drop those that are old."""
        if origin is not None:
            self._masks.move(origin)
        kept_s = max(_MASKS_S, self.options.track_hold_s)
        old = [track.id for track in self._tracks if self._stamp - track.last_seen > kept_s]
        self._masks.drop(old)

    def _assign(self, graph: SceneGraph, labels: np.ndarray) -> list[Track]:
        """The track of each node; new ones where there was none."""
        appearance, positions = self._seen(graph)
        known = [None] * len(graph.nodes)
        affinity = affinities(self._tracks, self._masks, graph.nodes, labels, appearance, positions)
        for row, column in best_pairs(affinity):
            known[column] = self._tracks[row]
        owners = []
        areas = np.bincount((labels + 1).ravel(), minlength=len(graph.nodes) + 1)[1:]
        for index, (node, track) in enumerate(zip(graph.nodes, known, strict=True)):
            self._labels[node.class_id] = node.label
            if track is None:
                track = Track(self._new_id(), node, graph.stamp, graph.stamp)
                self._tracks.append(track)
            looks = None if appearance is None else appearance[index]
            where = None if np.isnan(positions[index]).any() else positions[index]
            smoothing = self.options.track_smoothing
            track.see(node, graph.stamp, int(areas[index]), looks, where, smoothing)
            owners.append(track)
        self._masks.show(labels, [track.id for track in owners])
        return owners

    def _seen(self, graph: SceneGraph) -> tuple[np.ndarray | None, np.ndarray]:
        """Appearance, (S, D) or None, and positions, (S, 3), NaN where not known."""
        appearance = None
        if graph.appearance is not None and len(graph.nodes):
            appearance = self._standardize(graph.appearance)
        is_fixed = bool(graph.position_frame) and graph.position_frame == self.fixed_frame
        positions = [node.position if is_fixed else None for node in graph.nodes]
        return appearance, rows(positions, 3)

    def _forget(self, seen: set[int]) -> None:
        """Drop tracks that were not seen for too long, were a mistake, or are too many.

        `seen`: in this image, whose stamp may be older than that of the last one.
        """
        tracks = self._tracks
        kept = [track for track in tracks if track.id in seen or self._is_remembered(track)]
        kept.sort(key=lambda track: (track.id in seen, track.last_seen))
        kept = kept[-max(MAX_TRACKS, len(seen)) :]
        dropped = {track.id for track in self._tracks} - {track.id for track in kept}
        self._tracks = kept
        if dropped:
            self._relations.forget(dropped)
            self._masks.drop(dropped)

    def _is_remembered(self, track: Track) -> bool:
        if not track.node.is_thing:
            return True
        unseen_s = self._stamp - track.last_seen
        if unseen_s > 0 and track.observations < _KNOWN and not track.existence.holds:
            return False
        memory_s = max(self.options.track_memory_s, self.options.track_hold_s)
        if track.position is not None:
            memory_s = max(memory_s, _PLACES_S)
        return unseen_s <= memory_s

    def _nodes(
        self, graph: SceneGraph, owners: list[Track], held: list[tuple[Track, Node]]
    ) -> tuple[Node, ...]:
        """The nodes of the graph: what is seen and believed, then what is held."""
        seen = zip(owners, graph.nodes, strict=True)
        believed = [(track, node) for track, node in seen if track.existence.holds]
        return tuple(
            track.shown(node, self._labels[track.classes.best], graph.camera_position)
            for track, node in [*believed, *held]
        )

    def _relate(
        self, graph: SceneGraph, owners: list[Track], nodes: tuple[Node, ...]
    ) -> tuple[Relation, ...]:
        """The relations that hold between the nodes, best first."""
        track_of = {node.id: track.id for node, track in zip(graph.nodes, owners, strict=True)}
        found = {(track_of[r.subject], track_of[r.object]): r for r in graph.relations}
        self._predicates.update((r.predicate_id, r.predicate) for r in graph.relations)
        begin = self.relation_threshold
        end = max(begin - self.options.relation_hysteresis, begin / 2)
        smoothing = self.options.track_smoothing
        seen = {track.id: track.observations for track in owners}
        self._relations.see(found, seen, graph.stamp, smoothing, begin, end)
        node_of = {node.track_id: node.id for node in nodes}
        relations = [
            Relation(
                node_of[a],
                node_of[b],
                known.holds,
                self._predicates[known.holds],
                known.scores[known.holds],
                since=known.since,
            )
            for (a, b), known in self._relations.holding()
            if a in node_of and b in node_of
        ]
        relations.sort(key=lambda relation: -relation.score)
        return tuple(relations[: self.max_relations])

    def _compare(self, nodes: tuple[Node, ...]) -> tuple[Event, ...]:
        """What is different from the last graph."""
        here = {node.track_id: (node.label, node.score) for node in nodes}
        relations = {
            pair: (self._predicates[known.holds], known.scores[known.holds])
            for pair, known in self._relations.holding()
        }
        labels = {track.id: self._labels[track.classes.best] for track in self._tracks}
        return self._log.compare(self._stamp, here, relations, labels)

    def _new_id(self) -> int:
        """An id that no remembered track has."""
        used = {track.id for track in self._tracks}
        while True:
            new, self._next_id = self._next_id, self._next_id % MAX_ID + 1
            if new not in used:
                return new
