"""What a settled room's relations are read from: who touches, bears, holds, contains and looks at
whom.
"""

from dataclasses import dataclass

import numpy as np

from dsflash_ros.toyroom import VOCABULARY
from dsflash_ros.toyroom.build.scene import Item
from dsflash_ros.toyroom.physics.contacts import contacts
from dsflash_ros.toyroom.physics.simulation import Simulation, mujoco

STEEP = np.cos(np.radians(45))
"""A contact whose normal is less than 45 degrees from vertical bears; what is more level than that
props.
"""

SIGHT = 6.0
"""m, how far people look: the length of the largest room."""

GAZE_WIDTH = np.radians(2)
"""Half angle of the cone that a gaze is: what the fovea sees at once."""

STEP = 1e-4
"""m, past a surface that a gaze passes: one's own head, or what is in one's own hands."""

FLOORS = frozenset({"floor-wood", "floor-other-merged"})
RUG = "rug-merged"
GROUND = FLOORS | {RUG}
RESTING_STUFF = frozenset({RUG, "shelf", "light"})
"""Stuff that stands somewhere, as furniture does; walls and windows are where they are."""


@dataclass(frozen=True, eq=False)
class Facts:
    """The state of a room of N items, from which all predicates but those of the view follow.

    Attributes:
        names: class names.
        things: (N,) bool, whether the class is a thing.
        extents: (N, 2, 3) lower and upper corner of the axis-aligned boxes in the world, m.
        props: (N, N) bool, symmetric: touching sideways, within `contacts.GAP`.
        rests_on: (N, N) bool: [a, b] where b bears a.
        holders: (N,) int, the item that each is fastened to, -1 where none.
        fastenings: how, "" where none.
        postures: "standing", "sitting", "lying", or "" of what has none.
        leans: (N,) bool, whose posture leans on what props it.
        sees: (N,) int, the thing that each one's gaze meets first, -1 where none.
        encloses: (N, N) bool: [b, a] where the middle of a's box is within b's cavity, and a's
            footprint the smaller.
    """

    names: tuple[str, ...]
    things: np.ndarray
    extents: np.ndarray
    props: np.ndarray
    rests_on: np.ndarray
    holders: np.ndarray
    fastenings: tuple[str, ...]
    postures: tuple[str, ...]
    leans: np.ndarray
    sees: np.ndarray
    encloses: np.ndarray


def facts_of(simulation: Simulation) -> Facts:
    """Read the facts of a room that has settled."""
    items, extents = simulation.items, simulation.extents()
    names = tuple(item.name for item in items)
    things = np.array([name in VOCABULARY.things for name in names], bool)
    fastenings = tuple(item.fastening if item.holder is not None else "" for item in items)
    holders = np.array(
        [item.holder if item.fastening and item.holder is not None else -1 for item in items], int
    )
    postures = tuple(item.posture for item in items)
    props, rests_on = _contacts(simulation, holders)
    rests_on &= np.array([(name in VOCABULARY.things or name in RESTING_STUFF) for name in names])[
        :, None
    ]
    encloses = _encloses(items, extents)
    for container, content in np.argwhere(
        encloses
    ):  # a bowl's bottom is thin, and what lies in it near the table
        rests_on[content] &= encloses[container] | (np.arange(len(items)) == container)
    for a in np.flatnonzero(rests_on.any(1)):
        rests_on[a] = _bearers(items, extents, postures[a], np.flatnonzero(rests_on[a]))
    sees = np.array([_seen(simulation, a, holders, things) for a in range(len(items))], int)
    leans = np.array([item.leans for item in items], bool)
    return Facts(
        *(names, things, extents, props, rests_on, holders, fastenings, postures, leans, sees),
        encloses=encloses,
    )


def _contacts(simulation: Simulation, holders: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`props` and what bears what, each (N, N) bool; nobody is a table for what they hold."""
    n = len(simulation.items)
    props, bears = np.zeros((n, n), bool), np.zeros((n, n), bool)
    for contact in contacts(simulation):
        a, b, up = contact.a, contact.b, contact.normal[2]
        if up <= -STEEP:
            bears[a, b] = True
        elif up >= STEEP:
            bears[b, a] = True
        else:
            props[a, b] = props[b, a] = True
    held = np.flatnonzero(holders >= 0)
    bears[held] = False  # what is fastened needs nothing below it
    bears[holders[held], held] = False
    return props, bears


def _bearers(items: list[Item], extents: np.ndarray, posture: str, below: np.ndarray) -> np.ndarray:
    """(N,) bool: what really bears an item, of all that is `below` it: indices.

    What stands on the floor stands on nothing else: a knee below a table does not bear it. What
        stands on a rug stands
    on no floor. Someone with a posture rests on one item: who stands on the lowest, where the feet
    are; who sits or lies on the lowest that is neither floor nor rug, where there is one, for feet
    reach the floor and elbows a table.
    """
    rugs = [b for b in below if items[b].name == RUG]
    ground = rugs or [b for b in below if items[b].name in FLOORS]
    raised = [b for b in below if items[b].name not in GROUND]
    if posture in ("sitting", "lying") and raised:
        ground = []
    chosen = ground or raised
    if posture:
        chosen = [min(chosen, key=lambda b: _top(items[b], extents[b]))]
    bearers = np.zeros(len(items), bool)
    bearers[chosen] = True
    return bearers


def _top(item: Item, extent: np.ndarray) -> float:
    """Height in the world of the lowest surface that something can be put on."""
    return item.to_world(item.tops[:, [0, 1, 4]])[:, 2].min() if len(item.tops) else extent[1, 2]


def _encloses(items: list[Item], extents: np.ndarray) -> np.ndarray:
    """(N, N) bool: [b, a] where b contains a.

    By its footprint a bowl on a chair does not contain the chair.
    """
    middles, areas = extents.mean(1), np.ptp(extents[:, :, :2], axis=1).prod(1)
    encloses = np.zeros((len(items), len(items)), bool)
    for b, item in enumerate(items):
        if item.cavity is not None:
            local = (middles - item.position) @ item.rotation
            encloses[b] = ((local >= item.cavity[0]) & (local <= item.cavity[1])).all(1) & (
                areas < areas[b]
            )
    return encloses


def _seen(simulation: Simulation, a: int, holders: np.ndarray, things: np.ndarray) -> int:
    """The thing that the middle of the gaze of item `a` meets; where that is no thing, the first
    around it; or -1.
    """
    item = simulation.items[a]
    if item.gaze is None:
        return -1
    eye, forward = item.to_world(item.gaze[0]), item.rotation @ item.gaze[1]
    forward /= np.linalg.norm(forward)
    side = np.cross(forward, (0.0, 0.0, 1.0))
    side /= np.linalg.norm(side)
    angles = np.arange(8) * np.pi / 4
    ring = np.outer(np.cos(angles), side) + np.outer(np.sin(angles), np.cross(side, forward))
    rays = np.vstack((forward, forward + np.tan(GAZE_WIDTH) * ring))
    own = {a, *np.flatnonzero(holders == a).tolist()}
    met = [_met(simulation, eye, ray / np.linalg.norm(ray), own) for ray in rays]
    return next((b for b in met if b >= 0 and things[b]), -1)


def _met(simulation: Simulation, eye: np.ndarray, ray: np.ndarray, own: set[int]) -> int:
    """The first item on a ray within `SIGHT` that is none of one's own, -1 where nothing is."""
    geom, travelled = np.zeros(1, np.int32), 0.0
    while travelled < SIGHT:
        distance = mujoco.mj_ray(
            simulation.model, simulation.data, eye + travelled * ray, ray, None, True, -1, geom
        )
        travelled += distance + STEP
        if geom[0] < 0 or travelled > SIGHT:
            return -1
        item = int(simulation.item_of_geom[geom[0]])
        if item not in own:
            return item
    return -1
