"""The task planner as a ROS process: it is given a goal, and acts by what scene graphs tell.

    python examples/agent/task_planner.py "all bottles on the couch" [--topic /scene_graph]

Exit code: 0 when the goal holds, 1 when it was not reached, 2 when the goal cannot be read.
"""

import argparse
import sys

import rclpy
from acting import Agent
from body import BodyError
from goals import check_words
from rclpy.executors import ExternalShutdownException
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
    rclpy.init()
    world = World()
    body = RosBody(world, args.topic, args.timeout, args.silence)
    try:
        say("waiting for the robot and for graphs")
        body.wait_until_ready()
        agent = Agent(body, world, VOCABULARY.classes, say)
        say("looking around")
        agent.lookout.explore(args.places)
        say(f"known: {', '.join(sorted(world.things))}")
        report = agent.solve(args.goal)
    except BodyError as error:
        print(f"task_planner: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, ExternalShutdownException):
        return 1
    finally:
        body.close()
        rclpy.try_shutdown()
    say(f"{report.plans} plans, {report.steps} actions")
    return 0 if report.success else 1


if __name__ == "__main__":
    sys.exit(main())
