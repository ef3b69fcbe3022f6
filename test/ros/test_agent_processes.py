"""examples/agent over ROS: the robot's actions, what goes wrong with them, and a whole task."""

import os
import signal
import subprocess
import sys

import pytest
from places import ROOT

pytest.importorskip("dsflash_ros.action", reason="needs rclpy and the generated actions")
pytest.importorskip("mujoco")
pytest.importorskip("unified_planning")

sys.path.insert(0, str(ROOT / "examples" / "agent"))

import rclpy
from body import BodyError
from ros_body import RosBody
from world import World

from dsflash_ros.graph.topics import TRUTH_TOPIC

pytestmark = pytest.mark.slow

AGENT = ROOT / "examples" / "agent"
SEED = "4000000106"


@pytest.fixture
def robot():
    rclpy.init()
    process = subprocess.Popen([sys.executable, str(AGENT / "robot.py"), "--seed", SEED])
    yield process
    process.terminate()
    assert process.wait(60.0) == 0
    rclpy.try_shutdown()


@pytest.fixture
def body(robot):
    body = RosBody(World(), TRUTH_TOPIC, timeout_s=30.0, silence_s=12.0, start_s=120.0)
    body.wait_until_ready()
    yield body
    body.close()


def test_actions_are_done_refused_and_time_out_and_a_dead_robot_is_noticed(body, robot):
    body.watch()
    assert body._world.graphs >= 3
    assert not body.pick("cup", (0.0, 0.0, 1.0)).success
    assert "the hand is empty" in body.place((1.0, 1.0, 0.5)).message
    assert "out of reach" in body.go_to((50.0, 50.0, 1.0)).message
    x, y = body.where()
    assert body.go_to((x + 0.3, y, 1.0)).success

    body._timeout = 0.2
    with pytest.raises(BodyError, match="GoTo timed out"):
        body.go_to((x - 0.3, y, 1.0))  # the head has to turn round

    robot.send_signal(signal.SIGSTOP)  # as good as dead, but it can end as it should
    os.waitpid(robot.pid, os.WUNTRACED)  # until all its threads stand still
    body._timeout = 60.0
    try:
        with pytest.raises(BodyError, match="no graphs any more"):
            body.go_to((x - 0.3, y, 1.0))
        with pytest.raises(BodyError, match="no graphs any more"):
            body.watch()
    finally:
        robot.send_signal(signal.SIGCONT)


def test_without_a_robot_the_body_says_so():
    rclpy.init()
    body = RosBody(World(), start_s=0.5)
    try:
        with pytest.raises(BodyError, match="no robot serves"):
            body.wait_until_ready()
    finally:
        body.close()
        rclpy.try_shutdown()


@pytest.mark.parametrize(
    ("goal", "message"),
    [
        ("all unicorns on the table", "there is no class 'unicorns' for goals; there are backpack"),
        ("(on ?x ?y)", "the goal (on ?x ?y) is no formula such as (on cup_7 bed_2)"),
    ],
)
def test_a_goal_that_cannot_be_read_is_refused_before_anything_moves(goal, message):
    command = [sys.executable, str(AGENT / "task_planner.py"), goal]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_node_that_comes_back_does_not_matter_and_one_that_is_gone_ends_the_task(robot):
    processes = []

    def start(*command, **options):
        processes.append(subprocess.Popen([sys.executable, *map(str, command)], **options))
        return processes[-1]

    def plan():
        goal = (AGENT / "task_planner.py", "all bottles on the dining table", "--silence", "30")
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        planner = start(*goal, "--places", "1", **pipes)
        assert "waiting" in planner.stdout.readline()
        assert planner.stdout.readline() == "looking around\n"
        return planner

    node = ("-m", "dsflash_ros.cli", "node", "--ros-args", "-p", "target_frame:=map")
    try:
        first = start(*node)
        planner = plan()
        first.kill()
        second = start(*node)
        assert planner.stdout.readline().startswith("known: ")
        planner.kill()
        planner = plan()
        second.kill()
        _, told = planner.communicate(timeout=60)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert planner.returncode == 1
    assert told.startswith("task_planner: there are no graphs any more: ")
    assert told.count("\n") == 1


def test_a_task_is_played_as_separate_processes(tmp_path):
    command = [sys.executable, str(AGENT / "play.py"), "--truth", "--places", "2"]
    done = subprocess.run(
        [*command, "all bottles on the dining table", "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=420,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "plan 1: go-to bottle_18, pick bottle_18" in done.stdout
    assert "done: the goal holds" in done.stdout
    assert (tmp_path / "agent.mp4").stat().st_size > 10_000
    assert (tmp_path / "agent.png").stat().st_size > 10_000
