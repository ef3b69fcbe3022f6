"""A model in a process of its own, as a Ray actor."""

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from dsflash_ros.errors import ImageError
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.option import Value
from dsflash_ros.pipeline.choice import pipeline_of
from dsflash_ros.pipeline.options import Options
from dsflash_ros.ros.replay.graph_maker import graph_of

if TYPE_CHECKING:  # bags are replayed by processes without torch
    from dsflash_ros.evaluation.bag_evaluation import ModelFacts
    from dsflash_ros.evaluation.prediction import Prediction, Query
    from dsflash_ros.pipeline.pipeline import SceneGraphPipeline
    from dsflash_ros.weights.loading import OpenedWeights

Picture = tuple[np.ndarray, float, str]
"""An image as a pipeline takes it: (H, W, 3) uint8 RGB, stamp in seconds, source."""


class ModelWorker:
    """Makes the graphs of images. The model is loaded when it is first needed.

    Args:
        choice: values of all options of the model and of images, by name.
        for_trackers: the graphs are followed by a tracker, see `SceneGraphPipeline`.
    """

    def __init__(self, choice: Mapping[str, Value], for_trackers: bool) -> None:
        self._choice, self._for_trackers = choice, for_trackers

    def is_here(self) -> bool:
        """True: the process runs."""
        return True

    def options(self) -> Options:
        """What the pipeline does, with the thresholds of its weights."""
        return self._pipeline.options

    def graphs(self, pictures: Sequence[Picture]) -> list[SceneGraph | ImageError]:
        """The graph of each picture, or what is wrong with it."""
        return [graph_of(self._pipeline, *picture) for picture in pictures]

    def facts(self) -> "ModelFacts":
        """What a report says of the model."""
        from dsflash_ros.evaluation.bag_evaluation import ModelFacts

        return ModelFacts.of(self._opened, self._pipeline, self._choice["compile"])

    def predictions(self, queries: "Sequence[Query]") -> "list[Prediction]":
        """What the model predicts, for an evaluation."""
        from dsflash_ros.evaluation.prediction import predict_image

        return [predict_image(self._pipeline, query) for query in queries]

    @cached_property
    def _opened(self) -> "OpenedWeights":
        from dsflash_ros.weights.loading import open_weights

        show_log()
        return open_weights(self._choice["weights"])

    @cached_property
    def _pipeline(self) -> "SceneGraphPipeline":
        pipeline = pipeline_of(self._choice, self._opened)
        pipeline.for_trackers = self._for_trackers
        return pipeline


def show_log() -> None:
    """Write what the command would show to stderr, which Ray brings to the user's terminal."""
    logging.basicConfig(level=logging.WARNING, format="dsflash: %(message)s")
    logging.getLogger("dsflash_ros.progress_bar").setLevel(logging.INFO)
