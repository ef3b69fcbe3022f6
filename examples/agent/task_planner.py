"""The task planner as a ROS process: it is given a goal, and acts by what scene graphs tell.

    python examples/agent/task_planner.py "all bottles on the couch" [--topic /scene_graph]

Exit code: 0 when the goal holds, 1 when it was not reached, 2 when the goal cannot be read or names
nothing that is known. SIGINT and SIGTERM have the robot's action cancelled; the exit code is 1.
"""

import argparse
import signal
import sys

import rclpy
from acting import Agent, Report
from body import BodyError
from goals import check_words
from rclpy.signals import SignalHandlerOptions
from ros_body import RosBody
from world import World

from dsflash_ros.argument_types import positive, positive_float
from dsflash_ros.errors import DSFlashError
from dsflash_ros.ros.process.transport import prepare_transport
from dsflash_ros.toyroom import VOCABULARY


def say(line: str) -> None:
    print(line, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("goal", help="such as 'cup_7 on dining table_2', or PDDL")
    parser.add_argument("--topic", default="scene_graph", help="of the graphs")
    parser.add_argument(
        "--places", type=positive, default=3, help="from which to look around first"
    )
    parser.add_argument("--timeout", type=positive_float, default=60.0, help="of an action, s")
    parser.add_argument("--silence", type=positive_float, default=20.0, help="without graphs, s")
    args = parser.parse_args()
    try:
        check_words(args.goal, VOCABULARY.classes)  # rather than look around in vain
    except DSFlashError as error:
        print(f"task_planner: {error}", file=sys.stderr)
        return 2
    prepare_transport()
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _interrupt)
        # rclpy's own handlers shut ROS down, and no action could be cancelled any more
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        report = _solve(args)
    except BodyError as error:
        print(f"task_planner: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1
    finally:
        rclpy.try_shutdown()
    say(f"{report.plans} plans, {report.steps} actions")
    if report.kind == "goal":
        return 2
    return 0 if report.success else 1


def _solve(args: argparse.Namespace) -> Report:
    """Look around, and do what the goal takes."""
    world = World()
    body = RosBody(world, args.topic, args.timeout, args.silence)
    try:
        say("waiting for the robot and for graphs")
        body.wait_until_ready()
        agent = Agent(body, world, VOCABULARY.classes, say)
        say("looking around")
        agent.lookout.explore(args.places)
        say(f"known: {', '.join(sorted(world.things))}")
        return agent.solve(args.goal)
    finally:
        body.close()


def _interrupt(*_) -> None:
    """End the planner. It takes one signal: a second one must not keep it from cancelling."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
