"""The agent: it plans, acts, watches the graph, and plans again when the world is not as expected.

Needs no ROS: what it acts with is a `Body`.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from body import Body, BodyError
from goals import GoalError, classes_in, goal_to_pddl, names_in
from lookout import Lookout
from plans import Failures, Planner, PlanningError, Step, symbol
from spots import spots
from world import Point, World

MOST_PLANS = 20
"""After so many plans the agent gives up."""

MOST_SPOTS = 24
"""So many places on a piece of furniture are tried for a thing."""

_SPOTS_AT_ONCE = 8
"""So many of them without a new plan."""

_MOST_STANDS = 3
"""For so many of them the agent looks for a place to stand at; then none is out of reach."""

_APART_M = 0.1
"""A place is not tried again, nor what is so near to it, metres."""


@dataclass(frozen=True)
class Report:
    """How a task ended.

    Attributes:
        success: whether the goal holds, as far as the agent knows.
        kind: what was the trouble: goal, not seen, plan, action, or empty.
        message: the trouble in a sentence.
        plans: how many plans were made.
        steps: how many actions were done.
    """

    success: bool
    kind: str = ""
    message: str = ""
    plans: int = 0
    steps: int = 0


class Agent:
    """Solves one task after another in one world.

    Attributes:
        world: what it believes.
        doing: the action that is being done, in words.
        lookout: where it looked around, and will look next.
    """

    def __init__(
        self,
        body: Body,
        world: World,
        classes: Iterable[str],
        say: Callable[[str], None] = print,
        searches: int = 4,
    ) -> None:
        """`classes`: all that there are. `searches`: how often it looks for what is missing."""
        self.world, self.doing = world, ""
        self.lookout = Lookout(body, world, searches)
        self._body, self._classes, self._say = body, tuple(classes), say
        self._planner = Planner()

    def solve(self, goal: str) -> Report:
        """Do what it takes until the goal holds, in bounded time."""
        self._failures = Failures()
        self._tried: dict[tuple[str, str], list[Point]] = {}
        self._spots: dict[tuple[str, str], Point | None] = {}
        self._misses: dict[str, int] = {}
        self._plans = self._steps = 0
        try:
            formula = goal_to_pddl(goal, self.world, self._classes)
            self._say(f"goal: {formula}")
            return self._pursue(formula)
        except (GoalError, PlanningError) as error:
            return self._report("goal", str(error))
        except BodyError as error:
            return self._report("action", str(error))

    def _pursue(self, formula: str) -> Report:
        while self._plans < MOST_PLANS:
            if missing := self._missing(formula):
                if not self.lookout.search():
                    return self._report("not seen", f"no {', '.join(sorted(missing))} was seen")
                continue
            self._plans += 1
            plan = self._planner.plan(self.world, self._failures, formula)
            if plan is None:
                if self.lookout.search():  # what failed may work with what is known now
                    self._failures = Failures(within_reach=self._failures.within_reach)
                    self._tried.clear()
                    continue
                return self._report("plan", f"there is no way to the goal{self._why_not()}")
            if not plan:
                if "(forall" in formula and self.lookout.search():
                    self._say("the goal holds for all that are known: looked for more of them")
                    continue
                return self._report()
            self._say(f"plan {self._plans}: {', '.join(map(str, plan))}")
            self._follow(plan, formula)
        return self._report("plan", f"the goal does not hold after {MOST_PLANS} plans")

    def _follow(self, plan: list[Step], formula: str) -> None:
        """Do a plan's steps as long as they lead to the goal."""
        for number, step in enumerate(plan):
            self.doing = str(step)
            problem = self._do(step)
            self._steps += 1
            self._body.watch()
            self.doing = ""
            if problem:
                self._say(f"new plan: {step} failed: {problem}")
                return
            rest = plan[number + 1 :]
            if not self._planner.is_valid(rest, self.world, self._failures, formula):
                self._say(f"new plan: after {step} the world is not as expected")
                return

    def _do(self, step: Step) -> str:
        """Do a step, and believe what it reports; returns why it failed, or empty."""
        act = {"go-to": self._go_to, "pick": self._pick, "place": self._place}[step.action]
        if any(name not in self.world.things for name in step.things):
            return "it is not there any more"
        return act(*step.things)

    def _go_to(self, name: str) -> str:
        thing, held = self.world.things[name], self.world.holding
        self._failures.within_reach = ""
        for _ in range(_MOST_STANDS if held else 1):
            spot = self._spots[held, name] = self._spot(held, name) if held else None
            done = self._body.go_to(spot or thing.position)
            if done.success:
                self._failures.within_reach = name
                return ""
            if spot:
                self._tried.setdefault((held, name), []).append(spot)
        if held:
            self._failures.no_room.add((held, name))
        else:
            self._failures.out_of_reach.add(name)
        return done.message

    def _pick(self, name: str) -> str:
        self._body.watch()
        if name not in self.world.things:
            return "it is not there any more"
        thing = self.world.things[name]
        done = self._body.pick(thing.label, thing.position)
        self._failures.within_reach = ""
        if done.success:
            self.world.took(name)
            return ""
        self._misses[name] = self._misses.get(name, 0) + 1
        if "there is no" in done.message:
            self.world.forget(name, for_good=self._misses[name] >= 2)
        elif self._misses[name] >= 2:
            self._failures.out_of_reach.add(name)
        return done.message

    def _place(self, name: str, furniture: str) -> str:
        spot = self._spots.get((name, furniture)) or self._spot(name, furniture)
        tried = self._tried.setdefault((name, furniture), [])
        for _ in range(_SPOTS_AT_ONCE):
            done = self._body.place(spot)
            if not done.success:
                tried.append(spot)
            if done.point is not None:  # it left the hand
                self.world.put(done.point, [furniture] if done.success else [])
                break
            spot = self._spot(name, furniture)
        self._failures.within_reach = ""
        if len(tried) >= MOST_SPOTS:
            self._failures.no_room.add((name, furniture))
        return done.message

    def _spot(self, name: str, furniture: str) -> Point:
        """Where to put a thing: the best place that was not tried before."""
        things, tried = self.world.things, self._tried.get((name, furniture), [])
        found = spots(self.world, things[name], things[furniture], self._body.where())
        fresh = (spot for spot in found if all(math.dist(spot, old) > _APART_M for old in tried))
        return next(fresh, found[len(tried) % len(found)])

    def _missing(self, formula: str) -> set[str]:
        """Classes and things that the goal speaks of and that are not known, or not any more."""
        things = self.world.things.values()
        classes = classes_in(formula) - {symbol(thing.label) for thing in things}
        names = names_in(formula) - {symbol(thing.name) for thing in things}
        return names | (classes - {"item", "surface", "thing"})

    def _why_not(self) -> str:
        reasons = [f"{name} is out of reach" for name in sorted(self._failures.out_of_reach)]
        reasons += [f"no room for {a} on {b}" for a, b in sorted(self._failures.no_room)]
        return f": {'; '.join(reasons)}" if reasons else ""

    def _report(self, kind: str = "", message: str = "") -> Report:
        report = Report(not kind, kind, message, self._plans, self._steps)
        self._say(f"failed ({kind}): {message}" if kind else "done: the goal holds")
        return report
