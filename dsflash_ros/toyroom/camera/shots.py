"""Rooms as cameras see them, with the truth about what is seen."""

from dataclasses import dataclass

import numpy as np

from dsflash_ros.errors import ToyroomError
from dsflash_ros.toyroom.build.rooms import settled_room
from dsflash_ros.toyroom.build.scene import Camera, Picture
from dsflash_ros.toyroom.camera.cameras import sample_camera
from dsflash_ros.toyroom.camera.rendering import Renderer
from dsflash_ros.toyroom.physics.facts import facts_of
from dsflash_ros.toyroom.truth.image_truth import Truth, truth_of

_CAMERAS = 0xCA
"""Keeps the random numbers of cameras apart from those of rooms."""

_TRIES = 10
"""How many cameras a view may take until one sees a relation."""


@dataclass(frozen=True, eq=False)
class Shot:
    """What a camera sees, and what that is."""

    camera: Camera
    frame: Picture
    truth: Truth


def render_views(
    seed: int, scene: int, count: int = 1, width: int = 640, height: int = 480
) -> tuple[list[Shot], int]:
    """Views of the seed's room of that number, and how many rooms were thrown away before one
    settled.

    The views are `count`, or fewer where the room shows no camera anything that is related.

    Raises:
        ToyroomError: the machine cannot render, or no room settles.
    """
    simulation, thrown_away = settled_room(seed, scene)
    facts, views = facts_of(simulation), []
    with Renderer(simulation, width, height) as renderer:
        for number in range(count):
            random = np.random.default_rng((seed, scene, number, _CAMERAS))
            for _ in range(_TRIES):
                try:
                    camera = sample_camera(random, simulation, width, height)
                except ToyroomError:
                    break
                frame = renderer.frame(camera)
                truth = truth_of(facts, frame, camera)
                if len(truth.relations):
                    views.append(Shot(camera, frame, truth))
                    break
    return views, thrown_away
