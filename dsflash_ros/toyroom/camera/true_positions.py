"""Where a simulated camera is, how it projects, and where things are by what it really sees.

Needs neither torch nor MuJoCo.
"""

from typing import TYPE_CHECKING

import numpy as np

from dsflash_ros.geometry.camera import Intrinsics
from dsflash_ros.geometry.positions import Depth, locate
from dsflash_ros.geometry.transforms import Transform
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.toyroom import VOCABULARY
from dsflash_ros.toyroom.build.scene import Camera
from dsflash_ros.toyroom.truth.true_graph import true_graph

if TYPE_CHECKING:  # which needs MuJoCo
    from dsflash_ros.toyroom.camera.shots import Shot

MAP_FRAME = "map"
"""The world's frame: z up, origin in a corner of the room, on the floor."""


def lens(camera: Camera) -> Intrinsics:
    """The intrinsics of a simulated camera."""
    k = camera.intrinsics
    return Intrinsics(camera.width, camera.height, k[0, 0], k[1, 1], k[0, 2], k[1, 2])


def pose(camera: Camera) -> Transform:
    """From the optical frame of a simulated camera to `MAP_FRAME`."""
    return Transform(camera.rotation, np.asarray(camera.position, float))


def located_truth(shot: "Shot", stamp: float = 0.0) -> SceneGraph:
    """The true graph of a shot, with positions in the map that true masks and depth give."""
    truth = shot.truth
    graph = true_graph(
        truth.labels, truth.class_ids, truth.relations, VOCABULARY, truth.track_ids, stamp=stamp
    )
    return locate(graph, Depth(shot.picture.depth, lens(shot.camera)), pose(shot.camera), MAP_FRAME)
