"""Views of a room, as a mobile robot or an arm has them."""

import numpy as np

from dsflash_ros.errors import ToyroomError
from dsflash_ros.toyroom.build.scene import Camera, Item, turn_z
from dsflash_ros.toyroom.physics.simulation import Simulation, mujoco

_SMALL = (
    "cup",
    "bowl",
    "bottle",
    "book",
    "sports ball",
    "laptop",
    "teddy bear",
    "backpack",
    "suitcase",
    "potted plant",
)
_HIGH = ("light", "tv", "clock", "paper-merged", "window-other", "shelf", "umbrella")
_BACKGROUND = ("floor", "wall", "ceiling", "rug")
_TRIES = 300

_CLEARANCE = 0.15
"""A camera is not nearer to any item's box, metres."""

_NEAREST, _MOST, _FEWEST = 0.45, 0.4, 6
"""Of a good view: metres to the nearest thing, largest share of one thing, fewest things."""


def sample_camera(
    random: np.random.Generator, simulation: Simulation, width: int = 640, height: int = 480
) -> Camera:
    """A view of several things. Raises `ToyroomError` when the room offers none."""
    boxes = simulation.extents()
    names = [item.name for item in simulation.items]
    foreground = np.array([not name.startswith(_BACKGROUND) for name in names])
    best: tuple[int, Camera] | None = None
    for _ in range(_TRIES):
        focus, target = _focus(random, simulation.items, boxes)
        if focus in _SMALL and random.random() < 0.4:  # on an arm
            away, up = random.uniform(0.45, 1.0), random.uniform(0.2, 0.7)
            position = target + turn_z(random.uniform(-np.pi, np.pi)) @ (away, 0, up)
        else:  # on a mobile robot
            away = random.uniform(1.1, 3.0) if focus in _SMALL else random.uniform(1.8, 4.0)
            position = target + turn_z(random.uniform(-np.pi, np.pi)) @ (away, 0, 0)
            position[2] = random.uniform(0.5, 1.6)
        if not _is_free(position, boxes, foreground):
            continue
        target = target + random.normal(0, 0.15, 3)
        camera = Camera.looking_at(
            position, target, width=width, height=height, fov=random.uniform(0.8, 1.15)
        )
        things = _things_in_view(simulation, camera, foreground)
        if things >= _FEWEST:
            return camera
        if things and (best is None or things > best[0]):
            best = things, camera
    if best is None:
        raise ToyroomError("there is no place in this room from which a camera sees anything")
    return best[1]


def _focus(
    random: np.random.Generator, items: list[Item], boxes: np.ndarray
) -> tuple[str, np.ndarray]:
    """What to look at, and where it is: people and what they look at often, then small things and
    what hangs.
    """
    names = [item.name for item in items]
    kinds = (
        ("person",),
        _SMALL,
        _HIGH,
        tuple(name for name in names if not name.startswith(_BACKGROUND)),
    )
    wanted = kinds[random.choice(4, p=[0.4, 0.3, 0.15, 0.15])]
    found = [i for i, name in enumerate(names) if name in wanted]
    index = int(random.choice(found or range(len(names))))
    target = boxes[index].mean(axis=0)
    if items[index].gaze is not None and random.random() < 0.5:
        target = target + random.uniform(0.3, 0.9) * (
            items[index].rotation @ items[index].gaze[1]
        ) * (1, 1, 0)
    return names[index], target


def _is_free(position: np.ndarray, boxes: np.ndarray, foreground: np.ndarray) -> bool:
    low, high = boxes[0]  # the floor
    if (
        (position[:2] < low[:2] + _CLEARANCE).any()
        or (position[:2] > high[:2] - _CLEARANCE).any()
        or position[2] > 2.2
    ):
        return False
    near = (position > boxes[:, 0] - _CLEARANCE) & (position < boxes[:, 1] + _CLEARANCE)
    return not (near.all(axis=1) & foreground).any()


def _things_in_view(simulation: Simulation, camera: Camera, foreground: np.ndarray) -> int:
    """How many items a coarse grid of rays meets; 0 where something is too near or fills the view."""
    u, v = np.meshgrid(np.linspace(-1, 1, 16), np.linspace(-1, 1, 12))
    slope = np.tan(camera.fov / 2)
    rays = np.stack(
        (u * slope * camera.width / camera.height, v * slope, np.ones_like(u)), -1
    ).reshape(-1, 3)
    rays = rays / np.linalg.norm(rays, axis=1, keepdims=True) @ camera.rotation.T
    geoms, distances = np.full(len(rays), -1, np.int32), np.zeros(len(rays))
    mujoco.mj_multiRay(
        simulation.model,
        simulation.data,
        camera.position,
        rays.ravel(),
        None,
        True,
        -1,
        geoms,
        distances,
        None,
        len(rays),
        30.0,
    )
    items = np.append(simulation.item_of_geom, 0)[geoms]
    shares = np.bincount(items[foreground[items]], minlength=len(foreground)) / len(rays)
    if distances[geoms >= 0].min(initial=30.0) < _NEAREST or shares.max() > _MOST:
        return 0
    return int(np.count_nonzero(shares))
