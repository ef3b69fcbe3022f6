"""Scene graphs as problems in PDDL, the language of task planners."""

import re
from collections.abc import Iterable
from itertools import accumulate

from dsflash_ros.errors import ConfigError
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.planning.pddl_mapping import PDDL_WORDS, PddlMapping

MOST_CHARACTERS = 40
"""Of a label in the name of an object."""


def to_pddl(
    graph: SceneGraph,
    name: str = "scene",
    goal: str = "(and)",
    mapping: PddlMapping | None = None,
    init: Iterable[str] | None = None,
) -> str:
    """Write a PDDL problem: nodes are typed objects, relations are initial facts.

    Args:
        graph: as it is.
        name: of the problem.
        goal: in PDDL, with the objects' names, see `pddl_names`.
        mapping: what the domain calls classes and predicates; None: that of the package, for the
            domain that `domain_pddl` gives.
        init: facts besides those of the graph, as `(in-hand cup_3)`; None: those of the mapping.

    Raises `ConfigError` for a goal or a fact that is not in balanced brackets.
    """
    mapping = mapping or PddlMapping.load()
    names = pddl_names(graph, mapping)
    types = {node.id: mapping.type_of(node.label) for node in graph.nodes}
    facts = [_bracketed(fact) for fact in (mapping.init if init is None else init)]
    for r in graph.relations:
        if r.subject in names and r.object in names:
            facts.append(mapping.fact(r.predicate, names[r.subject], names[r.object]))
    objects = "".join(f"\n    {symbol} - {types[node_id]}" for node_id, symbol in names.items())
    told = "".join(f"\n    {fact}" for fact in dict.fromkeys(facts) if fact)
    return (
        f"(define (problem {_problem_name(name)})\n  (:domain {mapping.domain})\n"
        f"  (:objects{objects})\n  (:init{told})\n  (:goal {_bracketed(goal)}))\n"
    )


def pddl_names(graph: SceneGraph, mapping: PddlMapping | None = None) -> dict[int, str]:
    """What `to_pddl` calls the nodes, by node id: `cup_7` for the cup whose `Node.name` has 7.

    Nodes that the mapping leaves out are not in it. A name that is taken, by another node or in the
    domain, gets another number, as in `cup_7-2`.
    """
    mapping = mapping or PddlMapping.load()
    taken, names = mapping.names | PDDL_WORDS, {}
    for node in graph.nodes:
        if mapping.type_of(node.label) is None:
            continue
        number = node.id if node.track_id is None else node.track_id
        first = name = f"{_symbol(node.label)}_{number}"
        count = 1
        while name in taken:
            count += 1
            name = f"{first}-{count}"
        taken.add(name)
        names[node.id] = name
    return names


def _symbol(text: str) -> str:
    """Turn a text into a name of PDDL: letters, digits, `-` and `_`, of which a letter is first.

    What PDDL does not have becomes `-`.
    """
    symbol = re.sub(r"[^a-z0-9_-]+", "-", text.lower())[:MOST_CHARACTERS].strip("-")
    return symbol if symbol[:1].isalpha() else f"x{symbol}"


def _problem_name(name: str) -> str:
    symbol = _symbol(name)
    return f"x-{symbol}" if symbol in PDDL_WORDS else symbol


def _bracketed(text: str) -> str:
    """The text, which must be one expression in brackets."""
    text = text.strip()
    depths = list(accumulate((c == "(") - (c == ")") for c in text))
    ends = depths.index(0) + 1 if 0 in depths else 0
    if not text.startswith("(") or ends != len(text) or ";" in text:
        raise ConfigError(f"expected PDDL in brackets, as in (on cup_7 table_2), got {text!r:.80}")
    return text
