"""What a page shows of each image of an evaluation, collected while it runs."""

from bisect import insort
from dataclasses import dataclass, field, replace

import numpy as np

from dsflash_ros.data.psg import Record
from dsflash_ros.drawing.overlay import draw_overlay
from dsflash_ros.evaluation.prediction import Prediction
from dsflash_ros.evaluation.runner import Observation
from dsflash_ros.graph.label_maps import label_boxes
from dsflash_ros.graph.scene_graph import (
    NOTHING,
    TRUTH,
    Node,
    Relation,
    SceneGraph,
    pack_panoptic,
)
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.reports.thumbnails import thumbnail

KS = (20, 50, 100)
"""Of R@k, as `RecallMetrics` has them."""

TOLD_FROM = 0.3
"""Score from which on a relation counts as told: the pipeline's usual `relation_threshold`."""

WORST = 8
"""Images whose pictures are kept."""


@dataclass(frozen=True)
class ImageDetail:
    """The numbers of an image.

    Attributes:
        name: its id; of frames of a bag the stamp.
        recalls: R@k by k, 0..1; None where nothing is true, or nothing is related.
        true: how many relations are.
        told, right: how many relations score `TOLD_FROM` or more, and how many of these are true;
            None where nothing is related.
        segments, found: how many segments are true, and how many of these were found.
        latency_ms: of the whole pipeline; None where it was not measured.
    """

    name: str
    recalls: dict[int, float | None]
    true: int
    told: int | None
    right: int | None
    segments: int
    found: int
    latency_ms: float | None

    @property
    def f1(self) -> float | None:
        """F1 of the relations that are told, 0..1; None where there are none."""
        total = self.true + (self.told or 0)
        return 2 * self.right / total if self.right is not None and total else None

    @property
    def quality(self) -> float | None:
        """By which images are sorted, 0..1: R@50, or the share of segments that were found."""
        if self.right is not None:
            return self.recalls[50]
        return self.found / self.segments if self.segments else None


@dataclass(frozen=True)
class WorstImage:
    """An image that went wrong.

    Attributes:
        number: of the image, from 0.
        predicted_jpeg, true_jpeg: pictures of the graphs over the image.
        missed: true relations that are not told, as text.
        wrong: told relations that are not true.
    """

    number: int
    predicted_jpeg: bytes
    true_jpeg: bytes
    missed: list[str]
    wrong: list[str]


@dataclass
class EvaluationDetails:
    """Observes an evaluation: give it to `evaluate`. Keeps the pictures of the worst images only.

    Attributes:
        vocabulary: of the data set.
        weights: their name.
        relates: whether they have a trained relation stage.
        images: all, in their order.
        worst: at most `WORST`, the worst first.
    """

    vocabulary: Vocabulary
    weights: str
    relates: bool
    images: list[ImageDetail] = field(default_factory=list)
    _worst: list[tuple[float, float, int, WorstImage]] = field(default_factory=list)

    @property
    def worst(self) -> list[WorstImage]:
        return [image for *_, image in self._worst]

    def __call__(self, seen: Observation) -> None:
        """Take in an image."""
        detail = self._detail(seen)
        self.images.append(detail)
        if detail.quality is None:
            return
        key = detail.quality, detail.f1 or 0.0, len(self.images) - 1
        if len(self._worst) < WORST or key < self._worst[-1][:3]:
            insort(self._worst, (*key, self._pictured(key[-1], seen)), key=lambda one: one[:3])
            del self._worst[WORST:]

    def _detail(self, seen: Observation) -> ImageDetail:
        told, graph = seen.prediction.scores >= TOLD_FROM, seen.prediction.graph
        return ImageDetail(
            name=seen.scores.image,
            recalls={k: seen.scores.recall(k) if self.relates else None for k in KS},
            true=sum(map(len, seen.scores.ranks.values())),
            told=int(told.sum()) if self.relates else None,
            right=int(seen.hits[told].sum()) if self.relates else None,
            segments=len(seen.record.class_ids),
            found=len(np.unique(seen.matching[seen.matching >= 0])),
            latency_ms=graph.latency_ms.get("total") if graph else None,
        )

    def _pictured(self, number: int, seen: Observation) -> WorstImage:
        record, rgb = seen.record, seen.record.image()
        truth = self._true_graph(record, seen.truth_labels)
        told = self._told_graph(seen.prediction)
        is_told = seen.prediction.scores >= TOLD_FROM
        right = {
            (int(a), int(b), int(p))
            for a, b, p in np.column_stack(
                (
                    seen.matching[seen.prediction.relations[:, :2]],
                    seen.prediction.relations[:, 2],
                )
            )[seen.hits & is_told]
        }
        missed = [
            self._words(relation, record.class_ids)
            for relation in dict.fromkeys(map(tuple, record.relations.tolist()))
            if relation not in right
        ]
        wrong = seen.prediction.relations[~seen.hits & is_told].tolist()
        return WorstImage(
            number,
            thumbnail(draw_overlay(rgb, told)),
            thumbnail(draw_overlay(rgb, truth)),
            missed,
            [self._words(relation, seen.prediction.class_ids) for relation in wrong],
        )

    def _words(self, relation, class_ids: np.ndarray) -> str:
        """The relation of segments that have these classes, as `cup_3 on dining table_1`."""
        subject, object_, predicate = relation
        ends = (f"{self.vocabulary.classes[class_ids[end]]}_{end}" for end in (subject, object_))
        return f" {self.vocabulary.predicates[predicate]} ".join(ends)

    def _told_graph(self, prediction: Prediction) -> SceneGraph:
        if prediction.graph is not None:
            graph = prediction.graph
        else:
            rows = zip(prediction.relations.tolist(), prediction.scores.tolist(), strict=True)
            graph = self._graph(prediction.labels, prediction.class_ids, list(rows), self.weights)
        told = tuple(one for one in graph.relations if one.score >= TOLD_FROM)
        return replace(graph, relations=told)

    def _true_graph(self, record: Record, labels: np.ndarray) -> SceneGraph:
        rows = [(relation, 1.0) for relation in record.relations.tolist()]
        return self._graph(labels, record.class_ids, rows, TRUTH)

    def _graph(
        self, labels: np.ndarray, class_ids: np.ndarray, relations: list, weights: str
    ) -> SceneGraph:
        """A graph to be drawn; nodes have their numbers as ids. `relations`: (triple, score)."""
        names, predicates = self.vocabulary.classes, self.vocabulary.predicates
        areas = np.bincount(labels[labels >= 0], minlength=len(class_ids))
        boxes = label_boxes(labels, len(class_ids)).tolist()
        nodes = tuple(
            Node(
                id=number,
                class_id=int(class_id),
                label=names[class_id],
                is_thing=int(class_id) < len(self.vocabulary.things),
                score=1.0,
                box=tuple(box),
                area=int(areas[number]),
                centroid=((box[0] + box[2]) / 2, (box[1] + box[3]) / 2),
            )
            for number, (class_id, box) in enumerate(zip(class_ids, boxes, strict=True))
        )
        packed = pack_panoptic(np.append(class_ids, 0)[labels], labels)
        return SceneGraph(
            nodes=nodes,
            relations=tuple(
                Relation(a, b, p, predicates[p], score) for (a, b, p), score in relations
            ),
            panoptic=np.where(labels < 0, NOTHING, packed).astype(np.int32),
            weights=weights,
        )
