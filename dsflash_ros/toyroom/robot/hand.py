"""The robot's hand: it takes one thing at a time out of the physics, and gives it back to it."""

import numpy as np

from dsflash_ros.toyroom.build.scene import turn_z
from dsflash_ros.toyroom.physics.engine import mujoco
from dsflash_ros.toyroom.physics.simulation import AT_REST, Simulation

_LARGEST = 0.6
"""Longest side of what the hand can grasp, m."""

_THERE = 0.1
"""How far the surface of a thing may be from the point where it is picked, m."""

_HIGHEST_START, _DEEPEST, _STEP = 0.15, 0.2, 0.01
"""A thing is lowered from so far above a point, in such steps, until it touches, or is so far below
the point, m."""

_FREE = -0.001
"""Distance from which on two solids overlap, m."""

_PATIENCE_S, _CHUNK = 6.0, 25
"""For how long a released thing may move, and steps of the physics between two looks at it."""


class Hand:
    """What the hand holds, and what it can do to the things of a room.

    Attributes:
        held: index of the item in the hand; None for an empty one.
    """

    def __init__(self, simulation: Simulation) -> None:
        self.held: int | None = None
        self._simulation = simulation
        self._collides: tuple[np.ndarray, np.ndarray] | None = None

    def with_contents(self, index: int) -> list[int]:
        """An item and what moves along with it, such as a ball in a bowl."""
        found = [index]
        for other, item in enumerate(self._simulation.items):
            if item.holder in found and other not in found:
                found.append(other)
        return found

    def can_grasp(self, index: int) -> bool:
        """Whether an item is neither fastened nor too large."""
        size = np.ptp(self._simulation.extents()[index], axis=0)
        return self._simulation.items[index].moves and size.max() <= _LARGEST

    def thing_at(self, label: str, point: np.ndarray) -> tuple[int | None, str]:
        """The thing of a class at a point, (3,), that can be grasped; or None and why not."""
        items = self._simulation.items
        low, high = self._simulation.extents().transpose(1, 0, 2)
        away = np.linalg.norm(np.maximum(np.maximum(low - point, point - high), 0), axis=1)
        middle = np.linalg.norm((low + high) / 2 - point, axis=1)
        order = np.lexsort((middle, away))
        there = [index for index in order.tolist() if away[index] <= _THERE]
        movable = [index for index in there if self.can_grasp(index)]
        fitting = [index for index in movable if items[index].name == label]
        if fitting:
            return fitting[0], ""
        if any(items[index].name == label for index in there):
            return None, f"the {label} there is fastened, or too large for the hand"
        if movable:
            return None, f"there is no {label}, but a {items[movable[0]].name}"
        return None, f"there is no {label}"

    def grasp(self, index: int, place: np.ndarray) -> None:
        """Take an item to a place, (3,), where it touches nothing, and let others fall."""
        self.held = index
        model, geoms = self._simulation.model, self._geoms(index)
        self._collides = model.geom_contype[geoms].copy(), model.geom_conaffinity[geoms].copy()
        model.geom_contype[geoms] = model.geom_conaffinity[geoms] = 0
        self.carry(place)
        self._settle()

    def carry(self, place: np.ndarray) -> None:
        """Move what is held to a place, (3,)."""
        if self.held is not None:
            self._put(self.held, place)
            self._simulation.read_poses()

    def release(self, point: np.ndarray) -> str:
        """Lower what is held until it touches something at a point, (3,), and let go.

        Returns the class of what takes the place, and then nothing has changed; else empty.
        """
        index, model = self.held, self._simulation.model
        before = self._simulation.data.qpos.copy()
        geoms = self._geoms(index)
        model.geom_contype[geoms], model.geom_conaffinity[geoms] = self._collides
        if obstacle := self._lower(index, point):
            model.geom_contype[geoms] = model.geom_conaffinity[geoms] = 0
            self._simulation.data.qpos[:] = before
            self._simulation.read_poses()
            return obstacle
        self.held = None
        self._settle()
        return ""

    def _lower(self, index: int, point: np.ndarray) -> str:
        """Put an item where it touches; what is in the way at the highest place, or empty."""
        heights = np.arange(_HIGHEST_START, -_DEEPEST, -_STEP)
        for number, height in enumerate(heights):
            self._put(index, point + (0, 0, height))
            if obstacle := self._overlapped(index):
                if number == 0:
                    return obstacle
                self._put(index, point + (0, 0, height + _STEP))
                return ""
        self._put(index, point)  # nothing is below: it falls
        return ""

    def _overlapped(self, index: int) -> str:
        """The class of what an item overlaps; empty for nothing."""
        simulation = self._simulation
        mujoco.mj_forward(simulation.model, simulation.data)
        own = self.with_contents(index)
        for contact in simulation.data.contact:
            a, b = simulation.item_of_geom[list(contact.geom)].tolist()
            if contact.dist < _FREE and (a in own) != (b in own):
                return simulation.items[b if a in own else a].name
        return ""

    def _put(self, index: int, place: np.ndarray) -> None:
        """Stand an item upright on a place, without changing its yaw."""
        simulation = self._simulation
        rotation = simulation.items[index].rotation
        upright = turn_z(np.arctan2(rotation[1, 0], rotation[0, 0]))
        quaternion = np.zeros(4)
        mujoco.mju_mat2Quat(quaternion, upright.ravel())
        position, speed = self._addresses(index)
        simulation.data.qpos[position : position + 7] = (*place, *quaternion)
        simulation.data.qvel[speed : speed + 6] = 0

    def _addresses(self, index: int) -> tuple[int, int]:
        """Where MuJoCo's state has the pose, and the speed, of an item that moves."""
        model = self._simulation.model
        joint = model.body_jntadr[model.body(f"item_{index}").id]
        return model.jnt_qposadr[joint], model.jnt_dofadr[joint]

    def _geoms(self, index: int) -> np.ndarray:
        return np.flatnonzero(np.isin(self._simulation.item_of_geom, self.with_contents(index)))

    def _settle(self) -> None:
        """Let everything that is not held fall until it rests, at most `_PATIENCE_S`."""
        simulation = self._simulation
        model, data = simulation.model, simulation.data
        for _ in range(int(_PATIENCE_S / _CHUNK / model.opt.timestep)):
            pinned = None
            if self.held is not None:
                position, speed = self._addresses(self.held)
                pinned = data.qpos[position : position + 7].copy()
            mujoco.mj_step(model, data, nstep=_CHUNK)
            if pinned is not None:
                data.qpos[position : position + 7] = pinned
                data.qvel[speed : speed + 6] = 0
            if np.abs(data.qvel).max(initial=0.0) < AT_REST:
                break
        data.qvel[:] = 0
        simulation.read_poses()
