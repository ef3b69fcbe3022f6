"""Runs a pipeline over a data set and compares what it says with the truth."""

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from dsflash_ros.data.psg import PsgDataset, Record
from dsflash_ros.errors import EvaluationError
from dsflash_ros.evaluation.calibration import Reliability
from dsflash_ros.evaluation.export import SgbenchFile
from dsflash_ros.evaluation.matching import check_segments, match_segments, true_relations
from dsflash_ros.evaluation.metrics import RecallMetrics
from dsflash_ros.evaluation.panoptic_quality import PanopticQuality
from dsflash_ros.graph.scene_graph import unpack_panoptic
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.progress_bar import progress

if TYPE_CHECKING:
    from dsflash_ros.pipeline.pipeline import SceneGraphPipeline

PROTOCOLS = ("predcls", "sgdet")
"""Predicate classification: the true segments are given.

Scene graph detection: nothing is given but the image.
"""


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a model says of an image.

    Attributes:
        labels: (H, W) int, index of the pixel's segment, -1 where none is.
        class_ids: (P,) int64.
        relations: (r, 3) int64, best first: subject, object (indexes of segments), predicate.
        scores: (r,) float, of the relations, 0..1.
    """

    labels: np.ndarray
    class_ids: np.ndarray
    relations: np.ndarray
    scores: np.ndarray


class Evaluator:
    """Compares predictions with the truth, image by image. PredCls has no panoptic quality: the
    segments are given.

    Attributes:
        reliability: of the relations' scores.
    """

    def __init__(
        self, vocabulary: Vocabulary, protocol: str, relates: bool = True, device: str = "cpu"
    ) -> None:
        """`relates`: False when the model predicts no relations, so that their recall is unknown,
        not 0.
        """
        if protocol not in PROTOCOLS:
            raise EvaluationError(
                f"the protocol must be one of {', '.join(PROTOCOLS)}, got {protocol!r}"
            )
        self._vocabulary, self._protocol, self._relates = vocabulary, protocol, relates
        self._recall = RecallMetrics(vocabulary.predicates)
        self.reliability = Reliability()
        self._quality = PanopticQuality(vocabulary, device) if protocol == "sgdet" else None

    def add(self, record: Record, truth_labels: np.ndarray, prediction: Prediction) -> None:
        """Count an image.

        Raises `EvaluationError`, naming the image, when the prediction breaks the protocol.
        """
        try:
            matching = self._match(record, truth_labels, prediction)
            self._recall.add(
                record.relations, prediction.relations, matching, len(record.class_ids)
            )
        except EvaluationError as error:
            raise EvaluationError(f"image {record.image_id}: {error}") from error
        true = true_relations(record.relations, prediction.relations, matching)
        self.reliability.add(prediction.scores, true, len(record.relations))
        if self._quality:
            truth = (truth_labels, record.class_ids, record.crowd)
            self._quality.add(*truth, prediction.labels, prediction.class_ids)

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
        """`relations`, as `RecallMetrics.results` and `Reliability.results`, and `panoptic`, as
        `PanopticQuality.results`, or None.
        """
        relations = self._recall.results()
        if self._relates:
            relations |= self.reliability.results()
        else:
            for scores in (relations, *relations["per_predicate"].values()):
                scores.update(
                    {key: None for key in scores if "R@" in key and not key.endswith("inf")}
                )
        return {
            "relations": relations,
            "panoptic": self._quality.results() if self._quality else None,
        }


def evaluate(
    pipeline: "SceneGraphPipeline",
    dataset: PsgDataset,
    protocol: str,
    limit: int | None = None,
    export: SgbenchFile | None = None,
) -> Evaluator:
    """Compare the pipeline, with its options, with the truth of the first `limit` images (default:
    all).

    What comes back has counted them. The predictions also go to `export`. All segments of the truth
    are objects to be found, crowds too, as in sgbench.

    Raises:
        EvaluationError: the vocabularies differ, PredCls is asked of weights that cannot relate, or
            a prediction breaks the protocol.
        DatasetError: an image or a mask cannot be read.
    """
    check_vocabulary(pipeline.weights, pipeline.vocabulary, dataset)
    if protocol == "predcls" and not pipeline.relates:
        raise EvaluationError(
            f"the weights {pipeline.weights!r} have no trained relation stage, which is all that predcls evaluates; "
            "use --protocol sgdet for their segments"
        )
    evaluator = Evaluator(dataset.vocabulary, protocol, pipeline.relates, pipeline.device)
    count = min(limit or len(dataset), len(dataset))
    for record in progress(islice(dataset, count), protocol, count, "image"):
        truth_labels = record.labels()
        prediction = predict(pipeline, record, truth_labels, protocol)
        evaluator.add(record, truth_labels, prediction)
        if export:
            export.add(
                record.image_id, prediction.labels, prediction.class_ids, prediction.relations
            )
    return evaluator


def check_vocabulary(weights: str, vocabulary: Vocabulary, dataset: PsgDataset) -> None:
    """Raise `EvaluationError` when weights of this vocabulary cannot be evaluated on the data set."""
    difference = vocabulary.difference(dataset.vocabulary)
    if difference:
        raise EvaluationError(
            f"the weights {weights!r} do not speak of what the data set {dataset.path} does, but of {difference}; "
            "use weights trained for the data set's vocabulary"
        )


def predict(
    pipeline: "SceneGraphPipeline", record: Record, truth_labels: np.ndarray, protocol: str
) -> Prediction:
    """What the pipeline says of an image; for PredCls it is given the true segments, also of
    crowds.
    """
    rgb = record.image()
    if protocol == "sgdet":
        graph = pipeline(rgb)
        relations = np.array(
            [(r.subject, r.object, r.predicate_id) for r in graph.relations], np.int64
        ).reshape(-1, 3)
        class_ids = np.array([node.class_id for node in graph.nodes], np.int64)
        scores = np.array([relation.score for relation in graph.relations])
        return Prediction(unpack_panoptic(graph.panoptic)[1], class_ids, relations, scores)
    ranked = pipeline.relate_segments(rgb, truth_labels, len(record.class_ids))
    relations = np.column_stack((ranked.pairs.cpu().numpy(), ranked.predicates.cpu().numpy()))
    scores = ranked.scores.cpu().numpy()
    kept = np.flatnonzero(scores >= pipeline.options.relation_threshold)[
        : pipeline.options.max_relations
    ]
    return Prediction(truth_labels, record.class_ids, relations[kept], scores[kept])
