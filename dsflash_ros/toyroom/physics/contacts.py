"""Where the solids of a room touch. Counts fixed items, too, which the physics leaves out."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dsflash_ros.toyroom.physics.engine import mujoco
from dsflash_ros.toyroom.physics.simulation import Simulation

GAP = 0.02
"""Distance up to which two solids touch, m.

Items at rest keep some millimetres, and people who sit on a hard seat keep more.
"""

_SAME_POINT = 1e-6
"""Distance below which two points give no direction, m."""


@dataclass(frozen=True, eq=False)
class Contact:
    """A solid of item a touches a solid of item b.

    Attributes:
        a, b: indexes of the items; a < b.
        normal: (3,) direction from a to b, of length 1.
    """

    a: int
    b: int
    normal: np.ndarray


def contacts(simulation: Simulation, gap: float = GAP) -> Iterator[Contact]:
    """Yield all contacts between solids of different items that are within `gap` metres.

    Two items can have several contacts: a chair's seat bears a person, and its back touches the
    person sideways. Solids that do not collide count only for items that lean: hair touches a wall,
    and so does the tip of an umbrella.
    """
    model, data = simulation.model, simulation.data
    leans = np.array([item.leans for item in simulation.items], bool)
    solid = np.flatnonzero((model.geom_contype > 0) | leans[simulation.item_of_geom])
    solid = solid[np.argsort(simulation.item_of_geom[solid], kind="stable")]
    owner = simulation.item_of_geom[solid]
    low, high = _boxes(simulation, solid)
    near = ((low[:, None] <= high + gap) & (low <= high[:, None] + gap)).all(2)
    near &= owner[:, None] < owner
    ends = np.zeros(6)
    for i, j in np.argwhere(near):
        distance = mujoco.mj_geomDistance(model, data, solid[i], solid[j], 2 * gap, ends)
        if distance > gap:
            continue
        # where solids overlap, the distance is negative and the ends are swapped
        normal = (ends[3:] - ends[:3]) * np.sign(distance)
        length = np.linalg.norm(normal)
        if length < _SAME_POINT:
            normal, length = _apart(low[i], high[i], low[j], high[j]), 1.0
        yield Contact(int(owner[i]), int(owner[j]), normal / length)


def _apart(
    low_a: np.ndarray, high_a: np.ndarray, low_b: np.ndarray, high_b: np.ndarray
) -> np.ndarray:
    """The direction, (3,), from box a to box b along the axis on which they overlap least."""
    overlap = np.minimum(high_a, high_b) - np.maximum(low_a, low_b)
    axis = int(overlap.argmin())
    direction = np.zeros(3)
    a_is_lower = low_a[axis] + high_a[axis] <= low_b[axis] + high_b[axis]
    direction[axis] = 1.0 if a_is_lower else -1.0
    return direction


def _boxes(simulation: Simulation, geoms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper corners of the geoms' axis-aligned boxes in the world, (G, 3) each, m."""
    middle, half = np.split(simulation.model.geom_aabb[geoms], 2, axis=1)
    rotation = simulation.data.geom_xmat[geoms].reshape(-1, 3, 3)
    middle = simulation.data.geom_xpos[geoms] + (rotation @ middle[..., None])[..., 0]
    half = (np.abs(rotation) @ half[..., None])[..., 0]
    return middle - half, middle + half
