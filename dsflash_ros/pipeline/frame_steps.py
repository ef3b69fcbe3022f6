"""The way of images through a model, step by step, to their graphs. Imports no torch."""

from collections.abc import Sequence

import numpy as np

from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.images.letterbox import Letterbox, check_image
from dsflash_ros.model.ranking import NO_RELATIONS
from dsflash_ros.pipeline.asked_names import AskedNames
from dsflash_ros.pipeline.backends.base import Backend
from dsflash_ros.pipeline.graph_building import build_graph
from dsflash_ros.pipeline.options import Options
from dsflash_ros.pipeline.relating import relate_found
from dsflash_ros.pipeline.stopwatch import Stopwatch
from dsflash_ros.tracking.tracker import RELATION_FLOOR


class FrameSteps:
    """Preprocesses, segments, merges, relates, and finishes graphs."""

    def __init__(
        self, backend: Backend, names: AskedNames, image_size: int, weights: str, relates: bool
    ) -> None:
        """The steps with a backend.

        Args:
            names: runs the backend in the names that are asked for.
            image_size: side of the network input, pixels.
            weights: their name, for the graphs.
            relates: whether graphs have relations.
        """
        self._backend, self._names, self._image_size = backend, names, image_size
        self._weights, self._relates = weights, relates

    def graphs(
        self,
        images: Sequence[np.ndarray],
        stamps: Sequence[float],
        sources: Sequence[str],
        options: Options,
        for_trackers: bool,
    ) -> list[SceneGraph]:
        """The graphs of B images, (H, W, 3) uint8 RGB, in one pass; latencies are of all together.

        `stamps`, seconds, and `sources` are B each. `for_trackers`: with all relations that score
        `RELATION_FLOOR` or more, and with appearance. Raises `ImageError`.
        """
        watch, steps = Stopwatch(self._backend.wait), self._backend.steps
        boxed = [Letterbox(*check_image(rgb).shape[:2], self._image_size) for rgb in images]
        fitted = steps.network_input(images, boxed, self._backend.device)
        watch.lap("preprocess")

        segmentation = self._names.segment(fitted, options)
        watch.lap("segment")
        translation = self._names.translation
        num_things = len(translation.inner.things)
        found = [
            steps.merge_segments(segmentation, index, num_things, box, options)
            for index, box in enumerate(boxed)
        ]
        watch.lap("merge")
        related, limits = [NO_RELATIONS for _ in found], _limits(options, for_trackers)
        if self._relates:
            how = self._backend, self._names, options, limits
            related = relate_found(found, segmentation.features, *how)
        watch.lap("relate")

        looks = [None for _ in found]
        if for_trackers:
            looks = [one.appearance(segmentation.features[i]) for i, one in enumerate(found)]
        graphs = [
            build_graph(
                segments,
                relations,
                translation.inner,
                stamp=float(stamp),
                source=source,
                weights=self._weights,
                appearance=look,
            )
            for segments, relations, stamp, source, look in zip(
                found, related, stamps, sources, looks, strict=True
            )
        ]
        if translation.changes:
            graphs = [translation.graph(graph, limits[1]) for graph in graphs]
        watch.lap("finish")
        for graph in graphs:
            graph.latency_ms.update(watch.latency_ms())
        return graphs


def _limits(options: Options, for_trackers: bool) -> tuple[float, int]:
    """Least score and largest number of relations in a graph."""
    if for_trackers:
        return min(options.relation_threshold, RELATION_FLOOR), options.max_segments**2
    return options.relation_threshold, options.max_relations
