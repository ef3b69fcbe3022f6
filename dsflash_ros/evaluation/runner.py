"""Run a pipeline over a data set and compare its predictions with the truth."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import NamedTuple, Protocol

import numpy as np

from dsflash_ros.data.psg import PsgDataset, Record
from dsflash_ros.errors import EvaluationError
from dsflash_ros.evaluation.asked_records import in_asked_names
from dsflash_ros.evaluation.calibration import Reliability
from dsflash_ros.evaluation.export import SgbenchFile
from dsflash_ros.evaluation.image_scores import ImageScores
from dsflash_ros.evaluation.matching import check_segments, match_segments, true_relations
from dsflash_ros.evaluation.metrics import RecallMetrics
from dsflash_ros.evaluation.panoptic_quality import PanopticQuality
from dsflash_ros.evaluation.prediction import Predicted, Prediction, predict_all
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.pipeline.translation import Translation
from dsflash_ros.progress_bar import progress

PROTOCOLS = ("predcls", "sgdet")
"""PredCls: the true masks and classes are given. SGDet: nothing is given but the image."""


class Model(Protocol):
    """What `evaluate` must know of a model; a `SceneGraphPipeline` tells it."""

    weights: str
    vocabulary: Vocabulary
    translation: Translation
    relates: bool
    device: object


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
            forget_recall(relations)
        panoptic = self._quality.results() if self._quality else None
        images = [image._asdict() for image in self.images]
        latency_ms = latency_percentiles(self._latencies)
        return {
            "relations": relations,
            "panoptic": panoptic,
            "images": images,
            "latency_ms": latency_ms or None,
        }


def forget_recall(relations: dict) -> None:
    """In results of `RecallMetrics`, make unknown what weights that do not relate cannot reach."""
    for scores in (relations, *relations["per_predicate"].values()):
        unknown = [key for key in scores if "R@" in key and not key.endswith("inf")]
        scores.update(dict.fromkeys(unknown))


def latency_percentiles(latencies: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """By stage, `median`, `90 %` and `99 %` of its times in the images, ms."""
    found = {}
    for stage in dict.fromkeys(stage for one in latencies for stage in one):
        times = [one[stage] for one in latencies if stage in one]
        told = np.percentile(times, (50, 90, 99)).tolist()
        found[stage] = dict(zip(("median", "90 %", "99 %"), told, strict=True))
    return found


def evaluate(
    model: Model,
    dataset: PsgDataset,
    protocol: str,
    limit: int | None = None,
    export: SgbenchFile | None = None,
    observers: Sequence[Callable[[Observation], None]] = (),
    predicted: Callable[[Iterable[Record]], Iterator[Predicted]] | None = None,
) -> Evaluator:
    """Compare a model's predictions with the truth of a data set.

    All true segments are objects to be found, crowds too, as in sgbench.

    Args:
        model: a `SceneGraphPipeline` with its options; or, with `predicted`, anything that tells
            what is to be known of it.
        dataset: of the same vocabulary. Where the pipeline was asked for some names only, so is the
            data set.
        protocol: of `PROTOCOLS`.
        limit: only the first images, so many.
        export: gets the predictions, too.
        observers: are called with each image after it was counted.
        predicted: makes the predictions, in the order of the images; by default the pipeline does.

    Returns:
        an evaluator that has counted the images.

    Raises:
        EvaluationError: the vocabularies differ, PredCls is asked of weights that cannot relate, or
            a prediction breaks the protocol.
        DatasetError: an image or a mask cannot be read.
    """
    dataset = in_asked_names(dataset, model.translation)
    check_vocabulary(model.weights, model.vocabulary, dataset)
    if protocol == "predcls" and not model.relates:
        raise EvaluationError(
            f"the weights {model.weights!r} have no trained relation stage, which is all that "
            "predcls evaluates; use --protocol sgdet for their segments"
        )
    evaluator = Evaluator(dataset.vocabulary, protocol, model.relates, model.device)
    count = min(limit or len(dataset), len(dataset))
    records = progress(islice(dataset, count), protocol, count, "image")
    for one in (predicted or partial(predict_all, model, protocol))(records):
        record, prediction = one.record, one.prediction
        seen = evaluator.add(*one)
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
