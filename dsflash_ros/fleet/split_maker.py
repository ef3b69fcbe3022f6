"""The images of a bag that is replayed, split over several models."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from dsflash_ros.errors import ImageError
from dsflash_ros.fleet.splitter import Splitter
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.pipeline.options import Options
from dsflash_ros.ros.replay.graph_maker import GraphedImage, Image


class SplitMaker:
    """A `GraphMaker` whose graphs are made by workers, in the order of the images.

    Args:
        workers, most_ranges: as of `Splitter`.
        options: of the workers.
    """

    def __init__(self, workers: Sequence, options: Options, most_ranges: int) -> None:
        self.options = options
        self._split = Splitter(workers, most_ranges, _ask, lambda image: image[1].rgb.nbytes)

    def __call__(self, images: Iterable[Image]) -> Iterator[GraphedImage]:
        """The images in their order, each with its graph."""
        for (number, frame), graph in self._split(images):
            yield number, frame, graph if isinstance(graph, ImageError) else owned(graph)


def _ask(worker: Any, images: Sequence[Image]) -> Any:
    return worker.graphs.remote([(frame.rgb, frame.stamp, frame.name) for _, frame in images])


def owned(graph: SceneGraph) -> SceneGraph:
    """With arrays of its own: Ray's cannot be written, and keep the whole range in its store."""
    looks = graph.appearance if graph.appearance is None else graph.appearance.copy()
    return replace(graph, panoptic=graph.panoptic.copy(), appearance=looks)
