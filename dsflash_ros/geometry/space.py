"""What else is known at the time of an image: depth, and where frames are."""

from dataclasses import dataclass

from dsflash_ros.geometry.positions import Depth, locate
from dsflash_ros.geometry.transforms import TransformBuffer
from dsflash_ros.graph.scene_graph import SceneGraph


@dataclass(frozen=True, eq=False)
class Space:
    """What goes with an image.

    Attributes:
        depth: of the same time.
        frame: the camera's optical frame.
        transforms: where frames are.
    """

    depth: Depth
    frame: str
    transforms: TransformBuffer

    def locate(self, graph: SceneGraph, target: str = "") -> SceneGraph:
        """The graph with positions in the frame `target`; empty: in the camera's optical frame.

        Raises `TransformError` when the target is not known at that time, `ImageError` when depth
        and image do not fit.
        """
        pose = self.transforms.lookup(target, self.frame, graph.stamp) if target else None
        return locate(graph, self.depth, pose, target or self.frame)
