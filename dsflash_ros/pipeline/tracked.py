"""A pipeline whose graphs belong together."""

import time
from dataclasses import replace

import numpy as np

from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.pipeline.options import Options
from dsflash_ros.pipeline.pipeline import SceneGraphPipeline
from dsflash_ros.tracking.tracker import Tracker
from dsflash_ros.tracking.tracking_options import TrackingOptions


class TrackedPipeline:
    """Scene graphs of one camera's images in their order, with identities and steady relations.

    Attributes:
        pipeline: makes the graphs. Its `for_trackers` is set.
        tracker: what they go through; its `events` are those of the last image.
    """

    def __init__(
        self, pipeline: SceneGraphPipeline, options: TrackingOptions | None = None
    ) -> None:
        """Track with these options; thresholds of relations are those of the pipeline."""
        self.pipeline, self.tracker = pipeline, Tracker(options)
        self._source: str | None = None
        pipeline.for_trackers = True

    def __call__(self, rgb: np.ndarray, stamp: float = 0.0, source: str = "") -> SceneGraph:
        """The graph of the next image, (H, W, 3) uint8 RGB, as of `SceneGraphPipeline`.

        An image of another source begins anew.
        """
        if source != self._source:
            self._source = source
            self.tracker.reset()
        return track(self.tracker, self.pipeline(rgb, stamp, source), rgb, self.pipeline.options)


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
