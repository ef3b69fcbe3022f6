"""A pipeline whose graphs belong together."""

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dsflash_ros.errors import DSFlashError
from dsflash_ros.geometry.space import Space
from dsflash_ros.geometry.transforms import fixed_frame
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.pipeline.options import Options
from dsflash_ros.tracking.tracker import Tracker
from dsflash_ros.tracking.tracking_options import TrackingOptions

if TYPE_CHECKING:  # what follows a graph that was made elsewhere needs no torch
    from dsflash_ros.pipeline.pipeline import SceneGraphPipeline

_log = logging.getLogger(__name__)


class GraphFollower:
    """Gives the graphs of one camera's images, in their order, positions and identities.

    Attributes:
        tracker: what they go through; its `events` are those of the last image.
    """

    def __init__(self, options: TrackingOptions | None = None, target_frame: str = "") -> None:
        """Track with these options; `target_frame` is of positions, empty is the camera's."""
        self.tracker = Tracker(options, fixed_frame=fixed_frame(target_frame))
        self._target_frame = target_frame
        self._problem = ""

    def follow(
        self, graph: SceneGraph, rgb: np.ndarray, space: Space | None, options: Options
    ) -> SceneGraph:
        """The graph of the next image, given what is seen in it alone.

        `graph` is of a pipeline `for_trackers` with these options, `rgb` its image. With `space`
        nodes have positions; what is wrong with it is logged once.
        """
        if space is not None:
            graph = self._located(graph, space)
        return track(self.tracker, graph, rgb, options)

    def _located(self, graph: SceneGraph, space: Space) -> SceneGraph:
        try:
            return space.locate(graph, self._target_frame)
        except DSFlashError as error:
            kind = type(error).__name__
            if kind != self._problem:
                self._problem = kind
                _log.warning("no positions: %s", error)
            return graph


class TrackedPipeline:
    """Scene graphs of one camera's images in their order, with identities and steady relations.

    Attributes:
        pipeline: makes the graphs. Its `for_trackers` is set.
    """

    def __init__(
        self,
        pipeline: "SceneGraphPipeline",
        options: TrackingOptions | None = None,
        target_frame: str = "",
    ) -> None:
        """Track with these options; thresholds of relations are those of the pipeline.

        `target_frame`: of positions, where images come with depth; empty is the camera's.
        """
        self.pipeline = pipeline
        self._follower = GraphFollower(options, target_frame)
        self._source: str | None = None
        self._last: SceneGraph | None = None
        pipeline.for_trackers = True

    @property
    def tracker(self) -> Tracker:
        """What the graphs go through; its `events` are those of the last image."""
        return self._follower.tracker

    def __call__(
        self, rgb: np.ndarray, stamp: float = 0.0, source: str = "", space: Space | None = None
    ) -> SceneGraph:
        """The graph of the next image, (H, W, 3) uint8 RGB, as of `SceneGraphPipeline`.

        With `space` nodes have positions; what is wrong with it is logged once. An image of another
        source begins anew.
        """
        if source != self._source:
            self._source = source
            self.tracker.reset()
        return self.follow(self.pipeline(rgb, stamp, source), rgb, space)

    def follow(self, graph: SceneGraph, rgb: np.ndarray, space: Space | None = None) -> SceneGraph:
        """The graph of the next image, given what is seen in it alone; the rest as for a call."""
        self._last = graph
        return self._follower.follow(graph, rgb, space, self.pipeline.options)

    @property
    def raw(self) -> SceneGraph | None:
        """The last image's graph without tracking and positions, as of the pipeline alone."""
        return self._last and untracked(self._last, self.pipeline.options)


def track(tracker: Tracker, graph: SceneGraph, rgb: np.ndarray, options: Options) -> SceneGraph:
    """The graph after the tracker, with the time that it took in `latency_ms`.

    `graph` is of a pipeline `for_trackers` with these options.
    """
    start = time.perf_counter()
    tracker.relation_threshold = options.relation_threshold
    tracker.max_relations = options.max_relations
    tracked = tracker(graph, rgb)
    latency_ms = dict(graph.latency_ms)
    total = latency_ms.pop("total", 0.0)
    latency_ms["track"] = 1000 * (time.perf_counter() - start)
    return replace(tracked, latency_ms={**latency_ms, "total": total + latency_ms["track"]})


def untracked(graph: SceneGraph, options: Options) -> SceneGraph:
    """What the pipeline would say of an image without a tracker behind it."""
    told = [
        relation for relation in graph.relations if relation.score >= options.relation_threshold
    ]
    return replace(graph, relations=tuple(told[: options.max_relations]), appearance=None)
