"""Where cameras stand: random viewpoints, as a mobile robot or the end of an arm has them."""

import numpy as np

from dsflash_ros.errors import ToyroomError
from dsflash_ros.toyroom.build.scene import Camera, Item, turn_z
from dsflash_ros.toyroom.physics.engine import mujoco
from dsflash_ros.toyroom.physics.simulation import Simulation

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
"""What the names of background classes begin with."""

_TRIES = 300
"""How many cameras are drawn at most."""

_CLEARANCE = 0.15
"""Distance from a camera to the bounding box of any item, m; at least."""

_HIGHEST = 2.2
"""Height of a camera, m; at most."""

_NEAREST = 0.45
"""Distance from a camera to what it sees, m; at least."""

_LARGEST_SHARE = 0.4
"""Share of the image that one item may cover."""

_ENOUGH_ITEMS = 6
"""A camera that sees so many items is taken at once."""

_FARTHEST = 30.0
"""How far the rays go that count what a camera sees, m."""


def sample_camera(
    random: np.random.Generator, simulation: Simulation, width: int = 640, height: int = 480
) -> Camera:
    """Draw a camera that sees several items.

    Raises:
        ToyroomError: none of many cameras in this room sees anything.
    """
    boxes = simulation.extents()
    names = [item.name for item in simulation.items]
    foreground = np.array([not name.startswith(_BACKGROUND) for name in names])
    best, most = None, 0
    for _ in range(_TRIES):
        name, target = _choose_target(random, simulation.items, boxes)
        position = _position(random, name, target)
        if not _is_free(position, boxes, foreground):
            continue
        target = target + random.normal(0, 0.15, 3)
        fov = random.uniform(0.8, 1.15)
        camera = Camera.looking_at(position, target, width=width, height=height, fov=fov)
        count = _items_in_view(simulation, camera, foreground)
        if count >= _ENOUGH_ITEMS:
            return camera
        if count > most:
            best, most = camera, count
    if best is None:
        raise ToyroomError("there is no place in this room from which a camera sees anything")
    return best


def _choose_target(
    random: np.random.Generator, items: list[Item], boxes: np.ndarray
) -> tuple[str, np.ndarray]:
    """Choose an item to look at: its class name and a point, (3,).

    Most often it is a person, then a small thing, then something high. For half of the people the
    point is not on them but where they look.
    """
    names = [item.name for item in items]
    foreground = tuple(name for name in names if not name.startswith(_BACKGROUND))
    kinds = (("person",), _SMALL, _HIGH, foreground)
    wanted = kinds[random.choice(4, p=[0.4, 0.3, 0.15, 0.15])]
    found = [index for index, name in enumerate(names) if name in wanted]
    index = int(random.choice(found or range(len(names))))
    item, target = items[index], boxes[index].mean(axis=0)
    if item.gaze is not None and random.random() < 0.5:
        forward = (item.rotation @ item.gaze[1]) * (1, 1, 0)
        target = target + random.uniform(0.3, 0.9) * forward
    return item.name, target


def _position(random: np.random.Generator, name: str, target: np.ndarray) -> np.ndarray:
    """Draw a place, (3,), from which to look at a target of this class."""
    is_small = name in _SMALL
    if is_small and random.random() < 0.4:  # the end of an arm
        away, up = random.uniform(0.45, 1.0), random.uniform(0.2, 0.7)
        return target + turn_z(random.uniform(-np.pi, np.pi)) @ (away, 0, up)
    away = random.uniform(1.1, 3.0) if is_small else random.uniform(1.8, 4.0)
    position = target + turn_z(random.uniform(-np.pi, np.pi)) @ (away, 0, 0)
    position[2] = random.uniform(0.5, 1.6)  # as high as a mobile robot has its camera
    return position


def _is_free(position: np.ndarray, boxes: np.ndarray, foreground: np.ndarray) -> bool:
    """Whether a camera can be there: above the floor, and not in or near an item."""
    floor = boxes[0, :, :2]
    is_outside = (position[:2] < floor[0] + _CLEARANCE) | (position[:2] > floor[1] - _CLEARANCE)
    if is_outside.any() or position[2] > _HIGHEST:
        return False
    near = (position > boxes[:, 0] - _CLEARANCE) & (position < boxes[:, 1] + _CLEARANCE)
    return not (near.all(axis=1) & foreground).any()


def _items_in_view(simulation: Simulation, camera: Camera, foreground: np.ndarray) -> int:
    """Count the foreground items that a coarse grid of rays meets.

    The count is 0 if anything is too near, or if one item covers too much of the image.
    """
    u, v = np.meshgrid(np.linspace(-1, 1, 16), np.linspace(-1, 1, 12))
    slope = np.tan(camera.fov / 2)
    rays = np.stack((u * slope * camera.width / camera.height, v * slope, np.ones_like(u)), -1)
    rays = rays.reshape(-1, 3)
    rays = rays / np.linalg.norm(rays, axis=1, keepdims=True) @ camera.rotation.T
    geoms, distances = np.full(len(rays), -1, np.int32), np.zeros(len(rays))
    mujoco.mj_multiRay(
        m=simulation.model,
        d=simulation.data,
        pnt=camera.position,
        vec=rays.ravel(),
        geomgroup=None,
        flg_static=True,
        bodyexclude=-1,
        geomid=geoms,
        dist=distances,
        normal=None,
        nray=len(rays),
        cutoff=_FARTHEST,
    )
    items = np.append(simulation.item_of_geom, 0)[geoms]  # geom -1, nothing, becomes the floor
    shares = np.bincount(items[foreground[items]], minlength=len(foreground)) / len(rays)
    nearest = distances[geoms >= 0].min(initial=_FARTHEST)
    if nearest < _NEAREST or shares.max() > _LARGEST_SHARE:
        return 0
    return int(np.count_nonzero(shares))
