"""How many tasks the agent solves in rooms that no model has seen, and why it fails at others.

    python examples/agent/measure.py [--rooms 50] [--graphs truth tracked untracked] [--json FILE]

Each room has one task, drawn at random, that an agent solves who knows the true state of the whole
room. `truth` are the true graphs of what the camera sees, `tracked` those of the model with
tracking, `untracked` without. Everything runs in this process, without ROS.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from acting import Agent, Report
from local_body import LocalBody
from seeing import ModelEyes, see_truth
from tasks import KINDS, Task, draw_task, failure_kind
from world import World

from dsflash_ros.argument_types import natural, positive
from dsflash_ros.bench.results import store
from dsflash_ros.errors import DSFlashError, ToyroomError
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.machine import machine
from dsflash_ros.text_tables import Row, show
from dsflash_ros.toyroom import VOCABULARY
from dsflash_ros.toyroom.robot.robot_room import RobotRoom
from dsflash_ros.weights.shipped import DEFAULT_WEIGHTS

FIRST_SEED = 4_000_002_000
"""Neither training, calibration nor the choice of a constant has seen rooms from here on.

The agent's constants were chosen in rooms from 4_000_000_100 to 4_000_000_115.
"""

GRAPHS = ("truth", "tracked", "untracked")

Eyes = Callable[[RobotRoom], SceneGraph]


def tasks(rooms: int, first: int) -> Iterator[tuple[int, Task]]:
    """Seeds and tasks of as many rooms; rooms without a task that can be solved are left out."""
    found, seed = 0, first
    while found < rooms:
        try:
            task = draw_task(seed)
        except ToyroomError:  # there is no room to drive
            task = None
        if task is not None:
            found += 1
            yield seed, task
        seed += 1


def attempt(seed: int, task: Task, eyes: Eyes, say: Callable[[str], None]) -> Row:
    """Let the agent try a task; a row of what came of it."""
    start = time.perf_counter()
    room, world = RobotRoom(seed, noisy=True), World()
    try:
        agent = Agent(LocalBody(room, eyes, world), world, VOCABULARY.classes, say)
        agent.lookout.explore()
        goal = task.goal(world, room)
        while not goal and agent.lookout.search():
            goal = task.goal(world, room)
        report = agent.solve(goal) if goal else Report(False, "not seen", "the things are unknown")
        is_solved = report.success and task.is_solved(room)
        kind = "" if is_solved else failure_kind(task, room, world, report)
    finally:
        room.close()
    names = [room.simulation.items[index].name for index in (*task.things, *task.furniture)]
    return {
        "seed": seed,
        "task": task.words or f"{names[0]} on {names[-1]}",
        "solved": int(is_solved),
        "failure": kind,
        "plans": report.plans,
        "steps": report.steps,
        "graphs seen": world.graphs,
        "seconds": round(time.perf_counter() - start, 1),
        "message": report.message,
    }


def summary(found: dict[str, list[Row]]) -> list[Row]:
    """A line for each kind of graphs: the share of tasks solved, and how often what failed."""
    lines = []
    for name, rows in found.items():
        kinds = Counter(row["failure"] for row in rows)
        share = round(100 * sum(row["solved"] for row in rows) / len(rows), 1)
        counts = {kind: kinds[kind] for kind in KINDS}
        lines.append({"graphs": name, "tasks": len(rows), "solved %": share, **counts})
    return lines


def main() -> int:
    """Measure, print, store."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rooms", type=positive, default=50, metavar="N", help="(default: 50)")
    parser.add_argument(
        "--first", type=natural, default=FIRST_SEED, metavar="S", help="seed of the first room"
    )
    parser.add_argument("--graphs", nargs="+", choices=GRAPHS, default=list(GRAPHS))
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS, help="(default: %(default)s)")
    parser.add_argument("--verbose", action="store_true", help="print plans, too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="store everything there, too")
    args = parser.parse_args()
    try:
        eyes = {
            name: see_truth if name == "truth" else ModelEyes(args.weights, name == "tracked")
            for name in args.graphs
        }
        found: dict[str, list[Row]] = {name: [] for name in args.graphs}
        for seed, task in tasks(args.rooms, args.first):
            for name, see in eyes.items():
                if isinstance(see, ModelEyes):
                    see.reset()
                row = attempt(seed, task, see, print if args.verbose else lambda _: None)
                found[name].append(row)
                print(f"{name}: {row}", flush=True)
    except DSFlashError as error:
        print(f"measure: {error}", file=sys.stderr)
        return 1
    lines = summary(found)
    show("tasks solved, and failures", lines)
    if args.json:
        settings = {"rooms": args.rooms, "first": args.first, "weights": args.weights}
        rows = lines + [{"graphs": name, **row} for name, rows in found.items() for row in rows]
        store(args.json, "agent", settings, rows, machine())
    return 0


if __name__ == "__main__":
    sys.exit(main())
