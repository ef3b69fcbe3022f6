"""The physics of a room: its items fall until they rest."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dsflash_ros.errors import ToyroomError
from dsflash_ros.toyroom.build.scene import Item, Light
from dsflash_ros.toyroom.build.solids import extent
from dsflash_ros.toyroom.physics.engine import mujoco
from dsflash_ros.toyroom.physics.room_model import describe_room

_LONGEST = 3.0
"""Time after which an item that still moves never comes to rest, s."""

_CHECK_EVERY = 0.2
"""How often the simulation checks whether all items rest, s."""

AT_REST = 0.02
"""Highest speed of an item at rest, m/s and rad/s: contacts never stand wholly still."""

_MAX_SLIDE = 0.25
"""An item that ends further away from where it was put has fallen off, m."""

_MAX_TILT = np.radians(20)
"""An item that ends more tilted than that has fallen over, radians."""


class Simulation:
    """A room in MuJoCo.

    Attributes:
        items: the items, with their current poses.
        model, data: MuJoCo's model and its state.
        item_of_geom: (G,) int, index of the item that each of MuJoCo's geoms belongs to.
    """

    def __init__(self, items: Sequence[Item], lights: Sequence[Light] = ()) -> None:
        """Raises `ToyroomError` when MuJoCo cannot build the room."""
        self.items = list(items)
        spec, owners = describe_room(self.items, lights)
        try:
            self.model = spec.compile()
        except ValueError as error:
            reason = " ".join(str(error).split())
            raise ToyroomError(f"MuJoCo cannot build the room: {reason}") from error
        self.item_of_geom = np.array(owners)
        self.data = mujoco.MjData(self.model)
        mujoco.mj_forward(self.model, self.data)

    def settle(self) -> bool:
        """Let the items that move fall until they rest, and update the poses of `items`.

        Returns False if they do not come to rest, or if one of them fell off or over.
        """
        if self.model.nv and not self._comes_to_rest():
            return False
        before = self.items
        self.read_poses()
        return all(_stayed(old, new) for old, new in zip(before, self.items, strict=True))

    def read_poses(self) -> None:
        """Update the poses of `items` to what MuJoCo's state says."""
        mujoco.mj_forward(self.model, self.data)
        self.items = [self._moved(index, item) for index, item in enumerate(self.items)]

    def _comes_to_rest(self) -> bool:
        steps = int(_CHECK_EVERY / self.model.opt.timestep)
        for _ in range(int(_LONGEST / _CHECK_EVERY)):
            mujoco.mj_step(self.model, self.data, nstep=steps)
            if np.abs(self.data.qvel).max() < AT_REST:
                return True
        return False

    def _moved(self, index: int, item: Item) -> Item:
        """The item with its current pose."""
        body = self.model.body(f"item_{index}").id
        position, rotation = self.data.xpos[body].copy(), self.data.xmat[body].reshape(3, 3).copy()
        return replace(item, position=position, rotation=rotation)

    def extents(self) -> np.ndarray:
        """Lower and upper corner of each item's axis-aligned box in the world, (N, 2, 3), m."""
        return np.stack([extent(item) for item in self.items])


def _stayed(old: Item, new: Item) -> bool:
    """Whether an item neither slid away nor fell over. Balls may roll."""
    if not old.moves:
        return True
    slide = np.linalg.norm(new.position - old.position)
    tilt = np.arccos(np.clip(old.rotation[:, 2] @ new.rotation[:, 2], -1, 1))
    rolls = len(old.solids) == 1 and old.solids[0].kind == "sphere"
    return bool(slide < _MAX_SLIDE and (rolls or tilt < _MAX_TILT))
