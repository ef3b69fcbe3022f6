"""A task planner that ends, or waits in vain, has what its robot does cancelled: over the wire."""

import signal
import subprocess
import sys
import threading
import time

import pytest
from places import ROOT

pytest.importorskip("dsflash_ros.action", reason="needs rclpy and the generated actions")
pytest.importorskip("mujoco")
pytest.importorskip("unified_planning")

sys.path.insert(0, str(ROOT / "examples" / "agent"))

import rclpy
from body import BodyError
from nav_msgs.msg import Odometry
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import MultiThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from ros_body import RosBody
from std_msgs.msg import Header
from world import World

from dsflash_ros import msg
from dsflash_ros.action import GoTo, Pick, Place
from dsflash_ros.ros import qos

pytestmark = pytest.mark.slow

PLANNER = ROOT / "examples" / "agent" / "task_planner.py"
LONGEST_S = 20.0


class PatientRobot:
    """Serves the actions and empty graphs. No action ends before it is cancelled.

    It has a ROS context of its own, which lives on when that of the planner ends.

    Attributes:
        accept_s: how long it takes to accept a goal.
        has_begun: whether it acts.
        was_cancelled: whether it was asked not to.
    """

    def __init__(self) -> None:
        self.accept_s = 0.0
        self.has_begun, self.was_cancelled = threading.Event(), threading.Event()
        self._is_closed = threading.Event()
        self._context = rclpy.Context()
        rclpy.init(context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self._node = rclpy.create_node("patient_robot", context=self._context)
        group = ReentrantCallbackGroup()
        self._servers = [
            ActionServer(
                self._node,
                kind,
                name,
                execute_callback=lambda handle, kind=kind: self._execute(handle, kind),
                goal_callback=self._accept,
                cancel_callback=lambda _: CancelResponse.ACCEPT,
                callback_group=group,
            )
            for kind, name in ((GoTo, "go_to"), (Pick, "pick"), (Place, "place"))
        ]
        self._graphs = self._node.create_publisher(msg.SceneGraph, "scene_graph", qos.results())
        self._odometry = self._node.create_publisher(Odometry, "odom", 5)
        self._node.create_timer(0.1, self._tell, callback_group=group)
        self._executor = MultiThreadedExecutor(num_threads=4, context=self._context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._executor.spin, daemon=True)
        self._thread.start()

    def _accept(self, _goal) -> GoalResponse:
        time.sleep(self.accept_s)
        return GoalResponse.ACCEPT

    def _execute(self, handle, kind):
        self.has_begun.set()
        while not self._is_closed.wait(0.02):
            if handle.is_cancel_requested:
                self.was_cancelled.set()
                handle.canceled()
                return kind.Result(success=False, message="canceled")
        handle.abort()
        return kind.Result()

    def _tell(self) -> None:
        stamp = self._node.get_clock().now().to_msg()
        header = Header(frame_id="map", stamp=stamp)
        self._graphs.publish(msg.SceneGraph(header=header, width=1, height=1))
        self._odometry.publish(Odometry())

    def close(self) -> None:
        self._is_closed.set()
        self._executor.shutdown()
        self._thread.join()
        self._node.destroy_node()
        self._context.shutdown()


@pytest.fixture
def robot():
    robot = PatientRobot()
    yield robot
    robot.close()


@pytest.fixture
def body(robot):
    rclpy.init()
    body = RosBody(World(), start_s=60.0)
    body.wait_until_ready()
    yield body
    body.close()
    rclpy.try_shutdown()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_planner_that_is_ended_has_the_action_cancelled(robot, number):
    command = [sys.executable, str(PLANNER), "all bottles on the couch"]
    planner = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert robot.has_begun.wait(60.0)
        planner.send_signal(number)
        planner.send_signal(number)  # as who ends a group of processes, and then each of them
        assert robot.was_cancelled.wait(LONGEST_S)
        _, told = planner.communicate(timeout=LONGEST_S)
    finally:
        planner.kill()
        planner.wait()
    assert (planner.returncode, told) == (1, "")


def test_an_action_that_is_interrupted_is_cancelled(robot, body):
    def interrupt(_graph):
        if robot.has_begun.is_set():
            raise KeyboardInterrupt

    body._world.update = interrupt
    with pytest.raises(KeyboardInterrupt):
        body.go_to((0.0, 0.0, 0.0))
    assert robot.was_cancelled.wait(LONGEST_S)


def test_a_goal_that_times_out_while_it_is_accepted_is_cancelled(robot, body):
    robot.accept_s, body._timeout = 1.5, 0.3
    with pytest.raises(BodyError, match="GoTo timed out"):
        body.go_to((0.0, 0.0, 0.0))
    assert robot.was_cancelled.wait(LONGEST_S)


def test_without_ros_an_action_ends_at_once(body):
    def shut_down(_graph):
        rclpy.try_shutdown()

    body._world.update = shut_down
    start = time.monotonic()
    with pytest.raises(BodyError, match="ROS was shut down"):
        body.go_to((0.0, 0.0, 0.0))
    assert time.monotonic() - start < LONGEST_S / 2
