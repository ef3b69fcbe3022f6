"""Tracking scored on a recorded drive that holds the true graphs."""

import logging
from dataclasses import replace
from itertools import islice
from pathlib import Path

from dsflash_ros.errors import EvaluationError
from dsflash_ros.evaluation.asked_records import asked_truth
from dsflash_ros.evaluation.bag_records import BagRecord
from dsflash_ros.evaluation.runner import Observation
from dsflash_ros.evaluation.tracking import TrackingEvaluator
from dsflash_ros.graph.scene_graph import NOTHING, SceneGraph
from dsflash_ros.pipeline.options import Options
from dsflash_ros.pipeline.pipeline import SceneGraphPipeline
from dsflash_ros.pipeline.tracked import GraphFollower, TrackedPipeline, untracked
from dsflash_ros.progress_bar import progress
from dsflash_ros.sources.bag import BagSource
from dsflash_ros.tracking.tracker import RELATION_FLOOR
from dsflash_ros.tracking.tracking_options import TrackingOptions

_log = logging.getLogger(__name__)


class TracksObserver:
    """Scores tracks while `evaluate` ranks all relations of a bag's frames: one pass for both.

    The scores are those of `evaluate_bag`. Frames without identities in their true graph do not
    count.
    """

    def __init__(
        self,
        options: TrackingOptions,
        graph_options: Options,
        target_frame: str = "",
    ) -> None:
        """Track with these options what a pipeline would tell with `graph_options`.

        The pipeline must be `for_trackers`. `target_frame` is of positions, see `GraphFollower`.
        """
        self._options = graph_options
        self._least = min(RELATION_FLOOR, graph_options.relation_threshold)
        self._follower = GraphFollower(options, target_frame)
        self._evaluator = TrackingEvaluator()
        self._frames = 0

    def __call__(self, seen: Observation) -> None:
        """Take in a frame."""
        record, graph = seen.record, seen.prediction.graph
        if not isinstance(record, BagRecord) or record.frame.truth is None or graph is None:
            return
        truth, frame = record.frame.truth, record.frame
        if any(node.track_id is None for node in truth.nodes):
            return
        self._frames += 1
        kept = tuple(one for one in graph.relations if one.score >= self._least)
        graph = replace(graph, relations=kept)
        tracked = self._follower.follow(graph, frame.rgb, frame.space, self._options)
        self._evaluator.add(truth, untracked(graph, self._options), tracked)

    def results(self) -> dict | None:
        """As of `TrackingEvaluator`; None, and a line in the log, where that cannot be told."""
        if not self._frames:
            _log.warning("no scores of tracks: the true graphs have no track ids")
            return None
        try:
            return self._evaluator.results()
        except EvaluationError as error:
            _log.warning("no scores of tracks: %s", error)
            return None


def evaluate_bag(
    pipeline: SceneGraphPipeline,
    bag: Path,
    options: TrackingOptions | None = None,
    limit: int | None = None,
    target_frame: str = "",
    true_segments: bool = False,
    topic: str | None = None,
) -> dict:
    """The scores of `TrackingEvaluator` for the frames of a bag that have a true graph.

    Args:
        pipeline: with its options; relations are told from its `relation_threshold` on.
        bag: with images, and true graphs on /ground_truth/scene_graph.
        options: of the tracking.
        limit: only the first frames, so many.
        target_frame: of positions, which help where the bag has depth; see `TrackedPipeline`.
        true_segments: track those of the true graphs in place of the pipeline's.
        topic: of the images; needed when the bag has several.

    Raises:
        SourceError: the bag cannot be read.
        EvaluationError: it has no true graphs, or without track ids; TrackEval is not installed.
    """
    evaluator, tracked = TrackingEvaluator(), TrackedPipeline(pipeline, options, target_frame)
    with BagSource(bag, topic) as source:
        if not source.has_truth:
            raise EvaluationError(
                f"the bag {bag} has no true graphs (/ground_truth/scene_graph): record one with "
                "`dsflash toyroom camera --record`"
            )
        for frame in progress(islice(source, limit), "tracking", limit or len(source), "frame"):
            truth = asked_truth(frame.truth, pipeline.translation)
            if truth is None:
                continue
            if true_segments:
                graph = tracked.follow(_unnamed(truth), frame.rgb, frame.space)
            else:
                graph = tracked(frame.rgb, frame.stamp, frame.name, frame.space)
            evaluator.add(truth, tracked.raw, graph)
    return evaluator.results()


def _unnamed(truth: SceneGraph) -> SceneGraph:
    """The true graph without the identities. Raises `EvaluationError` where it has no masks."""
    if (truth.panoptic == NOTHING).all():
        raise EvaluationError(
            "the bag has no true segments (/ground_truth/panoptic): record the drive anew with "
            "`dsflash toyroom camera --record`"
        )
    return replace(truth, nodes=tuple(replace(node, track_id=None) for node in truth.nodes))
