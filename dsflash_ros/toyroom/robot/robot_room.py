"""A room with a robot in it that goes to places, picks things up and places them.

Needs no ROS. An action is a generator that goes on by `TICK_S` at each `next`, so that whoever
runs it can look through the robot's camera in between:

    room = RobotRoom(seed=7)
    outcome = room.run(room.go_to((1.0, 2.0, 0.7)))
    shot = room.observe()
"""

from collections.abc import Callable, Sequence

import numpy as np

from dsflash_ros.errors import ToyroomError
from dsflash_ros.toyroom.build.rooms import settled_room
from dsflash_ros.toyroom.build.scene import Camera
from dsflash_ros.toyroom.camera.driving_space import DrivingSpace
from dsflash_ros.toyroom.camera.rendering import Renderer
from dsflash_ros.toyroom.camera.shots import Shot
from dsflash_ros.toyroom.physics.facts import facts_of
from dsflash_ros.toyroom.physics.simulation import Simulation
from dsflash_ros.toyroom.robot.hand import Hand
from dsflash_ros.toyroom.robot.reach import REACH, checked, too_far, too_high
from dsflash_ros.toyroom.robot.robot_motion import Motion, Outcome
from dsflash_ros.toyroom.robot.stands import find_stand, free_space, path
from dsflash_ros.toyroom.truth.image_truth import truth_of

TICK_S = 0.1
"""Time between two states of an action, s."""

SPEED, TURN = 0.6, 1.2
"""Highest speed of the base, m/s, and of the head, rad/s."""

HEIGHT = 1.2
"""Of the camera, m."""

_MARGIN = 0.1
"""How much nearer than `REACH` the robot goes, m: places are known to some centimetres only."""

_FELL = 0.1
"""A thing that came to rest so much deeper than where it was placed fell off, m."""

_PITCH = np.radians([-65.0, 25.0])
"""How far the head turns down and up, radians."""

_TRAY = 0.35
"""What is held is so far behind the camera, m, and so high, where the camera does not see it."""


class RobotRoom:
    """A settled room and a robot with a camera on a head, a hand, and wheels.

    The head turns in all directions, whichever way the robot drives.

    Attributes:
        simulation: the room.
        hand: what the robot holds.
        place: (2,) where it stands, m.
        yaw, pitch: of its head, radians.
        time_s: simulated time since the beginning.
    """

    def __init__(
        self,
        simulation: Simulation | int,
        place: Sequence[float] | None = None,
        width: int = 640,
        height: int = 480,
        noisy: bool = False,
    ) -> None:
        """Put the robot into a room, or into the first of a seed that it can drive in.

        Args:
            simulation: a settled room whose first item is the floor, or a seed of rooms.
            place: (2,) where the robot stands, m; the middle of the free space by default.
            width: of the camera's images, pixels.
            height: of the camera's images, pixels.
            noisy: whether depth is that of a depth camera.

        Raises:
            ToyroomError: there is no room to drive, or the machine cannot render.
        """
        if not isinstance(simulation, Simulation):
            simulation, _ = settled_room(simulation, 0)
        self.simulation, self.hand = simulation, Hand(simulation)
        space = free_space(simulation, HEIGHT, [])
        if space is None:
            raise ToyroomError("there is no room to drive in this room: take another seed")
        middle = space.place(np.argwhere(space.free)).mean(0) if place is None else place
        self.place = space.place(np.array(space.nearest(np.asarray(middle, float))))
        self.yaw, self.pitch, self.time_s = 0.0, -0.35, 0.0
        self._size, self._facts, self._renderer = (width, height), None, None
        self._noise = np.random.default_rng(0) if noisy else None

    @property
    def camera(self) -> Camera:
        """Where its camera is, and how it looks."""
        eye = np.append(self.place, HEIGHT)
        level = np.cos(self.pitch)
        forward = np.cos(self.yaw) * level, np.sin(self.yaw) * level, np.sin(self.pitch)
        return Camera.looking_at(eye, eye + forward, width=self._size[0], height=self._size[1])

    def observe(self) -> Shot:
        """What the camera sees now, with the truth about it."""
        if self._renderer is None:
            self._renderer = Renderer(self.simulation, *self._size)
        camera = self.camera
        picture = self._renderer.picture(camera)
        shot = Shot(camera, picture, truth_of(self.facts, picture, camera), picture.depth)
        return shot if self._noise is None else shot.with_noise(self._noise)

    @property
    def facts(self):
        """The true state of the room, `physics.facts.Facts`."""
        if self._facts is None:
            self._facts = facts_of(self.simulation)
        return self._facts

    def close(self) -> None:
        """Free the renderer."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def can_reach(self, point: Sequence[float]) -> bool:
        """Whether there is a place to stand from which the hand gets to a point, (3,) m."""
        point = checked(point)
        return not too_high(point) and self._stand(point)[1] is not None

    # actions

    def run(
        self, motion: Motion, each_tick: Callable[[float | str], None] | None = None
    ) -> Outcome:
        """Run an action to its end. `each_tick` is called in between with what feedback tells."""
        while True:
            try:
                feedback = next(motion)
            except StopIteration as end:
                return end.value
            if each_tick is not None:
                each_tick(feedback)

    def go_to(self, point: Sequence[float]) -> Motion:
        """Drive until a point, (3,) m, is within reach, and look at it.

        From where the point is within reach and in view already, only the head turns. Where it is
        in view from nowhere, within reach is enough. Yields the distance that is left, m. Fails
        when the point is too high, or no place to stand is near enough; the robot then stays.
        """
        point = checked(point)
        if problem := too_high(point):
            return Outcome(False, problem)
        space, stand = self._stand(point)
        if stand is None:
            return Outcome(False, "out of reach: there is no free place to stand that is near it")
        way = path(space, self.place, stand)
        lengths = np.append(0, np.linalg.norm(np.diff(way, axis=0), axis=1).cumsum())
        for along in np.append(np.arange(0, lengths[-1], SPEED * TICK_S), lengths[-1]):
            self.place = np.array([np.interp(along, lengths, axis) for axis in way.T])
            self._turn_to(point)
            yield self._tick(lengths[-1] - along)
        while not self._turn_to(point):
            yield self._tick(0.0)
        return Outcome(True)

    def pick(self, label: str, point: Sequence[float]) -> Motion:
        """Take the thing of a class at a point, (3,) m, into the hand.

        Yields the phases reach, grasp and lift. Fails when the hand is full, the point is out of
        reach, or nothing, something else, or something too large or fastened is there.
        """
        point = checked(point)
        if self.hand.held is not None:
            return Outcome(False, f"the hand is full: it holds a {self._name(self.hand.held)}")
        if problem := too_far(point, self.place):
            return Outcome(False, problem)
        yield from self._spend("reach", point)
        index, problem = self.hand.thing_at(label, point)
        if index is None:
            return Outcome(False, problem)
        yield from self._spend("grasp", point)
        self.hand.grasp(index, self._tray())
        self._facts = None
        yield from self._spend("lift", point)
        return Outcome(True)

    def place_at(self, point: Sequence[float]) -> Motion:
        """Lower what is held until it touches something at a point, (3,) m, and let go.

        Yields the phases reach, release and settle. Fails when the hand is empty, the point is out
        of reach or taken (it then keeps the thing), and when the thing falls off. The outcome's
        point says where it came to rest.
        """
        point = checked(point)
        held = self.hand.held
        if held is None:
            return Outcome(False, "the hand is empty")
        if problem := too_far(point, self.place):
            return Outcome(False, problem)
        yield from self._spend("reach", point)
        if obstacle := self.hand.release(point):
            return Outcome(False, f"the place is taken by a {obstacle}")
        self._facts = None
        yield from self._spend("release", point)
        low, high = self.simulation.extents()[held]
        rest = np.array([*(low + high)[:2] / 2, low[2]])
        yield from self._spend("settle", rest)
        if rest[2] < point[2] - _FELL - 0.1 or np.linalg.norm(rest[:2] - point[:2]) > 3 * _FELL:
            return Outcome(False, f"the {self._name(held)} fell off", rest)
        return Outcome(True, "", rest)

    # parts of actions

    def _stand(self, point: np.ndarray) -> tuple[DrivingSpace | None, np.ndarray | None]:
        """Where the robot may be now, and where it would stand for a point; None for nowhere."""
        space = free_space(self.simulation, HEIGHT, self._carried())
        if space is None:
            return None, None
        reach = REACH - _MARGIN
        return space, find_stand(self.simulation, space, self.place, point, reach, HEIGHT)

    def _tick(self, feedback: float | str) -> float | str:
        """Let time go by; what is held comes along."""
        self.time_s += TICK_S
        self.hand.carry(self._tray())
        return feedback

    def _spend(self, phase: str, point: np.ndarray) -> Motion:
        """Half a second of a phase, with the eyes on a point."""
        for _ in range(5):
            self._turn_to(point)
            yield self._tick(phase)

    def _turn_to(self, point: np.ndarray) -> bool:
        """Turn the head to a point as far as a tick allows; whether it looks there."""
        x, y, z = point - np.append(self.place, HEIGHT)
        yaw, pitch = np.arctan2(y, x), np.arctan2(z, np.hypot(x, y)).clip(*_PITCH)
        left = np.array([(yaw - self.yaw + np.pi) % (2 * np.pi) - np.pi, pitch - self.pitch])
        step = left.clip(-TURN * TICK_S, TURN * TICK_S)
        self.yaw, self.pitch = float(self.yaw + step[0]), float(self.pitch + step[1])
        return bool(np.allclose(step, left))

    def _tray(self) -> np.ndarray:
        """Where the robot carries what it holds."""
        behind = self.place - _TRAY * np.array([np.cos(self.yaw), np.sin(self.yaw)])
        return np.append(behind, _TRAY)

    def _carried(self) -> list[int]:
        return [] if self.hand.held is None else self.hand.with_contents(self.hand.held)

    def _name(self, index: int) -> str:
        return self.simulation.items[index].name
