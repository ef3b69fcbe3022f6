"""What makes the graphs of single images: the costly part, which needs nothing of other images."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from dsflash_ros.errors import ImageError
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.sources.source import Frame

if TYPE_CHECKING:  # where the graphs come from elsewhere, torch is not needed
    from dsflash_ros.pipeline.pipeline import SceneGraphPipeline

Image = tuple[int, Frame]
"""The number of a camera, and its image."""

GraphedImage = tuple[int, Frame, SceneGraph | ImageError]
"""An image, and its graph or what is wrong with it."""


class GraphMaker:
    """Makes graphs with a pipeline of this process, one image after the other.

    Attributes:
        options: of the pipeline, with the thresholds of its weights.
    """

    def __init__(self, pipeline: "SceneGraphPipeline", for_trackers: bool) -> None:
        """`for_trackers`: the graphs are followed by a tracker, see `SceneGraphPipeline`."""
        self._pipeline, self.options = pipeline, pipeline.options
        pipeline.for_trackers = for_trackers

    def __call__(self, images: Iterable[Image]) -> Iterator[GraphedImage]:
        """The images in their order, each with its graph."""
        for number, frame in images:
            yield number, frame, graph_of(self._pipeline, frame.rgb, frame.stamp, frame.name)


def graph_of(pipeline: "SceneGraphPipeline", *image) -> SceneGraph | ImageError:
    """The graph of an image, given as to the pipeline, or why there is none."""
    try:
        return pipeline(*image)
    except ImageError as error:
        return error
