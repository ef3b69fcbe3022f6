"""Where a camera stood when it took an image."""

from dataclasses import dataclass

from dsflash_ros.geometry.camera import Intrinsics
from dsflash_ros.geometry.transforms import Transform, TransformBuffer, TransformError
from dsflash_ros.graph.scene_graph import SceneGraph


@dataclass(frozen=True, eq=False)
class Viewpoint:
    """Where a camera stood when it took an image, and how it projects.

    Attributes:
        camera: of the image, at any size.
        pose: from the camera's optical frame to the graph's `position_frame`.
    """

    camera: Intrinsics
    pose: Transform

    @classmethod
    def of(
        cls, graph: SceneGraph, camera: Intrinsics, frame: str, transforms: TransformBuffer
    ) -> "Viewpoint | None":
        """That of a graph's image; None when the graph has no positions, or the pose is unknown.

        `frame`: the camera's optical frame.
        """
        if not graph.position_frame:
            return None
        try:
            return cls(camera, transforms.lookup(graph.position_frame, frame, graph.stamp))
        except TransformError:
            return None
