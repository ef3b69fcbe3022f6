"""What a model predicts for an image of a data set."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsflash_ros.data.psg import Record
from dsflash_ros.graph.scene_graph import SceneGraph, unpack_panoptic
from dsflash_ros.pipeline.options import Options
from dsflash_ros.pipeline.tracked import untracked

if TYPE_CHECKING:
    from dsflash_ros.pipeline.pipeline import SceneGraphPipeline


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a model predicts for an image.

    Attributes:
        labels: (H, W) int, index of the pixel's segment, -1 where none is.
        class_ids: (P,) int64.
        relations: (r, 3) int64, best first: subject, object (indexes of segments), predicate.
        scores: (r,) float, of the relations, 0..1.
        graph: from which it was made, whole where the pipeline is `for_trackers`; None for PredCls,
            where no graph is.
    """

    labels: np.ndarray
    class_ids: np.ndarray
    relations: np.ndarray
    scores: np.ndarray
    graph: SceneGraph | None = None


class Predicted(NamedTuple):
    """An image of a data set, the labels of its true segments, and what a model predicts for it."""

    record: Record
    truth_labels: np.ndarray
    prediction: Prediction


class Query(NamedTuple):
    """What a model is given of an image.

    Attributes:
        rgb: (H, W, 3) uint8.
        stamp: seconds.
        labels, class_ids: of the true segments, for PredCls; None: it has to find them.
    """

    rgb: np.ndarray
    stamp: float
    labels: np.ndarray | None = None
    class_ids: np.ndarray | None = None


def predict(
    pipeline: "SceneGraphPipeline", record: Record, truth_labels: np.ndarray, protocol: str
) -> Prediction:
    """The pipeline's prediction for an image; PredCls gives it the true segments, crowds too."""
    return predict_image(pipeline, query_of(record, truth_labels, protocol))


def query_of(record: Record, truth_labels: np.ndarray, protocol: str) -> Query:
    """What the protocol gives of an image."""
    given = () if protocol == "sgdet" else (truth_labels, record.class_ids)
    return Query(record.image(), record.stamp or 0.0, *given)


def predict_image(pipeline: "SceneGraphPipeline", query: Query) -> Prediction:
    """The pipeline's prediction for what it is given."""
    rgb, stamp, labels, class_ids = query
    if labels is None:
        return _prediction_of(pipeline(rgb, stamp), pipeline.options)
    ranked = pipeline.relate_segments(rgb, labels, len(class_ids), class_ids)
    pairs, predicates, scores = ranked.as_arrays()
    relations, options = np.column_stack((pairs, predicates)), pipeline.options
    kept = np.flatnonzero(scores >= options.relation_threshold)[: options.max_relations]
    return Prediction(labels, class_ids, relations[kept], scores[kept])


def predict_all(
    pipeline: "SceneGraphPipeline", protocol: str, records: Iterable[Record]
) -> Iterator[Predicted]:
    """The images in their order, with the pipeline's predictions."""
    for record in records:
        labels = record.labels()
        yield Predicted(record, labels, predict(pipeline, record, labels, protocol))


def _prediction_of(graph: SceneGraph, options: Options) -> Prediction:
    told = untracked(graph, options).relations
    relations = [(r.subject, r.object, r.predicate_id) for r in told]
    return Prediction(
        labels=unpack_panoptic(graph.panoptic)[1],
        class_ids=np.array([node.class_id for node in graph.nodes], np.int64),
        relations=np.array(relations, np.int64).reshape(-1, 3),
        scores=np.array([relation.score for relation in told]),
        graph=graph,
    )
