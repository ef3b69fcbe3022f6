"""The simulated robot as a ROS process: its camera, its odometry, and three actions.

    python examples/agent/robot.py [--seed S] [--rate HZ]

It publishes what `dsflash toyroom camera` does, and `odom` (nav_msgs/Odometry), and serves the
actions `go_to`, `pick` and `place`, one at a time.
"""

import argparse
import contextlib
import queue
import sys
import threading
import time
from dataclasses import dataclass, field

import numpy as np
import rclpy
from geometry_msgs.msg import Point, PointStamped, Pose, PoseWithCovariance, Quaternion
from nav_msgs.msg import Odometry
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor
from std_msgs.msg import Header

from dsflash_ros.action import GoTo, Pick, Place
from dsflash_ros.argument_types import natural, positive_float
from dsflash_ros.errors import DSFlashError
from dsflash_ros.ros.playback.player import Player
from dsflash_ros.ros.playback.robot_camera import RobotCamera
from dsflash_ros.ros.process.transport import prepare_transport
from dsflash_ros.toyroom.camera.true_positions import MAP_FRAME
from dsflash_ros.toyroom.robot.robot_motion import Motion, Outcome
from dsflash_ros.toyroom.robot.robot_room import TICK_S, RobotRoom


@dataclass
class Job:
    """An action that waits for the simulation's thread, and how it ended."""

    motion: Motion
    handle: object
    feedback: type
    ended: threading.Event = field(default_factory=threading.Event)
    outcome: Outcome = field(default_factory=lambda: Outcome(False, "the robot was shut down"))


class Robot:
    """The room, and what connects it with ROS. The simulation runs in the thread of `run`."""

    def __init__(self, room: RobotRoom, rate_hz: float) -> None:
        self._room, self._period_s = room, 1 / rate_hz
        self._player = Player("image", "camera_optical_frame")
        self._camera = RobotCamera(self._player)
        self._odometry = self._player.advertise(Odometry, "odom")
        self._jobs: queue.Queue[Job] = queue.Queue()
        self._is_busy = threading.Lock()
        self._node = rclpy.create_node("robot")
        group = ReentrantCallbackGroup()
        motions = {
            "go_to": (GoTo, lambda goal: room.go_to(_xyz(goal.point))),
            "pick": (Pick, lambda goal: room.pick(goal.label, _xyz(goal.point))),
            "place": (Place, lambda goal: room.place_at(_xyz(goal.point))),
        }
        self._servers = [
            ActionServer(
                self._node,
                kind,
                name,
                execute_callback=lambda handle, kind=kind, motion=motion: self._execute(
                    kind, motion, handle
                ),
                goal_callback=self._accept,
                cancel_callback=lambda _: CancelResponse.ACCEPT,
                callback_group=group,
            )
            for name, (kind, motion) in motions.items()
        ]
        self._executor = MultiThreadedExecutor(num_threads=3)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def run(self) -> None:
        """Simulate in real time, at most, and publish images at the rate, until interrupted."""
        job, published = None, 0.0
        while rclpy.ok():
            start = time.monotonic()
            if job is None and not self._jobs.empty():
                job = self._jobs.get()
            if job is not None and self._advance(job):
                job = None
            if start - published >= self._period_s:
                published = start
                self._camera.publish(self._room.observe(), 0.0)
                self._odometry.publish(self._pose())
            time.sleep(max(0.0, TICK_S - (time.monotonic() - start)))

    def _advance(self, job: Job) -> bool:
        """Simulate a tick of an action; whether it has ended."""
        try:
            if job.handle.is_cancel_requested:
                job.motion.close()
                job.outcome = Outcome(False, "canceled")
            else:
                _publish_feedback(job, next(job.motion))
                return False
        except StopIteration as end:
            job.outcome = end.value
        except DSFlashError as error:
            job.outcome = Outcome(False, str(error))
        job.ended.set()
        return True

    def _accept(self, goal) -> GoalResponse:
        """One action at a time, at points of the map."""
        if goal.point.header.frame_id not in ("", MAP_FRAME) or not self._is_busy.acquire(False):
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    def _execute(self, kind: type, motion, handle):
        """Have an action done by the simulation's thread. Runs in one of the executor's."""
        job = Job(motion(handle.request), handle, kind.Feedback)
        try:
            self._jobs.put(job)
            while rclpy.ok() and not job.ended.wait(0.2):
                pass
        finally:
            self._is_busy.release()
        outcome = job.outcome
        if handle.is_cancel_requested:
            handle.canceled()
        elif outcome.success:
            handle.succeed()
        else:
            handle.abort()
        result = kind.Result(success=outcome.success, message=outcome.message)
        if kind is Place and outcome.point is not None:
            x, y, z = map(float, outcome.point)
            result.point = PointStamped(
                header=Header(frame_id=MAP_FRAME), point=Point(x=x, y=y, z=z)
            )
        return result

    def _pose(self) -> Odometry:
        x, y = map(float, self._room.place)
        half = self._room.yaw / 2
        turn = Quaternion(z=float(np.sin(half)), w=float(np.cos(half)))
        stamp = self._node.get_clock().now().to_msg()
        return Odometry(
            header=Header(frame_id=MAP_FRAME, stamp=stamp),
            child_frame_id="base_link",
            pose=PoseWithCovariance(pose=Pose(position=Point(x=x, y=y), orientation=turn)),
        )

    def _spin(self) -> None:
        with contextlib.suppress(ExternalShutdownException):
            self._executor.spin()

    def close(self) -> None:
        """End the actions and take the nodes down."""
        self._executor.shutdown()
        self._thread.join(5.0)  # a thread in ROS's code would abort the process at its end
        self._node.destroy_node()
        self._player.close()
        self._room.close()
        rclpy.try_shutdown()


def _publish_feedback(job: Job, value: float | str) -> None:
    name = next(iter(job.feedback.get_fields_and_field_types()))
    job.handle.publish_feedback(job.feedback(**{name: value}))


def _xyz(point: PointStamped) -> tuple[float, float, float]:
    return point.point.x, point.point.y, point.point.z


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=natural, default=4_000_000_106, help="of the room")
    parser.add_argument("--rate", type=positive_float, default=4.0, help="images per second")
    args = parser.parse_args()
    prepare_transport()
    try:
        room = RobotRoom(args.seed, noisy=True)
    except DSFlashError as error:
        print(f"robot: {error}", file=sys.stderr)
        return 1
    rclpy.init()
    robot = Robot(room, args.rate)
    try:
        robot.run()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except Exception:  # of many types, when SIGTERM came while it published
        if rclpy.ok():
            raise
    finally:
        robot.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
