"""Run a pipeline over a data set and compare its predictions with the truth."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsflash_ros.data.psg import PsgDataset, Record
from dsflash_ros.errors import EvaluationError
from dsflash_ros.evaluation.calibration import Reliability
from dsflash_ros.evaluation.export import SgbenchFile
from dsflash_ros.evaluation.image_scores import ImageScores
from dsflash_ros.evaluation.matching import check_segments, match_segments, true_relations
from dsflash_ros.evaluation.metrics import RecallMetrics
from dsflash_ros.evaluation.panoptic_quality import PanopticQuality
from dsflash_ros.graph.scene_graph import SceneGraph, unpack_panoptic
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.pipeline.options import Options
from dsflash_ros.pipeline.tracked import untracked
from dsflash_ros.progress_bar import progress

if TYPE_CHECKING:
    from dsflash_ros.pipeline.pipeline import SceneGraphPipeline

PROTOCOLS = ("predcls", "sgdet")
"""PredCls: the true masks and classes are given. SGDet: nothing is given but the image."""


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


class Observation(NamedTuple):
    """What an observer of `evaluate` gets of each image.

    Attributes:
        record: the image and its truth.
        truth_labels: (H, W) int, index of the pixel's true segment, -1 where none is.
        prediction: of the model.
        matching: (P,) int, the true segment of each predicted one, or -1.
        hits: (r,) bool, which of the predicted relations are true, each true one once.
        scores: what was counted.
    """

    record: Record
    truth_labels: np.ndarray
    prediction: Prediction
    matching: np.ndarray
    hits: np.ndarray
    scores: ImageScores


class Evaluator:
    """Compares predictions with the truth, image by image.

    PredCls has no panoptic quality, as the segments are given.

    Attributes:
        reliability: of the relations' scores.
        images: what was counted of each image, see `ImageScores`.
    """

    def __init__(
        self, vocabulary: Vocabulary, protocol: str, relates: bool = True, device: str = "cpu"
    ) -> None:
        """`relates`: False when the model predicts no relations; recall is then unknown, not 0."""
        if protocol not in PROTOCOLS:
            raise EvaluationError(
                f"the protocol must be one of {', '.join(PROTOCOLS)}, got {protocol!r}"
            )
        self._vocabulary, self._protocol, self._relates = vocabulary, protocol, relates
        self._recall = RecallMetrics(vocabulary.predicates)
        self.reliability = Reliability()
        self.images: list[ImageScores] = []
        self._quality = PanopticQuality(vocabulary, device) if protocol == "sgdet" else None
        self._latencies: list[dict[str, float]] = []

    def add(self, record: Record, truth_labels: np.ndarray, prediction: Prediction) -> Observation:
        """Count an image.

        Raises `EvaluationError`, naming the image, when the prediction breaks the protocol.
        """
        try:
            matching = self._match(record, truth_labels, prediction)
            recall = self._recall.add(
                record.relations, prediction.relations, matching, len(record.class_ids)
            )
        except EvaluationError as error:
            raise EvaluationError(f"image {record.image_id}: {error}") from error
        hits = true_relations(record.relations, prediction.relations, matching)
        self.reliability.add(prediction.scores, hits, len(record.relations))
        quality = None
        if self._quality:
            truth = (truth_labels, record.class_ids, record.crowd)
            quality = self._quality.add(*truth, prediction.labels, prediction.class_ids)
        name = str(record.image_id)
        scores = ImageScores.of(name, record.stamp, recall, quality, self._vocabulary)
        self.images.append(scores)
        if prediction.graph is not None:
            self._latencies.append(prediction.graph.latency_ms)
        return Observation(record, truth_labels, prediction, matching, hits, scores)

    def _match(
        self, record: Record, truth_labels: np.ndarray, prediction: Prediction
    ) -> np.ndarray:
        if self._protocol == "predcls":
            return np.arange(len(record.class_ids))
        check_segments(prediction.class_ids, len(self._vocabulary.things))
        return match_segments(
            truth_labels, record.class_ids, prediction.labels, prediction.class_ids
        )

    def results(self) -> dict:
        """`relations`, `panoptic`, `images` and `latency_ms` as `Report` has them."""
        relations = self._recall.results()
        if self._relates:
            relations |= self.reliability.results()
        else:
            for scores in (relations, *relations["per_predicate"].values()):
                unknown = [key for key in scores if "R@" in key and not key.endswith("inf")]
                scores.update(dict.fromkeys(unknown))
        panoptic = self._quality.results() if self._quality else None
        images = [image._asdict() for image in self.images]
        latency_ms = latency_percentiles(self._latencies)
        return {
            "relations": relations,
            "panoptic": panoptic,
            "images": images,
            "latency_ms": latency_ms or None,
        }


def latency_percentiles(latencies: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """By stage, `median`, `90 %` and `99 %` of its times in the images, ms."""
    found = {}
    for stage in dict.fromkeys(stage for one in latencies for stage in one):
        times = [one[stage] for one in latencies if stage in one]
        told = np.percentile(times, (50, 90, 99)).tolist()
        found[stage] = dict(zip(("median", "90 %", "99 %"), told, strict=True))
    return found


def evaluate(
    pipeline: "SceneGraphPipeline",
    dataset: PsgDataset,
    protocol: str,
    limit: int | None = None,
    export: SgbenchFile | None = None,
    observers: Sequence[Callable[[Observation], None]] = (),
) -> Evaluator:
    """Compare a pipeline's predictions with the truth of a data set.

    All true segments are objects to be found, crowds too, as in sgbench.

    Args:
        pipeline: with its options.
        dataset: of the same vocabulary.
        protocol: of `PROTOCOLS`.
        limit: only the first images, so many.
        export: gets the predictions, too.
        observers: are called with each image after it was counted.

    Returns:
        an evaluator that has counted the images.

    Raises:
        EvaluationError: the vocabularies differ, PredCls is asked of weights that cannot relate, or
            a prediction breaks the protocol.
        DatasetError: an image or a mask cannot be read.
    """
    check_vocabulary(pipeline.weights, pipeline.vocabulary, dataset)
    if protocol == "predcls" and not pipeline.relates:
        raise EvaluationError(
            f"the weights {pipeline.weights!r} have no trained relation stage, which is all that "
            "predcls evaluates; use --protocol sgdet for their segments"
        )
    evaluator = Evaluator(dataset.vocabulary, protocol, pipeline.relates, pipeline.device)
    count = min(limit or len(dataset), len(dataset))
    for record in progress(islice(dataset, count), protocol, count, "image"):
        truth_labels = record.labels()
        prediction = predict(pipeline, record, truth_labels, protocol)
        seen = evaluator.add(record, truth_labels, prediction)
        for observer in observers:
            observer(seen)
        if export:
            export.add(
                record.image_id, prediction.labels, prediction.class_ids, prediction.relations
            )
    return evaluator


def check_vocabulary(weights: str, vocabulary: Vocabulary, dataset: PsgDataset) -> None:
    """Raise `EvaluationError` when the vocabulary of weights is not that of the data set."""
    difference = vocabulary.difference(dataset.vocabulary)
    if difference:
        raise EvaluationError(
            f"the weights {weights!r} do not speak of what the data set {dataset.path} does, but "
            f"of {difference}; use weights trained for the data set's vocabulary"
        )


def predict(
    pipeline: "SceneGraphPipeline", record: Record, truth_labels: np.ndarray, protocol: str
) -> Prediction:
    """The pipeline's prediction for an image; PredCls gives it the true segments, crowds too."""
    rgb = record.image()
    if protocol == "sgdet":
        return _prediction_of(pipeline(rgb, record.stamp or 0.0), pipeline.options)
    count = len(record.class_ids)
    ranked = pipeline.relate_segments(rgb, truth_labels, count, record.class_ids)
    pairs, predicates, scores = ranked.as_arrays()
    relations, options = np.column_stack((pairs, predicates)), pipeline.options
    kept = np.flatnonzero(scores >= options.relation_threshold)[: options.max_relations]
    return Prediction(truth_labels, record.class_ids, relations[kept], scores[kept])


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
