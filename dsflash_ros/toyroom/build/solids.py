"""Functions that make solids, and the bounding boxes of items."""

import colorsys
from dataclasses import replace

import numpy as np

from dsflash_ros.toyroom.build.scene import Item, Material, Solid, Vector, turn_y


def colour(
    random: np.random.Generator, saturation=(0.2, 0.9), value=(0.25, 0.95), hue=(0.0, 1.0)
) -> tuple:
    """A random colour: red, green and blue, 0 to 1 each.

    Its hue, saturation and value (HSV, 0 to 1 each) are drawn evenly from these ranges.
    """
    return colorsys.hsv_to_rgb(
        random.uniform(*hue) % 1, random.uniform(*saturation), random.uniform(*value)
    )


def plain(rgb, **others) -> Material:
    """A material of this colour; `others` are further fields of `Material`."""
    return Material(tuple(float(channel) for channel in rgb), **others)


def box(
    half: Vector, at: Vector, material: Material, rotation: np.ndarray | None = None, collides=True
) -> Solid:
    """A box with its centre at `at` and these half sizes."""
    return _solid("box", half, at, material, rotation, collides)


def plank(
    x0: float, x1: float, y0: float, y1: float, z0: float, z1: float, material: Material
) -> Solid:
    """A box from corner (x0, y0, z0) to corner (x1, y1, z1)."""
    low, high = np.array([x0, y0, z0], float), np.array([x1, y1, z1], float)
    return box((high - low) / 2, (high + low) / 2, material)


def panel(
    half_width: float, half_height: float, half_thickness: float, at: Vector, material: Material
) -> Solid:
    """A plate that faces x and shows its texture upright on its front.

    `half_width` is measured along y, `half_height` along z.
    """
    return box((half_width, half_height, half_thickness), at, material, upright())


def upright() -> np.ndarray:
    """The (3, 3) rotation that turns z to x, x to y and y to z: what lay on its back faces x."""
    return np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])


def ball(radius: float, at: Vector, material: Material, collides=True) -> Solid:
    """A sphere with its centre at `at`."""
    return _solid("sphere", (radius,), at, material, None, collides)


def egg(half: Vector, at: Vector, material: Material, rotation=None, collides=True) -> Solid:
    """An ellipsoid with its centre at `at` and these half axes."""
    return _solid("ellipsoid", half, at, material, rotation, collides)


def rod(
    radius: float, start: Vector, end: Vector, material: Material, round_ends=True, collides=True
) -> Solid:
    """A capsule from `start` to `end`, or a cylinder if its ends are not round."""
    start, end = np.asarray(start, float), np.asarray(end, float)
    length = np.linalg.norm(end - start)
    kind = "capsule" if round_ends else "cylinder"
    return _solid(
        kind, (radius, length / 2), (start + end) / 2, material, along(end - start), collides
    )


def disc(
    radius: float, z0: float, z1: float, material: Material, at=(0.0, 0.0), collides=True
) -> Solid:
    """A vertical cylinder from height z0 to z1."""
    return rod(radius, (*at, z0), (*at, z1), material, round_ends=False, collides=collides)


def lathe(
    profile: Vector, material: Material, at=(0.0, 0.0, 0.0), rotation=None, collides=True
) -> Solid:
    """A surface of revolution: a profile of (radius, height) points turned around z."""
    return _solid("lathe", profile, at, material, rotation, collides)


def _solid(kind: str, size, at, material: Material, rotation, collides: bool) -> Solid:
    rotation = np.eye(3) if rotation is None else rotation
    return Solid(kind, np.asarray(size, float), material, np.asarray(at, float), rotation, collides)


def along(direction: Vector) -> np.ndarray:
    """A (3, 3) rotation that turns the z axis to this direction."""
    x, y, z = np.asarray(direction, float) / np.linalg.norm(direction)
    tilt = np.arctan2(np.hypot(x, y), z)
    turn = np.arctan2(y, x)
    c, s = np.cos(turn), np.sin(turn)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]) @ turn_y(tilt)


def tilted(item: Item, angle: float) -> Item:
    """Tilt an item backwards by `angle` radians; its lowest point is at z = 0 afterwards."""
    turn = turn_y(-angle)
    solids = [
        replace(s, position=turn @ s.position, rotation=turn @ s.rotation) for s in item.solids
    ]
    low = extent(replace(item, solids=tuple(solids)))[0, 2]
    solids = [replace(s, position=s.position - np.array([0, 0, low])) for s in solids]
    return replace(item, solids=tuple(solids), leans=True)


def extent(item: Item) -> np.ndarray:
    """Lower and upper corner, (2, 3), of an item's axis-aligned bounding box in the world."""
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for solid in item.solids:
        rotation, middle = item.rotation @ solid.rotation, item.to_world(solid.position)
        if solid.kind == "lathe":
            bottom, top = solid.size[:, 1].min(), solid.size[:, 1].max()
            middle = middle + rotation[:, 2] * (bottom + top) / 2
        half = _half_extent(solid, rotation)
        low, high = np.minimum(low, middle - half), np.maximum(high, middle + half)
    return np.stack((low, high))


def _half_extent(solid: Solid, rotation: np.ndarray) -> np.ndarray:
    """Half sizes, (3,), of the axis-aligned box around a solid with this rotation to the world."""
    if solid.kind == "box":
        return np.abs(rotation) @ solid.size
    if solid.kind == "sphere":
        return np.full(3, solid.size[0])
    if solid.kind == "ellipsoid":
        return np.sqrt((rotation * solid.size) ** 2 @ np.ones(3))
    axis = rotation[:, 2]
    if solid.kind == "capsule":
        return np.abs(axis) * solid.size[1] + solid.size[0]
    if solid.kind == "cylinder":
        radius, half = solid.size
    else:  # a lathe, which is at most as large as the cylinder around it
        radius, half = solid.size[:, 0].max(), np.ptp(solid.size[:, 1]) / 2
    return np.abs(axis) * half + radius * np.sqrt(np.maximum(0, 1 - axis**2))
