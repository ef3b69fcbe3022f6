"""What is scored of bags, and how: the same for all bags of a command, on every machine."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dsflash_ros.data.psg import Record
from dsflash_ros.evaluation.bag_records import BagRecords
from dsflash_ros.evaluation.bag_tracking import TracksObserver
from dsflash_ros.evaluation.prediction import Predicted
from dsflash_ros.evaluation.report import Report, about_dataset, about_model
from dsflash_ros.evaluation.runner import evaluate
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.machine import machine
from dsflash_ros.option import Value
from dsflash_ros.pipeline.choice import check_settings, settings_of
from dsflash_ros.pipeline.options import Options
from dsflash_ros.pipeline.translation import Translation
from dsflash_ros.tracking.tracking_options import TrackingOptions

if TYPE_CHECKING:
    from dsflash_ros.pipeline.pipeline import SceneGraphPipeline
    from dsflash_ros.weights.loading import OpenedWeights


class ModelFacts(NamedTuple):
    """What a report says of a model, which may be in another process.

    Attributes:
        weights, translation, relates, device, options: as of `SceneGraphPipeline`.
        about: `Report.weights`, `model`, `options` and `machine`.
    """

    weights: str
    translation: Translation
    relates: bool
    device: str
    options: Options
    about: dict[str, dict]

    @classmethod
    def of(
        cls, opened: "OpenedWeights", pipeline: "SceneGraphPipeline", is_compiled: bool
    ) -> "ModelFacts":
        """Of a pipeline with these weights."""
        about = {**about_model(opened, pipeline, is_compiled), "machine": machine()}
        known = pipeline.weights, pipeline.translation, pipeline.relates, str(pipeline.device)
        return cls(*known, pipeline.options, about)

    @property
    def vocabulary(self) -> Vocabulary:
        """The names of the graphs."""
        return self.translation.asked


@dataclass(frozen=True)
class BagEvaluation:
    """What is scored of each bag, and how.

    Attributes:
        protocol: of `PROTOCOLS`.
        topic: of the images; None: the only one of a bag.
        limit: only the first images, so many; None: all.
        target_frame: of positions, see `GraphFollower`.
        choice: values of all options of the model, of images and of tracking, by name.
        told: options of images for the graphs that are tracked, where they differ from `choice`,
            which ranks all relations.
    """

    protocol: str
    topic: str | None
    limit: int | None
    target_frame: str
    choice: Mapping[str, Value]
    told: Mapping[str, Value]

    @property
    def is_tracked(self) -> bool:
        """Whether tracks are scored, too."""
        return self.protocol == "sgdet"

    def settings(self, bag: Mapping[str, str]) -> dict:
        """What must be the same where a report is there already; `bag` says which bag it is."""
        return {
            **bag,
            "protocol": self.protocol,
            "topic": self.topic,
            "limit": self.limit,
            "target_frame": self.target_frame,
            "told": dict(self.told),
            "options": settings_of(self.choice),
        }

    def check(self, place: Path | str, report: Report, bag: Mapping[str, str]) -> None:
        """Raise `OutputError` when the report at a place is of other settings or another bag."""
        check_settings(place, report.settings or {}, self.settings(bag))

    def report(
        self,
        model: ModelFacts,
        predicted: Callable[[Iterable[Record]], Iterator[Predicted]],
        path: Path,
        bag: Mapping[str, str],
    ) -> Report:
        """Score the bag at `path`.

        Args:
            model: that predicts.
            predicted: its predictions, see `evaluate`.
            path: of the bag on this machine.
            bag: which bag it is.

        Raises:
            SourceError: it cannot be read.
            DatasetError, EvaluationError: it has no truth, or one of another vocabulary.
        """
        records = BagRecords(path, model.translation.known, self.topic)
        tracks = None
        if self.is_tracked:
            options = replace(model.options, **self.told)
            tracks = TracksObserver(TrackingOptions.of(self.choice), options, self.target_frame)
        observers = [tracks] if tracks else []
        evaluator = evaluate(
            model, records, self.protocol, self.limit, observers=observers, predicted=predicted
        )
        images = min(self.limit or len(records), len(records))
        return Report(
            dataset=about_dataset(records, images),
            protocol=self.protocol,
            **model.about,
            **evaluator.results(),
            speed=None,
            tracking=tracks and tracks.results(),
            settings=self.settings(bag),
        )
