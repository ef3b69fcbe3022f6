"""Where on a piece of furniture a thing can be put, as far as the graph tells."""

import itertools
import math

from world import Point, Thing, World

SEATS = {"chair": 0.5, "couch": 0.47, "bed": 0.52}
"""About how high one sits on these, metres: they have backs, so their top is not the seat's."""

_STEPS = (0.0, -0.12, 0.12, -0.24, 0.24, -0.36, 0.36)
"""Where spots are tried, as shares of the furniture's size from its middle."""

_GAP, _EDGE = 0.02, 0.08
"""Distances to keep from other things and from edges, metres. Furniture stands askew in its box."""


def surface_height(furniture: Thing) -> float:
    """Height of what things are put on, metres."""
    top = furniture.position[2] + furniture.extent[2] / 2
    return SEATS.get(furniture.label, top)


def spots(world: World, thing: Thing, furniture: Thing, robot: tuple[float, float]) -> list[Point]:
    """Points on furniture for a thing's lower side: free ones, the nearest to the robot first.

    After them come those that others seem to be on, the freest first.
    """
    height = surface_height(furniture)
    others = [
        other
        for other in world.things.values()
        if other.name not in (thing.name, furniture.name) and _is_on_top(other, furniture, height)
    ]
    half = max(thing.extent[:2]) / 2
    found = []
    for across, along in itertools.product(_STEPS, _STEPS):
        x = furniture.position[0] + across * furniture.extent[0]
        y = furniture.position[1] + along * furniture.extent[1]
        gaps = [math.dist((x, y), o.position[:2]) - half - max(o.extent[:2]) / 2 for o in others]
        gaps.append((0.5 - abs(across)) * furniture.extent[0] - half - _EDGE)
        gaps.append((0.5 - abs(along)) * furniture.extent[1] - half - _EDGE)
        found.append((min(gaps), (x, y, height)))
    free = [spot for gap, spot in found if gap >= _GAP]
    free.sort(key=lambda spot: math.dist(spot[:2], robot))
    return free + [spot for gap, spot in sorted(found, reverse=True) if gap < _GAP]


def _is_on_top(other: Thing, furniture: Thing, height: float) -> bool:
    """Whether a thing is above the surface, or reaches into the space above it."""
    over = all(
        abs(other.position[axis] - furniture.position[axis])
        <= (furniture.extent[axis] + other.extent[axis]) / 2
        for axis in (0, 1)
    )
    top = other.position[2] + other.extent[2] / 2
    return over and height - 0.05 < top and other.position[2] - other.extent[2] / 2 < height + 0.5
