"""Goals in PDDL, or in a sentence such as `all bottles on the shelf`."""

import re
from collections.abc import Iterable

from plans import symbol
from world import World

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
        classes: all classes that there are.

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
    names = {name.lower(): name for name in world.things}
    if words in names:
        return symbol(words), "{}"
    if re.search(r"_\d+$", words):
        raise GoalError(f"there is no {words}: {_known(world)}")
    quantifier, _, rest = words.partition(" ")
    if quantifier not in _ALL | _ONE:
        quantifier, rest = "a", words
    label = _label(rest, classes)
    kind = "forall" if quantifier in _ALL else "exists"
    return variable, f"({kind} ({variable} - {symbol(label)}) {{}})"


def _label(words: str, classes: Iterable[str]) -> str:
    """The class that words name: all of it, or its last word, or that with an s."""
    for form in (words, words.removesuffix("s"), words.removesuffix("es")):
        for label in classes:
            if form in (label, label.split()[-1]):
                return label
    raise GoalError(f"there is no class {words!r}; the classes are {', '.join(classes)}")


def _checked(formula: str, world: World, classes: Iterable[str]) -> str:
    """The formula, when all its things and classes are known."""
    known = {symbol(name) for name in world.things}
    for name in sorted(names_in(formula) - known):
        raise GoalError(f"there is no {name}: {_known(world)}")
    types = {symbol(label) for label in classes} | {"item", "surface", "thing"}
    for name in sorted(classes_in(formula)):
        if name not in types:
            raise GoalError(f"there is no class {name!r}; the classes are {', '.join(types)}")
    return formula


def _known(world: World) -> str:
    return f"the agent knows {', '.join(sorted(world.things)) or 'nothing yet'}"


def check_words(text: str, classes: Iterable[str]) -> None:
    """Raise `GoalError` for a goal that no world could fulfil, before any is known."""
    text = text.strip().lower()
    words = set(re.findall(r"([a-z][a-z -]*?)_\d+", text.replace("(", " ( ")))
    for label in words:
        name = re.sub(r"^.*?\b(?:on|in|onto|into|to|and|put|bring)\s+", "", label).strip()
        if name not in classes and name not in {symbol(one) for one in classes}:
            raise GoalError(f"there is no class {name!r}; the classes are {', '.join(classes)}")
    if text.startswith("("):
        if text.count("(") != text.count(")"):
            raise GoalError(f"the brackets of {text!r} do not match")
        return
    for part in re.split(r",? and ", text):
        match = _SENTENCE.fullmatch(part)
        if match is None:
            raise GoalError(_HOW.format(part))
        for term in match.groups():
            if not re.search(r"_\d+$", term):
                _term("?x", term, World(), classes)
