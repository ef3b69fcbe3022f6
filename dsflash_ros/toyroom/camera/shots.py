"""Shots of a room: pictures together with the truth about what they show."""

from dataclasses import dataclass, replace

import numpy as np

from dsflash_ros.errors import ToyroomError
from dsflash_ros.toyroom.build.rooms import settled_room
from dsflash_ros.toyroom.build.scene import Camera, Picture
from dsflash_ros.toyroom.camera.depth_noise import measured_depth
from dsflash_ros.toyroom.camera.rendering import Renderer
from dsflash_ros.toyroom.camera.viewpoints import sample_camera
from dsflash_ros.toyroom.physics.facts import facts_of
from dsflash_ros.toyroom.truth.image_truth import Truth, truth_of

_CAMERA_SEED = 0xCA
"""Separates the random numbers of cameras from those of rooms."""

_TRIES = 10
"""How many cameras are tried for a shot until one sees a relation."""


@dataclass(frozen=True, eq=False)
class Shot:
    """A picture of a room, the camera that took it, and the true scene graph.

    Attributes:
        depth: (H, W) float32 metres, as it is measured; 0 where nothing is. Without noise it is the
            picture's.
    """

    camera: Camera
    picture: Picture
    truth: Truth
    depth: np.ndarray

    def with_noise(self, random: np.random.Generator) -> "Shot":
        """The same with depth as of a depth camera."""
        return replace(self, depth=measured_depth(self.picture.depth, random))


def render_shots(
    seed: int, scene: int, count: int = 1, width: int = 640, height: int = 480
) -> tuple[list[Shot], int]:
    """Render shots of one room of a seed.

    Args:
        seed: seed of all rooms.
        scene: number of the room.
        count: how many shots.
        width: image width, pixels.
        height: image height, pixels.

    Returns:
        The shots, and how many rooms were thrown away because they did not settle. There are fewer
        than `count` shots if no camera sees a relation.

    Raises:
        ToyroomError: the machine cannot render, or no room settles.
    """
    simulation, thrown_away = settled_room(seed, scene)
    facts, shots = facts_of(simulation), []
    with Renderer(simulation, width, height) as renderer:
        for number in range(count):
            random = np.random.default_rng((seed, scene, number, _CAMERA_SEED))
            for _ in range(_TRIES):
                try:
                    camera = sample_camera(random, simulation, width, height)
                except ToyroomError:
                    break
                picture = renderer.picture(camera)
                truth = truth_of(facts, picture, camera)
                if len(truth.relations):
                    shots.append(Shot(camera, picture, truth, picture.depth))
                    break
    return shots, thrown_away
