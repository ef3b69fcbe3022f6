"""A body over ROS: the actions of a robot, and the scene graphs of its camera."""

import contextlib
import math
import threading
import time

import rclpy
from body import BodyError, Done
from geometry_msgs.msg import Point as PointMessage
from geometry_msgs.msg import PointStamped
from nav_msgs.msg import Odometry
from rclpy.action import ActionClient
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.task import Future
from std_msgs.msg import Header
from world import Point, World

from dsflash_ros.action import GoTo, Pick, Place
from dsflash_ros.errors import NoGraphError
from dsflash_ros.ros.client import SceneGraphClient

MAP_FRAME = "map"

_VIEWS = 3
"""Graphs that are taken in after an action."""

_CANCEL_S = 3.0
"""For so long a robot may let an action go on that it is asked to cancel."""


class RosBody:
    """Acts by ROS actions. Graphs go into the world while an action runs, and on `watch`.

    An action is cancelled when it times out, when there are no graphs any more, and when an
    exception interrupts it. For signals this takes `rclpy.init` without signal handlers: those of
    rclpy shut ROS down, and then nothing can be cancelled any more.

    Args:
        world: what graphs go into.
        topic: of the graphs.
        timeout_s: of an action.
        silence_s: after so long without a graph, whoever makes them is taken for dead.
        start_s: for finding the robot, and for the first graph.
    """

    def __init__(
        self,
        world: World,
        topic: str = "scene_graph",
        timeout_s: float = 60.0,
        silence_s: float = 20.0,
        start_s: float = 120.0,
    ) -> None:
        self._world, self._timeout, self._silence = world, timeout_s, silence_s
        self._start_s, self._last, self._place = start_s, -math.inf, None
        self._node = rclpy.create_node("task_planner")
        self._actions = {
            kind: ActionClient(self._node, kind, name)
            for kind, name in ((GoTo, "go_to"), (Pick, "pick"), (Place, "place"))
        }
        self._node.create_subscription(Odometry, "odom", self._on_odometry, 5)
        self._graphs = SceneGraphClient(self._node, topic)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def wait_until_ready(self) -> None:
        """Wait for the robot and for a graph. Raises `BodyError` when they do not come."""
        end = time.monotonic() + self._start_s
        while not all(client.server_is_ready() for client in self._actions.values()):
            if time.monotonic() > end:
                raise BodyError(f"no robot serves go_to, pick and place: waited {self._start_s} s")
            time.sleep(0.1)
        try:
            self._graphs.wait_for(self._take, max(1.0, end - time.monotonic()))
        except NoGraphError as error:
            raise BodyError(f"there are no graphs: {error}") from error
        while self._place is None:
            if time.monotonic() > end:
                raise BodyError("the robot does not say where it is: nothing comes on odom")
            time.sleep(0.1)

    def go_to(self, point: Point) -> Done:
        return self._act(GoTo, GoTo.Goal(point=_stamped(point)))

    def pick(self, label: str, point: Point) -> Done:
        return self._act(Pick, Pick.Goal(label=label, point=_stamped(point)))

    def place(self, point: Point) -> Done:
        return self._act(Place, Place.Goal(point=_stamped(point)))

    def watch(self) -> None:
        now = self._node.get_clock().now().nanoseconds * 1e-9
        for _ in range(_VIEWS):
            try:
                self._graphs.wait_for(self._take, self._silence, after=max(now, self._last))
            except NoGraphError as error:
                raise BodyError(f"there are no graphs any more: {error}") from error

    def where(self) -> tuple[float, float]:
        return self._place

    def close(self) -> None:
        """Stop listening."""
        self._graphs.close()
        self._executor.shutdown()
        self._thread.join(5.0)  # a thread in ROS's code would abort the process at its end
        self._node.destroy_node()

    def _act(self, kind: type, goal) -> Done:
        """Have an action done, and take in graphs meanwhile."""
        name = kind.__name__
        end = time.monotonic() + self._timeout
        accepted = Future()
        try:
            self._executor.create_task(self._send, kind, goal, accepted)
            self._wait(accepted, end, name)
            handle = accepted.result()
            if not handle.accepted:
                problem = "the robot refused: it does something else, or knows no such frame"
                return Done(False, problem)
            result = handle.get_result_async()
            self._wait(result, end, name)
        except BaseException:  # also of a signal: the robot is not to act for nobody
            self._cancel(accepted)
            raise
        found = result.result().result
        point = None
        if kind is Place and found.point.header.frame_id:
            point = (found.point.point.x, found.point.point.y, found.point.point.z)
        return Done(found.success, found.message, point)

    def _wait(self, future, end: float, name: str) -> None:
        """Take in graphs until the future is done.

        Raises `BodyError` when that takes too long, there are no graphs any more, or no ROS.
        """
        while not future.done():
            if not self._node.context.ok():
                raise BodyError(f"{name} was interrupted: ROS was shut down")
            if time.monotonic() > end:
                raise BodyError(f"{name} timed out: the robot did not finish in {self._timeout} s")
            if self._graphs.age_s > self._silence:
                raise BodyError(
                    f"there are no graphs any more: none has come for {self._graphs.age_s:.0f} s; "
                    "does the node run?"
                )
            try:
                self._graphs.wait_for(self._take, 0.1, after=self._last)
            except NoGraphError:
                continue

    def _send(self, kind: type, goal, accepted: Future) -> None:
        """Send a goal, and pass on its handle. Runs in the executor's thread.

        There no signal interrupts it: a goal that nobody knows to be sent cannot be cancelled.
        """
        sent = self._actions[kind].send_goal_async(goal)
        sent.add_done_callback(lambda sent: accepted.set_result(sent.result()))

    def _cancel(self, accepted: Future) -> None:
        """Cancel the goal that was sent, also when the robot accepts it only after this.

        Waits a little for the robot's answer: a process that ended before would cancel nothing.
        """
        if not self._node.context.ok():
            return
        is_settled = threading.Event()

        def cancel(accepted: Future) -> None:
            handle = accepted.result()
            if not handle.accepted:
                is_settled.set()
                return
            handle.cancel_goal_async().add_done_callback(lambda _: is_settled.set())

        accepted.add_done_callback(cancel)  # at once when the robot has accepted it
        is_settled.wait(_CANCEL_S)

    def _take(self, graph) -> bool:
        """Take in a graph, each one once."""
        if graph.position_frame not in ("", MAP_FRAME):
            raise BodyError(
                f"positions are in the frame {graph.position_frame!r}: start the node with "
                f"-p target_frame:={MAP_FRAME}"
            )
        if graph.stamp > self._last:
            self._last = graph.stamp
            self._world.update(graph)
        return True

    def _on_odometry(self, message: Odometry) -> None:
        place = message.pose.pose.position
        self._place = place.x, place.y

    def _spin(self) -> None:
        with contextlib.suppress(ExternalShutdownException):
            self._executor.spin()


def _stamped(point: Point) -> PointStamped:
    x, y, z = map(float, point)
    return PointStamped(header=Header(frame_id=MAP_FRAME), point=PointMessage(x=x, y=y, z=z))
