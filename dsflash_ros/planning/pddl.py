"""Scene graphs as problems in PDDL, the language of task planners."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dsflash_ros.graph.scene_graph import SceneGraph

PDDL_WORDS = (
    "and",
    "assign",
    "define",
    "either",
    "exists",
    "forall",
    "imply",
    "not",
    "number",
    "object",
    "or",
    "when",
)
"""Words of PDDL's own, which are no names."""


def to_pddl(graph: "SceneGraph", name: str = "scene", domain: str = "scene_graph") -> str:
    """Write a PDDL problem: nodes are typed objects, relations initial facts, the goal is empty.

    An object's name is its class and id, as in `cup_3`; its type is its class.
    """
    types = {node.class_id: _pddl_symbol(node.label, node.class_id) for node in graph.nodes}
    symbols = {node.id: f"{types[node.class_id]}_{node.id}" for node in graph.nodes}
    objects = "".join(f"\n    {symbols[n.id]} - {types[n.class_id]}" for n in graph.nodes)
    facts = "".join(
        f"\n    ({_pddl_symbol(r.predicate, r.predicate_id)} "
        f"{symbols[r.subject]} {symbols[r.object]})"
        for r in graph.relations
    )
    return (
        f"(define (problem {_pddl_symbol(name)})\n  (:domain {_pddl_symbol(domain)})\n"
        f"  (:objects{objects})\n  (:init{facts})\n  (:goal (and)))\n"
    )


def _pddl_symbol(text: str, number: int | None = None) -> str:
    """Turn a text into a name of PDDL: letters, digits, `-` and `_`, of which a letter is first.

    Spaces become `-`. Where a name loses more than that, or is one of PDDL's words, `number`, its
    id, is added, which keeps different names apart.
    """
    symbol = re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-")
    is_changed = symbol != text.lower().replace(" ", "-")
    if not symbol[:1].isalpha():
        symbol = f"x{symbol}"
    if number is not None and (is_changed or symbol in PDDL_WORDS):
        symbol = f"{symbol}-{number}"
    return symbol
