"""Plans of a real PDDL planner, Fast Downward, for what the agent believes."""

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from world import FURNITURE, World

from dsflash_ros.errors import DSFlashError, first_line, missing_extra
from dsflash_ros.planning.pddl import pddl_names
from dsflash_ros.planning.pddl_mapping import PddlMapping

try:
    from unified_planning.engines import PlanGenerationResultStatus as Status
    from unified_planning.engines import SequentialPlanValidator, ValidationResultStatus
    from unified_planning.exceptions import UPTypeError
    from unified_planning.io import PDDLReader
    from unified_planning.plans import ActionInstance, SequentialPlan
    from unified_planning.shortcuts import OneshotPlanner, get_environment
except ImportError as error:
    raise missing_extra("planning", error) from error

get_environment().credits_stream = None

DOMAIN = (Path(__file__).parent / "domain.pddl").read_text()

MAPPING = PddlMapping.load(Path(__file__).parent / "robot.yaml")

ITEMS = tuple(label for label in MAPPING.types if label not in FURNITURE)

LONGEST_S = 20.0
"""Seconds that the planner may think."""


class PlanningError(DSFlashError):
    """A goal that is no PDDL, or a planner that does not work."""


@dataclass(frozen=True)
class Step:
    """One action of a plan: `go-to`, `pick` or `place`, and names of things."""

    action: str
    things: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.action} {' '.join(symbol(name) for name in self.things)}"


@dataclass
class Failures:
    """What failed before and is not to be tried again; and what is within reach."""

    out_of_reach: set[str] = field(default_factory=set)
    no_room: set[tuple[str, str]] = field(default_factory=set)
    within_reach: str = ""


def symbol(text: str) -> str:
    """A name or class as a symbol of PDDL: `dining-table_3`."""
    return text.lower().replace(" ", "-")


def problem_of(world: World, failures: Failures, goal: str) -> tuple[str, dict[str, str]]:
    """A PDDL problem: what bears what, and the goal, a formula; and what it calls each thing.

    Its objects are all furniture, and the items that the goal speaks of: planners are faster so. A
    thing's name in the problem goes by its class, which may have changed since it got its own.
    """
    words = set(re.findall(r"[\w-]+", goal))
    known = [
        name
        for name, thing in world.things.items()
        if thing.label in FURNITURE
        or (thing.label in ITEMS and words & {symbol(name), symbol(thing.label), "item", "thing"})
        or name == world.holding
    ]
    graph = world.graph(known)
    found = pddl_names(graph, MAPPING)
    names = {name: found[number] for number, name in enumerate(known) if number in found}
    facts = [f"(out-of-reach {names[name]})" for name in failures.out_of_reach & names.keys()]
    facts += [
        f"(no-room {names[a]} {names[b]})"
        for a, b in failures.no_room
        if _is_item(world, names, a) and b in names and not _is_item(world, names, b)
    ]
    if not world.holding:
        facts.append("(hand-empty)")
    elif _is_item(world, names, world.holding):
        facts.append(f"(holding {names[world.holding]})")
    if failures.within_reach in names:
        facts.append(f"(within-reach {names[failures.within_reach]})")
    by_symbol = {symbol(name): one for name, one in names.items()}
    goal = re.sub(r"[\w-]+", lambda word: by_symbol.get(word[0], word[0]), goal)
    return graph.to_pddl(goal=goal, mapping=MAPPING, init=facts), names


def _is_item(world: World, names: dict[str, str], name: str) -> bool:
    return name in names and world.things[name].label in ITEMS


@contextmanager
def _in_a_folder_of_its_own() -> Iterator[None]:
    """Fast Downward writes output.sas where it is started; two of them would mix their problems."""
    before = os.getcwd()
    with TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


class Planner:
    """Finds plans, and says whether a plan still leads to the goal."""

    def __init__(self) -> None:
        items, surfaces = (" ".join(map(symbol, labels)) for labels in (ITEMS, FURNITURE))
        self._domain = DOMAIN.format(classes=f"{items} - item {surfaces} - surface")

    def plan(self, world: World, failures: Failures, goal: str) -> list[Step] | None:
        """The steps to the goal, none where it holds; None when there is no way.

        Raises `PlanningError` for a goal that is no formula, and when the planner fails.
        """
        problem, names = self._parse(world, failures, goal)
        goals = [part.simplify() for part in problem.goals]
        if any(part.is_false() for part in goals):
            return None  # Fast Downward does not take what is false, nor what is true
        problem.clear_goals()
        for part in goals:
            if not part.is_true():
                problem.add_goal(part)
        if not problem.goals:
            return []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                with _in_a_folder_of_its_own(), OneshotPlanner(name="fast-downward") as engine:
                    result = engine.solve(problem, timeout=LONGEST_S)
            except Exception as error:  # of many types
                raise PlanningError(f"the planner failed: {first_line(error)}") from error
        if result.status in (Status.INTERNAL_ERROR, Status.UNSUPPORTED_PROBLEM):
            raise PlanningError(f"the planner failed: {result.status.name.lower()}")
        if result.plan is None:
            return None
        return self._shortened(problem, result.plan, names)

    def _shortened(self, problem, plan: SequentialPlan, names: dict[str, str]) -> list[Step]:
        """The steps of a plan without those that it does as well without."""
        actions = list(plan.actions)
        for action in plan.actions:
            fewer = [other for other in actions if other is not action]
            if self._leads_to_goal(problem, fewer):
                actions = fewer
        things = {one: name for name, one in names.items()}
        return [
            Step(action.action.name, tuple(things[str(one)] for one in action.actual_parameters))
            for action in actions
        ]

    def check(self, goal: str, world: World) -> None:
        """Raise `PlanningError` for a goal that is no formula."""
        self._parse(world, Failures(), goal)

    def is_valid(self, steps: list[Step], world: World, failures: Failures, goal: str) -> bool:
        """Whether these steps can be done, and lead to the goal, from what is believed now."""
        problem, names = self._parse(world, failures, goal)
        if any(name not in names for step in steps for name in step.things):
            return False
        try:
            actions = [
                ActionInstance(
                    problem.action(step.action),
                    tuple(problem.object(names[name]) for name in step.things),
                )
                for step in steps
            ]
        except UPTypeError:  # a thing turned out to be furniture, or furniture a thing
            return False
        return self._leads_to_goal(problem, actions)

    @staticmethod
    def _leads_to_goal(problem, actions: list[ActionInstance]) -> bool:
        found = SequentialPlanValidator().validate(problem, SequentialPlan(actions))
        return found.status == ValidationResultStatus.VALID

    def _parse(self, world: World, failures: Failures, goal: str):
        try:
            text, names = problem_of(world, failures, goal)
            return PDDLReader().parse_problem_string(self._domain, text), names
        except Exception as error:  # the reader raises errors of many types
            raise PlanningError(
                f"the goal {goal} is no formula such as (on cup_7 bed_2), with the predicates of "
                f"domain.pddl{f': {first_line(error)}' if str(error) else ''}"
            ) from error
