"""A body in the agent's own process: a simulated room, and what makes graphs of its images."""

from collections.abc import Callable

from body import Done
from world import Point, World

from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.toyroom.robot.robot_motion import Motion
from dsflash_ros.toyroom.robot.robot_room import TICK_S, RobotRoom


class LocalBody:
    """Acts in a `RobotRoom`."""

    def __init__(
        self,
        room: RobotRoom,
        see: Callable[[RobotRoom], SceneGraph],
        world: World,
        every_s: float = 0.4,
        views: int = 3,
    ) -> None:
        """`see` makes the graph of now: each `every_s`, and `views` times on `watch`."""
        self._room, self._see, self._world = room, see, world
        self._every, self._views = max(1, round(every_s / TICK_S)), views
        self._ticks = 0

    def go_to(self, point: Point) -> Done:
        return self._run(self._room.go_to(point))

    def pick(self, label: str, point: Point) -> Done:
        return self._run(self._room.pick(label, point))

    def place(self, point: Point) -> Done:
        return self._run(self._room.place_at(point))

    def watch(self) -> None:
        for _ in range(self._views):
            self._room.time_s += TICK_S
            self._look()

    def where(self) -> tuple[float, float]:
        x, y = self._room.place.tolist()
        return x, y

    def _run(self, motion: Motion) -> Done:
        outcome = self._room.run(motion, self._tick)
        point = None if outcome.point is None else tuple(outcome.point.tolist())
        return Done(outcome.success, outcome.message, point)

    def _tick(self, _feedback: float | str) -> None:
        self._ticks += 1
        if self._ticks % self._every == 0:
            self._look()

    def _look(self) -> None:
        self._world.update(self._see(self._room))
