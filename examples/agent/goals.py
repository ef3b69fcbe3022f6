"""Goals in PDDL, or in a sentence such as `all bottles on the shelf`."""

import re
from collections.abc import Iterable

from plans import MAPPING, Planner, PlanningError, symbol
from world import Thing, World

from dsflash_ros.errors import DSFlashError

_SENTENCE = re.compile(r"(?:put |bring )?(.+?) (?:on|onto|in|into|to) (.+)")
_HOW = (
    "{!r} is no goal: write such as 'all bottles on the shelf', 'cup_7 on dining table_2' or "
    "(on cup_7 dining-table_2)"
)
_ALL, _ONE = {"all", "every", "each"}, {"a", "an", "any", "one", "the", "some"}


class GoalError(DSFlashError):
    """A goal that cannot be read, or that names nothing."""


def goal_to_pddl(text: str, world: World, classes: Iterable[str]) -> str:
    """A goal as a formula of PDDL over the things of a world.

    Args:
        text: a formula such as `(on cup_7 dining-table_2)`, or `WHAT on WHERE`, several of them
            joined by `and`. WHAT is a thing's name, `all CLASS` or `a CLASS`, WHERE a name or
            `the CLASS`. Of a class's name the last word is enough, also with an s.
        world: what is known.
        classes: all classes that there are; those of robot.yaml among them can be in a goal.

    Raises `GoalError` when it cannot be read, or names a class or thing that is not known.
    """
    text = text.strip().lower()
    if text.startswith("("):
        return _checked(text, world, classes)
    formulas = []
    for part in re.split(r",? and ", text):
        match = _SENTENCE.fullmatch(part)
        if match is None:
            raise GoalError(_HOW.format(part))
        formulas.append(_formula(match[1], match[2], world, classes))
    return formulas[0] if len(formulas) == 1 else f"(and {' '.join(formulas)})"


def classes_in(goal: str) -> set[str]:
    """The symbols of classes over which a formula quantifies."""
    return set(re.findall(r"- ([\w-]+)", goal))


def names_in(goal: str) -> set[str]:
    """The symbols of things that a formula names."""
    return set(re.findall(r"[\s(]([a-z][\w-]*_\d+)", goal))


def _formula(what: str, where: str, world: World, classes: Iterable[str]) -> str:
    subject, subjects = _term("?x", what, world, classes)
    target, targets = _term("?y", where, world, classes)
    return subjects.format(targets.format(f"(on {subject} {target})"))


def _term(variable: str, words: str, world: World, classes: Iterable[str]) -> tuple[str, str]:
    """A term of PDDL, and the quantifier around the formula with it."""
    if re.search(r"_\d+$", words):
        _check_thing(words, world)
        return symbol(words), "{}"
    quantifier, _, rest = words.partition(" ")
    if quantifier not in _ALL | _ONE:
        quantifier, rest = "a", words
    label = _label(rest, classes)
    kind = "forall" if quantifier in _ALL else "exists"
    return variable, f"({kind} ({variable} - {symbol(label)}) {{}})"


def _label(words: str, classes: Iterable[str]) -> str:
    """The class that words name: all of it, or its last word, or that with an s."""
    known = _in_goals(classes)
    for form in (words, words.removesuffix("s"), words.removesuffix("es")):
        for label in known.values():
            if form in (label, label.split()[-1]):
                return label
    raise _no_class(words, known.values())


def _in_goals(classes: Iterable[str]) -> dict[str, str]:
    """The classes that a goal can speak of, by their symbols."""
    return {symbol(label): label for label in classes if MAPPING.type_of(label) is not None}


def _no_class(name: str, known: Iterable[str]) -> GoalError:
    return GoalError(f"there is no class {name!r} for goals; there are {', '.join(known)}")


def _checked(formula: str, world: World, classes: Iterable[str]) -> str:
    """The formula, when all its things and classes are known."""
    for name in sorted(names_in(formula)):
        _check_thing(name, world)
    types = [*_in_goals(classes), "item", "surface", "thing"]
    for name in sorted(classes_in(formula)):
        if name not in types:
            raise _no_class(name, types)
    return formula


def _check_thing(name: str, world: World) -> None:
    """Raise `GoalError` for a thing that is not known, or of a class that is in no goal."""
    things = {symbol(thing.name): thing for thing in world.things.values()}
    thing = things.get(symbol(name))
    if thing is None:
        known = ", ".join(sorted(world.things)) or "nothing yet"
        raise GoalError(f"there is no {name}: the agent knows {known}")
    if MAPPING.type_of(thing.label) is None:
        raise _no_class(thing.label, MAPPING.types)


def check_words(text: str, classes: Iterable[str]) -> None:
    """Raise `GoalError` for a goal that no world could fulfil, before any is known."""
    text = text.strip().lower()
    if text.startswith("("):
        world = _imagined(names_in(text), classes)
        try:
            Planner().check(_checked(text, world, classes), world)
        except PlanningError as error:
            raise GoalError(str(error)) from error
        return
    for part in re.split(r",? and ", text):
        match = _SENTENCE.fullmatch(part)
        if match is None:
            raise GoalError(_HOW.format(part))
        for term in match.groups():
            names = {symbol(term)} if re.search(r"_\d+$", term) else set()
            _term("?x", term, _imagined(names, classes), classes)


def _imagined(names: Iterable[str], classes: Iterable[str]) -> World:
    """A world of things with these symbols. Raises `GoalError` where their class is in no goal."""
    known, world = _in_goals(classes), World()
    for name in sorted(names):
        label = name.rpartition("_")[0]
        if label not in known:
            raise _no_class(label, known.values())
        world.things[name] = Thing(name, known[label], (0, 0, 0), (1, 1, 1), 0.0)
    return world
