"""Tasks drawn at random for rooms, whether the truth can solve them, and why the agent did not."""

import math
from dataclasses import dataclass

import numpy as np
from acting import Agent, Report
from local_body import LocalBody
from plans import ITEMS
from seeing import see_everything
from world import FURNITURE, World

from dsflash_ros.toyroom import VOCABULARY
from dsflash_ros.toyroom.robot.robot_room import RobotRoom

KINDS = ("not seen", "wrong relation", "lost identity", "plan", "action")
"""Why a task is not solved."""

_DRAWS = 30
"""How many tasks are tried for a room until one can be solved."""

_NEAR_M = 0.25
"""So far may a thing that the agent knows be from the true one that a task means, m."""


@dataclass(frozen=True)
class Task:
    """Things that are to be on furniture.

    Attributes:
        things: items of the room, by index.
        furniture: items of which any may bear them.
        words: `all bottles on a shelf`, or empty for one thing and one piece, called by name.
    """

    things: tuple[int, ...]
    furniture: tuple[int, ...]
    words: str = ""

    def is_solved(self, room: RobotRoom) -> bool:
        """Whether the things really are where they are to be."""
        facts = room.facts
        borne = facts.rests_on | facts.encloses.T
        held = room.hand.held
        return held not in self.things and bool(
            borne[np.ix_(self.things, self.furniture)].any(1).all()
        )

    def goal(self, world: World, room: RobotRoom) -> str:
        """The goal in words that the agent understands; empty when it does not know the things."""
        if self.words:
            return self.words
        names = [nearest(world, room, index) for index in (*self.things, *self.furniture)]
        return f"{names[0]} on {names[1]}" if all(names) else ""


def nearest(world: World, room: RobotRoom, index: int) -> str:
    """What the agent calls an item of the room; empty where it does not know it."""
    label = room.simulation.items[index].name
    low, high = room.simulation.extents()[index]

    def away(position: tuple[float, float, float]) -> float:
        outside = np.maximum(np.maximum(low - position, position - high), 0)
        return float(np.linalg.norm(outside)) + 0.1 * math.dist(position, (low + high) / 2)

    near = [(away(thing.position), thing.name) for thing in world.of_class(label)]
    distance, name = min(near, default=(math.inf, ""))
    return name if distance <= _NEAR_M else ""


def draw_task(seed: int) -> Task | None:
    """A task for the room of a seed that an agent solves who knows the true state of everything."""
    random = np.random.default_rng((seed, 0xA6))
    for _ in range(_DRAWS):
        room = RobotRoom(seed)
        task = _any_task(random, room)
        if task is None or task.is_solved(room) or not _is_near_enough(task, room):
            continue
        world = World()
        body = LocalBody(room, see_everything, world, views=1)
        body.watch()
        agent = Agent(body, world, VOCABULARY.classes, say=lambda _: None, searches=0)
        agent.solve(task.goal(world, room))
        if task.is_solved(room):
            return task
    return None


def _any_task(random: np.random.Generator, room: RobotRoom) -> Task | None:
    names = [item.name for item in room.simulation.items]
    things = [i for i, name in enumerate(names) if name in ITEMS and room.hand.can_grasp(i)]
    furniture = [i for i, name in enumerate(names) if name in FURNITURE]
    furniture = [i for i in furniture if names[i] != "shelf" or names.count("shelf") == 1]
    if not things or not furniture:
        return None
    thing, target = int(random.choice(things)), int(random.choice(furniture))
    if random.random() < 0.7:
        return Task((thing,), (target,))
    alike = [tuple(np.flatnonzero(np.array(names) == names[i]).tolist()) for i in (thing, target)]
    return Task(*alike, f"all {names[thing]}s on a {names[target]}")


def _is_near_enough(task: Task, room: RobotRoom) -> bool:
    """Whether the things can be reached: a quick answer for most tasks that cannot be solved."""
    middles = room.simulation.extents().mean(1)
    return all(room.can_reach(middles[index]) for index in task.things)


def failure_kind(task: Task, room: RobotRoom, world: World, report: Report) -> str:
    """Which of `KINDS` a failure is."""
    names = [item.name for item in room.simulation.items]
    if report.success:
        borne = (room.facts.rests_on | room.facts.encloses.T)[:, list(task.furniture)].any(1)
        alike = [i for i, name in enumerate(names) if name == names[task.things[0]]]
        is_other = any(borne[i] for i in alike if i not in task.things)
        return "lost identity" if is_other and not task.words else _unseen(task, room, world)
    if report.kind in ("not seen", "goal"):
        return "lost identity" if report.steps else "not seen"
    return report.kind


def _unseen(task: Task, room: RobotRoom, world: World) -> str:
    """The goal seemed to hold: something of it was not seen, or a relation was wrong."""
    known = all(nearest(world, room, index) for index in task.things)
    return "wrong relation" if known else "not seen"
