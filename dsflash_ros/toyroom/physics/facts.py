"""Facts about a settled room: who touches, bears, holds, contains and looks at whom."""

from dataclasses import dataclass

import numpy as np

from dsflash_ros.toyroom import VOCABULARY
from dsflash_ros.toyroom.build.scene import Item
from dsflash_ros.toyroom.physics.contacts import contacts
from dsflash_ros.toyroom.physics.engine import mujoco
from dsflash_ros.toyroom.physics.simulation import Simulation

STEEP = np.cos(np.radians(45))
"""Vertical part of a contact's normal from which on the lower item bears the upper one.

With less than that, the normal being more than 45 degrees from vertical, they touch sideways.
"""

SIGHT = 6.0
"""How far people see, m: the length of the largest room."""

GAZE_WIDTH = np.radians(2)
"""Half angle of the cone of a gaze, radians: what the fovea sees at once."""

STEP = 1e-4
"""How far behind a surface a ray goes on that may pass it, m."""

FLOORS = frozenset({"floor-wood", "floor-other-merged"})
RUG = "rug-merged"
GROUND = FLOORS | {RUG}
RESTING_STUFF = frozenset({RUG, "shelf", "light"})
"""Stuff that rests on something, like furniture; all other stuff belongs to the building."""


@dataclass(frozen=True, eq=False)
class Facts:
    """The state of a room of N items. All predicates that need no camera follow from it.

    Attributes:
        names: class names.
        things: (N,) bool, whether the class is a thing.
        extents: (N, 2, 3) lower and upper corner of the axis-aligned boxes in the world, m.
        props: (N, N) bool, symmetric: a and b touch sideways, within `contacts.GAP`.
        rests_on: (N, N) bool, [a, b]: b bears a.
        holders: (N,) int, the item that each is fastened to; -1 if there is none.
        fastenings: how it is fastened, see `Item`; empty if it is not.
        postures: "standing", "sitting", "lying", or empty.
        leans: (N,) bool, whether it leans on what touches it sideways.
        sees: (N,) int, the thing that its gaze meets first; -1 if there is none.
        encloses: (N, N) bool, [b, a]: the middle of a's box is in b's cavity, and a's footprint is
            smaller than b's.
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
    is_fastened = [bool(item.fastening) and item.holder is not None for item in items]
    pairs = list(zip(items, is_fastened, strict=True))
    holders = np.array([item.holder if fastened else -1 for item, fastened in pairs], int)
    encloses = _encloses(items, extents)
    props, bears = _touching(simulation, holders)
    return Facts(
        names=names,
        things=things,
        extents=extents,
        props=props,
        rests_on=_rests_on(items, extents, bears, encloses),
        holders=holders,
        fastenings=tuple(item.fastening if fastened else "" for item, fastened in pairs),
        postures=tuple(item.posture for item in items),
        leans=np.array([item.leans for item in items], bool),
        sees=np.array([_seen(simulation, a, holders, things) for a in range(len(items))], int),
        encloses=encloses,
    )


def _touching(simulation: Simulation, holders: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which items touch: `props` of `Facts`, and (N, N) bool, [a, b]: b is below a.

    What is fastened needs no support, and people do not rest on what is fastened to them.
    """
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
    fastened = np.flatnonzero(holders >= 0)
    bears[fastened] = False
    bears[holders[fastened], fastened] = False
    return props, bears


def _rests_on(
    items: list[Item], extents: np.ndarray, bears: np.ndarray, encloses: np.ndarray
) -> np.ndarray:
    """What really bears each item, (N, N) bool, of all that is below it, `bears`."""
    names = [item.name for item in items]
    can_rest = np.array([name in VOCABULARY.things or name in RESTING_STUFF for name in names])
    rests_on = bears & can_rest[:, None]
    for container, content in np.argwhere(encloses):
        # a bowl's bottom is so thin that what lies in it touches the table, too
        is_inside = encloses[container].copy()
        is_inside[container] = True
        rests_on[content] &= is_inside
    for a in np.flatnonzero(rests_on.any(1)):
        rests_on[a] = _bearers(items, extents, items[a].posture, np.flatnonzero(rests_on[a]))
    return rests_on


def _bearers(items: list[Item], extents: np.ndarray, posture: str, below: np.ndarray) -> np.ndarray:
    """What really bears an item, (N,) bool, of the items `below` it, which are given by index.

    What stands on the floor stands on nothing else: a knee below a table does not bear it. What
    stands on a rug does not stand on the floor. An item with a posture rests on one item only: if
    standing, on the lowest, where the feet are; if sitting or lying, on the lowest that is neither
    floor nor rug, because feet reach the floor and elbows a table. If there is only floor or rug,
    it rests on that.
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
    """Height in the world of an item's lowest top, or of its bounding box if it has no tops, m."""
    if len(item.tops):
        return item.to_world(item.tops[:, [0, 1, 4]])[:, 2].min()
    return extent[1, 2]


def _encloses(items: list[Item], extents: np.ndarray) -> np.ndarray:
    """Which items contain which: `encloses` of `Facts`.

    The footprints matter because the middle of a chair's box can be in a bowl on its seat.
    """
    middles, areas = extents.mean(1), np.ptp(extents[:, :, :2], axis=1).prod(1)
    encloses = np.zeros((len(items), len(items)), bool)
    for b, item in enumerate(items):
        if item.cavity is not None:
            local = (middles - item.position) @ item.rotation
            is_inside = ((local >= item.cavity[0]) & (local <= item.cavity[1])).all(1)
            encloses[b] = is_inside & (areas < areas[b])
    return encloses


def _seen(simulation: Simulation, a: int, holders: np.ndarray, things: np.ndarray) -> int:
    """The thing that item a looks at, -1 if there is none.

    It is what the middle of the gaze meets; if that is no thing, the first thing that one of eight
    rays on the edge of the gaze's cone meets.
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
    """The first item that a ray meets within `SIGHT`, -1 if there is none.

    The ray passes through the items in `own`: one's own head, and what is in one's hands.
    """
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
