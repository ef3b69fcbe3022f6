"""Where the solids of a room touch, fixed ones too, which the physics leaves out."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dsflash_ros.toyroom.physics.simulation import Simulation, mujoco

GAP = 0.02
"""m: what is nearer touches.

What rests keeps some millimetres, who sits on a hard seat keeps more.
"""

_SAME_POINT = 1e-6
"""m: nearer points show no direction between them."""


@dataclass(frozen=True, eq=False)
class Contact:
    """A solid of item a touches one of item b, a < b; `normal` is (3,), of length 1, from a to b."""

    a: int
    b: int
    normal: np.ndarray


def contacts(simulation: Simulation, gap: float = GAP) -> Iterator[Contact]:
    """All contacts between solids of different items that are within `gap` metres of each other.

    Two items have as many as pairs of their solids do: a seat bears someone whom its back props.
        Solids that do not
    collide count for who leans: a wall props hair, too, and the tip of an umbrella.
    """
    model, data = simulation.model, simulation.data
    leans = np.array([item.leans for item in simulation.items], bool)
    solid = np.flatnonzero((model.geom_contype > 0) | leans[simulation.item_of_geom])
    solid = solid[np.argsort(simulation.item_of_geom[solid], kind="stable")]
    owner = simulation.item_of_geom[solid]
    low, high = _boxes(simulation, solid)
    near = ((low[:, None] <= high + gap) & (low <= high[:, None] + gap)).all(2) & (
        owner[:, None] < owner
    )
    ends = np.zeros(6)
    for i, j in np.argwhere(near):
        distance = mujoco.mj_geomDistance(model, data, solid[i], solid[j], 2 * gap, ends)
        if distance > gap:
            continue
        normal = (ends[3:] - ends[:3]) * np.sign(
            distance
        )  # where solids overlap, the ends lie the other way round
        length = np.linalg.norm(normal)
        if length < _SAME_POINT:
            normal, length = _apart(low[i], high[i], low[j], high[j]), 1.0
        yield Contact(int(owner[i]), int(owner[j]), normal / length)


def _apart(
    low_a: np.ndarray, high_a: np.ndarray, low_b: np.ndarray, high_b: np.ndarray
) -> np.ndarray:
    """(3,) the direction of an axis from one box to another: that in which they overlap least."""
    overlap = np.minimum(high_a, high_b) - np.maximum(low_a, low_b)
    axis = int(overlap.argmin())
    return np.eye(3)[axis] * (
        1.0 if low_a[axis] + high_a[axis] <= low_b[axis] + high_b[axis] else -1.0
    )


def _boxes(simulation: Simulation, geoms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(G, 3) each: lower and upper corners of the geoms' axis-aligned boxes in the world, m."""
    middle, half = np.split(simulation.model.geom_aabb[geoms], 2, axis=1)
    rotation = simulation.data.geom_xmat[geoms].reshape(-1, 3, 3)
    middle = simulation.data.geom_xpos[geoms] + (rotation @ middle[..., None])[..., 0]
    half = (np.abs(rotation) @ half[..., None])[..., 0]
    return middle - half, middle + half
