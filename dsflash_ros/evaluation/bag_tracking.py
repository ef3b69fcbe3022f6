"""Tracking scored on a recorded drive that holds the true graphs."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

from dsflash_ros.errors import EvaluationError
from dsflash_ros.evaluation.position_errors import FAR_M, NEAR_M
from dsflash_ros.evaluation.tracking import TrackingEvaluator
from dsflash_ros.graph.scene_graph import NOTHING, SceneGraph
from dsflash_ros.pipeline.pipeline import SceneGraphPipeline
from dsflash_ros.pipeline.tracked import TrackedPipeline
from dsflash_ros.progress_bar import progress
from dsflash_ros.sources.bag import BagSource
from dsflash_ros.tracking.tracking_options import TrackingOptions


def evaluate_bag(
    pipeline: SceneGraphPipeline,
    bag: Path,
    options: TrackingOptions | None = None,
    limit: int | None = None,
    target_frame: str = "",
    true_segments: bool = False,
) -> dict:
    """The scores of `TrackingEvaluator` for the frames of a bag that have a true graph.

    Args:
        pipeline: with its options; relations are told from its `relation_threshold` on.
        bag: with images, and true graphs on /ground_truth/scene_graph.
        options: of the tracking.
        limit: only the first frames, so many.
        target_frame: of positions, which help where the bag has depth; see `TrackedPipeline`.
        true_segments: track those of the true graphs in place of the pipeline's.

    Raises:
        SourceError: the bag cannot be read.
        EvaluationError: it has no true graphs, or without track ids; TrackEval is not installed.
    """
    evaluator, tracked = TrackingEvaluator(), TrackedPipeline(pipeline, options, target_frame)
    with BagSource(bag) as source:
        if not source.has_truth:
            raise EvaluationError(
                f"the bag {bag} has no true graphs (/ground_truth/scene_graph): record one with "
                "`dsflash toyroom camera --record`"
            )
        for frame in progress(islice(source, limit), "tracking", limit or len(source), "frame"):
            if frame.truth is None:
                continue
            if true_segments:
                graph = tracked.follow(_unnamed(frame.truth), frame.rgb, frame.space)
            else:
                graph = tracked(frame.rgb, frame.stamp, frame.name, frame.space)
            evaluator.add(frame.truth, tracked.raw, graph)
    return evaluator.results()


def _unnamed(truth: SceneGraph) -> SceneGraph:
    """The true graph without the identities. Raises `EvaluationError` where it has no masks."""
    if (truth.panoptic == NOTHING).all():
        raise EvaluationError(
            "the bag has no true segments (/ground_truth/panoptic): record the drive anew with "
            "`dsflash toyroom camera --record`"
        )
    return replace(truth, nodes=tuple(replace(node, track_id=None) for node in truth.nodes))


def tracking_text(scores: dict) -> str:
    """The scores as lines of text."""
    raw, tracked = scores["raw"], scores["tracked"]
    lines = [
        f"tracking in {scores['frames']} frames: IDF1 {_percent(scores['IDF1'])}, HOTA "
        f"{_percent(scores['HOTA'])}, {scores['switches']:.1f} identity switches in 100 frames",
        "",
        f"{'':<34}{'each frame alone':>18}{'tracked':>12}",
    ]
    for what in ("objects", "relations"):
        for name in ("precision", "recall", "F1"):
            values = (_percent(side[what][name]) for side in (raw, tracked))
            lines.append("{:<34}{:>18}{:>12}".format(f"{what}: {name}", *values))
    changes = f"{raw['changes']:>18.1f}{tracked['changes']:>12.1f}"
    lines += [f"{'relations that begin or end, for':<34}{changes}", "each that truly does"]
    if scores["delay"] is not None:
        lines.append(f"a relation is told {scores['delay']:g} frames after it began (median)")
    if scores["positions"] is not None:
        lines.append(_positions_text(scores["positions"]))
    return "\n".join(lines)


def _positions_text(positions: dict[str, float]) -> str:
    centimetres = {name: f"{100 * m:.1f} cm" for name, m in positions.items() if m is not None}
    text = (
        f"positions at {NEAR_M:g} to {FAR_M:g} m: wrong by {centimetres['median']} (median), "
        f"{centimetres['90 %']} (nine in ten)"
    )
    if "spread" in centimetres:
        text += f"; those of an object are {centimetres['spread']} from their median"
    return text


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{100 * share:.1f} %"
